"""Each backend's dialect against what its neutron shows: stages of a port, old and living releases, odd networks."""

from __future__ import annotations

import dataclasses
import random
from collections.abc import Mapping
from types import SimpleNamespace as Thing
from typing import Any, NamedTuple

import pytest
from cloud_stand_in import contrail
from cloud_stand_in.contrail import Release
from openstack.network.v2.agent import Agent
from openstack.network.v2.network import Network
from openstack.network.v2.port import Port

from sriov.cloud import ports
from sriov.cloud.dialects.binding import BindingVerdict, BoundPort
from sriov.cloud.dialects.contrail import Contrail
from sriov.cloud.dialects.dialect import dialect_of
from sriov.cloud.dialects.ml2 import Ml2
from sriov.cloud.networks import refuse_differences
from sriov.cloud.wanted import WantedNetwork
from sriov.errors import CloudError

PROFILE = {"pci_slot": "0000:81:10.4", "pci_vendor_info": "8086:10ca", "physical_network": "physnet1"}
SERVER = "0d5b1c1e-8f0a-4c1c-9d2f-3a4d33a1c001"
R, W, O, U = (BindingVerdict[name] for name in ("RIGHT", "WRONG", "OPEN", "UNKNOWN"))  # noqa: E741 - as tables are


class Cloud:
    """One network and one port, as openstacksdk makes them from the API's documents."""

    def __init__(self, network: Mapping[str, Any], port: Mapping[str, Any], agents: tuple[Mapping[str, Any], ...] = ()):
        self.found, self.port, self.listed = Network.existing(**network), Port.existing(**port), agents
        self.network = self

    def extensions(self) -> list[Any]:
        return [Thing(alias=alias) for alias in contrail.EXTENSIONS]

    def find_port(self, name: str) -> Any:
        return self.port

    def get_network(self, number: str) -> Any:
        return self.found

    def subnets(self, network_id: str) -> list[Any]:
        return [Thing(is_dhcp_enabled=True)]

    def agents(self) -> list[Any]:
        return [Agent.existing(**agent) for agent in self.listed]


def seen(made: Any, of: Any, release: Release = Release.LIVING, *, is_admin: bool = True) -> BoundPort:
    shown = contrail.shown_port(made, of, release, is_admin=is_admin)
    network = contrail.shown_network(of, is_admin=is_admin)
    return ports.bound(Cloud(network, shown), "port1", Contrail())  # type: ignore[arg-type]


def verdicts(port: BoundPort) -> dict[str, BindingVerdict]:
    return {row.name.replace("profile ", ""): row.verdict for row in Contrail().judge(port)}


def words(port: BoundPort, part: str) -> str:
    return next(row.meaning for row in Contrail().judge(port) if row.name == part)


PARTS = ("vnic_type", "network", "vif_type", "vif_details vlan", "pci_slot", "pci_vendor_info", "physical_network",
         "host_id", "status")  # fmt: skip


@pytest.mark.parametrize("segment", [100, 0, 4094])
@pytest.mark.parametrize("release", Release)
@pytest.mark.parametrize("stage", ["new", "bound", "kept"])
def test_port_of_contrail_is_right_in_each_stage(stage: str, release: Release, segment: int) -> None:
    network = contrail.network("vn1", "physnet1", segment)
    port = contrail.port("port1", network, "direct")
    if stage != "new":
        contrail.take(port, SERVER, "compute1", PROFILE)
    if stage == "kept":
        contrail.leave(port)
    vif_type = R if stage == "bound" or release is Release.OLD else O
    later = R if stage == "bound" else O
    expected = (R, R, vif_type, R, later, later, later, later, later)
    assert verdicts(seen(port, network, release)) == dict(zip(PARTS, expected, strict=True))


def test_port_made_before_its_network_had_a_vlan_is_to_be_made_again() -> None:
    network = contrail.network("vn1")
    port = contrail.port("port1", network, "direct")
    assert {name for name, found in verdicts(seen(port, network)).items() if found is W} == {
        "network",
        "vif_details vlan",
    }
    contrail.set_provider_properties(network, "physnet1", 100)
    assert "older than the network's VLAN (100)" in words(seen(port, network), "vif_details vlan")
    contrail.take(port, SERVER, "compute1", PROFILE)
    bound = seen(port, network)
    assert {name for name, found in verdicts(bound).items() if found is W} == {"vif_type", "vif_details vlan"}
    assert "make it again" in words(bound, "vif_type")
    assert "mechanism" not in " ".join(row.meaning for row in Contrail().judge(bound))


def test_port_of_a_vm_without_a_host_is_wrong_and_names_explain() -> None:
    network = contrail.network("vn1", "physnet1", 100)
    port = contrail.port("port1", network, "direct")
    contrail.take(port, SERVER, "", {})
    bound = seen(port, network)
    assert verdicts(bound)["vif_type"] is W
    assert "fab explain" in words(bound, "vif_type")


def test_host_whose_name_is_a_number_is_a_host() -> None:
    network = contrail.network("vn1", "physnet1", 100)
    port = contrail.port("port1", network, "direct")
    contrail.take(port, SERVER, "123", PROFILE)
    assert seen(port, network).host == "123"


def test_network_of_an_old_release_with_a_physical_network_alone_is_wrong() -> None:
    network = contrail.network("vn1", "physnet1", None, may_be_half=True)
    port = contrail.port("port1", network, "direct")
    bound = seen(port, network, Release.OLD)
    assert verdicts(bound)["network"] is W
    assert "needs both" in words(bound, "network")


def test_what_no_administrator_sees_is_said_to_be_hidden_and_not_to_be_wrong_otherwise() -> None:
    network = contrail.network("vn1", "physnet1", 100)
    port = contrail.port("port1", network, "direct")
    rows = Contrail().judge(seen(port, network, is_admin=False))
    assert [row.name for row in rows] == ["vnic_type", "network", "binding"]
    assert all("not shown to these credentials" in row.meaning for row in rows[1:])


def test_binding_that_a_policy_hides_in_part_is_a_matter_of_rights() -> None:
    network = contrail.network("vn1", "physnet1", 100)
    port = contrail.port("port1", network, "direct")
    bound = seen(port, network)
    for one in (
        dataclasses.replace(bound, vif_type="", vif_details={}),
        dataclasses.replace(bound, physnet="", vlan=None),
    ):
        wrong = [row for row in Contrail().judge(one) if row.verdict is W]
        assert wrong
        assert all("not shown to these credentials" in row.meaning for row in wrong)
        assert not any("delete the port" in row.meaning for row in wrong)


def test_port_without_a_vlan_is_not_promised_a_vf() -> None:
    network = contrail.network("vn1")
    bound = seen(contrail.port("port1", network, "direct"), network)
    assert "hw_veb" not in words(bound, "vif_type")


def test_vm_without_a_claim_is_not_said_to_be_in_another_network() -> None:
    network = contrail.network("vn1", "physnet1", 100)
    port = contrail.port("port1", network, "direct")
    contrail.take(port, SERVER, "", {})
    ids = {row.name: row.id for row in Contrail().judge(seen(port, network))}
    assert ids["profile physical_network"] == "port-not-bound"


def test_backend_that_answers_like_the_other_one_is_named_under_both() -> None:
    network = contrail.network("vn1", "physnet1", 100)
    port = contrail.port("port1", network, "direct")
    contrail.take(port, SERVER, "compute1", PROFILE)
    bound = seen(port, network)
    (row,) = (row for row in Ml2().judge(bound) if row.name == "network")
    assert (row.id, row.verdict) == ("network-backend-differs", W)
    shown = contrail.shown_network(network) | {"provider:network_type": "vlan"}
    cloud = Cloud(shown, contrail.shown_port(port, network))
    (row,) = (row for row in Contrail().judge(ports.bound(cloud, "p", Contrail())) if row.name == "network")  # type: ignore[arg-type]
    assert (row.id, row.verdict) == ("network-backend-differs", W)
    assert "env.network_backend = 'ml2'" in row.meaning


class Drawn(NamedTuple):
    """A random network and port with its whole history, and what is true of them."""

    physnet: str | None
    segment: int | None
    segment_at_port: int | None
    vnic_type: str
    stage: str
    release: Release
    bound: BoundPort


def draw(dice: random.Random) -> Drawn:
    release, is_half = dice.choice(list(Release)), False
    physnet: str | None = dice.choice(["physnet1", "physnet2", "10"])
    segment: int | None = dice.choice([0, 1, 100, 4094, dice.randrange(4095)])
    if release is Release.OLD and dice.random() < 0.1:
        is_half, segment = True, None
    given = dice.choice(["first", "first", "first", "later", "never"])
    network = contrail.network("vn1")
    if given == "first":
        contrail.set_provider_properties(network, physnet, segment, may_be_half=is_half)
    vnic_type = dice.choice(["direct", "direct", "direct", "macvtap", "normal", "virtio-forwarder"])
    port = contrail.port("port1", network, vnic_type)
    if given == "later":
        contrail.set_provider_properties(network, physnet, segment, may_be_half=is_half)
    elif given == "never":
        physnet = segment = None
    stage = dice.choice(["new", "named", "bound", "kept"])
    if stage == "named":
        contrail.take(port, SERVER, "", {})
    elif stage != "new":
        claimed = {**PROFILE, "physical_network": dice.choice([physnet or "physnet1", "physnet3"])}
        contrail.take(port, SERVER, dice.choice(["compute1", "123"]), claimed)
    if stage == "kept":
        contrail.leave(port)
    at_port = segment if given == "first" else None
    return Drawn(physnet, segment, at_port, vnic_type, stage, release, seen(port, network, release))


def truth(drawn: Drawn) -> dict[str, BindingVerdict]:
    """The tables of the translator, written down a second time: by what was stored, not by what is shown."""
    has_vm, has_host = drawn.stage in ("named", "bound"), drawn.stage == "bound"
    is_switched_by_card = drawn.vnic_type in ("direct", "virtio-forwarder") and drawn.segment_at_port is not None
    is_network_right = drawn.physnet is not None and drawn.segment is not None
    shows_stored = drawn.release is Release.OLD or has_host
    by_card = R if is_switched_by_card else W
    vif_type = by_card if shows_stored else W if has_vm else O
    slot = (R if has_host else W) if has_vm else O
    claimed = str(drawn.bound.profile.get("physical_network") or "")
    physnet = slot if slot is not R or claimed == drawn.physnet else W
    return {
        "vnic_type": R if drawn.vnic_type == "direct" else W,
        "network": R if is_network_right else W,
        "vif_type": vif_type,
        "vif_details vlan": R if is_switched_by_card and drawn.segment_at_port == drawn.segment else W,
        "pci_slot": slot,
        "pci_vendor_info": slot,
        "physical_network": physnet,
        "host_id": slot,
        "status": R if has_vm else O,
    }


def test_2000_networks_and_ports_of_contrail_are_called_what_they_are() -> None:
    dice = random.Random(20261128)
    for _ in range(2000):
        drawn = draw(dice)
        assert verdicts(drawn.bound) == truth(drawn), drawn


@pytest.mark.parametrize(
    ("physnet", "segment", "message"),
    [("physnet1", None, "Segmenation ID must be"), (None, 100, "Physical Network must be"), ("physnet1", 4095, "4095")],
)
def test_half_a_pair_is_refused_by_the_judge_as_contrail_does(
    physnet: str | None, segment: int | None, message: str
) -> None:
    with pytest.raises(contrail.RefusedError, match=message) as told:
        contrail.network("vn1", physnet, segment)
    assert told.value.status == 400


def differences(network: Mapping[str, Any], backend: str = "contrail", vlan: int = 100) -> str:
    wanted = WantedNetwork("vn1", "physnet1", vlan, "10.1.0.0/24")
    try:
        refuse_differences("network", "vn1", dialect_of(backend).differences(Network.existing(**network), wanted))
    except CloudError as error:
        return error.message
    return ""


KEYS = ("provider:network_type", "provider:physical_network", "provider:segmentation_id")


@pytest.mark.parametrize(
    ("backend", "shown", "vlan", "said"),
    [
        ("contrail", (None, "physnet1", 100), 100, ""),
        ("contrail", (None, "physnet1", "100"), 100, ""),
        ("contrail", (None, "physnet1", 0), 0, ""),
        ("contrail", (None, "physnet1", 0), 100, "VLAN is 0, wanted 100"),
        ("contrail", (None, "physnet1", None), 0, "VLAN is none, wanted 0"),
        ("contrail", (None, None, 100), 100, "physical network is none, wanted physnet1"),
        ("contrail", (None, None, None), 100, "VLAN is not shown to these credentials, wanted 100"),
        ("contrail", (None, "physnet2", 101), 100, "physical network is physnet2, wanted physnet1; VLAN is 101"),
        ("ml2", ("vlan", "physnet1", 100), 100, ""),
        ("ml2", ("flat", "physnet1", None), 100, "type is flat, wanted vlan"),
        ("ml2", (None, None, None), 100, "type is not shown to these credentials"),
        ("ml2", (None, "physnet1", 100), 100, "type is not shown, as Contrail does"),
    ],
)
def test_network_of_the_name_is_the_same_or_its_differences_are_told(
    backend: str, shown: tuple[object, ...], vlan: int, said: str
) -> None:
    network = {key: value for key, value in zip(KEYS, shown, strict=True) if value is not None}
    found = differences(network, backend, vlan)
    assert said in found if said else not found


def agent(kind: str, mappings: str | None = "physnet1:br-ex", *, alive: bool = True) -> dict[str, Any]:
    configuration = {} if mappings is None else {"bridge-mappings": mappings}
    return {"agent_type": kind, "alive": alive, "host": "net1", "configurations": configuration}


GATEWAY, PLAIN = "OVN Controller Gateway agent", "OVN Controller agent"


@pytest.mark.parametrize(
    ("agents", "verdict"),
    [
        ((agent("NIC Switch agent"), agent("DHCP agent")), None),
        ((agent(PLAIN), agent(GATEWAY)), R),
        ((agent(PLAIN), agent(GATEWAY, "physnet0:br0, physnet1:br-ex")), R),
        ((agent(GATEWAY, None),), R),
        ((agent(PLAIN), agent("DHCP agent")), None),
        ((agent(PLAIN), agent("DHCP agent", alive=False)), U),
        ((agent(PLAIN),), U),
        ((agent(GATEWAY, alive=False),), U),
        ((agent(GATEWAY, "physnet2:br-ex"),), U),
        ((agent(GATEWAY, ""),), U),
    ],
)
def test_ovn_without_a_chassis_for_external_ports_is_named_as_the_cause_of_no_dhcp(
    agents: tuple[Mapping[str, Any], ...], verdict: BindingVerdict | None
) -> None:
    network = {
        "provider:network_type": "vlan",
        "provider:physical_network": "physnet1",
        "provider:segmentation_id": 100,
    }
    port = {"device_id": "", "binding:vnic_type": "direct", "binding:vif_type": "unbound", "network_id": "n"}
    rows = Ml2().judge(ports.bound(Cloud(network, port, agents), "port1", Ml2()))  # type: ignore[arg-type]
    found = [row for row in rows if row.name == "OVN chassis for DHCP"]
    assert [row.verdict for row in found] == ([] if verdict is None else [verdict])
    assert all(row.id == "ovn-no-chassis" and "DHCP" in row.meaning for row in found if verdict is U)
    assert not any("{" in row.meaning for row in rows)
