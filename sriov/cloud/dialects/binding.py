"""What neutron says of a port for a VF, and the parts of it that every network backend shows alike. Pure.

The other parts are judged by the backend's dialect: `contrail`, `ml2`.
"""

from __future__ import annotations

import enum
import re
from collections.abc import Mapping
from dataclasses import dataclass


class BindingVerdict(enum.Enum):
    RIGHT = "right"
    WRONG = "wrong"
    OPEN = "not yet"  # no VM uses the port, so there is nothing to be right or wrong
    UNKNOWN = "unknown"  # neutron does not show what would decide it


@dataclass(frozen=True, slots=True)
class BoundPort:
    """A port as neutron shows it.

    `vlan` is its network's segment: None where none is shown, 0 for an untagged network. `has_dhcp` says whether a
    subnet of its network has DHCP. `external_hosts`: the live chassis that answer DHCP for it under OVN; None if the
    cloud does not use OVN, or does not say.
    """

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
    vlan: int | None
    has_dhcp: bool = False
    external_hosts: tuple[str, ...] | None = None

    @property
    def is_hidden(self) -> bool:
        """Whether these credentials see neither the network's provider properties nor the port's binding."""
        return not self.physnet and self.vlan is None and not self.network_type and not self.vif_type


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


def binding_row(id: str, name: str, value: object, is_right: bool, right: str, wrong: str) -> BindingRow:
    if is_right:
        id = ""  # nothing to look up
    verdict = BindingVerdict.RIGHT if is_right else BindingVerdict.WRONG
    return BindingRow(id, name, _text(value), verdict, right if is_right else wrong)


def open_row(name: str, value: object, meaning: str) -> BindingRow:
    return BindingRow("port-not-bound", name, _text(value), BindingVerdict.OPEN, meaning)


def _text(value: object) -> str:
    return "-" if value in (None, "") else str(value)


def segment(value: object) -> int | None:
    """A VLAN as an API shows it, number or text; None for none, and for what is no number."""
    if isinstance(value, bool) or not re.fullmatch(r"[0-9]{1,9}", str(value), re.ASCII):
        return None
    return int(str(value))


def segment_words(physnet: str, vlan: int | None) -> str:
    """`physnet1 100`; what is not there is left out."""
    return " ".join(filter(None, (physnet, "" if vlan is None else str(vlan))))


def hidden(port: BoundPort) -> tuple[BindingRow, ...]:
    """All that can be said to credentials that see no binding."""
    what = "not shown to these credentials; use those of an administrator"
    rows = [binding_row("cloud-forbids", name, "", False, "", what) for name in ("network", "binding")]
    return (vnic_type(port), *rows)


def vnic_type(port: BoundPort) -> BindingRow:
    return binding_row(
        "port-not-direct",
        "vnic_type",
        port.vnic_type,
        port.vnic_type == "direct",
        "the guest gets a VF of its own",
        "not direct: nova gives the guest a virtio port, not a VF; delete the port and make it again",
    )


def vlan(port: BoundPort, wrong: str) -> BindingRow:
    """`wrong`: what it means under this backend that the port's VLAN is not the network's."""
    found = port.vif_details.get("vlan")
    is_right = port.vlan is not None and segment(found) == port.vlan
    right = "the VF is not tagged" if port.vlan == 0 else "the card tags the VF with the network's VLAN"
    return binding_row("vf-vlan-differs", "vif_details vlan", found, is_right, right, wrong)


def profile(port: BoundPort) -> tuple[BindingRow, ...]:
    slot, vendor = str(port.profile.get("pci_slot") or ""), str(port.profile.get("pci_vendor_info") or "")
    physnet = str(port.profile.get("physical_network") or "")
    id, wrong = "port-not-bound", "nova has claimed no VF for it"
    if physnet:
        id, wrong = "port-in-wrong-network", "the VF belongs to another physical network than the port's"
        wrong += f" ({port.physnet or 'not shown'})"
    return (
        binding_row(
            "port-not-bound",
            "profile pci_slot",
            slot,
            bool(re.fullmatch(r"[0-9a-f]{4,}:[0-9a-f]{2}:[0-9a-f]{2}\.[0-7]", slot)),
            "the VF that nova chose, by its PCI address on the host",
            "nova has claimed no VF for it",
        ),
        binding_row(
            "port-not-bound",
            "profile pci_vendor_info",
            vendor,
            bool(re.fullmatch(r"[0-9a-f]{4}:[0-9a-f]{4}", vendor)),
            "vendor and product of the VF, as lspci -n in the guest shows them",
            "nova has not said what kind of device it claimed",
        ),
        binding_row(
            id,
            "profile physical_network",
            physnet,
            bool(physnet) and physnet == port.physnet,
            "the VF's whitelist entry and the network name the same physical network",
            wrong,
        ),
    )


def host(port: BoundPort) -> BindingRow:
    right, wrong = "the compute host of the VM", "no host: nova has placed no VM"
    return binding_row("port-not-bound", "host_id", port.host, bool(port.host), right, wrong)
