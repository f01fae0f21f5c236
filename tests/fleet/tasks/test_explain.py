"""`fab explain`: hosts broken in every way that there is a step for, and the step that is named."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from conftest import Operator

from sriov.simulation import Fleet, HostSpec, SimulatedHost

SRIOV = {"compute1": [{"interface": "eth0", "VF": 7, "physnets": ["physnet1"]}]}
NOVA_CONF = "/etc/nova/nova.conf"
Break = Callable[[SimulatedHost], object]


@pytest.fixture(scope="module")
def hosts() -> tuple[HostSpec, ...]:
    return HostSpec("compute1"), HostSpec("openstack1", roles=("openstack",))


@pytest.fixture(scope="module")
def running(operator: Operator) -> Operator:
    operator.write(SRIOV)
    visit = operator.fab("setup_all")
    assert visit.code == 0, visit.said
    return operator


@pytest.fixture(scope="module")
def provisioned(running: Operator) -> dict[str, bytes]:
    """nova.conf of each host as the first run left it."""
    return {host.name: host.path(NOVA_CONF).read_bytes() for host in running.fleet.hosts}


@pytest.fixture
def cloud(running: Operator, fleet: Fleet, provisioned: dict[str, bytes]) -> Iterator[Operator]:
    """As provisioned; what the test breaks is put back without a word from the product."""
    yield running
    for host in fleet.hosts:
        host.clear_faults()
        host.path(NOVA_CONF).write_bytes(provisioned[host.name])
    fleet["compute1"].run("systemctl restart sriov-vfs-eth0; sleep 0.01; systemctl restart nova-compute")
    # a file counts as newer than a service only if it is by more than the two clocks may differ, and a slow probe
    # takes it for older by the time between its looks at them
    fleet["openstack1"].run("systemctl restart nova-scheduler; sleep 0.5")


def edited(old: bytes, new: bytes, path: str = NOVA_CONF, restart: str = "nova-compute") -> Break:
    def act(host: SimulatedHost) -> None:
        file = host.path(path)
        text = file.read_bytes()
        assert old in text
        file.write_bytes(text.replace(old, new))
        if restart:
            host.restart(f"{restart}.service")

    return act


def entry_before(text: bytes) -> Break:
    return edited(b"device_spec = ", text + b"\ndevice_spec = ")


def failing(operator: Operator, call: str = "explain:physnet1", role: str = "compute") -> dict[str, Any]:
    """The failing step of the only host in that role."""
    visit = operator.fab(call, "--json")
    assert visit.code in (1, 3), visit.said
    [host] = visit.document[role]
    assert host["failing"] == host["steps"][-1]["name"]
    step: dict[str, Any] = host["steps"][-1]
    assert step["remedy"]
    return step


def test_host_as_provisioned_is_found(cloud: Operator) -> None:
    visit = cloud.fab("explain:physnet1,7", "--json")
    assert visit.code == 0, visit.said
    assert visit.document["verdict"] == "found"
    assert visit.document["hosts"] == [cloud.fleet["compute1"].login]
    assert visit.touched == frozenset()
    assert visit.executions == {"compute1": 1, "openstack1": 1}


def test_last_line_says_who_takes_the_vm(cloud: Operator) -> None:
    visit = cloud.fab("explain:physnet1,2")
    assert (
        visit.out.rstrip()
        .splitlines()[-1]
        .startswith("a VM with 2 direct ports on physnet1: a host is found: compute1")
    )


@pytest.mark.parametrize(
    ("act", "name", "found"),
    [
        (lambda host: host.run("systemctl stop nova-compute"), "nova-compute runs", "inactive"),
        (
            entry_before(b"device_spec = {'devname': 'eth0'}"),
            "nova-compute can read its whitelist",
            "no object|not JSON",
        ),
        (edited(b'"physnet1"', b'"physnet2"'), "the whitelist names physnet1", "named are: physnet2"),
        (edited(b"my_ip", b"my_ip ", restart=""), "nova-compute has read it", "newer than the running service"),
        (edited(b'"eth0"', b'"eth7"'), "an entry for it matches a device", "no device here is eth7"),
        (
            entry_before(b'device_spec = {"vendor_id": "8086", "physical_network": "physnet2"}'),
            "no other entry takes its devices",
            "the entry for 8086:* (physnet2) comes first",
        ),
        (
            lambda host: host.run("systemctl stop sriov-vfs-eth0; echo 0 >/sys/class/net/eth0/device/sriov_numvfs"),
            "VFs for physnet1 exist",
            "eth0 has 0 VFs",
        ),
        (
            lambda host: host.run("sleep 0.01; systemctl restart sriov-vfs-eth0"),
            "nova-compute has seen these VFs",
            "newer than the running service",
        ),
    ],
    ids=["service", "unreadable", "network", "not-read", "no-device", "shadowed", "no-vfs", "vfs-not-seen"],
)
def test_first_failing_step_is_named(cloud: Operator, fleet: Fleet, act: Break, name: str, found: str) -> None:
    act(fleet["compute1"])
    step = failing(cloud)
    assert step["name"] == name
    assert any(part in step["found"] for part in found.split("|"))


def test_used_vfs_are_counted_with_their_guests(cloud: Operator, fleet: Fleet) -> None:
    for index in range(6):
        fleet["compute1"].hold_vf("eth0", index, kind="domain", name=f"instance-0000000{index}")
    try:
        step = failing(cloud, "explain:physnet1,2")
        enough = cloud.fab("explain:physnet1,1")
    finally:
        for index in range(6):
            fleet["compute1"].release_vf("eth0", index, name=f"instance-0000000{index}")
    assert step["name"] == "2 of them not given to guests"
    assert step["found"].startswith("1 of 7 free; guests with VFs here: instance-00000000")
    assert enough.code == 0


def test_vf_of_another_program_is_found_though_nova_takes_it_for_free(cloud: Operator, fleet: Fleet) -> None:
    fleet["compute1"].hold_vf("eth0", 3, kind="bond", name="bond0")
    try:
        step = failing(cloud, "explain:physnet1,7")
    finally:
        fleet["compute1"].release_vf("eth0", 3)
    assert step["name"] == "no other program holds them"
    assert "0000:01:10.6 by" in step["found"]
    assert "exclude_vfs" in step["remedy"]


@pytest.mark.parametrize(
    ("act", "name"),
    [
        (lambda host: host.run("systemctl stop nova-scheduler"), "nova-scheduler runs"),
        (edited(b",PciPassthroughFilter", b"", restart="nova-scheduler"), "PciPassthroughFilter is enabled"),
        (edited(b"my_ip", b"my_ip ", restart=""), "nova-scheduler has read it"),
        (edited(b"[DEFAULT]", b"no section\n[DEFAULT]", restart=""), "nova-scheduler can read its files"),
    ],
    ids=["service", "filter", "not-read", "unreadable"],
)
def test_scheduler_that_does_not_look_is_named(cloud: Operator, fleet: Fleet, act: Break, name: str) -> None:
    act(fleet["openstack1"])
    assert failing(cloud, role="scheduler")["name"] == name
    assert "the scheduler does not look for VFs: compute1" in cloud.fab("explain:physnet1").out


def test_host_that_does_not_answer_ends_in_1(cloud: Operator, fleet: Fleet) -> None:
    fleet["compute1"].fail(replace_output=("\n@", "\n#"))
    visit = cloud.fab("explain:physnet1", "--json")
    assert visit.code == 1
    [host] = visit.document["compute"]
    assert host["failing"] == "the host answers"


def test_call_without_a_network_is_wrong(cloud: Operator) -> None:
    visit = cloud.fab("explain")
    assert visit.code == 2
    assert "fab explain:physnet1" in visit.said
