"""The mark of the newest version that has changed a host, and what an older one makes of it."""

from __future__ import annotations

import itertools

import pytest
from planned_host import BARE, ETH0, converged, request

from sriov import __version__
from sriov.facts.model import Facts, Replaced
from sriov.planning import host_version, plan, rollback
from sriov.planning.host_version import VERSION_FILE, mark_due
from sriov.resources.contract import Severity

ASCENDING = (
    "1.9", "1.10.dev1", "1.10a1.dev3", "1.10a1", "1.10a1.post2", "1.10a2", "1.10b1", "1.10rc1", "1.10",
    "1.10.post1.dev1", "1.10.post1", "1.10.1", "2.0.0",
)  # fmt: skip


def marked(facts: Facts, mark: str) -> Facts:
    return facts._replace(values={VERSION_FILE: mark})


@pytest.mark.parametrize(("older", "newer"), [*itertools.combinations(ASCENDING, 2)])
def test_only_a_newer_mark_keeps_this_version_away(older: str, newer: str) -> None:
    severities = [p.severity for p in host_version.problems(request(ETH0), marked(BARE, newer), older)]
    assert severities == [Severity.IMPOSSIBLE]
    assert host_version.problems(request(ETH0), marked(BARE, older), newer) == ()
    assert (mark_due(marked(BARE, older), newer), mark_due(marked(BARE, newer), older)) == (newer, "")


@pytest.mark.parametrize(("one", "other"), [("1.1", "1.1.0"), ("1.1.0", "1.1.0+g1a2b"), ("0", "0.0")])
def test_versions_that_mean_the_same_are_equal(one: str, other: str) -> None:
    for mark, ours in ((one, other), (other, one)):
        assert host_version.problems(request(ETH0), marked(BARE, mark), ours) == ()
        assert mark_due(marked(BARE, mark), ours) == ""


@pytest.mark.parametrize("text", ["", "1.", "one", "9" * 5000, "1.0 2.0"])
def test_mark_that_is_not_a_version_is_a_warning(text: str) -> None:
    (problem,) = host_version.problems(request(ETH0), marked(BARE, text), "1.0")
    assert (problem.id, problem.severity) == ("version-unreadable", Severity.WARNING)


@pytest.mark.parametrize(
    ("mark", "due"), [("1.9", True), ("1.10", False), ("1.10.0", False), ("2.0", False), ("?", True)]
)
def test_mark_is_due_where_an_older_version_or_none_stands(mark: str, due: bool) -> None:
    assert mark_due(marked(BARE, mark), "1.10") == ("1.10" if due else "")
    assert mark_due(BARE, "1.10") == "1.10"


def test_host_without_a_mark_or_with_an_older_one_is_no_problem() -> None:
    assert [host_version.problems(request(ETH0), facts) for facts in (BARE, marked(BARE, "1.0.0"))] == [(), ()]


def test_newer_mark_stops_the_run_and_says_what_to_do() -> None:
    made = plan.make(request(ETH0), marked(BARE, "99.1"))
    (problem,) = made.impossible
    assert made.changes  # all of them are shown
    assert problem.target == VERSION_FILE
    assert f"wanted at most {__version__}, found 99.1" in problem.message
    assert problem.hint.startswith("use sriov-fab 99.1 or newer; --force-version")


def test_newer_mark_stops_a_rollback_too() -> None:
    facts = marked(BARE, "99.1")._replace(run_id="r", replaced=(Replaced("0", "-", "0", "/etc/x"),))
    assert VERSION_FILE in [problem.target for problem in rollback.make(request(ETH0), facts).impossible]


def test_force_version_makes_a_warning_of_it_and_leaves_the_newer_mark() -> None:
    made = plan.make(request(ETH0)._replace(force_version=True), marked(BARE, "99.1"))
    assert (made.impossible, [problem.target for problem in made.warnings]) == ((), [VERSION_FILE])
    assert made.version == ""


@pytest.mark.parametrize("mark", ["", "rubbish", "x" * 100_000])
def test_damaged_mark_is_a_warning_and_the_next_change_writes_it(mark: str) -> None:
    made = plan.make(request(ETH0), marked(BARE, mark))
    (problem,) = made.warnings
    assert problem.severity is Severity.WARNING
    assert len(str(problem)) < 300
    assert made.version == __version__


def test_converged_host_with_an_older_mark_or_none_stays_converged() -> None:
    for facts in (converged(), marked(converged(), "1.0.0")):
        assert plan.make(request(ETH0), facts).is_converged
