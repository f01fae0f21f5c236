"""`setup_sriov_node` does both sides of a new node; the two calls that do one side each leave the other side alone."""

from __future__ import annotations

import pytest
from conftest import Operator, Visit

from sriov.simulation import Fleet, HostSpec

ARGUMENTS = "intel_iommu=on iommu=pt"  # the kernel needs no reboot
ETH0 = [{"interface": "eth0", "VF": 7, "physnets": ["physnet1"]}]
BOTH = ("compute", "openstack")
ML2 = "env.network_backend = 'ml2'\n"


@pytest.fixture(scope="module")
def hosts() -> tuple[HostSpec, ...]:
    return (
        HostSpec("openstack1", roles=("openstack",)),
        HostSpec("new", cmdline=ARGUMENTS),
        HostSpec("old", cmdline=ARGUMENTS),
        HostSpec("whole", roles=BOTH, release=34, cmdline=ARGUMENTS),
        HostSpec("compute-first", roles=BOTH, release=31, cmdline=ARGUMENTS),
        HostSpec("scheduler-first", roles=BOTH, release=18, family="rhel", cmdline=ARGUMENTS),
    )


@pytest.fixture(scope="module", autouse=True)
def bed(operator: Operator, fleet: Fleet) -> None:
    operator.write({host.name: ETH0 for host in fleet.hosts if "compute" in host.spec.roles})


def changed(visit: Visit) -> dict[str, list[tuple[str, str]]]:
    """By name of host: resource and target of each change."""
    return {
        host["hostname"]: [(change["resource"], change["target"]) for change in host["changes"]]
        for host in visit.document["hosts"]
    }


def test_call_without_a_compute_host_touches_nothing(operator: Operator, fleet: Fleet) -> None:
    for call, words in (
        ("setup_sriov_node", "setup_sriov_node needs a host"),
        ("setup_sriov_node:root@10.9.9.9", "root@10.9.9.9 is not in"),
        (f"setup_sriov_node:{fleet['openstack1'].login}", "has no compute role"),
    ):
        visit = operator.fab(call)
        assert (visit.code, visit.touched, {*visit.connections.values()}) == (2, frozenset(), {0}), visit.said
        assert words in visit.said


def test_compute_side_alone_reaches_no_other_host_and_names_the_call_for_both(operator: Operator, fleet: Fleet) -> None:
    login = fleet["new"].login
    visit = operator.fab(f"add_vrouter_node:{login}")
    assert visit.code == 0, visit.said
    assert {name for name, count in visit.connections.items() if count} == {"new"}
    assert f"fab setup_sriov_node:{login}" in visit.out
    assert "setup_sriov_node" in operator.fab("--help", "add_vrouter_node", testbed=False).out


def test_new_node_is_set_up_with_every_scheduler_and_no_other_compute_host(operator: Operator, fleet: Fleet) -> None:
    operator.write(dict.fromkeys(("new", "old", "whole"), ETH0), "env.roledefs['openstack'] = [openstack1, whole]\n")
    visit = operator.fab(f"setup_sriov_node:{fleet['new'].login}", "--json")
    assert visit.code == 0, visit.said
    assert visit.document["task"] == "setup_sriov_node"
    roles = {host["hostname"]: host["roles"] for host in visit.document["hosts"]}
    assert roles == {"new": ["compute"], "openstack1": ["openstack"], "whole": ["openstack"]}
    assert visit.connections["old"] == 0
    assert "nova-scheduler" in visit.restarted["openstack1"]
    assert fleet["whole"].numvfs("eth0") == 0
    assert fleet["new"].numvfs("eth0") == 7


def test_both_sides_of_one_host_are_one_pass_and_leave_the_single_calls_nothing(
    operator: Operator, fleet: Fleet
) -> None:
    host = fleet["whole"]
    first = operator.fab(f"setup_sriov_node:{host.login}", "--json")
    assert (first.code, first.executions["whole"]) == (0, 2), first.said
    assert next(h["roles"] for h in first.document["hosts"] if h["hostname"] == "whole") == ["compute", "openstack"]
    for task in ("add_vrouter_node", "setup_openstack_node", "setup_sriov_node"):
        again = operator.fab(f"{task}:{host.login}", "--json")
        assert (again.code, changed(again)["whole"], "whole" in again.touched) == (0, [], False), task


@pytest.mark.parametrize(
    ("name", "calls", "backend"),
    [
        ("compute-first", ("add_vrouter_node", "setup_openstack_node"), ""),
        ("scheduler-first", ("setup_openstack_node", "add_vrouter_node"), ML2),
    ],
)
def test_two_calls_in_either_order_leave_nothing_to_do(
    operator: Operator, fleet: Fleet, name: str, calls: tuple[str, str], backend: str
) -> None:
    """Each restarts the services of its own side alone, and leaves those of the other no newer file to read."""
    login, conf = fleet[name].login, fleet[name].path("/etc/nova/nova.conf")
    operator.write({host.name: ETH0 for host in fleet.hosts if "compute" in host.spec.roles}, backend)
    for task in calls:
        own = ("nova-compute", "agent") if task == "add_vrouter_node" else ("nova-scheduler", "neutron-server")
        visit = operator.fab(f"{task}:{login}")
        services = [unit for unit in visit.restarted[name] if not unit.startswith("sriov-vfs")]
        assert (visit.code, len(services)) == (0, 2 if backend else 1), visit.said
        assert all(unit.endswith(own) for unit in services)
    assert [conf.read_bytes().count(f"BEGIN sriov-fab {kind}".encode()) for kind in ("whitelist", "filters")] == [1, 1]
    for words in ((f"{calls[0]}:{login}",), ("verify", login)):
        again = operator.fab(*words)
        assert (again.code, again.touched, again.restarted[name]) == (0, frozenset(), ()), again.said


def test_edit_of_another_program_still_restarts_both_services(operator: Operator, fleet: Fleet) -> None:
    host = fleet["whole"]
    path = host.path("/etc/nova/nova.conf")
    path.write_bytes(path.read_bytes() + b"\n# by hand\n")
    document = operator.fab("plan", host.login, "--json").document
    units = {change["target"] for change in document["hosts"][0]["changes"] if "nova.conf is newer" in change["found"]}
    assert units == {"nova-compute", "nova-scheduler"}
