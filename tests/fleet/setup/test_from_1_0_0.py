"""A host that 1.0.0 has set up: a plain run moves its units over to the script, and no one notices."""

from __future__ import annotations

import stat
from collections.abc import Iterator
from typing import NamedTuple

import pytest
from conftest import Operator, Visit
from goldens import host_files
from goldens.desk import BY_ADDRESS, ETH0, ETH1

from sriov.simulation import Fleet, HostSpec, SimulatedHost

pytestmark = pytest.mark.slow

FOLDER = "/etc/systemd/system"
SCRIPT = f"{FOLDER}/sriov-vfs.sh"
UNITS = ("sriov-vfs-eth0", "sriov-vfs-eth1")
DEBIANS = ("plain", "back", "missing", "used", "cut", "gone")
WANTED = {"red": BY_ADDRESS, **{name: [ETH0, ETH1] for name in DEBIANS}}


class Interruption(NamedTuple):
    """What would differ if a user of the host had noticed something."""

    boots: int
    services: dict[str, tuple[object, ...]]
    vfs: dict[str, int]


def seen(host: SimulatedHost) -> Interruption:
    """Starts of services and oneshots, and the inodes of all VFs: a VF that was made again has another one."""
    told = host.run(
        "for unit in nova-compute openstack-nova-compute sriov-vfs-eth0 sriov-vfs-eth1; do "
        "systemctl show -p Id,ActiveState,UnitFileState,MainPID,ExecMainStartTimestampMonotonic,"
        "ActiveEnterTimestampMonotonic $unit; done"
    ).stdout.decode()
    blocks = (block.splitlines() for block in told.split("\n\n"))
    services: dict[str, tuple[object, ...]] = {lines[0]: tuple(lines[1:]) for lines in blocks if lines}
    listed = host.run("stat -L -c '%n %i' /sys/class/net/eth?/device/virtfn*").stdout.decode()
    vfs = {name: int(inode) for name, inode in (line.split() for line in listed.splitlines())}
    assert len(vfs) == host.numvfs("eth0") + host.numvfs("eth1") > 0
    return Interruption(len(host.boots), services, vfs)


def old_units(host: SimulatedHost) -> dict[str, bytes]:
    folder = host_files.KEPT / host.spec.family / FOLDER.lstrip("/")
    return {name: (folder / f"{name}.service").read_bytes() for name in UNITS}


def units(host: SimulatedHost) -> dict[str, bytes]:
    return {name: host.path(f"{FOLDER}/{name}.service").read_bytes() for name in UNITS}


def is_moved(host: SimulatedHost) -> bool:
    """The units call the script, systemd has read them, and they are active and enabled."""
    told = host.run(f"systemctl show -p ActiveState,UnitFileState,NeedDaemonReload {' '.join(UNITS)}").stdout.decode()
    script = host.path(SCRIPT)
    return (
        all(f"\nExecStart=/bin/sh {SCRIPT} eth".encode() in text for text in units(host).values())
        and script.read_bytes().startswith(b"#!/bin/sh\n# Managed by sriov-fab")
        and stat.S_IMODE(script.stat().st_mode) == 0o644
        and sorted(told.split()) == sorted(
            ["ActiveState=active", "UnitFileState=enabled", "NeedDaemonReload=no"] * len(UNITS)
        )
    )  # fmt: skip


@pytest.fixture(scope="module")
def hosts() -> tuple[HostSpec, ...]:
    return (HostSpec("red", family="rhel", release=18), *map(HostSpec, DEBIANS))


@pytest.fixture(scope="module")
def fleet(hosts: tuple[HostSpec, ...]) -> Iterator[Fleet]:
    with Fleet(hosts) as running:
        for host in running.hosts:
            host_files.lay(host)
            host.reboot()
            assert {"intel_iommu=on", "iommu=pt"} < set(host.cmdline.split())
            assert (host.numvfs("eth0"), host.numvfs("eth1")) == (7, 3 if host.name == "red" else 5)
        yield running


@pytest.fixture(scope="module")
def before(fleet: Fleet) -> dict[str, Interruption]:
    fleet["used"].hold_vf("eth0", 2)
    return {host.name: seen(host) for host in fleet.hosts}


@pytest.fixture(scope="module")
def planned(operator: Operator, before: dict[str, Interruption]) -> Visit:
    operator.write(WANTED)
    return operator.fab("plan", "--json")


@pytest.fixture(scope="module")
def moved(operator: Operator, fleet: Fleet, planned: Visit) -> Visit:
    """The run that moves all of them over; one session breaks between the new unit and systemd's reading of it."""
    fleet["cut"].fail(drop_at_marker=" done 1\n")
    visit = operator.fab("setup_all")
    fleet["cut"].clear_faults()
    return visit


def test_plan_shows_the_script_and_each_unit_without_an_effect(fleet: Fleet, planned: Visit) -> None:
    assert (planned.code, planned.touched) == (3, frozenset())
    for host in planned.document["hosts"]:
        assert [(change["target"], change["effect"]) for change in host["changes"]] == [
            (SCRIPT, "none"),
            ("eth0", "none"),
            ("eth1", "none"),
        ]
        assert host["changes"][1]["diff"] == [
            f"--- {FOLDER}/sriov-vfs-eth0.service",
            "-ExecStart=/bin/sh -euc ' \\",
            f"+ExecStart=/bin/sh {SCRIPT} eth0 7",
        ]


def test_run_moves_units_over_and_interrupts_no_one(
    fleet: Fleet, before: dict[str, Interruption], moved: Visit
) -> None:
    assert moved.code == 1, moved.said  # of the session that broke
    assert not any(moved.restarted.values())
    assert not any(moved.reboots.values())
    for host in fleet.hosts:
        assert seen(host) == before[host.name], host.name
    assert [host.name for host in fleet.hosts if not is_moved(host)] == ["cut"]


def test_run_that_was_cut_off_before_systemd_read_the_unit_is_ended_by_the_next(
    operator: Operator, fleet: Fleet, before: dict[str, Interruption], moved: Visit
) -> None:
    visit = operator.fab("setup_all")
    assert visit.code == 0, visit.said
    assert visit.touched == {"cut"}
    assert is_moved(fleet["cut"])
    assert seen(fleet["cut"]) == before["cut"]


def test_second_run_changes_nothing(operator: Operator, fleet: Fleet, moved: Visit) -> None:
    operator.fab("setup_all")
    again = operator.fab("setup_all")
    assert (again.code, again.touched) == (0, frozenset()), again.said
    assert set(again.executions.values()) == {1}


def test_next_boot_makes_the_vfs_by_the_script(operator: Operator, fleet: Fleet, moved: Visit) -> None:
    fleet["plain"].reboot()
    assert (fleet["plain"].numvfs("eth0"), fleet["plain"].numvfs("eth1")) == (7, 5)
    assert is_moved(fleet["plain"])


def test_rollback_brings_the_old_units_back_and_interrupts_no_one(
    operator: Operator, fleet: Fleet, before: dict[str, Interruption], moved: Visit
) -> None:
    host = fleet["back"]
    visit = operator.fab(f"rollback:{host.login}", "--json")
    assert visit.code == 0, visit.said
    (told,) = visit.document["hosts"]
    assert {change["effect"] for change in told["changes"]} == {"none"}
    assert units(host) == old_units(host)
    assert not host.path(SCRIPT).exists()
    assert seen(host) == before["back"]
    assert visit.restarted["back"] == ()
    assert b"NeedDaemonReload=yes" not in host.run(f"systemctl show -p NeedDaemonReload {' '.join(UNITS)}").stdout


@pytest.mark.parametrize("harm", [f"rm {SCRIPT}", f"echo '# by hand' >>{SCRIPT}"])
def test_script_that_is_missing_or_changed_comes_back_and_interrupts_no_one(
    operator: Operator, fleet: Fleet, before: dict[str, Interruption], moved: Visit, harm: str
) -> None:
    host = fleet["missing"]
    host.run(harm)
    planned = operator.fab(f"plan:{host.login}", "--json")
    (told,) = planned.document["hosts"]
    assert [(change["target"], change["effect"]) for change in told["changes"]] == [(SCRIPT, "none")]
    visit = operator.fab(f"add_vrouter_node:{host.login}")
    assert visit.code == 0, visit.said
    assert is_moved(host)
    assert seen(host) == before["missing"]


def test_script_goes_with_the_last_port_and_not_before(operator: Operator, fleet: Fleet, moved: Visit) -> None:
    host = fleet["gone"]
    for ports, is_there in (([ETH0], True), ([], False)):
        operator.write({**WANTED, "gone": ports})
        assert operator.fab(f"add_vrouter_node:{host.login},remove=yes").code == 0
        assert host.path(SCRIPT).exists() == is_there
        assert host.numvfs("eth0") == (7 if is_there else 0)
    assert list(host.path(FOLDER).glob("*sriov-vfs*")) == []
    operator.write(WANTED)
