"""Neutron's API as Contrail (Tungsten Fabric, OpenSDN) answers it.

Facts, from the translator in its api-server (tf-controller, vnc_openstack/neutron_plugin_db.py):

- A network shows physical network and segment, never a type. One without the other is refused; 0 is the untagged one.
- vif_type hw_veb and the VLAN are decided when a port is made, from the network's segment at that time. While a port
  has no host, all releases since 2011 show `unbound`; older ones show what is stored.
- ACTIVE says that a VM has the port. There is no agent that sets a VF up, so no one says more.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sriov.cloud.dialects import binding
from sriov.cloud.dialects.binding import (
    BindingRow,
    BindingVerdict,
    BoundPort,
    binding_row,
    open_row,
    segment,
    segment_words,
)
from sriov.cloud.wanted import WantedNetwork
from sriov.errors import CloudError

if TYPE_CHECKING:
    from openstack.connection import Connection
    from openstack.network.v2.network import Network
    from openstack.network.v2.port import Port

_BY_VROUTER = ("vrouter", "vhostuser")  # the second where the vRouter runs on DPDK
_NO_VM = "no VM has the port"
_MAKE_AGAIN = "delete the port and make it again"
_OTHER_BACKEND = "Contrail never says this, another plugin answers: look at core_plugin in neutron.conf"


class Contrail:
    lowest_vlan = 0
    needs_vlan = "Contrail chooses none: name one from 1 to 4094, or 0 for an untagged network"
    extension_hint = (
        "Contrail's plugin always has it, so neutron runs an older plugin or another one: look at core_plugin in "
        "neutron.conf; if it is ML2, write env.network_backend = 'ml2'"
    )
    ready_words = "the VM has it; Contrail does not say whether the VF carries traffic"

    def differences(self, network: Network, wanted: WantedNetwork) -> list[tuple[str, object, object]]:
        physnet, vlan = network.provider_physical_network or None, segment(network.provider_segmentation_id)
        absent = None if physnet is None and vlan is None else "none"
        pairs: list[tuple[str, object, object]] = [
            ("type", network.provider_network_type or "vlan", "vlan"),  # no answer is Contrail's own
            ("physical network", absent if physnet is None else physnet, wanted.physnet),
            ("VLAN", absent if vlan is None else vlan, wanted.vlan),
        ]
        return [pair for pair in pairs if pair[1] != pair[2]]

    def refuse_network(self, network: Network, name: str) -> None:
        physnet, vlan = network.provider_physical_network, segment(network.provider_segmentation_id)
        if not physnet or vlan is None:
            shown = segment_words(str(physnet or ""), vlan) or "neither"
            raise CloudError(
                "network-without-segment",
                f"the network {name} needs a physical network and a VLAN before a port for a VF is made in it; "
                f"it has {shown}",
                hint="give it both in one call: openstack network set --provider-physical-network PHYSNET "
                f"--provider-segment VLAN {name}; or fab create_sriov_network makes another",
            )

    def refuse_port(self, port: Port, name: str) -> None:
        details = port.binding_vif_details or {}
        is_without = bool(details) and segment(details.get("vlan")) is None
        if is_without or port.binding_vif_type in _BY_VROUTER:
            raise CloudError(
                "vf-vlan-differs",
                f"the port {name} has no VLAN: it was made while its network had none, so its VM would get no VF",
                hint=f"give the network physical network and VLAN, then {_MAKE_AGAIN}",
            )

    def is_up(self, port: Port) -> bool:
        return port.status == "ACTIVE" or bool(port.device_id)

    def external_hosts(self, cloud: Connection, physnet: str) -> tuple[str, ...] | None:
        return None  # there is no agent, and GET /v2.0/agents is a 404

    def judge(self, port: BoundPort) -> tuple[BindingRow, ...]:
        if port.is_hidden:
            return binding.hidden(port)
        if not port.vif_type:  # Contrail always has one
            return (binding.vnic_type(port), _network(port), binding.hidden(port)[-1])
        return (
            binding.vnic_type(port), _network(port), _vif_type(port), _vlan(port),
            *_of_vm(port, (*binding.profile(port), binding.host(port))), _status(port),
        )  # fmt: skip


def _of_vm(port: BoundPort, rows: tuple[BindingRow, ...]) -> list[BindingRow]:
    """What nova says when it starts a VM; not yet decided while none has the port."""
    return [row if port.device_id else open_row(row.name, row.value, _NO_VM) for row in rows]


def _network(port: BoundPort) -> BindingRow:
    value = segment_words(port.physnet, port.vlan)
    if port.network_type:
        wrong = (
            f"it shows the type {port.network_type}, and Contrail shows none: if this cloud has ML2, write "
            "env.network_backend = 'ml2'"
        )
        return binding_row("network-backend-differs", "network", f"{port.network_type} {value}", False, "", wrong)
    is_right = bool(port.physnet) and port.vlan is not None and port.vlan <= 4094
    right = "a VLAN on a physical network, which a VF can carry"
    if port.vlan == 0:
        right = "a physical network, untagged, which a VF can carry"
    wrong = f"it needs both a physical network and a VLAN: give it both in one call, then {_MAKE_AGAIN}"
    if not value and segment(port.vif_details.get("vlan")) is not None:
        wrong = "its physical network and VLAN are not shown to these credentials; use those of an administrator"
        return binding_row("cloud-forbids", "network", value, False, "", wrong)
    return binding_row("network-not-vlan", "network", value, is_right, right, wrong)


def _vif_type(port: BoundPort) -> BindingRow:
    name = "vif_type"
    if port.vif_type == "unbound" and not port.device_id:
        has_vlan = port.vnic_type == "direct" and segment(port.vif_details.get("vlan")) is not None
        later = "it becomes hw_veb when nova has chosen a host" if has_vlan else "as it is, the vRouter would switch it"
        return open_row(name, port.vif_type, f"{_NO_VM}; {later}")
    right = "the card itself switches the VF"
    if not port.device_id:
        right += "; decided when the port was made, no VM has it yet"
    if port.vif_type == "unbound":
        wrong = "a VM names the port, but nova has set no host: `fab explain` says why there may be none"
    elif port.vif_type in _BY_VROUTER:
        wrong = (
            "the vRouter switches it, not the card: the network had no VLAN when the port was made, or the port is not "
            f"direct. Give the network physical network and VLAN, then {_MAKE_AGAIN} as direct"
        )
    else:
        wrong = _OTHER_BACKEND
    return binding_row("port-not-bound", name, port.vif_type, port.vif_type == "hw_veb", right, wrong)


def _vlan(port: BoundPort) -> BindingRow:
    wrong = f"the port is older than the network's VLAN ({port.vlan}): {_MAKE_AGAIN}"
    if port.vlan is None and segment(port.vif_details.get("vlan")) is not None:
        wrong = "the network's VLAN is not shown to these credentials"
    elif port.vlan is None:
        wrong = f"its network shows no VLAN: give it physical network and VLAN, then {_MAKE_AGAIN}"
    elif segment(port.vif_details.get("vlan")) is not None:
        wrong = f"not the network's VLAN ({port.vlan}), so the guest would be in another network: {_MAKE_AGAIN}"
    return binding.vlan(port, wrong)


def _status(port: BoundPort) -> BindingRow:
    if port.device_id:
        right = (
            "a VM has the port; Contrail has no agent that could say more. If nothing gets through: is the PF up, is "
            "the VLAN on its switch port, does `ip link show` of the PF have the port's MAC address and VLAN?"
        )
        wrong = "not ACTIVE, though Contrail says it of each port that a VM has: is its api-server up to date?"
        return binding_row("port-down", "status", port.status, port.status == "ACTIVE", right, wrong)
    return BindingRow(
        "port-not-bound", "status", port.status or "-", BindingVerdict.OPEN, f"{_NO_VM}; nothing is to be started"
    )
