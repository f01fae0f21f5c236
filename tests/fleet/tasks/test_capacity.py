"""`fab capacity`: VFs wanted, present, held and free on simulated hosts, and what serves nobody."""

from __future__ import annotations

import json
from typing import Any

import pytest
from conftest import Operator, Visit

from sriov.simulation import Fleet, HostSpec

SRIOV = {
    "compute1": [
        {"interface": "eth0", "VF": 7, "physnets": ["physnet1"]},
        {"interface": "eth1", "VF": 5, "physnets": ["physnet1", "physnet2"], "exclude_vfs": [0]},
    ],
    "compute2": [{"interface": "eth0", "VF": 4, "physnets": ["physnet1"]}],
}
STALE = b'device_spec = {"devname": "eth9", "physical_network": "physnet1"}\n'
SHADOWED = b'device_spec = {"devname": "eth0", "physical_network": "physnet3"}\n'


@pytest.fixture(scope="module")
def hosts() -> tuple[HostSpec, ...]:
    return HostSpec("compute1"), HostSpec("compute2"), HostSpec("openstack1", roles=("openstack",))


@pytest.fixture(scope="module")
def before(operator: Operator) -> Visit:
    operator.write(SRIOV)
    return operator.fab("capacity", "--json")


@pytest.fixture(scope="module")
def running(operator: Operator, before: Visit) -> Operator:
    """Provisioned; one guest on compute1, a bond on compute2."""
    visit = operator.fab("setup_all")
    assert visit.code == 0, visit.said
    operator.fleet["compute1"].hold_vf("eth0", 2)
    operator.fleet["compute2"].hold_vf("eth0", 1, kind="bond", name="bond0")
    return operator


@pytest.fixture(scope="module")
def measured(running: Operator) -> Visit:
    return running.fab("capacity", "--json")


def rows(visit: Visit) -> dict[tuple[str, str, str], dict[str, Any]]:
    return {
        (network["physical_network"], row["hostname"], row["interface"]): row
        for network in visit.document["physical_networks"]
        for row in network["hosts"]
    }


def test_bare_hosts_have_nothing_of_what_is_wanted(before: Visit) -> None:
    assert before.code == 0, before.said
    row = rows(before)["physnet1", "compute1", "eth0"]
    assert (row["wanted"], row["present"], row["free"]) == (7, 0, 0)
    assert before.touched == frozenset()


def test_each_network_has_its_share_of_a_port(measured: Visit) -> None:
    """4 VFs of eth1 are for guests: two for each network."""
    found = {
        key: (row["wanted"], row["present"], len(row["in_use"]), row["free"]) for key, row in rows(measured).items()
    }
    assert found == {
        ("physnet1", "compute1", "eth0"): (7, 7, 1, 6),
        ("physnet1", "compute1", "eth1"): (2, 2, 0, 2),
        ("physnet1", "compute2", "eth0"): (4, 4, 1, 3),
        ("physnet2", "compute1", "eth1"): (2, 2, 0, 2),
    }


def test_holders_are_named(measured: Visit) -> None:
    [held] = rows(measured)["physnet1", "compute1", "eth0"]["in_use"]
    assert held == {"index": 2, "pci_address": "0000:01:10.4", "holder": "libvirt domain instance-00000001"}
    [other] = rows(measured)["physnet1", "compute2", "eth0"]["in_use"]
    assert "bond0" in other["holder"]


def test_new_vm_is_told_what_it_would_find(measured: Visit, running: Operator) -> None:
    found = {n["physical_network"]: (n["free"], n["most_on_one_host"]) for n in measured.document["physical_networks"]}
    assert found == {"physnet1": (11, 8), "physnet2": (2, 2)}
    shown = running.fab("capacity").out
    assert "physnet1: 11 free: compute1" in shown


def test_one_connection_and_one_execution_a_host(measured: Visit) -> None:
    assert set(measured.connections.values()) == {1}
    assert set(measured.executions.values()) == {1}
    assert measured.touched == frozenset()


def test_host_s_own_vf_is_no_orphan(measured: Visit) -> None:
    assert measured.document["orphans"] == []


def test_orphans_are_named(running: Operator, fleet: Fleet) -> None:
    conf = fleet["compute1"].path("/etc/nova/nova.conf")
    kept = conf.read_bytes()
    conf.write_bytes(kept.replace(b"# END sriov-fab whitelist", STALE + SHADOWED + b"# END sriov-fab whitelist", 1))
    host = fleet["compute2"]
    host.path("/etc/nova/nova.conf").write_bytes(b"[DEFAULT]\n")
    host.run("d=/sys/bus/pci; echo 0000:01:10.4 >$d/devices/0000:01:10.4/driver/unbind")
    try:
        orphans = running.fab("capacity", "--json").document["orphans"]
    finally:
        conf.write_bytes(kept)
        running.fab("setup_all")
    found = {(orphan["target"], orphan["message"]) for orphan in orphans}
    assert ("eth9", "a whitelist entry for an interface that is not there") in found
    assert ("eth0", "a whitelist entry that is never used: earlier ones take its devices") in found
    assert ("eth0 VF 0 (0000:01:10.0)", "not used, and given to no physical network") in found
    assert not any(target.startswith("eth0 VF 1 ") for target, _ in found)  # the bond has it


def test_silent_host_ends_in_1_and_the_others_are_told(running: Operator, fleet: Fleet) -> None:
    fleet["compute2"].fail(replace_output=("\n@", "\n#"))
    try:
        visit = running.fab("capacity", "--json")
    finally:
        fleet["compute2"].clear_faults()
    assert visit.code == 1
    assert json.loads(visit.out)["silent"] == [fleet["compute2"].login]
    assert rows(visit)["physnet1", "compute1", "eth0"]["free"] == 6
