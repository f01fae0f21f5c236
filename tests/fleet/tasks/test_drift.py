"""`fab capacity` and `fab explain` where the cloud can be asked: sysfs, nova's whitelist and neutron's bindings."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from cloud_stand_in import PASSWORD, StandIn, stand_in
from conftest import Operator, Visit

from sriov.simulation import Fleet, HostSpec

pytestmark = pytest.mark.slow  # openstacksdk takes a second to start

SRIOV = {
    "compute1": [
        {"interface": "eth0", "VF": 4, "physnets": ["physnet1"]},
        {"interface": "eth1", "VF": 2, "physnets": ["physnet2"], "exclude_vfs": [0]},
    ],
    "compute2": [{"interface": "eth0", "VF": 4, "physnets": ["physnet1"]}],
}
VFS = [f"0000:01:10.{number}" for number in (0, 2, 4, 6)]  # of eth0, on either host
Orphans = dict[tuple[str, str], str]


@pytest.fixture(scope="module")
def hosts() -> tuple[HostSpec, ...]:
    return HostSpec("compute1"), HostSpec("compute2"), HostSpec("openstack1", roles=("openstack",))


@pytest.fixture(scope="module")
def provisioned(operator: Operator) -> Operator:
    operator.write(SRIOV)
    visit = operator.fab("setup_all")
    assert visit.code == 0, visit.said
    return operator


class Cloud:
    """The stand-in with a nova-compute on each host, and the operator who asks it."""

    def __init__(self, api: StandIn, operator: Operator) -> None:
        self.api, self.operator = api, operator
        for host in ("compute1", "compute2"):
            self.api.store["services"].append(
                {"id": host, "binary": "nova-compute", "host": host, "status": "enabled", "state": "up",
                 "disabled_reason": None, "zone": "nova", "updated_at": "2026-01-01T00:00:00"}
            )  # fmt: skip

    def bind(self, name: str, address: str, host: str = "compute1", physnet: str = "physnet1", **more: object) -> None:
        """A port with a VF, and the VM that has it."""
        server = {
            "id": f"vm-of-{name}", "name": f"vm-of-{name}", "status": "ACTIVE", "OS-EXT-SRV-ATTR:host": host,
            "OS-EXT-STS:task_state": None, "OS-EXT-SRV-ATTR:instance_name": "",
        }  # fmt: skip
        self.api.store["servers"].append(server)
        port = {
            "id": f"id-of-{name}", "name": name, "binding:vnic_type": "direct", "binding:host_id": host,
            "device_id": server["id"], "status": "ACTIVE",
            "binding:profile": {"pci_slot": address, "physical_network": physnet},
        }  # fmt: skip
        self.api.store["ports"].append(port | more)

    def fab(self, *words: str, **environment: Any) -> Visit:
        return self.operator.fab(*words, **{**self.api.environment(), **environment})

    def capacity(self) -> Visit:
        visit = self.fab("capacity", "--json")
        assert visit.code == 0, visit.said
        assert visit.document["cloud"] == {"asked": True, "reason": ""}
        return visit

    def orphans(self) -> Orphans:
        """(name of the host, target) -> message."""
        names = {host.login: host.name for host in self.operator.fleet.hosts}
        found = self.capacity().document["orphans"]
        assert all(orphan["hint"] for orphan in found)
        return {(names.get(o["host"], o["host"]), o["target"]): o["message"] for o in found}


@pytest.fixture
def cloud(provisioned: Operator) -> Iterator[Cloud]:
    with stand_in() as server:
        yield Cloud(server, provisioned)


@pytest.fixture
def guest(fleet: Fleet) -> Iterator[str]:
    """A guest on compute1 has the first VF of eth0."""
    fleet["compute1"].hold_vf("eth0", 0, kind="domain", name="instance-00000007")
    yield "libvirt domain instance-00000007"
    fleet["compute1"].release_vf("eth0", 0, name="instance-00000007")


def rows(visit: Visit) -> dict[tuple[str, str], dict[str, Any]]:
    return {
        (network["physical_network"], row["hostname"]): row
        for network in visit.document["physical_networks"]
        for row in network["hosts"]
    }


def test_sides_that_agree_have_no_orphans(cloud: Cloud, guest: str) -> None:
    cloud.bind("port1", VFS[0])
    visit = cloud.capacity()
    assert visit.document["orphans"] == []
    row = rows(visit)["physnet1", "compute1"]
    assert (row["present"], row["whitelisted"], row["free"]) == (4, 4, 3)
    assert row["in_use"] == [{"index": 0, "pci_address": VFS[0], "holder": guest}]
    assert row["bound"] == [{"index": 0, "pci_address": VFS[0], "ports": "port1"}]
    assert visit.touched == frozenset()
    assert visit.executions == {"compute1": 1, "compute2": 1, "openstack1": 1}


def test_ports_of_contrail_hold_the_vfs_that_their_vms_have(provisioned: Operator) -> None:
    """Of a port that is not bound Contrail shows the host as null: it holds no VF, and nothing is forbidden."""
    with stand_in("contrail") as api:
        cloud = Cloud(api, provisioned)
        api.profile = {**api.profile, "pci_slot": VFS[1]}
        provider = {"provider:physical_network": "physnet1", "provider:segmentation_id": 100}
        network = api.make("networks", {"name": "vn1", **provider})
        port = api.make("ports", {"name": "port1", "network_id": network["id"], "binding:vnic_type": "direct"})
        assert rows(cloud.capacity())["physnet1", "compute1"]["bound"] == []
        vm = api.make("servers", {"name": "vm1", "imageRef": "image-1", "networks": [{"port": port["id"]}]})
        for _ in range(2):
            row = rows(cloud.capacity())["physnet1", "compute1"]
            assert row["bound"] == [{"index": 1, "pci_address": VFS[1], "ports": "port1"}]
            explained = cloud.fab("explain:physnet1,4", "--json")
            assert {host["hostname"]: host["free"] for host in explained.document["compute"]}["compute1"] == 3
        api.delete("servers", vm["id"])
        assert rows(cloud.capacity())["physnet1", "compute1"]["bound"] == []


def test_counters_name_the_port_and_the_vm_that_have_the_vf(cloud: Cloud, guest: str) -> None:
    cloud.bind("port1", VFS[0])
    document = cloud.fab("stats", "--json").document
    [vf, *_] = next(each for each in document["hosts"] if each["hostname"] == "compute1")["ports"][0]["vfs"]
    assert (vf["holder"], vf["ports"]) == (guest, [{"name": "port1", "vm": "vm-of-port1"}])
    assert document["cloud"] == {"asked": True, "reason": ""}


def test_vf_of_a_vm_that_is_shut_off_is_not_free(cloud: Cloud) -> None:
    """The host shows nobody with it; neutron keeps it bound."""
    cloud.bind("port1", VFS[1])
    row = rows(cloud.capacity())["physnet1", "compute1"]
    assert (row["in_use"], row["free"]) == ([], 3)
    shown = cloud.fab("capacity").out
    assert f"eth0 VF 1 ({VFS[1]}) is bound to port port1" in " ".join(shown.split())
    assert "the cloud was not asked" not in shown


@pytest.mark.parametrize(
    ("address", "physnet", "message"),
    [
        ("0000:05:10.0", "physnet1", "bound to 0000:05:10.0, which is not a device of this host"),
        ("0000:01:00.0", "physnet1", "bound to 0000:01:00.0, which is not a VF of this host"),
        ("0000:01:10.1", "physnet2", "bound to 0000:01:10.1, which no whitelist entry gives to guests"),
        (VFS[2], "physnet2", f"bound to {VFS[2]} for physnet2, which the whitelist gives to physnet1"),
    ],
    ids=["no-device", "no-vf", "not-whitelisted", "another-network"],
)
def test_binding_without_its_vf_is_named(cloud: Cloud, address: str, physnet: str, message: str) -> None:
    cloud.bind("port1", address, physnet=physnet)
    assert cloud.orphans() == {("compute1", "port port1"): message}


def test_whitelist_that_cannot_be_read_is_told_once_and_not_for_every_port(cloud: Cloud, fleet: Fleet) -> None:
    conf = fleet["compute2"].path("/etc/nova/nova.conf")
    kept = conf.read_bytes()
    conf.write_bytes(kept.replace(b"device_spec = {", b"device_spec = [{"))
    for number in range(2):
        cloud.bind(f"port{number}", VFS[number], host="compute2")
    try:
        found = cloud.orphans()
    finally:
        conf.write_bytes(kept)
        fleet["compute2"].run("sleep 0.01; systemctl restart nova-compute; sleep 0.5")
    assert not any(target.startswith("port ") for _, target in found)
    assert "the whitelist holds" in found["compute2", "whitelist"]


def test_held_vf_that_no_port_claims_is_named_with_nova_s_vm(cloud: Cloud, guest: str) -> None:
    cloud.bind("port1", VFS[3])
    cloud.api.store["servers"][0]["OS-EXT-SRV-ATTR:instance_name"] = "instance-00000007"
    message = f"held by {guest} (nova's VM vm-of-port1), but no port of neutron claims it"
    assert cloud.orphans() == {("compute1", f"eth0 VF 0 ({VFS[0]})"): message}


def test_vf_of_a_bond_that_nova_may_give_away_is_named(cloud: Cloud, fleet: Fleet) -> None:
    fleet["compute2"].hold_vf("eth0", 2, kind="bond", name="bond0")
    try:
        ((host, target), message), *others = cloud.orphans().items()
    finally:
        fleet["compute2"].release_vf("eth0", 2)
    assert (host, target, others) == ("compute2", f"eth0 VF 2 ({VFS[2]})", [])
    assert "bond0" in message


def test_vf_that_the_host_keeps_for_itself_is_none(cloud: Cloud, fleet: Fleet) -> None:
    fleet["compute1"].hold_vf("eth1", 0, kind="bond", name="bond0")
    try:
        assert cloud.orphans() == {}
    finally:
        fleet["compute1"].release_vf("eth1", 0)


def test_two_ports_that_claim_one_vf_are_named(cloud: Cloud) -> None:
    for name in ("port1", "port2"):
        cloud.bind(name, VFS[0])
    assert cloud.orphans() == {("compute1", VFS[0]): "claimed by 2 ports: port1 and port2"}


def test_one_address_on_two_hosts_is_no_clash(cloud: Cloud) -> None:
    cloud.bind("port1", VFS[0])
    cloud.bind("port2", VFS[0], host="compute2")
    assert cloud.orphans() == {}


def test_ports_on_a_host_outside_the_testbed_are_one_line(cloud: Cloud) -> None:
    for number in range(7):
        cloud.bind(f"port{number}", VFS[0], host="compute9")
    names = "ports port0, port1, port2, port3, port4 and 2 more"
    assert cloud.orphans() == {("compute9", names): "bound to a host that the testbed does not have"}


def test_port_whose_vm_is_gone_or_elsewhere_is_named(cloud: Cloud) -> None:
    cloud.bind("port1", VFS[0], device_id="gone")
    cloud.bind("port2", VFS[1], device_id="")
    cloud.bind("port3", VFS[2])
    cloud.api.store["servers"][2]["OS-EXT-SRV-ATTR:host"] = "compute2"
    assert cloud.orphans() == {
        ("compute1", "port port1"): f"bound to {VFS[0]} for a VM that nova does not have (gone)",
        ("compute1", "port port2"): f"bound to {VFS[1]} though no VM has it",
        ("compute1", "port port3"): f"bound to {VFS[2]} here, but nova has its VM vm-of-port3 on compute2",
    }


def test_vm_on_its_way_is_not_judged(cloud: Cloud) -> None:
    cloud.bind("port1", VFS[0])
    cloud.api.store["servers"][0].update({"OS-EXT-SRV-ATTR:host": "compute2", "status": "MIGRATING"})
    assert cloud.orphans() == {}


def test_port_with_a_whole_card_is_not_a_vf_s(cloud: Cloud) -> None:
    cloud.bind("port1", "0000:01:00.0", **{"binding:vnic_type": "direct-physical"})
    assert cloud.orphans() == {}


def test_nova_compute_that_takes_no_vm_is_named(cloud: Cloud) -> None:
    first, second = cloud.api.store["services"]
    first.update(status="disabled", disabled_reason="for a new card")
    second.update(state="down")
    found = cloud.orphans()
    assert "disabled in nova (for a new card)" in found["compute1", "nova-compute"]
    assert "down for nova" in found["compute2", "nova-compute"]


def test_host_that_nova_does_not_know_is_named_with_those_that_it_knows(cloud: Cloud) -> None:
    cloud.api.store["services"][1]["host"] = "node-17"
    assert cloud.orphans() == {
        ("compute2", "nova-compute"): "nova has no nova-compute of this host; it has: compute1, node-17"
    }


def test_host_is_found_by_the_address_that_nova_has_of_it(cloud: Cloud) -> None:
    """A testbed names hosts by address; the cloud calls them otherwise."""
    text = cloud.operator.bed.read_text()
    hosts = cloud.operator.fleet.hosts
    cloud.operator.bed.write_text(text + "env.hostnames = {}\n")
    for host in hosts[:2]:
        cloud.api.store["hypervisors"].append(
            {"id": host.name, "hypervisor_hostname": f"{host.name}.example.org", "host_ip": host.address,
             "service": {"host": host.name, "id": 1}}
        )  # fmt: skip
    cloud.bind("port1", VFS[0], host="compute2")
    try:
        visit = cloud.capacity()
    finally:
        cloud.operator.bed.write_text(text)
    assert visit.document["orphans"] == []
    bound = {row["host"]: len(row["bound"]) for row in visit.document["physical_networks"][0]["hosts"]}
    assert bound == {hosts[0].login: 0, hosts[1].login: 1}


def test_without_credentials_the_output_says_that_the_cloud_was_not_asked(provisioned: Operator) -> None:
    visit = provisioned.fab("capacity", "--json")
    assert visit.code == 0, visit.said
    assert visit.document["cloud"] == {"asked": False, "reason": "there are no credentials for the cloud"}
    assert rows(visit)["physnet1", "compute1"]["bound"] is None
    shown = provisioned.fab("capacity")
    assert shown.code == 0
    assert "the cloud was not asked (there are no credentials for the cloud)" in " ".join(shown.out.split())
    assert "error" not in shown.err


def test_credentials_without_openstacksdk_are_none(provisioned: Operator, cloud: Cloud, tmp_path: Path) -> None:
    (tmp_path / "openstack.py").write_text("raise ModuleNotFoundError('openstack')\n")
    visit = cloud.fab("capacity", "--json", PYTHONPATH=str(tmp_path))
    assert visit.code == 0, visit.said
    assert "openstacksdk" in visit.document["cloud"]["reason"]


def test_refused_login_is_told_and_the_hosts_are_shown(cloud: Cloud) -> None:
    visit = cloud.fab("capacity", OS_PASSWORD="wrong-" + PASSWORD)
    assert visit.code == 1
    assert "physnet1: 8 free" in visit.out
    assert "the cloud was not asked" in visit.out
    assert "error cloud: logging in: keystone refused the login" in visit.err
    assert PASSWORD not in visit.said


def test_cloud_that_does_not_answer_is_told_and_the_hosts_are_shown(provisioned: Operator) -> None:
    with stand_in() as gone:
        environment: dict[str, Any] = {**gone.environment()}
    visit = provisioned.fab("capacity", "--json", **environment)
    assert visit.code == visit.document["exit_code"] == 1
    assert not visit.document["cloud"]["asked"]
    assert rows(visit)["physnet1", "compute1"]["free"] == 4
    assert "error cloud: logging in: no answer" in visit.err


def test_credentials_that_see_no_bindings_are_told(cloud: Cloud) -> None:
    cloud.api.store["ports"].append({"id": "p", "name": "mine", "binding:vnic_type": "direct"})
    visit = cloud.fab("capacity")
    assert visit.code == 1
    assert "neutron does not show these credentials which ports are bound" in visit.err
    cloud.api.refuse_lists["services"] = (403, "Policy doesn't allow os_compute_api:os-services:list")
    assert "these credentials may not do this" in cloud.fab("capacity").err


def test_explain_counts_what_neutron_has_bound(cloud: Cloud) -> None:
    for number, address in enumerate(VFS):
        cloud.bind(f"port{number}", address)
    visit = cloud.fab("explain:physnet1,2", "--json")
    assert visit.code == 0, visit.said
    assert visit.document["hosts"] == [cloud.operator.fleet["compute2"].login]
    assert visit.document["cloud"] == {"asked": True, "reason": ""}
    first = visit.document["compute"][0]
    assert first["failing"] == "2 of them not given to guests"
    assert "port port0 (bound in neutron)" in first["steps"][-1]["found"]


def test_explain_without_credentials_says_so(provisioned: Operator) -> None:
    visit = provisioned.fab("explain", "physnet1")
    assert visit.code == 0, visit.said
    assert "the cloud was not asked (there are no credentials for the cloud)" in " ".join(visit.out.split())


def test_explain_with_a_login_that_is_refused_ends_in_1_and_judges_by_the_hosts(cloud: Cloud) -> None:
    visit = cloud.fab("explain:physnet1", "--json", OS_PASSWORD="wrong")
    assert visit.code == 1
    assert visit.document["verdict"] == "found"
    assert "keystone refused the login" in visit.document["cloud"]["reason"]
