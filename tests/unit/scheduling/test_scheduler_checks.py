"""What `explain` says of the scheduler's filters: the rules by which a run judges them."""

from __future__ import annotations

import pytest
from planned_host import BARE, ETH0, NOVA_CONF, request

from sriov.facts.model import Unit
from sriov.model import Role
from sriov.planning import plan
from sriov.resources.contract import Severity
from sriov.scheduling.checks import Mark
from sriov.scheduling.explain import Explained, explain

SITE = "available_filters = site_filters.HalfFull"
ALL = "nova.scheduler.filters.all_filters"
RUNNING = Unit("nova-scheduler", True, "active", "enabled", started_at=10.0)
REQUEST = request(ETH0, roles=frozenset({Role.OPENSTACK}))


def explained(text: str) -> Explained:
    facts = BARE._replace(files={NOVA_CONF: text.encode()}, units=(RUNNING,))
    [host] = explain([(REQUEST, facts, "")], "physnet1", 1).schedulers
    return host


def section(*lines: str) -> str:
    return "\n".join(("[filter_scheduler]", *lines, ""))


@pytest.mark.parametrize(
    ("text", "id", "part"),
    [
        (section("enabled_filters = ComputeFilter,HalfFull"), "filter-without-class", "provides HalfFull"),
        (section("available_filters = a.PciPassthroughFilter"), "filter-without-class", "provides ComputeFilter"),
        (section("available_filters = HalfFull"), "filter-without-class", "no module"),
        (section("enabled_filters = ComputeFilter,$nope"), "nova-files-unreadable", "a reference $nope"),
        (section("enabled_filters = ComputeFilter"), "filter-not-enabled", "in force are: ComputeFilter"),
        ('[DEFAULT]\n[pci]\ndevice_spec = {"devname": "$nope"}\n', "nova-files-unreadable", "a reference $nope"),
    ],
)
def test_file_that_ends_the_scheduler_fails_a_step(text: str, id: str, part: str) -> None:
    failing = explained(text).failing
    assert failing is not None
    assert failing.id == id
    assert part in failing.found


@pytest.mark.parametrize(
    "lines",
    [
        ("enabled_filters = ComputeFilter,PciPassthroughFilter",),
        ("enabled_filters = HalfFull,PciPassthroughFilter", f"available_filters = {ALL}", SITE),
    ],
)  # fmt: skip
def test_filters_that_all_have_a_class_fail_no_step(lines: tuple[str, ...]) -> None:
    assert explained(section(*lines)).failing is None


def test_what_a_function_returns_is_not_known() -> None:
    text = section("available_filters = a.all_of_ours", "enabled_filters = HalfFull,PciPassthroughFilter")
    host = explained(text)
    assert host.failing is None
    assert [step.name for step in host.steps if step.mark is Mark.UNKNOWN] == ["each filter in force has a class"]


def planned(text: str, *filters: str) -> plan.Plan:
    asked = REQUEST._replace(testbed=REQUEST.testbed._replace(scheduler_filters=filters or None))
    return plan.make(asked, BARE._replace(files={NOVA_CONF: text.encode()}, units=(RUNNING,)))


def test_plan_attaches_a_class_of_the_site_and_restarts_the_scheduler() -> None:
    made = planned(section("x = 1"), "ComputeFilter", "PciPassthroughFilter", "site_filters.HalfFull")
    assert made.problems == ()
    diff = "\n".join(made.changes[0].diff)
    assert "+enabled_filters = ComputeFilter,PciPassthroughFilter,HalfFull" in diff
    assert f"+available_filters = {ALL}\n+available_filters = site_filters.HalfFull" in diff


def test_plan_refuses_a_name_without_a_class_and_only_tells_of_a_list_without_defaults() -> None:
    [refused] = planned(section("enabled_filters = HalfFull")).problems
    assert (refused.id, refused.severity) == ("nova-options-refused", Severity.IMPOSSIBLE)
    assert refused.message.startswith(f"{NOVA_CONF}:2: ")
    told = planned(section("enabled_filters = PciPassthroughFilter"))
    assert [(one.id, one.severity) for one in told.problems] == [("default-filters-gone", Severity.WARNING)]
    assert told.changes == ()
