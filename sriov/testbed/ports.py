"""Which port of a card an entry of `env.sriov` means: by the kernel's name, by PCI address or by MAC address."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from sriov.testbed.sources.source import FaultList, Keys
from sriov.testbed.wording import kind, shown

PORT_KEYS = ("interface", "pci", "mac")
MAX_NAME = 15  # IFNAMSIZ - 1, include/uapi/linux/if.h

_INTERFACE = re.compile(r"[A-Za-z0-9_.+@~^=][A-Za-z0-9_.+@~^=-]*")
_PCI = re.compile(r"(?:([0-9a-f]{4,8}):)?([0-9a-f]{2}):([01][0-9a-f])\.([0-7])")
_MAC = re.compile(r"[0-9a-f]{2}(?::[0-9a-f]{2}){5}")


def read_port(entry: Mapping[object, object], at: Keys, faults: FaultList) -> dict[str, str]:
    """`{'interface': 'eth0'}`, `{'pci': '0000:01:00.0'}` or `{'mac': '52:54:00:aa:bb:cc'}`; empty if faulty."""
    given = [key for key in PORT_KEYS if key in entry]
    if not given:
        faults.note("missing-key", at, "names no interface", "add 'interface' (or 'pci' or 'mac')")
        return {}
    if len(given) > 1:
        faults.note(
            "conflicting-keys", (*at, given[1]), f"both {given[0]!r} and {given[1]!r} name the port", "keep one of them"
        )
        return {}
    key = given[0]
    value = entry[key]
    if not isinstance(value, str):
        faults.note("wrong-type", (*at, key), f"is {kind(value)}, not text", "put it in quotes")
        return {}
    id, reason, hint = {"interface": _interface_fault, "pci": _pci_fault, "mac": _mac_fault}[key](value)
    if reason:
        faults.note(id, (*at, key), f"{shown(value)} {reason}", hint)
        return {}
    return {key: _canonical(key, value)}


def _interface_fault(name: str) -> tuple[str, str, str]:
    """(id, reason, hint) why no kernel takes the name, or none we would put on a command line; empty if it does."""
    if not name:
        return "invalid-interface", "is an empty interface name", "write the name that `ip link` shows, such as 'eth0'"
    if len(name.encode("utf-8", "replace")) > MAX_NAME:
        return (
            "invalid-interface",
            f"is longer than {MAX_NAME} bytes, which no interface name is",
            "see `ip link` on the host",
        )
    if name in (".", ".."):
        return "invalid-interface", "cannot be an interface name", "see `ip link` on the host"
    if ":" in name:
        return (
            "invalid-interface",
            "is an alias or an address, not an interface",
            "write the name before the ':', or use 'pci' or 'mac'",
        )
    if not _INTERFACE.fullmatch(name):
        return "invalid-interface", "holds characters that no interface name has", "see `ip link` on the host"
    return "", "", ""


def _pci_fault(address: str) -> tuple[str, str, str]:
    if _PCI.fullmatch(address.lower()):
        return "", "", ""
    return "invalid-pci-address", "is not a PCI address", "write it as `lspci -D` shows it, such as '0000:01:00.0'"


def _mac_fault(address: str) -> tuple[str, str, str]:
    canonical = _canonical("mac", address)
    if not _MAC.fullmatch(canonical):
        return (
            "invalid-mac-address",
            "is not a MAC address",
            "write it as `ip link` shows it, such as '52:54:00:aa:bb:cc'",
        )
    if int(canonical[:2], 16) & 1 or canonical == "00:00:00:00:00:00":
        return "invalid-mac-address", "is not the address of one card", "see `ip link` on the host"
    return "", "", ""


def _canonical(key: str, value: str) -> str:
    """The one spelling that comparisons use: `1A:00.0` -> `0000:1a:00.0`, `52-54-…` -> `52:54:…`."""
    if key == "interface":
        return value
    if key == "mac":
        return value.lower().replace("-", ":")
    match = _PCI.fullmatch(value.lower())
    return f"{int(match[1] or '0', 16):04x}:{match[2]}:{match[3]}.{match[4]}" if match else value


def refuse_repeated_ports(entries: Sequence[object], at: Keys, faults: FaultList) -> None:
    first: dict[tuple[str, str], int] = {}
    for index, entry in enumerate(entries):
        for key in PORT_KEYS:
            value = entry.get(key) if isinstance(entry, Mapping) else None
            if not isinstance(value, str):
                continue
            port = (key, _canonical(key, value))
            if port in first:
                what = f"{shown(value)} appears twice: [{first[port]}] has it too"
                faults.note("duplicate-port", (*at, index, key), what, "join the two entries")
            first.setdefault(port, index)
