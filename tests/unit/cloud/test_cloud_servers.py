"""A VM is followed to its end: running with its port, given up by nova, or running with a port that is down."""

from __future__ import annotations

from types import SimpleNamespace as Thing
from typing import Any

import pytest

from sriov.cloud import servers
from sriov.cloud.dialects.contrail import Contrail
from sriov.cloud.dialects.dialect import Dialect
from sriov.cloud.dialects.ml2 import Ml2
from sriov.cloud.servers import LaunchWaits, ServerError
from sriov.cloud.wanted import WantedServer
from sriov.errors import CloudError

WANTED = WantedServer("vm1", "port1", "tiny", "small")
WAITS = LaunchWaits(server=5, port=0, end=5, pause=0)


class Cloud:
    """The API as openstacksdk shows it: one port, and a VM that goes through `states`."""

    def __init__(self, *states: str, port_status: str = "ACTIVE", fault: str = "", vnic_type: str = "direct") -> None:
        self.states = list(states)
        self.fault = {"message": fault} if fault else None
        self.port = Thing(
            id="p1", name="port1", status=port_status, binding_vnic_type=vnic_type, device_id="", description="",
            network_id="n1", binding_vif_details={"port_filter": True}, binding_vif_type="unbound",
        )  # fmt: skip
        self.compute = self.network = self.image = self
        self.made: list[dict[str, Any]] = []

    def find_image(self, name: str) -> Any:
        return Thing(id="i1", name=name) if name == "tiny" else None

    def find_flavor(self, name: str) -> Any:
        return Thing(id="f1", name=name)

    def find_server(self, name: str) -> Any:
        return None

    def find_port(self, name: str) -> Any:
        return self.port if name in ("port1", "p1") else None

    def find_network(self, name: str) -> Any:
        return None

    def get_port(self, number: str) -> Any:
        return self.port

    def create_server(self, **body: Any) -> Any:
        self.made.append(body)
        return Thing(id="s1")

    def get_server(self, number: str) -> Any:
        status = self.states.pop(0) if len(self.states) > 1 else self.states[0]
        return Thing(
            id=number, status=status, task_state=None, fault=self.fault, hypervisor_hostname="compute1",
            compute_host="compute1", instance_name="instance-00000001",
        )  # fmt: skip


def launch(cloud: Cloud, wanted: WantedServer = WANTED, dialect: Dialect | None = None) -> servers.MadeServer:
    return servers.ensure(cloud, wanted, lambda words: None, dialect or Ml2(), WAITS)  # type: ignore[arg-type]


def test_launch_ends_when_vm_and_port_are_active() -> None:
    cloud = Cloud("BUILD", "BUILD", "ACTIVE")
    assert launch(cloud).host == "compute1"
    assert cloud.made == [{"name": "vm1", "image_id": "i1", "flavor_id": "f1", "networks": [{"port": "p1"}]}]


def test_active_vm_whose_port_is_down_is_an_error() -> None:
    with pytest.raises(ServerError, match="is ACTIVE, but its port is DOWN"):
        launch(Cloud("ACTIVE", port_status="DOWN"))


def test_port_of_contrail_is_ready_when_a_vm_has_it() -> None:
    cloud = Cloud("ACTIVE", port_status="ACTIVE")
    cloud.port.binding_vif_details = {"port_filter": True, "vlan": "0"}
    assert launch(cloud, dialect=Contrail()).host == "compute1"


def test_port_of_contrail_without_a_vlan_gets_no_vm() -> None:
    cloud = Cloud("ACTIVE")
    with pytest.raises(CloudError, match="made while its network had none"):
        launch(cloud, dialect=Contrail())
    assert cloud.made == []


def test_vm_that_nova_gives_up_is_told_with_its_fault() -> None:
    with pytest.raises(ServerError, match=r"ERROR: No valid host was found\.") as told:
        launch(Cloud("BUILD", "ERROR", fault="No valid host was\n\x1b[31mfound."))
    assert told.value.port_id == "p1"


def test_port_that_is_not_direct_gets_no_vm() -> None:
    cloud = Cloud("ACTIVE", vnic_type="normal")
    with pytest.raises(CloudError, match="of type normal, not direct"):
        launch(cloud)
    assert cloud.made == []


@pytest.mark.parametrize(
    ("wanted", "words"),
    [
        (WantedServer("vm1", "port1", "none", "small"), "there is no image none"),
        (WantedServer("vm1", "nothing", "tiny", "small"), "neither a port nor a network nothing"),
    ],
)
def test_what_does_not_exist_is_named_before_anything_is_made(wanted: WantedServer, words: str) -> None:
    cloud = Cloud("ACTIVE")
    with pytest.raises(CloudError, match=words):
        launch(cloud, wanted)
    assert cloud.made == []


class Deleted(Cloud):
    """The VM `vm1` that a launch made, if it is still there, and the port of that launch."""

    def __init__(self, server: str, device_id: str) -> None:
        super().__init__("ACTIVE")
        self.server: Any = Thing(id=server, status="ACTIVE") if server else None
        self.port.name, self.port.description, self.port.device_id = "vm1-port", servers.OURS + "vm1", device_id
        self.deleted: list[str] = []

    def find_server(self, name: str) -> Any:
        return self.server

    def find_port(self, name: str) -> Any:
        return self.port if name == "vm1-port" else None

    def delete_server(self, number: str, ignore_missing: bool) -> None:
        self.deleted.append(number)
        self.server = None

    def delete_port(self, number: str, ignore_missing: bool = True) -> None:
        self.deleted.append(number)


@pytest.mark.parametrize(
    ("server", "device_id", "deleted"),
    [("s1", "s1", ["s1", "p1"]), ("s1", "", ["s1", "p1"]), ("", "", ["p1"]), ("", "s9", []), ("s1", "s9", ["s1"])],
)
def test_port_that_another_vm_has_is_not_deleted(server: str, device_id: str, deleted: list[str]) -> None:
    cloud = Deleted(server, device_id)
    servers.delete(cloud, "vm1", lambda words: None, WAITS)  # type: ignore[arg-type]
    assert cloud.deleted == deleted
