"""Ports for VFs (`binding:vnic_type` direct): found by name, or made."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sriov.cloud.dialects import extensions
from sriov.cloud.dialects.binding import BoundPort, segment
from sriov.cloud.dialects.dialect import Dialect, Difference
from sriov.cloud.networks import refuse_differences
from sriov.cloud.session import cloud_errors, may_see_provider_properties
from sriov.cloud.wanted import WantedPort
from sriov.errors import CloudError

if TYPE_CHECKING:
    from openstack.connection import Connection
    from openstack.network.v2.network import Network
    from openstack.network.v2.port import Port


@dataclass(frozen=True, slots=True)
class MadePort:
    """A port as it is now; `made` says whether this call made it."""

    id: str
    name: str
    network: str
    mac: str
    ips: tuple[str, ...]
    made: bool


def find(cloud: Connection, name: str) -> Port | None:
    with cloud_errors(f"looking for the port {name}"):
        return cloud.network.find_port(name)


def ensure(cloud: Connection, wanted: WantedPort, dialect: Dialect, description: str = "") -> MadePort:
    """The port of that name.

    Raises CloudError if there is no such network, if none of its ports can get a VF, or another port has the name.
    """
    extensions.require(cloud, dialect, extensions.NETWORK, extensions.PORT)
    with cloud_errors(f"looking for the network {wanted.network}"):
        network = cloud.network.find_network(wanted.network)
    if network is None:
        raise CloudError(
            "not-in-cloud",
            f"there is no network {wanted.network}",
            hint=f"fab create_sriov_network:{wanted.network},PHYSNET,VLAN,CIDR makes it",
        )
    _check_address(cloud, network, wanted)
    if may_see_provider_properties(cloud):
        dialect.refuse_network(network, wanted.network)
    port = find(cloud, wanted.name)
    if port is not None:
        refuse_differences("port", wanted.name, _differences(port, network.id, wanted))
        dialect.refuse_port(port, wanted.name)
        return _made(port, wanted, made=False)
    body = _body(cloud, network.id, wanted, description)
    try:
        return _made(_create(cloud, wanted.name, body), wanted, made=True)
    except CloudError as error:
        if error.id != "cloud-refused" or "'description'" not in error.message:
            raise
    del body["description"]  # neutron's API without the extension standard-attr-description
    return _made(_create(cloud, wanted.name, body), wanted, made=True)


def _create(cloud: Connection, name: str, body: Mapping[str, object]) -> Port:
    with cloud_errors(f"making the port {name}"):
        return cloud.network.create_port(**body)


def _check_address(cloud: Connection, network: Network, wanted: WantedPort) -> None:
    """neutron's own answer to a foreign address names ids only."""
    if not wanted.ip:
        return
    with cloud_errors(f"looking at the subnets of {wanted.network}"):
        ranges = [str(subnet.cidr) for subnet in cloud.network.subnets(network_id=network.id)]
    if not any(ipaddress.ip_address(wanted.ip) in ipaddress.ip_network(text) for text in ranges):
        raise CloudError(
            "address-outside-subnets",
            f"{wanted.ip} is in no subnet of {wanted.network}",
            hint=f"its subnets are: {', '.join(ranges) or 'none'}",
        )


def _body(cloud: Connection, network_id: str, wanted: WantedPort, description: str) -> dict[str, object]:
    body: dict[str, object] = {"network_id": network_id, "name": wanted.name, "binding_vnic_type": "direct"}
    if description:
        body["description"] = description
    if wanted.ip:
        body["fixed_ips"] = [{"ip_address": wanted.ip}]
    if wanted.mac:
        body["mac_address"] = wanted.mac
    if wanted.is_trusted:  # an attribute of its own since neutron 25; before, a key of the profile that nova reads
        has_attribute = cloud.network.find_extension("port-trusted-vif") is not None
        body.update({"trusted": True} if has_attribute else {"binding_profile": {"trusted": "true"}})
    return body


def is_trusted(port: Port) -> bool:
    in_profile = str((port.binding_profile or {}).get("trusted", "")).lower()
    return bool(port.trusted) or in_profile in ("true", "1", "yes", "on")


def _differences(port: Port, network_id: str, wanted: WantedPort) -> list[Difference]:
    ips = [str(item.get("ip_address")) for item in port.fixed_ips or ()]
    pairs: list[Difference] = [
        ("network", port.network_id, network_id),
        ("vnic_type", port.binding_vnic_type, "direct"),
        ("trusted", is_trusted(port), wanted.is_trusted),
    ]
    if wanted.ip:
        pairs.append(("address", ", ".join(ips), wanted.ip))
    if wanted.mac:
        pairs.append(("MAC address", port.mac_address, wanted.mac))
    return [pair for pair in pairs if pair[1] != pair[2]]


def _made(port: Port, wanted: WantedPort, *, made: bool) -> MadePort:
    ips = tuple(str(item.get("ip_address")) for item in port.fixed_ips or ())
    return MadePort(port.id, wanted.name, wanted.network, str(port.mac_address), ips, made)


def delete(cloud: Connection, port_id: str) -> None:
    """It is no error if it is gone already."""
    with cloud_errors("deleting the port"):
        cloud.network.delete_port(port_id, ignore_missing=True)


def bound(cloud: Connection, name: str, dialect: Dialect) -> BoundPort:
    """The port with its binding and its network's segment. Raises CloudError if there is none of the name."""
    extensions.require(cloud, dialect, extensions.NETWORK, extensions.PORT)
    port = find(cloud, name)
    if port is None:
        raise CloudError("not-in-cloud", f"there is no port {name}", hint="`openstack port list` shows the ports")
    with cloud_errors(f"looking at the network of the port {name}"):
        network = cloud.network.get_network(port.network_id)
        subnets = list(cloud.network.subnets(network_id=port.network_id))
    return BoundPort(
        status=str(port.status or ""),
        device_id=str(port.device_id or ""),
        vnic_type=str(port.binding_vnic_type or ""),
        vif_type=str(port.binding_vif_type or ""),
        host=str(port.binding_host_id or ""),
        mac=str(port.mac_address or ""),
        vif_details=_mapping(port.binding_vif_details),
        profile=_mapping(port.binding_profile),
        network_type=str(network.provider_network_type or ""),
        physnet=str(network.provider_physical_network or ""),
        vlan=segment(network.provider_segmentation_id),
        has_dhcp=any(subnet.is_dhcp_enabled for subnet in subnets),
        external_hosts=dialect.external_hosts(cloud, str(network.provider_physical_network or "")),
    )


def _mapping(value: object) -> Mapping[str, object]:
    """An attribute of a port that is an object; null, or a text that is none, is an empty one."""
    return value if isinstance(value, Mapping) else {}


def physnet(cloud: Connection, port_id: str) -> str:
    """The physical network of the port's network; empty where these credentials do not see it, or the port is gone."""
    if not port_id:
        return ""
    with cloud_errors("looking at the port's network"):
        port = cloud.network.find_port(port_id)
        network = None if port is None else cloud.network.find_network(port.network_id)
    return "" if network is None else str(network.provider_physical_network or "")
