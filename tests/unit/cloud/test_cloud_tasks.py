"""`fab` against the cloud's API: what is asked twice is made once, and what is wrong is told in one message."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from cloud_stand_in import PASSWORD, StandIn, stand_in
from conftest import CHECKOUT, FAB
from openstack.connection import Connection

from sriov.cloud import networks, ports, session, wanted
from sriov.cloud.dialects.ml2 import Ml2
from sriov.cloud.wanted import WantedNetwork
from sriov.errors import CloudError, UsageError
from sriov.testbed import load

BED = """
from fabric.api import env
host1 = 'root@127.0.0.1'
env.roledefs = {'all': [host1], 'openstack': [host1], 'compute': [host1]}
env.network_backend = 'ml2'
env.sriov = {host1: [{'interface': 'eth0', 'VF': 7, 'physnets': ['physnet1', 'physnet2']}]}
"""
NETWORK = "create_sriov_network:vn1,physnet1,100,10.1.0.0/24"


@pytest.fixture
def cloud() -> Iterator[StandIn]:
    with stand_in() as server:
        yield server


class Caller:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.bed = folder / "testbed.py"
        self.bed.write_text(BED)

    def fab(self, *words: str, **environment: str) -> subprocess.CompletedProcess[str]:
        kept = {name: value for name, value in os.environ.items() if not name.startswith("OS_")}
        return subprocess.run(
            [str(FAB), *words, "--testbed", str(self.bed)], cwd=CHECKOUT, capture_output=True, text=True, timeout=60,
            env={**kept, "HOME": str(self.folder), **environment}, stdin=subprocess.DEVNULL, check=False,
        )  # fmt: skip


@pytest.fixture
def caller(tmp_path: Path) -> Caller:
    return Caller(tmp_path)


@pytest.fixture
def login(cloud: StandIn, caller: Caller, monkeypatch: pytest.MonkeyPatch) -> Connection:
    for name, value in cloud.environment().items():
        monkeypatch.setenv(name, value)
    return session.login(load(caller.bed))


def network(
    bed: Path, name: str = "vn1", physnet: str = "physnet1", vlan: str = "100", cidr: str = "10.1.0.0/24"
) -> WantedNetwork:
    return wanted.network(name, physnet, vlan, cidr, load(bed))


def test_network_is_made_once_and_found_the_second_time(cloud: StandIn, caller: Caller) -> None:
    first, second = (caller.fab(NETWORK, **cloud.environment()) for _ in range(2))
    assert (first.returncode, second.returncode) == (0, 0), first.stderr
    assert "(it was there)" in second.stdout
    assert "(it was there)" not in first.stdout
    (made,), (subnet,) = cloud.made("networks"), cloud.made("subnets")
    assert made["provider:network_type"] == "vlan"
    assert made["provider:physical_network"] == "physnet1"
    assert made["provider:segmentation_id"] == 100
    assert (subnet["network_id"], subnet["cidr"]) == (made["id"], "10.1.0.0/24")


def test_network_that_an_interrupted_call_left_without_subnet_gets_it(
    cloud: StandIn, caller: Caller, login: Connection
) -> None:
    networks.ensure(login, network(caller.bed), Ml2())
    cloud.made("subnets").clear()
    assert networks.ensure(login, network(caller.bed), Ml2()).made == ("subnet",)
    assert len(cloud.made("networks")) == 1


def test_network_of_the_name_but_different_is_an_error_with_each_difference(caller: Caller, login: Connection) -> None:
    networks.ensure(login, network(caller.bed), Ml2())
    with pytest.raises(CloudError) as told:
        networks.ensure(login, network(caller.bed, "vn1", "physnet2", "101", "10.2.0.0/24"), Ml2())
    for words in ("physnet1, wanted physnet2", "100, wanted 101", "10.1.0.0/24, wanted 10.2.0.0/24"):
        assert words in str(told.value)


def test_port_is_direct_trusted_and_found_the_second_time(cloud: StandIn, caller: Caller, login: Connection) -> None:
    networks.ensure(login, network(caller.bed), Ml2())
    asked = wanted.port("vn1", "port1", "10.1.0.9", "52-54-00-AA-00-01", is_trusted=True)
    assert [ports.ensure(login, asked, Ml2()).made for _ in range(2)] == [True, False]
    (port,) = cloud.made("ports")
    assert port["binding:vnic_type"] == "direct"
    assert port["binding:profile"] == {"trusted": "true"}
    assert port["mac_address"] == "52:54:00:aa:00:01"
    assert port["fixed_ips"] == [{"ip_address": "10.1.0.9"}]


def test_port_of_the_name_but_not_trusted_is_an_error(caller: Caller, login: Connection) -> None:
    networks.ensure(login, network(caller.bed), Ml2())
    ports.ensure(login, wanted.port("vn1", "port1"), Ml2())
    with pytest.raises(CloudError, match="trusted is False, wanted True"):
        ports.ensure(login, wanted.port("vn1", "port1", is_trusted=True), Ml2())


def test_port_address_outside_the_subnet_is_told_with_the_subnets(
    cloud: StandIn, caller: Caller, login: Connection
) -> None:
    networks.ensure(login, network(caller.bed), Ml2())
    with pytest.raises(CloudError, match=r"its subnets are: 10\.1\.0\.0/24"):
        ports.ensure(login, wanted.port("vn1", "port1", "10.9.0.9"), Ml2())
    assert cloud.made("ports") == []


def test_bound_reads_binding_and_segment(cloud: StandIn, caller: Caller, login: Connection) -> None:
    networks.ensure(login, network(caller.bed), Ml2())
    ports.ensure(login, wanted.port("vn1", "port1"), Ml2())
    cloud.made("ports")[0].update({"device_id": "vm", "binding:vif_type": "binding_failed", "binding:host_id": "c1"})
    bound = ports.bound(login, "port1", Ml2())
    assert (bound.vif_type, bound.host, bound.physnet, bound.vlan) == ("binding_failed", "c1", "physnet1", 100)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("vn1", "physnet9", "100", "10.1.0.0/24"), "did you mean 'physnet"),
        (("vn1", "physnet1", "4095", "10.1.0.0/24"), "is not a VLAN"),
        (("vn1", "physnet1", "0", "10.1.0.0/24"), "is not a VLAN"),
        (("vn1", "physnet1", "ten", "10.1.0.0/24"), "is not a VLAN"),
        (("vn1", "physnet1", "100", "10.1.0.7/24"), "has host bits set"),
        (("vn1", "physnet1", "100", "10.1.0.0"), "no prefix length"),
        (("vn1", "physnet1", "100", "10.1.0.0/31"), "no room for a gateway"),
        (("v\x1b[2J", "physnet1", "100", "10.1.0.0/24"), "is not a name for a network"),
    ],
)
def test_network_that_cannot_be_is_a_usage_error(caller: Caller, arguments: tuple[str, ...], words: str) -> None:
    with pytest.raises(UsageError, match=words):
        network(caller.bed, *arguments)


@pytest.mark.parametrize(
    ("ip", "mac", "words"),
    [
        ("", "01:00:5e:00:00:01", "not the address of one interface"),
        ("", "52:54:00", "is not a MAC address"),
        ("10.1.0.300", "", "is not an IP address"),
    ],
)
def test_port_that_cannot_be_is_a_usage_error(ip: str, mac: str, words: str) -> None:
    with pytest.raises(UsageError, match=words):
        wanted.port("vn1", "port1", ip, mac)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        ("create_sriov_network:vn1,physnet1,100,10.1.0.7/24", "has host bits set"),
        ("launch_sriov_vm:vm1,port1", "missing: image, flavor"),
        ("smoke:physnet1,junit=/nowhere/at/all.xml", "--junit /nowhere/at/all.xml cannot be written"),
    ],
)
def test_wrong_call_ends_with_two_before_the_cloud_hears_of_it(
    cloud: StandIn, caller: Caller, call: str, words: str
) -> None:
    answer = caller.fab(call, **cloud.environment())
    assert answer.returncode == 2, answer.stderr
    assert words in answer.stderr
    assert cloud.requests == []


@pytest.mark.parametrize(
    ("status", "message", "words"),
    [
        (403, "rule:create_network is disallowed by policy", "these credentials may not do this"),
        (409, "Quota exceeded for resources: ['network'].", "Quota exceeded"),
        (500, "boom", "making the network vn1: boom"),
    ],
)
def test_api_error_is_one_message_with_its_act(
    cloud: StandIn, caller: Caller, login: Connection, status: int, message: str, words: str
) -> None:
    cloud.refuse["networks"] = (status, message)
    with pytest.raises(CloudError) as told:
        networks.ensure(login, network(caller.bed), Ml2())
    assert words in str(told.value)


def test_refused_login_is_told_without_the_password(cloud: StandIn, caller: Caller) -> None:
    answer = caller.fab(NETWORK, "--debug", **cloud.environment("wrong-" + PASSWORD))
    assert answer.returncode == 1
    assert "keystone refused the login" in answer.stderr
    assert PASSWORD not in answer.stdout + answer.stderr


def test_cloud_that_does_not_answer_is_told_with_where_to_look(caller: Caller, monkeypatch: pytest.MonkeyPatch) -> None:
    with stand_in() as gone:
        environment = gone.environment()
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(CloudError, match="OS_AUTH_URL"):
        session.login(load(caller.bed))


def test_testbed_names_the_administrator_where_the_environment_does_not(cloud: StandIn, caller: Caller) -> None:
    port = cloud.server_address[1]
    keystone = {"keystone_ip": "127.0.0.1", "auth_port": str(port), "admin_password": PASSWORD}
    caller.bed.write_text(BED + f"env.keystone = {keystone!r}\n")
    answer = caller.fab(NETWORK)
    assert answer.returncode == 0, answer.stderr
    assert len(cloud.made("networks")) == 1


def test_no_credentials_at_all_end_with_two_and_say_how_to_give_them(caller: Caller) -> None:
    answer = caller.fab(NETWORK)
    assert answer.returncode == 2
    assert "OS_CLOUD" in answer.stderr
    assert "env.keystone" in answer.stderr


def test_without_openstacksdk_the_task_says_what_to_install(caller: Caller, tmp_path: Path) -> None:
    hidden = tmp_path / "hidden"
    hidden.mkdir()
    (hidden / "openstack.py").write_text("raise ModuleNotFoundError('openstack')\n")
    answer = caller.fab(NETWORK, PYTHONPATH=str(hidden), OS_AUTH_URL="http://127.0.0.1:9/v3")
    assert answer.returncode == 2
    assert "pip install openstacksdk" in answer.stderr
