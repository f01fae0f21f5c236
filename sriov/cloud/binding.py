"""What neutron says of a port for a VF, each part judged: right, wrong with its meaning, or not decided yet. Pure."""

from __future__ import annotations

import enum
import re
from collections.abc import Mapping
from dataclasses import dataclass


class BindingVerdict(enum.Enum):
    RIGHT = "right"
    WRONG = "wrong"
    OPEN = "not yet"  # no VM uses the port, so there is nothing to be right or wrong


@dataclass(frozen=True, slots=True)
class BoundPort:
    """A port as neutron shows it to an administrator. `vlan` is its network's segment, 0 where that is not shown."""

    status: str
    device_id: str
    vnic_type: str
    vif_type: str
    host: str
    mac: str
    vif_details: Mapping[str, object]
    profile: Mapping[str, object]
    network_type: str
    physnet: str
    vlan: int


@dataclass(frozen=True, slots=True)
class BindingRow:
    """One part of the binding; `meaning` says what it stands for, or what its being wrong means.

    `id` names what is wrong (see `sriov.errors`); it is empty where it is right.
    """

    id: str
    name: str
    value: str
    verdict: BindingVerdict
    meaning: str


def judge(port: BoundPort) -> tuple[BindingRow, ...]:
    """Every part of the binding, in the order in which it comes about."""
    rows = [_vnic_type(port), _network(port)]
    if not port.device_id and port.vif_type in ("unbound", ""):
        rows.append(
            BindingRow(
                "port-not-bound",
                "binding",
                "unbound",
                BindingVerdict.OPEN,
                "no VM uses the port; nova binds it when one is launched",
            )
        )
        return tuple(rows)
    return (*rows, _vif_type(port), _vlan(port), *_profile(port), _host(port), _status(port))


def _binding_row(id: str, name: str, value: object, is_right: bool, right: str, wrong: str) -> BindingRow:
    text = "-" if value in (None, "") else str(value)
    if is_right:
        id = ""  # nothing to look up
    verdict = BindingVerdict.RIGHT if is_right else BindingVerdict.WRONG
    return BindingRow(id, name, text, verdict, right if is_right else wrong)


def _vnic_type(port: BoundPort) -> BindingRow:
    return _binding_row(
        "port-not-direct",
        "vnic_type",
        port.vnic_type,
        port.vnic_type == "direct",
        "the guest gets a VF of its own",
        "not direct: nova gives the guest a virtio port, not a VF; delete the port and make it again",
    )


def _network(port: BoundPort) -> BindingRow:
    value = " ".join(str(part) for part in (port.network_type, port.physnet, port.vlan) if part)
    return _binding_row(
        "network-not-vlan",
        "network",
        value,
        port.network_type == "vlan" and bool(port.physnet) and 1 <= port.vlan <= 4094,
        "a VLAN on a physical network, which a VF can carry",
        "not a VLAN on a physical network, or these credentials may not see it: the VF cannot be put into it",
    )


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
    return _binding_row("port-not-bound", "vif_type", port.vif_type, is_right, right, wrong)


def _vlan(port: BoundPort) -> BindingRow:
    found = port.vif_details.get("vlan")
    return _binding_row(
        "vf-vlan-differs",
        "vif_details vlan",
        found,
        found is not None and str(found) == str(port.vlan),
        "the card tags the VF with the network's VLAN",
        f"not the network's VLAN ({port.vlan or 'not shown'}): the guest would be in another network",
    )


def _profile(port: BoundPort) -> tuple[BindingRow, ...]:
    slot, vendor = str(port.profile.get("pci_slot") or ""), str(port.profile.get("pci_vendor_info") or "")
    physnet = str(port.profile.get("physical_network") or "")
    return (
        _binding_row(
            "port-not-bound",
            "profile pci_slot",
            slot,
            bool(re.fullmatch(r"[0-9a-f]{4,}:[0-9a-f]{2}:[0-9a-f]{2}\.[0-7]", slot)),
            "the VF that nova chose, by its PCI address on the host",
            "nova has claimed no VF for it",
        ),
        _binding_row(
            "port-not-bound",
            "profile pci_vendor_info",
            vendor,
            bool(re.fullmatch(r"[0-9a-f]{4}:[0-9a-f]{4}", vendor)),
            "vendor and product of the VF, as lspci -n in the guest shows them",
            "nova has not said what kind of device it claimed",
        ),
        _binding_row(
            "port-in-wrong-network",
            "profile physical_network",
            physnet,
            bool(physnet) and physnet == port.physnet,
            "the VF's whitelist entry and the network name the same physical network",
            f"the VF belongs to another physical network than the port's ({port.physnet or 'not shown'})",
        ),
    )


def _host(port: BoundPort) -> BindingRow:
    right, wrong = "the compute host of the VM", "no host: nova has placed no VM"
    return _binding_row("port-not-bound", "host_id", port.host, bool(port.host), right, wrong)


def _status(port: BoundPort) -> BindingRow:
    return _binding_row(
        "port-down",
        "status",
        port.status,
        port.status == "ACTIVE",
        "the NIC agent of the host has set the VF up",
        "not ACTIVE: neutron-sriov-nic-agent on the host has not set the VF up; a VM may be ACTIVE all the same",
    )
