"""Every task of the cloud under each network backend, each call twice: what is there is found, and judged as it is."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from cloud_stand_in import StandIn, stand_in
from cloud_stand_in.contrail import set_provider_properties
from cloud_stand_in.network_side import SIDES
from conftest import CHECKOUT, FAB

pytestmark = pytest.mark.slow

BED = """
from fabric.api import env
host1 = 'root@127.0.0.1:1'
env.roledefs = {'all': [host1], 'openstack': [host1], 'compute': [host1]}
env.sriov = {host1: [{'interface': 'eth0', 'VF': 7, 'physnets': ['physnet1']}]}
"""
NETWORK = "create_sriov_network:vn1,physnet1,100,10.1.0.0/24"
LAUNCH = "launch_sriov_vm:vm1,port1,tiny,small"


class Caller:
    """`fab` with a testbed of one backend, in a cloud that has it."""

    def __init__(self, folder: Path, api: StandIn, backend: str) -> None:
        self.api, self.bed = api, folder / "testbed.py"
        said = (
            "" if backend.startswith("contrail") else f"env.network_backend = {backend!r}\n"
        )  # the default is not said
        self.bed.write_text(BED + said)
        kept = {name: value for name, value in os.environ.items() if not name.startswith("OS_")}
        self.environment = {**kept, "HOME": str(folder), **api.environment()}

    def fab(self, *words: str, code: int = 0) -> str:
        done = subprocess.run(
            [str(FAB), *words, "--testbed", str(self.bed)], cwd=CHECKOUT, capture_output=True, text=True, timeout=60,
            env=self.environment, stdin=subprocess.DEVNULL, check=False,
        )  # fmt: skip
        assert done.returncode == code, done.stdout + done.stderr
        return done.stdout + done.stderr

    def rows(self, code: int = 0) -> dict[str, str]:
        """Part of the binding of port1 -> verdict."""
        said = json.loads(self.fab("show_sriov_port:port1", "--json", code=code))
        return {row["name"]: row["verdict"] for row in said["binding"]}

    def twice(self, call: str) -> str:
        """What the first call says; the second finds all there and changes nothing."""
        first = self.fab(call)
        assert "(it was there)" not in first
        before = self.api.changes()
        assert "(it was there)" in self.fab(call)
        assert self.api.changes() == before
        return first


@pytest.fixture(params=SIDES)
def caller(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Caller]:
    with stand_in(request.param) as api:
        yield Caller(tmp_path, api, request.param)


@pytest.fixture
def contrail(tmp_path: Path) -> Iterator[Caller]:
    with stand_in("contrail") as api:
        yield Caller(tmp_path, api, "contrail")


@pytest.fixture
def ml2(tmp_path: Path) -> Iterator[Caller]:
    with stand_in("ml2") as api:
        yield Caller(tmp_path, api, "ml2")


def test_from_network_to_vm_and_back_each_call_twice(caller: Caller) -> None:
    assert "VLAN 100 on physnet1" in caller.twice(NETWORK)
    caller.twice("create_sriov_port:vn1,port1")
    assert "wrong" not in caller.rows().values()
    assert caller.rows()["network"] == "right"
    caller.twice(LAUNCH)
    assert set(caller.rows().values()) == {"right"}
    assert "deleted" in caller.fab("delete_sriov_vm:vm1")
    before = caller.api.changes()
    assert "there is none" in caller.fab("delete_sriov_vm:vm1")
    assert caller.api.changes() == before
    assert "wrong" not in caller.rows().values(), "the port that the VM left is not wrong"


def test_vm_in_a_network_gets_a_port_that_goes_with_it(contrail: Caller) -> None:
    contrail.fab(NETWORK)
    contrail.twice("launch_sriov_vm:vm1,vn1,tiny,small")
    contrail.fab("delete_sriov_vm:vm1")
    assert contrail.api.made("ports") == []


def test_smoke_is_green_where_the_hosts_cannot_be_asked_and_leaves_nothing(caller: Caller) -> None:
    for _ in range(2):  # as often as one likes
        said = json.loads(caller.fab("smoke:physnet1", "--vlan", "100", "--json", "--image", "tiny", code=0))
        (checks,) = said["physnets"].values()
        assert {check["outcome"] for check in checks} <= {"passed", "not made"}
        assert sum(check["name"].startswith("binding ") for check in checks) >= 9
    assert [caller.api.made(kind) for kind in ("networks", "ports", "servers")] == [[], [], []]


def test_contrail_chooses_no_vlan_so_a_call_without_one_ends_before_the_cloud_hears_of_it(contrail: Caller) -> None:
    for call in ("create_sriov_network:vn1,physnet1,cidr=10.1.0.0/24", "smoke:physnet1"):
        assert "Contrail chooses none" in contrail.fab(call, code=2)
    assert contrail.api.requests == []


def test_untagged_network_of_contrail_is_made_found_and_right(contrail: Caller) -> None:
    assert "0 (untagged)" in contrail.twice("create_sriov_network:vn1,physnet1,0,10.1.0.0/24")
    contrail.fab("create_sriov_port:vn1,port1")
    assert contrail.rows()["vif_details vlan"] == "right"


def test_untagged_network_of_ml2_is_a_wrong_call(ml2: Caller) -> None:
    assert "is not a VLAN" in ml2.fab("create_sriov_network:vn1,physnet1,0,10.1.0.0/24", code=2)
    assert ml2.api.requests == []


def test_network_of_contrail_without_a_vlan_gets_no_port(contrail: Caller) -> None:
    contrail.api.make("networks", {"name": "vn1"})
    said = contrail.fab("create_sriov_port:vn1,port1", code=1)
    assert "[network-without-segment]" in said
    assert "--provider-segment" in said
    assert contrail.api.made("ports") == []
    assert "[network-without-segment]" in contrail.fab(NETWORK, code=1), "it can be given both, and need not be deleted"


def test_port_that_is_older_than_its_network_s_vlan_is_not_taken_for_a_good_one(contrail: Caller) -> None:
    network = contrail.api.make("networks", {"name": "vn1"})
    contrail.api.make("subnets", {"network_id": network["id"], "cidr": "10.1.0.0/24", "ip_version": 4})
    for name in ("port1", "vm1-port"):
        contrail.api.make("ports", {"name": name, "network_id": network["id"], "binding:vnic_type": "direct"})
    set_provider_properties(network["object"], "physnet1", 100)
    for call in ("create_sriov_port:vn1,port1", "launch_sriov_vm:vm1,vn1,tiny,small", LAUNCH):
        assert "[vf-vlan-differs]" in contrail.fab(call, code=1)
    assert contrail.api.made("servers") == []


def test_api_without_descriptions_gets_a_port_without_one(contrail: Caller) -> None:
    contrail.fab(NETWORK)
    contrail.api.side.unknown = ("description",)
    contrail.twice("launch_sriov_vm:vm1,vn1,tiny,small")
    assert "its port vm1-port stays" in contrail.fab("delete_sriov_vm:vm1")


@pytest.mark.parametrize("alias", ["provider", "binding"])
def test_missing_extension_is_explained(contrail: Caller, alias: str) -> None:
    contrail.fab(NETWORK)
    contrail.fab("create_sriov_port:vn1,port1")
    contrail.api.side.extensions = tuple(each for each in contrail.api.side.extensions if each != alias)
    for call in ("create_sriov_port:vn1,port2", "show_sriov_port:port1"):
        said = contrail.fab(call, code=1)
        assert f"neutron lacks the extension {alias}" in said
        assert "core_plugin" in said
    assert len(contrail.api.made("ports")) == 1


def test_chassis_that_ovn_lacks_is_named_by_show_and_smoke(ml2: Caller) -> None:
    agent: dict[str, Any] = {"id": "a", "agent_type": "OVN Controller agent", "alive": True, "host": "compute1"}
    ml2.api.side.agents = (agent,)
    ml2.fab(NETWORK)
    ml2.fab("create_sriov_port:vn1,port1")
    assert "no live gateway chassis on physnet1" in ml2.fab("show_sriov_port:port1")
    assert "[ovn-no-chassis]" in ml2.fab("smoke:physnet1", "--vlan", "101")
    ml2.api.side.agents = (agent, {**agent, "id": "b", "agent_type": "OVN Controller Gateway agent"})
    assert "wrong" not in ml2.rows().values()
