"""What differs between network backends in the words of neutron's API: one dialect each, chosen by the testbed.

The backend is a value of the testbed (`env.network_backend`), never a guess from an answer: the same answer can be
right under one backend and a fault under the other.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from sriov.cloud.dialects.binding import BindingRow, BoundPort
from sriov.cloud.dialects.contrail import Contrail
from sriov.cloud.dialects.ml2 import Ml2
from sriov.cloud.wanted import WantedNetwork
from sriov.model import ML2

if TYPE_CHECKING:
    from openstack.connection import Connection
    from openstack.network.v2.network import Network
    from openstack.network.v2.port import Port

Difference = tuple[str, object, object]
"""(what, found, wanted)."""


class Dialect(Protocol):
    @property
    def lowest_vlan(self) -> int:
        """The smallest VLAN that a network may have: 0 where an untagged network is one."""

    @property
    def needs_vlan(self) -> str:
        """Why a call must name a VLAN; empty where the backend chooses one."""

    @property
    def extension_hint(self) -> str:
        """What it means that neutron lacks the extension `provider` or `binding`."""

    def differences(self, network: Network, wanted: WantedNetwork) -> list[Difference]:
        """How the provider properties of a network differ from what is wanted."""

    def refuse_network(self, network: Network, name: str) -> None:
        """Raises CloudError if no port of the network can ever get a VF, as far as neutron shows it."""

    def refuse_port(self, port: Port, name: str) -> None:
        """Raises CloudError if no VM can ever get a VF by this port, as far as neutron shows it."""

    def is_up(self, port: Port) -> bool:
        """Whether neutron says that the port of a running VM is ready."""

    @property
    def ready_words(self) -> str:
        """What `is_up` stands for, after "VM vm1: ACTIVE on compute1, port port1: "."""

    def external_hosts(self, cloud: Connection, physnet: str) -> tuple[str, ...] | None:
        """The live hosts that answer DHCP for VFs of a physical network; None where the backend has no say in it."""

    def judge(self, port: BoundPort) -> tuple[BindingRow, ...]:
        """Every part of the binding, in the order in which it comes about."""


def dialect_of(backend: str) -> Dialect:
    """The dialect of a backend of `sriov.model.NETWORK_BACKENDS`."""
    return Ml2() if backend == ML2 else Contrail()
