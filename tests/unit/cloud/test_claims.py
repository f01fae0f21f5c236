"""What neutron says of VFs before a run takes any."""

from __future__ import annotations

from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any, cast

from planned_host import ETH0, request

from sriov.cloud import claims
from sriov.errors import CloudError
from sriov.facts.bound import Bound

VF = "0000:01:10.2"


class Cloud:
    """A connection that has these ports."""

    def __init__(self, *ports: SimpleNamespace, error: CloudError | None = None) -> None:
        self._ports, self._error = ports, error
        self.network = self
        self.compute = self

    def ports(self) -> Iterator[SimpleNamespace]:
        if self._error:
            raise self._error
        return iter(self._ports)

    def hypervisors(self, *, details: bool) -> list[SimpleNamespace]:
        return [SimpleNamespace(service_details={"host": "by-address"}, name="by-address", host_ip="a")]


def port(name: str, host: str = "a", vm: str = "vm-1", slot: str = VF) -> SimpleNamespace:
    return SimpleNamespace(
        id=name,
        name=name,
        device_id=vm,
        binding_host_id=host,
        binding_vif_type="hw_veb",
        binding_vnic_type="direct",
        binding_profile={"pci_slot": slot, "physical_network": "physnet1"},
    )


def told(cloud: Cloud) -> Bound:
    asked = request(ETH0)
    (found,) = claims.told(cast(Any, cloud), asked.testbed, (asked,))
    assert found._replace(bound=Bound()) == asked
    return found.bound


def test_port_of_a_vm_on_this_host_is_told() -> None:
    assert told(Cloud(port("mine"), port("other", host="b"))) == Bound(((VF, "mine"),))


def test_host_is_found_by_its_address_too() -> None:
    assert told(Cloud(port("mine", host="by-address"))) == Bound(((VF, "mine"),))


def test_port_without_a_vm_holds_nothing() -> None:
    assert told(Cloud(port("left over", vm=""))) == Bound()


def test_cloud_that_does_not_answer_leaves_the_users_unknown() -> None:
    error = CloudError("cloud-unreachable", "neutron is away")
    assert told(Cloud(error=error)) == Bound(unseen="neutron is away")
