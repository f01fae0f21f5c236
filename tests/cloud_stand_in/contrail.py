"""Contrail's side of neutron: what its api-server stores, in its own classes, and what its translator shows of it.

The classes are those of contrail-api-client, so names and types of what is stored are not ours. What is stored and
shown follows tf-controller's virtual_network.py, virtual_machine_interface.py and neutron_plugin_db.py; `Release` tells
the translator of old Contrail (2.x, 3.x) from the living ones.
"""

from __future__ import annotations

import enum
import json
import uuid
from typing import Any

from vnc_api.gen.resource_common import Project, VirtualMachine, VirtualMachineInterface, VirtualNetwork
from vnc_api.gen.resource_xsd import KeyValuePair, KeyValuePairs, ProviderDetails

EXTENSIONS = (
    "provider", "binding", "allowed-address-pairs", "extra_dhcp_opt", "external-net", "port-security", "quotas",
    "router", "security-group", "vf-binding",
)  # fmt: skip


class Release(enum.Enum):
    OLD = "old"
    LIVING = "living"


class RefusedError(Exception):
    """What the api-server answers with a status of 4xx."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.message = message


def network(name: str, physnet: str | None = None, segment: int | None = None, *, may_be_half: bool = False) -> Any:
    """A network. Half of a pair is refused, but stored by some old releases (`may_be_half`)."""
    made = VirtualNetwork(name, Project("admin"))
    made.uuid = str(uuid.uuid4())
    set_provider_properties(made, physnet, segment, may_be_half=may_be_half)
    return made


def set_provider_properties(made: Any, physnet: str | None, segment: int | None, *, may_be_half: bool = False) -> None:
    if physnet is None and segment is None:
        return
    if made.get_provider_properties() is not None:
        raise RefusedError(
            409, "Provider values can not be changed when virtual network already has provider properties"
        )
    if not may_be_half and segment is None:
        raise RefusedError(400, "Segmenation ID must be configured to create")
    if not may_be_half and physnet is None:
        raise RefusedError(400, "Physical Network must be configured to create")
    if segment is not None and not 0 <= segment <= 4094:
        raise RefusedError(400, f"Bad segmentation_id {segment}: not within [0, 4094]")
    made.set_provider_properties(ProviderDetails(segmentation_id=segment, physical_network=physnet))


def port(name: str, of: Any, vnic_type: str = "normal") -> Any:
    """A port. Whether the card or the vRouter switches it is decided here, once, from the network as it is now."""
    made = VirtualMachineInterface(name, Project("admin"))
    made.uuid = str(uuid.uuid4())
    made.add_virtual_network(of)
    details: dict[str, object] = {"port_filter": True}
    provider, vif_type = of.get_provider_properties(), "vrouter"
    has_segment = (
        provider is not None and provider.segmentation_id is not None and provider.physical_network is not None
    )
    if vnic_type in ("direct", "virtio-forwarder") and has_segment:
        vif_type, details["vlan"] = "hw_veb", str(provider.segmentation_id)
    _set(made, vnic_type=vnic_type, vif_type=vif_type, vif_details=json.dumps(details))
    return made


def take(made: Any, server_id: str, host: str, profile: dict[str, str]) -> None:
    """What nova does when it has chosen a host. An empty `host`: it has named the VM only."""
    server = VirtualMachine(server_id)
    server.uuid = server_id
    made.set_virtual_machine(server)
    made.set_virtual_machine_interface_device_owner("compute:nova")
    if host:
        _set(made, host_id=host, profile=json.dumps(profile))


def leave(made: Any) -> None:
    """The VM is gone, the port is kept."""
    made.set_virtual_machine_list([])
    _set(made, host_id="null", profile="{}")


def _set(made: Any, **values: str) -> None:
    bindings = {**_bindings(made), **values}
    pairs = [KeyValuePair(key=key, value=value) for key, value in bindings.items()]
    made.set_virtual_machine_interface_bindings(KeyValuePairs(pairs))


def _bindings(made: Any) -> dict[str, str]:
    found = made.get_virtual_machine_interface_bindings()
    return {} if found is None else {pair.key: pair.value for pair in found.get_key_value_pair()}


def shown_network(made: Any, *, is_admin: bool = True) -> dict[str, Any]:
    """No release shows a type; without provider properties none of the keys is there."""
    shown: dict[str, Any] = {
        "id": made.uuid, "name": made.name, "tenant_id": "p", "status": "ACTIVE", "admin_state_up": True,
        "shared": False, "router:external": False,
    }  # fmt: skip
    provider = made.get_provider_properties()
    if provider is not None and is_admin:
        shown["provider:physical_network"] = provider.physical_network
        shown["provider:segmentation_id"] = provider.segmentation_id
    return shown


def shown_port(made: Any, of: Any, release: Release = Release.LIVING, *, is_admin: bool = True) -> dict[str, Any]:
    servers = [reference["to"][-1] for reference in made.get_virtual_machine_refs() or ()]
    shown: dict[str, Any] = {
        "id": made.uuid, "name": made.name, "network_id": of.uuid, "tenant_id": "p", "admin_state_up": True,
        "device_id": servers[0] if servers else "", "device_owner": "compute:nova" if servers else "",
        "mac_address": "02:" + ":".join(made.uuid.replace("-", "")[at : at + 2] for at in range(0, 10, 2)),
        "fixed_ips": [{"ip_address": "10.1.0.5", "subnet_id": "s"}], "status": "ACTIVE" if servers else "DOWN",
    }  # fmt: skip
    bindings = {key: _as_json(value) for key, value in _bindings(made).items()}
    shown["binding:vnic_type"] = bindings.pop("vnic_type")
    if not is_admin:
        return shown
    shown["binding:host_id"] = None
    shown.update({f"binding:{key}": value for key, value in bindings.items()})
    if release is Release.LIVING and not shown["binding:host_id"]:
        shown["binding:vif_type"] = "unbound"
    return shown


def _as_json(text: str) -> object:
    """A profile comes back as an object, `null` as nothing, and a host of the name 123 as a number."""
    try:
        return json.loads(text)
    except ValueError:
        return text
