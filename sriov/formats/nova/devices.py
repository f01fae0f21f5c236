"""Which PCI devices a whitelist entry takes: nova's rules, pure.

They are those of `nova/pci/devspec.py` and of `nova/pci/utils.py`; the tests hold them against nova's own code, 23 and
34. Entries are JSON objects that `sriov.formats.nova.whitelist` has checked.
"""

from __future__ import annotations

import enum
import re
import string
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from sriov.formats.nova.releases import NEWEST
from sriov.formats.nova.whitelist import ANY, Entry, address_patterns, identity_patterns

_TRUE = frozenset(("1", "t", "true", "on", "y", "yes"))  # oslo_utils.strutils.bool_from_string
_EXACT = re.compile("[0-9a-f]{4}:[0-9a-f]{2}:[01][0-9a-f]\\.[0-7]")
_REMOTE_SINCE = 25  # the tag `remote_managed`


class Kind(enum.Enum):
    """What a device is to nova (`nova.objects.fields.PciDeviceType`)."""

    PHYSICAL = "type-PF"  # has an SR-IOV capability, with or without VFs
    VIRTUAL = "type-VF"
    PLAIN = "type-PCI"


@dataclass(frozen=True, slots=True)
class Device:
    """A PCI function: address `0000:01:10.0`, vendor `8086` and product `10ca` in lower case; `parent` of a VF only.

    An empty vendor or product is one that is not known.
    """

    address: str
    vendor: str
    product: str
    kind: Kind
    parent: str = ""


@dataclass(frozen=True, slots=True)
class Hardware:
    """The devices of a host in nova's order, and which of them a network interface's name stands for.

    An interface that stands for no PCI device (a bond, a bridge) is not in `names`.
    """

    devices: tuple[Device, ...] = ()
    names: Mapping[str, str] = field(default_factory=dict)

    def device(self, address: str) -> Device | None:
        return next((device for device in self.devices if device.address == address), None)

    def is_physical(self, address: str) -> bool:
        found = self.device(address)
        return found is not None and found.kind is Kind.PHYSICAL


def first_match(hardware: Hardware, entries: Sequence[Entry], device: Device) -> int | None:
    """Position of the entry that takes the device: the first that matches; None if none does."""
    return next((number for number, entry in enumerate(entries) if matches(hardware, entry, device)), None)


def matches(hardware: Hardware, entry: Entry, device: Device, release: int = NEWEST) -> bool:
    """Whether nova may take the entry for the device, entries before it aside.

    An entry for a physical function, by name or by address, also stands for its VFs. `remote_managed` devices are
    told by a serial number in their vital product data, which cards without a processor of their own do not have.
    """
    if not _takes_address(hardware, entry, device, release):
        return False
    vendor, product = identity_patterns(entry)
    return bool(vendor.match(device.vendor) and product.match(device.product))


def may_match(hardware: Hardware, entry: Entry, device: Device, release: int) -> bool:
    """The same, but a vendor or a product that is not known may be any."""
    if not _takes_address(hardware, entry, device, release):
        return False
    vendor, product = identity_patterns(entry)
    return bool(
        (not device.vendor or vendor.match(device.vendor)) and (not device.product or product.match(device.product))
    )


def is_set(entry: Entry, tag: str) -> bool:
    return str(entry.get(tag, "")).strip().lower() in _TRUE


def serves(entry: Entry, physnet: str) -> bool:
    """Whether a device that the entry takes is for that physical network; upper and lower case are one to nova."""
    name = entry.get("physical_network")
    return isinstance(name, str) and name.lower() == physnet.lower()


def suits_direct_port(entry: Entry, kind: Kind, release: int = NEWEST) -> bool:
    """A direct port asks for the tag `remote_managed` "false", which a pool of VFs has unless its entry says otherwise.

    A card without SR-IOV has no such tag; an entry that gives it one offers the whole card.
    """
    if kind is Kind.PHYSICAL:
        return False
    tag = entry.get("remote_managed")
    if tag is None or release < _REMOTE_SINCE:
        return kind is Kind.VIRTUAL
    return isinstance(tag, str) and tag.lower() == "false"


def _takes_address(hardware: Hardware, entry: Entry, device: Device, release: int) -> bool:
    if release >= _REMOTE_SINCE and is_set(entry, "remote_managed"):
        return False
    if devname := entry.get("devname"):
        address = hardware.names.get(str(devname), "")
        return bool(address) and _is_or_is_vf_of(hardware, device, address)
    written = entry.get("address")
    if isinstance(written, str) and _EXACT.fullmatch(written):  # the form of ours, of which there may be hundreds
        return _is_or_is_vf_of(hardware, device, written)
    if device.parent and _names_physical(hardware, entry) and _has_address(entry, device.parent):
        return True
    return _has_address(entry, device.address)


def _is_or_is_vf_of(hardware: Hardware, device: Device, address: str) -> bool:
    return device.address == address or (device.parent == address and hardware.is_physical(address))


def _has_address(entry: Entry, address: str) -> bool:
    """An address that is not known (no PCI address) has only an entry for any."""
    parts = address.replace(".", ":").split(":")
    patterns = address_patterns(entry)
    if len(parts) != len(patterns):
        return all(pattern == ANY for pattern in patterns)
    return all(pattern.match(part) for pattern, part in zip(patterns, parts, strict=True))


def _names_physical(hardware: Hardware, entry: Entry) -> bool:
    """Whether the entry's address is written out, without "any", and is that of a physical function."""
    address = entry.get("address")
    if isinstance(address, Mapping):
        parts = [str(address.get(key, ".*")) for key in ("domain", "bus", "slot", "function")]
        if not all(character in string.hexdigits for part in parts for character in part):
            return False
        return hardware.is_physical(f"{parts[0]}:{parts[1]}:{parts[2]}.{parts[3]}")
    return any(
        device.kind is Kind.PHYSICAL and _is_exactly(str(address or ""), device.address) for device in hardware.devices
    )


def _is_exactly(written: str, address: str) -> bool:
    """`1:0.0` leaves the domain open: nova fills it with "any", so it names no single device."""
    fields, _, function = written.partition(".")
    parts = [part.strip() for part in (*fields.split(":"), function)]
    wanted = address.replace(".", ":").split(":")
    return (
        len(parts) == len(wanted)
        and all(part and part != "*" for part in parts)
        and all(int(part, 16) == int(other, 16) for part, other in zip(parts, wanted, strict=True))
    )
