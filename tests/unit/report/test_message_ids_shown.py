"""An id stands behind the first line of its message, and in the documents."""

from __future__ import annotations

import io

from sriov.errors import HostError
from sriov.model import Host, Testbed
from sriov.planning.plan import Plan
from sriov.planning.reboots import Note
from sriov.report import screen
from sriov.report.documents import host_document
from sriov.report.printer import Printer
from sriov.resources.contract import Problem, Request, Severity
from sriov.run.outcome import Outcome, Status

HOST = Host("root@a", "a")
WARNING = Problem("second-master", "virtual-functions", "/etc/rc.local", "it sets VFs", "remove it", Severity.WARNING)
FAILED = Outcome(
    Request(HOST, Testbed("", (HOST,)), frozenset()),
    Status.FAILED,
    plan=Plan(problems=(WARNING,)),
    error=HostError("step-failed", "root@a", "it failed\nwith more to say", hint="run again"),
    notes=(Note("wave-stopped", "not rebooted"),),
)


def test_id_stands_behind_the_first_line_on_the_screen() -> None:
    said = io.StringIO()
    screen.show_trouble((FAILED,), Printer(said))
    assert said.getvalue().splitlines() == [
        "warning root@a: virtual-functions /etc/rc.local: it sets VFs [second-master]",
        "    -> remove it",
        "pending root@a: not rebooted [wave-stopped]",
        "error root@a: it failed [step-failed]",
        "with more to say",
        "    -> run again",
    ]


def test_documents_hold_the_ids_of_problems_notes_and_errors() -> None:
    row = host_document(FAILED)
    assert [problem["id"] for problem in row["problems"]] == ["second-master"]
    assert row["notes"] == [{"id": "wave-stopped", "message": "not rebooted"}]
    assert row["error"] is not None
    assert row["error"]["id"] == "step-failed"
