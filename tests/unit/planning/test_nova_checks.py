"""When a host's own nova is asked: only before a restart that a changed file of nova asks for."""

from __future__ import annotations

import pytest
from planned_host import BARE, ETH0, NOVA_CONF, converged, request

from sriov.facts.model import Facts, Replaced, Unit, checksum
from sriov.model import Role
from sriov.planning import nova_checks, plan, rollback, script
from sriov.planning.nova_checks import NovaCheck
from sriov.planning.plan import Plan
from sriov.resources.contract import Change, Command, Loads, WriteFile

SCHEDULER = Unit("nova-scheduler", True, "active", "enabled", started_at=10.0)


def text(made: Plan) -> str:
    sent = script.apply(request(ETH0), made, "00", run_id="r1", who="me", may_reboot=False)
    return sent.text.decode()


def test_service_is_asked_before_the_restart_that_its_new_file_needs() -> None:
    made = plan.make(request(ETH0), BARE)
    (asked,) = nova_checks.due(made)
    assert (asked.service, asked.unit, asked.paths) == ("nova-compute", "nova-compute", (NOVA_CONF,))
    change, step = made.steps[asked.step]
    assert (change.target, isinstance(step, WriteFile)) == (NOVA_CONF, True)
    sent = text(made)
    assert sent.index(f"ask_nova nova-compute nova-compute {asked.step} {NOVA_CONF}") < sent.index("\nstep 0 ")


def test_both_services_of_an_all_in_one_host_are_asked() -> None:
    facts = BARE._replace(units=(*BARE.units, SCHEDULER))
    made = plan.make(request(ETH0, roles=frozenset({Role.COMPUTE, Role.OPENSTACK})), facts)
    assert [asked.service for asked in nova_checks.due(made)] == ["nova-compute", "nova-scheduler"]


@pytest.mark.parametrize(
    "facts",
    [
        pytest.param(converged(), id="nothing to do"),
        pytest.param(converged()._replace(changed={NOVA_CONF: 30.0}), id="a restart without a new file"),
        pytest.param(
            BARE._replace(units=(Unit("nova-compute", True, "inactive", "disabled"),)), id="a service left stopped"
        ),
    ],
)
def test_service_is_not_asked_otherwise(facts: Facts) -> None:
    made = plan.make(request(ETH0), facts)
    assert nova_checks.due(made) == ()
    assert "nova_reader" not in text(made)


def test_service_whose_files_stay_is_not_asked() -> None:
    write = Change("x", "x", "", "", (WriteFile("/etc/nova/nova-compute.conf", "-", b""),))
    loads = Loads("nova-scheduler", (NOVA_CONF,))
    restart = Change("x", "nova-scheduler", "", "", (Command(("restart", "nova-scheduler")),), loads=loads)
    assert nova_checks.due(Plan((write, restart))) == ()


def test_rollback_asks_too() -> None:
    facts = converged()._replace(run_id="r1", nova_versions=("26.2.1",))
    before = checksum(BARE.files[NOVA_CONF])
    after = checksum(facts.files[NOVA_CONF])
    facts = facts._replace(replaced=(Replaced("0", before, after, NOVA_CONF),))
    made = rollback.make(request(ETH0)._replace(rollback="r1"), facts)
    assert nova_checks.due(made) == (NovaCheck("nova-compute", "nova-compute", 0, (NOVA_CONF,)),)


def test_words_of_a_host_are_bounded_and_printable() -> None:
    output = b"\n@00 unasked nova-compute\n" + b"\x1b[31mred\x07 " * 200 + b"\n@00 end\n"
    (note,) = nova_checks.unasked(output, "00")
    assert note.message.isprintable()
    assert len(note.message) < 400
    assert not note.is_pending
