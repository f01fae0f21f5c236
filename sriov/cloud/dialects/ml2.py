"""Neutron's API as ML2 answers it: mechanism drivers bind a port, the NIC agent of its host sets the VF up.

Where OVN is among the drivers, a chassis answers DHCP for VFs (`external` ports of OVN): one with
`enable-chassis-as-extport-host` among its ovn-cms-options, or else one with `enable-chassis-as-gw`. Neutron lists the
second kind as "OVN Controller Gateway agent" and does not show the first (neutron 29, ovn/agent/neutron_agent.py;
docs.openstack.org/neutron/latest/admin/ovn/external_ports.html).
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
from sriov.cloud.session import cloud_errors
from sriov.cloud.wanted import WantedNetwork
from sriov.errors import CloudError

if TYPE_CHECKING:
    from openstack.connection import Connection
    from openstack.network.v2.agent import Agent
    from openstack.network.v2.network import Network
    from openstack.network.v2.port import Port

_OVN = "OVN Controller"
_OVN_GATEWAY = "OVN Controller Gateway agent"
_DHCP = "DHCP agent"  # may serve VFs beside OVN


class Ml2:
    lowest_vlan = 1
    needs_vlan = ""
    extension_hint = (
        "ML2 always has it, so neutron runs another plugin: look at core_plugin in neutron.conf; if it is Contrail's, "
        "write env.network_backend = 'contrail'"
    )
    ready_words = "ACTIVE too"

    def differences(self, network: Network, wanted: WantedNetwork) -> list[tuple[str, object, object]]:
        kind = network.provider_network_type
        if kind is None and network.provider_physical_network:
            kind = "not shown, as Contrail does (env.network_backend says ml2)"
        pairs: list[tuple[str, object, object]] = [
            ("type", kind, "vlan"),
            ("physical network", network.provider_physical_network, wanted.physnet),
        ]
        if wanted.vlan is not None:
            pairs.append(("VLAN", segment(network.provider_segmentation_id), wanted.vlan))
        return [pair for pair in pairs if pair[1] != pair[2]]

    def refuse_network(self, network: Network, name: str) -> None:
        """ML2 decides when it binds the port, and says so."""

    def refuse_port(self, port: Port, name: str) -> None:
        """ML2 decides when it binds the port, and says so."""

    def is_up(self, port: Port) -> bool:
        return bool(port.status == "ACTIVE")

    def external_hosts(self, cloud: Connection, physnet: str) -> tuple[str, ...] | None:
        try:
            with cloud_errors("listing the agents of neutron"):
                agents = list(cloud.network.agents())
        except CloudError:
            return None  # no administrator: nothing is known
        has_dhcp_agent = any(agent.agent_type == _DHCP and agent.is_alive for agent in agents)
        if has_dhcp_agent or not any(str(agent.agent_type).startswith(_OVN) for agent in agents):
            return None
        return tuple(str(agent.host) for agent in agents if _is_gateway(agent, physnet))

    def judge(self, port: BoundPort) -> tuple[BindingRow, ...]:
        if port.is_hidden:
            return binding.hidden(port)
        rows = [binding.vnic_type(port), _network(port), *_dhcp(port)]
        if not port.device_id and port.vif_type in ("unbound", ""):
            unused = "no VM uses the port; nova binds it when one is launched"
            return (*rows, open_row("binding", "unbound", unused))
        wrong_vlan = f"not the network's VLAN ({_shown(port.vlan)}): the guest would be in another network"
        return (
            *rows, _vif_type(port), binding.vlan(port, wrong_vlan), *binding.profile(port), binding.host(port),
            _status(port),
        )  # fmt: skip


def _is_gateway(agent: Agent, physnet: str) -> bool:
    """Only a chassis that is on the physical network is chosen (neutron 29, common/ovn/utils.py)."""
    mappings = (agent.configuration or {}).get("bridge-mappings")  # older releases do not show them
    is_there = mappings is None or physnet in [pair.partition(":")[0].strip() for pair in str(mappings).split(",")]
    return bool(agent.agent_type == _OVN_GATEWAY and agent.is_alive and is_there)


def _shown(vlan: int | None) -> str:
    return "not shown" if vlan is None else str(vlan)


def _network(port: BoundPort) -> BindingRow:
    value = " ".join(filter(None, (port.network_type, segment_words(port.physnet, port.vlan))))
    if not port.network_type and port.physnet and port.vlan is not None:
        wrong = "its type is not shown, which ML2 always shows: if this is Contrail, take env.network_backend out"
        return binding_row("network-backend-differs", "network", value, False, "", wrong)
    return binding_row(
        "network-not-vlan",
        "network",
        value,
        port.network_type == "vlan" and bool(port.physnet) and port.vlan is not None and 1 <= port.vlan <= 4094,
        "a VLAN on a physical network, which a VF can carry",
        "not a VLAN on a physical network, or these credentials may not see it: the VF cannot be put into it",
    )


def _dhcp(port: BoundPort) -> tuple[BindingRow, ...]:
    if port.external_hosts is None or not port.has_dhcp:
        return ()
    name, hosts = "OVN chassis for DHCP", ", ".join(port.external_hosts)
    if hosts:
        return (
            binding_row("ovn-no-chassis", name, hosts, True, "a live gateway chassis can answer DHCP for the VF", ""),
        )
    cause = (
        f"no live gateway chassis on {port.physnet}: this is why a guest gets no address by DHCP. Set "
        "ovn-cms-options=enable-chassis-as-gw on a node (or enable-chassis-as-extport-host: if a node has that, all is "
        f"well, but neutron does not show it), with {port.physnet} in its ovn-bridge-mappings"
    )
    return (BindingRow("ovn-no-chassis", name, "none", BindingVerdict.UNKNOWN, cause),)


def _vif_type(port: BoundPort) -> BindingRow:
    if port.vif_type == "binding_failed":
        wrong = (
            f"no driver of ML2 would bind it on {port.host or 'its host'}: is sriovnicswitch among mechanism_drivers, "
            f"is neutron-sriov-nic-agent alive there, and does its physical_device_mappings name {port.physnet}?"
        )
    elif port.vif_type in ("unbound", ""):
        wrong = "a VM names the port, but it was never bound: the VM has found no host, or its start failed"
    else:
        wrong = "another driver bound it: sriovnicswitch is not the first that takes direct ports of this network"
    right, is_right = "bound: the card itself switches the VF", port.vif_type == "hw_veb"
    return binding_row("port-not-bound", "vif_type", port.vif_type, is_right, right, wrong)


def _status(port: BoundPort) -> BindingRow:
    return binding_row(
        "port-down",
        "status",
        port.status,
        port.status == "ACTIVE",
        "the NIC agent of the host has set the VF up",
        "not ACTIVE: neutron-sriov-nic-agent on the host has not set the VF up; a VM may be ACTIVE all the same",
    )
