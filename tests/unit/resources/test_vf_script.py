"""The script that units of ports call: when it comes, when it goes, and what another text of a unit costs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from planned_host import BARE, ETH0, VFS, converged, request

from sriov.facts.model import Facts, Holder, HolderKind, Replaced, checksum
from sriov.planning import plan, rollback
from sriov.resources import vf_unit
from sriov.resources.contract import Change, Command, Effect, RemoveFile, RestoreFile, Severity, WriteFile
from sriov.resources.vf_script import PATH

UNIT = vf_unit.path_of("eth0")
OLD = Path(__file__).parents[2] / "golden/host-1.0.0/debian/etc/systemd/system/sriov-vfs-eth0.service"
ENABLE = Command(("enable_unit", "sriov-vfs-eth0"))


def of_1_0_0() -> Facts:
    files = {path: content for path, content in converged().files.items() if path != PATH}
    return converged()._replace(files={**files, UNIT: OLD.read_bytes()})


def in_use(facts: Facts) -> Facts:
    held = tuple(vf._replace(holder=Holder(HolderKind.GUEST, "instance-00000001")) for vf in VFS)
    return facts._replace(ports=(facts.ports[0]._replace(vfs=held),))


def made(facts: Facts, num_vfs: int = 7) -> tuple[Change, ...]:
    return plan.make(request(ETH0._replace(num_vfs=num_vfs)), facts).changes


def test_host_of_1_0_0_gets_two_files_and_nothing_else() -> None:
    script, unit = made(in_use(of_1_0_0()))
    assert [type(step) for step in script.steps] == [WriteFile]
    assert (type(unit.steps[0]), *unit.steps[1:]) == (WriteFile, ENABLE)
    assert {script.effect, unit.effect} == {Effect.NONE}
    assert str(unit) == "virtual-functions eth0: 7 VFs, another text of the unit -> 7 VFs, at every boot"


def test_unit_that_systemd_has_not_read_again_is_not_run_again() -> None:
    unit = converged().units[1]._replace(needs_reload=True)
    (change,) = made(converged()._replace(units=(converged().units[0], unit)))
    assert (change.steps, change.effect) == ((ENABLE,), Effect.NONE)


@pytest.mark.parametrize("differs", [{"active_state": "failed"}, {"file_state": "disabled"}])
def test_unit_that_has_not_run_is_run_with_its_new_text(differs: dict[str, Any]) -> None:
    facts = of_1_0_0()
    unit = facts.units[1]._replace(**differs)
    _, change, restart = made(facts._replace(units=(facts.units[0], unit)))
    assert change.steps[1:] == (Command(("start_unit", "sriov-vfs-eth0", "eth0")),)
    assert restart.effect is Effect.RESTART


def test_unit_of_another_count_is_run_though_the_vfs_are_as_wanted() -> None:
    facts = converged()
    other = facts.files[UNIT].replace(b"=7 SR-IOV", b"=5 SR-IOV").replace(b" eth0 7\n", b" eth0 5\n")
    change, restart = made(facts._replace(files={**facts.files, UNIT: other}))
    assert change.steps[1:] == (Command(("start_unit", "sriov-vfs-eth0", "eth0")),)
    assert change.diff[1:] == (
        "-Description=5 SR-IOV virtual functions on eth0",
        "+Description=7 SR-IOV virtual functions on eth0",
    )
    assert restart.effect is Effect.RESTART


def test_script_waits_with_a_unit_that_must_wait() -> None:
    """The VFs of the only port are in use and cannot become 5; its unit of 1.0.0 calls no script."""
    assert made(in_use(of_1_0_0()), num_vfs=5) == ()


def test_script_is_restored_for_a_unit_that_must_wait() -> None:
    facts = in_use(converged())
    changed = facts._replace(files={**facts.files, PATH: b"by hand"})
    assert [change.target for change in made(changed, num_vfs=5)] == [PATH]


def test_script_goes_after_the_last_unit() -> None:
    _, port, script, *_ = plan.make(request(removes=True), converged()).changes
    assert (port.target, script.target) == ("eth0", PATH)
    assert [type(step) for step in script.steps] == [RemoveFile]


def taken_back(facts: Facts, kept: str, before: str) -> plan.Plan:
    """The way back of the run that brought the script and replaced the unit."""
    replaced = (
        Replaced("0", "-", checksum(facts.files[PATH]), PATH),
        Replaced("1", before, checksum(facts.files[UNIT]), UNIT, kept),
    )
    return rollback.make(request(ETH0)._replace(rollback=""), facts._replace(run_id="r", replaced=replaced))


def test_way_back_to_a_unit_of_the_same_count_touches_no_vf() -> None:
    kept = "Description=7 SR-IOV virtual functions on eth0\nExecStart=/bin/sh -euc ' \\\n"
    back = taken_back(in_use(converged()), kept, checksum(OLD.read_bytes()))
    unit, script = back.changes
    assert (type(unit.steps[0]), *unit.steps[1:]) == (RestoreFile, ENABLE)
    assert [type(step) for step in script.steps] == [RemoveFile]
    assert {change.effect for change in back.changes} == {Effect.NONE}


def test_way_back_leaves_the_script_to_a_unit_that_must_stay() -> None:
    back = taken_back(in_use(converged()), "", "-")
    assert back.changes == ()
    assert [(problem.target, problem.severity) for problem in back.problems] == [
        (UNIT.removeprefix("/etc/systemd/system/sriov-vfs-").removesuffix(".service"), Severity.BLOCKED),
        (PATH, Severity.WARNING),
    ]
    assert back.problems[1].message == "it stays, because sriov-vfs-eth0 calls it"


def test_way_back_leaves_the_script_to_a_unit_of_a_later_run() -> None:
    facts = converged()
    later = vf_unit.text_of("eth1", 7)
    back = taken_back(facts._replace(files={**facts.files, vf_unit.path_of("eth1"): later}), "", "-")
    assert PATH not in [change.target for change in back.changes]


def test_bare_host_gets_the_script_before_its_unit() -> None:
    targets = [change.target for change in made(BARE)]
    assert targets.index(PATH) < targets.index("eth0")
