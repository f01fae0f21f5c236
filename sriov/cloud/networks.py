"""VLAN provider networks with one subnet: found by name, or made."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sriov.cloud.dialects import extensions
from sriov.cloud.dialects.binding import segment
from sriov.cloud.dialects.dialect import Dialect, Difference
from sriov.cloud.session import cloud_errors, may_see_provider_properties
from sriov.cloud.wanted import WantedNetwork
from sriov.errors import CloudError

if TYPE_CHECKING:
    from openstack.connection import Connection
    from openstack.network.v2.network import Network

SUBNET_SUFFIX = "-subnet"


@dataclass(frozen=True, slots=True)
class MadeNetwork:
    """A network as it is now; `vlan` 0 is untagged. `made` is what this call added: nothing, or `network`, `subnet`."""

    id: str
    name: str
    physnet: str
    vlan: int
    cidr: str
    made: tuple[str, ...]


def ensure(cloud: Connection, wanted: WantedNetwork, dialect: Dialect) -> MadeNetwork:
    """The network of that name with its subnet; what an interrupted call left out is added.

    Raises CloudError that lists every difference if another network has the name.
    """
    extensions.require(cloud, dialect, extensions.NETWORK)
    made: tuple[str, ...] = ()
    with cloud_errors(f"looking for the network {wanted.name}"):
        network = cloud.network.find_network(wanted.name)
        subnets = [] if network is None else list(cloud.network.subnets(network_id=network.id))
    if network is not None:
        if may_see_provider_properties(cloud):
            dialect.refuse_network(network, wanted.name)
        found = [*dialect.differences(network, wanted), *_subnets([str(s.cidr) for s in subnets], wanted)]
        refuse_differences("network", wanted.name, found)
    else:
        network = _create(cloud, wanted)
        made += ("network",)
    if not subnets:
        with cloud_errors(f"making the subnet {wanted.cidr} of {wanted.name}"):
            cloud.network.create_subnet(
                network_id=network.id,
                name=wanted.name + SUBNET_SUFFIX,
                cidr=wanted.cidr,
                ip_version=ipaddress.ip_network(wanted.cidr).version,
            )
        made += ("subnet",)
    return MadeNetwork(
        id=network.id,
        name=wanted.name,
        physnet=wanted.physnet,
        vlan=segment(network.provider_segmentation_id) or 0,
        cidr=wanted.cidr,
        made=made,
    )


def _create(cloud: Connection, wanted: WantedNetwork) -> Network:
    choice = {} if wanted.vlan is None else {"provider_segmentation_id": wanted.vlan}
    with cloud_errors(f"making the network {wanted.name}"):
        return cloud.network.create_network(
            name=wanted.name,
            provider_network_type="vlan",  # ML2 needs it; Contrail takes it and keeps nothing of it
            provider_physical_network=wanted.physnet,
            **choice,
        )


def _subnets(cidrs: list[str], wanted: WantedNetwork) -> list[Difference]:
    if not cidrs or cidrs == [wanted.cidr]:
        return []  # none yet: it is added
    return [("subnet", ", ".join(sorted(cidrs)), wanted.cidr)]


def refuse_differences(what: str, name: str, differences: list[Difference]) -> None:
    """Raises CloudError if there are any."""
    if differences:
        listed = "; ".join(
            f"{key} is {'not shown to these credentials' if found is None else found}, wanted {wanted}"
            for key, found, wanted in differences
        )
        raise CloudError(
            "name-taken",
            f"there is another {what} of the name {name}: {listed}",
            hint="choose another name, or delete it if no one needs it",
        )


def delete(cloud: Connection, network_id: str) -> None:
    """With its subnets; it is no error if it is gone already."""
    with cloud_errors("deleting the network"):
        cloud.network.delete_network(network_id, ignore_missing=True)
