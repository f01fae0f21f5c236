"""A service that someone has stopped and disabled is left so, and named; the others are restarted."""

from __future__ import annotations

import pytest
from planned_host import BARE, ETH0, request

from sriov.facts.model import Facts, Unit
from sriov.model import Role
from sriov.planning import plan
from sriov.resources.contract import RESTARTS_DUE, Severity
from sriov.scheduling.explain import explain

NAME = "nova-compute"


def with_unit(active: str, file_state: str, name: str = NAME) -> Facts:
    return BARE._replace(units=(Unit(name, True, active, file_state, started_at=10.0 if active == "active" else None),))


def restarted(facts: Facts, *, starts: bool = False) -> list[str]:
    made = plan.make(request(ETH0)._replace(start_services=starts), facts)
    return [change.target for change in made.changes if change.resource == "services"]


def problems(facts: Facts, *, starts: bool = False) -> list[tuple[str, str, Severity]]:
    made = plan.make(request(ETH0)._replace(start_services=starts), facts)
    return [(one.id, one.target, one.severity) for one in made.problems]


PUT_AWAY = [("inactive", "disabled"), ("failed", "disabled"), ("inactive", "masked"), ("inactive", "masked-runtime")]


@pytest.mark.parametrize(("active", "file_state"), PUT_AWAY)
def test_service_that_is_put_away_is_named_and_not_started(active: str, file_state: str) -> None:
    facts = with_unit(active, file_state)
    assert restarted(facts) == []
    assert problems(facts) == [("service-disabled", NAME, Severity.WARNING)]


def test_files_of_a_service_that_is_put_away_are_written() -> None:
    made = plan.make(request(ETH0), with_unit("inactive", "disabled"))
    assert "nova-options" in {change.resource for change in made.changes}


@pytest.mark.parametrize("file_state", ["enabled", "static", "generated", "alias", "enabled-runtime", "indirect"])
def test_service_that_is_stopped_but_not_disabled_is_started(file_state: str) -> None:
    assert restarted(with_unit("failed", file_state)) == [NAME]
    assert problems(with_unit("failed", file_state)) == []


@pytest.mark.parametrize("active", ["active", "activating"])
def test_disabled_service_that_runs_is_restarted(active: str) -> None:
    assert restarted(with_unit(active, "disabled")) == [NAME]


def test_service_that_is_put_away_is_started_where_that_is_asked_for() -> None:
    assert restarted(with_unit("inactive", "disabled"), starts=True) == [NAME]
    assert problems(with_unit("inactive", "disabled"), starts=True) == []


def test_masked_service_is_refused_where_its_start_is_asked_for() -> None:
    assert problems(with_unit("inactive", "masked"), starts=True) == [("service-masked", NAME, Severity.IMPOSSIBLE)]


def test_masked_service_that_runs_and_cannot_be_restarted_is_refused() -> None:
    assert problems(with_unit("active", "masked")) == [("service-masked", NAME, Severity.IMPOSSIBLE)]


def test_service_that_a_run_of_ours_left_stopped_is_started() -> None:
    facts = with_unit("failed", "disabled")
    cut_off = facts._replace(files={**facts.files, f"{RESTARTS_DUE}/{NAME}": b""})
    assert restarted(cut_off) == [NAME]


def test_other_name_of_the_service_counts_where_one_is_masked() -> None:
    units = (Unit(NAME, True, "inactive", "masked"), Unit(f"openstack-{NAME}", True, "active", "enabled", started_at=9))
    assert restarted(BARE._replace(units=units)) == [f"openstack-{NAME}"]


@pytest.mark.parametrize(("active", "file_state"), PUT_AWAY)
def test_explain_names_the_service_as_the_failing_step(active: str, file_state: str) -> None:
    said = explain([(request(ETH0), with_unit(active, file_state), "")], "physnet1", 1)
    failing = said.computes[0].failing
    assert failing is not None
    assert failing.id == "service-disabled"
    assert file_state in failing.found


def test_explain_names_a_stopped_scheduler_too() -> None:
    asked = request(ETH0, roles=frozenset({Role.OPENSTACK}))
    said = explain([(asked, with_unit("inactive", "disabled", "nova-scheduler"), "")], "physnet1", 1)
    assert said.schedulers[0].failing is not None
    assert said.schedulers[0].failing.id == "service-disabled"
