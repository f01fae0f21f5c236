"""Where the phases of hosts are done: in threads of this process, or elsewhere (`sriov/elsewhere.py`).

`Here` keeps a host's session open from one phase to the next. What decides between the phases, and what reports after
them, cannot tell the two places apart.
"""

from __future__ import annotations

import enum
from collections.abc import Iterable
from concurrent.futures import Executor, Future
from dataclasses import dataclass
from queue import SimpleQueue
from typing import Any, Protocol

from sriov.facts.model import Facts
from sriov.planning.plan import Plan
from sriov.resources.contract import WriteFile
from sriov.run.host_run import HostRun, Status


class Phase(enum.Enum):
    """The parts of a host's way between which the controller decides."""

    LOOK = "look"
    APPLY = "apply"
    REBOOT = "reboot"


class Place(Protocol):
    """Where phases are done."""

    width: int

    def start(self, run: HostRun, phase: Phase) -> Future[Any]: ...

    def finish(self, run: HostRun, future: Future[Any]) -> None:
        """Takes over what came of it; raises nothing that is the host's trouble."""

    def now(self, run: HostRun, phase: Phase) -> None:
        """The same in one go, for a thread that has nothing else to do; a failure is in the run or is raised."""

    def interrupt(self) -> None:
        """The operator ended the run: what has not begun is taken back, and the rest hastened to its end."""


def side_by_side(place: Place, runs: Iterable[HostRun], phase: Phase) -> None:
    """One phase of each host, as many under way as the place takes; a failure is its host's alone."""
    finished: SimpleQueue[tuple[HostRun, Future[Any]]] = SimpleQueue()
    under_way = 0
    for run in runs:
        if under_way == place.width:
            place.finish(*finished.get())
            under_way -= 1
        future = place.start(run, phase)
        future.add_done_callback(lambda future, run=run: finished.put((run, future)))  # type: ignore[misc]
        under_way += 1
    for _ in range(under_way):
        place.finish(*finished.get())


@dataclass(eq=False, repr=False)
class Here:
    """Threads, each at the session of one host. What was read there is let go where nobody needs it any more."""

    pool: Executor
    width: int
    keeps_files: bool

    def start(self, run: HostRun, phase: Phase) -> Future[Any]:
        return self.pool.submit(run.attempt, _ACTS[phase])

    def finish(self, run: HostRun, future: Future[Any]) -> None:
        future.result()
        if not self.keeps_files and (run.has_begun or run.status is not Status.DIFFERS):
            run.facts = without_files(run.facts)
            run.first_plan, run.plan = without_content(run.first_plan), without_content(run.plan)

    def now(self, run: HostRun, phase: Phase) -> None:
        _ACTS[phase](run)

    def interrupt(self) -> None:
        """Whoever reads from a session sees it closed by the run itself."""


_ACTS = {Phase.LOOK: HostRun.look, Phase.APPLY: HostRun.apply, Phase.REBOOT: HostRun.reboot}


def without_files(facts: Facts | None) -> Facts | None:
    """What the report shows of a host, which is far less than the files that were read there."""
    return None if facts is None else facts._replace(files={})


def without_content(plan: Plan) -> Plan:
    """The plan without the content of files, which holds more than our own lines."""
    changes = tuple(
        change._replace(steps=tuple(s._replace(content=b"") if isinstance(s, WriteFile) else s for s in change.steps))
        for change in plan.changes
    )
    return plan._replace(changes=changes)
