"""Our judgement of filters, held against nova's own HostManager, which loads them as nova-scheduler does."""

from __future__ import annotations

import json
import os
import random
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from nova_judge import HERE, python

from sriov.formats.nova import releases as nova
from sriov.formats.nova.edit import Edited, NovaWanted, edit
from sriov.formats.oslo.options import ConfigFile

pytestmark = pytest.mark.nova

CASES = 300
RELEASE = 34  # of the judge
ALL, COMPUTE = nova.ALL_FILTERS, nova.own_filters(RELEASE)["ComputeFilter"]
EXTEND = NovaWanted(None, (nova.PCI_FILTER,))
OF_OUR_OWN = "site_filters.HalfFull"


class Verdict(NamedTuple):
    """`error`: why nova-scheduler ends at its start. `passed`: hosts that the site's filters let pass."""

    error: str
    filters: tuple[str, ...]
    passed: tuple[str, ...]


class Judge:
    """One process of nova's for all cases. The site's filters lie beside its program, where it can import them."""

    def __init__(self, interpreter: str, folder: Path) -> None:
        self.folder = folder
        self.process = subprocess.Popen(
            [interpreter, "-W", "ignore", str(HERE / "filters_judge.py")],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"},
        )

    def ask(self, case: dict[str, object]) -> dict[str, Any]:
        assert self.process.stdin
        assert self.process.stdout
        self.process.stdin.write(json.dumps(case) + "\n")
        self.process.stdin.flush()
        found: dict[str, Any] = json.loads(self.process.stdout.readline())
        return found

    def verdict(self, text: str) -> Verdict:
        """What nova makes of that nova.conf, on a host with 1 VM and one with 9."""
        path = self.folder / "nova.conf"
        path.write_text(text)
        found = self.ask({"files": [str(path)], "hosts": {"empty": 1, "full": 9}})
        return Verdict(found["error"], tuple(found["filters"]), tuple(found["passed"]))


@pytest.fixture(scope="module")
def judge(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Judge]:
    judge = Judge(python(), tmp_path_factory.mktemp("judge"))
    with judge.process:
        yield judge
        judge.process.kill()


def section(*lines: str) -> str:
    return "\n".join(("[filter_scheduler]", *lines, ""))


def edited(text: str, wanted: NovaWanted = EXTEND) -> Edited:
    return edit((ConfigFile("/etc/nova/nova.conf", text.encode(), frozenset(("nova-scheduler",))),), RELEASE, wanted)


def written(text: str, *exact: str) -> str:
    after = edited(text, EXTEND._replace(exact_filters=exact))
    assert after.problems == ()
    return after.files[0].text.decode()


# the table of what nova does with filters of a site's own: enabled, available, what nova says, whether we refuse it
TABLE = {
    "not available": ("ComputeFilter,HalfFull", (), "SchedulerHostFilterNotFound", True),
    "beside all": ("ComputeFilter,HalfFull", (ALL, OF_OUR_OWN), "", False),
    "alone": ("ComputeFilter,HalfFull", (OF_OUR_OWN,), "SchedulerHostFilterNotFound", True),
    "a path enabled": (f"ComputeFilter,{OF_OUR_OWN}", (ALL, OF_OUR_OWN), "SchedulerHostFilterNotFound", True),
    "a function": ("ComputeFilter,HalfFull", (ALL, "site_filters.all_of_ours"), "", False),
    "not installed": ("ComputeFilter", (ALL, "absent_filters.HalfFull"), "ModuleNotFoundError", False),
    "not in the module": ("ComputeFilter", (ALL, "site_filters.Absent"), "ImportError", False),
    "no filter": ("ComputeFilter", (ALL, "site_filters.NoFilter"), "ClassNotFound", False),
    "private": ("ComputeFilter", (ALL, "site_filters._Hidden"), "ClassNotFound", True),
    "two in one line": ("ComputeFilter", (f"{ALL},{OF_OUR_OWN}",), "ModuleNotFoundError", True),
    "no module": ("ComputeFilter", (ALL, "HalfFull"), "ValueError", True),
    "empty": ("ComputeFilter", ("",), "ValueError", True),
    "an old name": ("ComputeFilter", ("nova.scheduler.filters.standard_filters",), "ImportError", True),
    "an old module": ("ComputeFilter", (ALL, f"{nova.OWN_FILTERS}.ram_filter.RamFilter"), "ModuleNotFoundError", True),
    "without its module": ("ComputeFilter", (ALL, f"{nova.OWN_FILTERS}.PciPassthroughFilter"), "ImportError", True),
    "twice": ("ComputeFilter,ComputeFilter", (ALL, ALL), "", False),
    "no filters": ("", (), "", False),
    "a reference": ("$host", (), "SchedulerHostFilterNotFound", True),
    "no such option": ("ComputeFilter,$nonsense", (), "NoSuchOptError", True),
    "no such group": ("ComputeFilter", ("$filters.HalfFull",), "NoSuchGroupError", True),
    "an old option": ("$scheduler_default_filters", (), "NoSuchOptError", True),
}  # fmt: skip


def table_text(case: str) -> str:
    enabled, available, _, _ = TABLE[case]
    return section(f"enabled_filters = {enabled}", *(f"available_filters = {value}" for value in available))


@pytest.mark.parametrize("case", TABLE)
def test_table_is_nova_s(judge: Judge, case: str) -> None:
    assert judge.verdict(table_text(case)).error.partition(":")[0] == TABLE[case][2]


@pytest.mark.parametrize("case", TABLE)
def test_what_ends_nova_scheduler_is_refused_where_the_file_tells(case: str) -> None:
    """Not told by the file: whether a module of the site's own is installed, and what is in it."""
    assert bool(edited(table_text(case)).problems) is TABLE[case][3]


def test_own_filters_are_those_that_nova_finds(judge: Judge) -> None:
    assert judge.ask({"own": True})["filters"] == sorted(nova.own_filters(RELEASE).values())


def test_filter_of_the_site_is_loaded_and_chooses(judge: Judge) -> None:
    before = section(f"available_filters = {ALL}", "enabled_filters = ComputeFilter")
    names = ("ComputeFilter", "PciPassthroughFilter", OF_OUR_OWN)
    for text in ("", before):
        assert judge.verdict(written(text, *names)) == ("", (COMPUTE, nova.PCI_FILTER_CLASS, OF_OUR_OWN), ("empty",))
    assert judge.verdict(before) == ("", (COMPUTE,), ("empty", "full"))


ENABLED = ("ComputeFilter", "ComputeFilter", "JsonFilter", "HalfFull", "Roomy", "RamFilter", "Absent", OF_OUR_OWN, "")
AVAILABLE = (
    ALL, ALL, OF_OUR_OWN, OF_OUR_OWN, COMPUTE, nova.PCI_FILTER_CLASS, "site_filters.all_of_ours", "$compute_driver",
    "${compute_driver}", "site_filters._Hidden", f"{ALL},{COMPUTE}", "HalfFull", "nova.scheduler.filters.all_filter",
)  # fmt: skip


def _text(seed: int) -> str:
    random_ = random.Random(seed)
    enabled = random_.sample(ENABLED, random_.randint(0, 3))
    available = random_.sample(AVAILABLE, random_.choice((0, 0, 1, 1, 2, 3)))
    lines = [f"available_filters = {value}" for value in available]
    lines.insert(random_.randint(0, len(lines)), f"enabled_filters = {','.join(enabled)}")
    set_ = ["[DEFAULT]", f"compute_driver = {random_.choice((COMPUTE, ALL, 'x'))}"] if random_.random() < 0.8 else []
    return "\n".join([*set_, section(*lines)])


def test_judgement_agrees_with_nova_on_generated_files(judge: Judge) -> None:
    refused = 0
    for text in map(_text, range(CASES)):
        ours = edited(text)
        refused += bool(ours.problems)
        if ours.problems:  # nothing is written, and nova would have died of the file as it stands
            assert judge.verdict(text).error, text
        elif not any(note.id == "filter-not-judged" for note in ours.notes):
            verdict = judge.verdict(ours.files[0].text.decode())
            assert verdict.error == "", text
            assert nova.PCI_FILTER_CLASS in verdict.filters, text
    assert 0.2 < refused / CASES < 0.9
