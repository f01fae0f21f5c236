"""One host's list in `env.sriov`: entries to PhysicalFunctions, with every fault that the file alone can show.

Whether a card has such an interface, or that many VFs, is seen on the host; here only what no host could take.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping, Sequence

from ..model import PhysicalFunction
from .source import FaultList, Keys, kind, shown

KEYS = ("interface", "pci", "mac", "VF", "physnets", "exclude_vfs", "trusted")
PORT_KEYS = ("interface", "pci", "mac")
MAX_VFS = 65535  # NumVFs is a 16-bit register (PCI Express SR-IOV capability)
MAX_NAME = 15  # IFNAMSIZ - 1, include/uapi/linux/if.h
MAX_PHYSNET = 64  # neutron's column for physical_network

_INTERFACE = re.compile(r"[A-Za-z0-9_.+@~^=][A-Za-z0-9_.+@~^=-]*")
_PCI = re.compile(r"(?:([0-9a-f]{4,8}):)?([0-9a-f]{2}):([01][0-9a-f])\.([0-7])")
_MAC = re.compile(r"[0-9a-f]{2}(?::[0-9a-f]{2}){5}")
_PHYSNET_BREAKERS = re.compile(r"[^!-~]|['\"`{}\[\](),:;$%#\\=]")


def nearest(word: object, known: Sequence[str], cutoff: float = 0.6) -> str:
    """The known word most like `word`, case aside; empty if none is near."""
    by_lower = {name.lower(): name for name in known}
    found = difflib.get_close_matches(str(word).lower(), by_lower, n=1, cutoff=cutoff)
    return by_lower[found[0]] if found else ""


def read_entries(value: object, host: str, faults: FaultList) -> tuple[PhysicalFunction, ...]:
    """The PFs of one host; faulty entries are left out, their faults are in `faults`."""
    at: Keys = ("sriov", host)
    if not isinstance(value, list | tuple):
        example = "[{'interface': 'eth0', 'VF': 7, 'physnets': ['physnet1']}]"
        faults.add(at, f"is {kind(value)}, not a list of entries", f"write {example}")
        return ()
    functions = tuple(function for index, entry in enumerate(value) if (function := _read(entry, (*at, index), faults)))
    _refuse_repeated_ports(value, at, faults)
    return functions


def _read(entry: object, at: Keys, faults: FaultList) -> PhysicalFunction | None:
    if not isinstance(entry, Mapping):
        faults.add(at, f"is {kind(entry)}, not a dictionary", "write {'interface': ..., 'VF': ..., 'physnets': [...]}")
        return None
    count_before = len(faults.found)
    entry = _with_known_keys(entry, at, faults)
    port = _port(entry, at, faults)
    num_vfs = _num_vfs(entry, at, faults)
    excluded = _excluded(entry, num_vfs, at, faults)
    physnets = _physnets(entry, num_vfs, len(excluded), at, faults)
    trusted = _trusted(entry, at, faults)
    if len(faults.found) > count_before or num_vfs is None:
        return None
    return PhysicalFunction(num_vfs, physnets, exclude_vfs=excluded, trusted=trusted, **port)


def _trusted(entry: Mapping[object, object], at: Keys, faults: FaultList) -> bool | None:
    value = entry.get("trusted")
    if value is None or isinstance(value, bool):
        return value
    faults.add((*at, "trusted"), f"is {kind(value)}, not True or False", "write True or False without quotes")
    return None


def _with_known_keys(entry: Mapping[object, object], at: Keys, faults: FaultList) -> dict[object, object]:
    """The entry with misspelt keys put right, so that `'VFs': 7` is one fault and not also a missing 'VF'."""
    known: dict[object, object] = {key: value for key, value in entry.items() if key in KEYS}
    for key, value in entry.items():
        if key not in KEYS:
            near = nearest(key, KEYS)
            hint = f"did you mean {near!r}?" if near else f"known keys: {', '.join(KEYS)}"
            faults.add((*at, key), f"unknown key {shown(key)}", hint)
            known.setdefault(near, value)
    return known


def _port(entry: Mapping[object, object], at: Keys, faults: FaultList) -> dict[str, str]:
    """`{'interface': 'eth0'}`, `{'pci': '0000:01:00.0'}` or `{'mac': '52:54:00:aa:bb:cc'}`; empty if faulty."""
    given = [key for key in PORT_KEYS if key in entry]
    if not given:
        faults.add(at, "names no interface", "add 'interface' (or 'pci' or 'mac')")
        return {}
    if len(given) > 1:
        faults.add((*at, given[1]), f"both {given[0]!r} and {given[1]!r} name the port", "keep one of them")
        return {}
    key = given[0]
    value = entry[key]
    if not isinstance(value, str):
        faults.add((*at, key), f"is {kind(value)}, not text", "put it in quotes")
        return {}
    reason, hint = {"interface": interface_fault, "pci": _pci_fault, "mac": _mac_fault}[key](value)
    if reason:
        faults.add((*at, key), f"{shown(value)} {reason}", hint)
        return {}
    return {key: canonical_port(key, value)}


def interface_fault(name: str) -> tuple[str, str]:
    """(reason, hint) why no kernel takes the name, or none we would put on a command line; ('', '') if it does."""
    if not name:
        return "is an empty interface name", "write the name that `ip link` shows, such as 'eth0'"
    if len(name.encode("utf-8", "replace")) > MAX_NAME:
        return f"is longer than {MAX_NAME} bytes, which no interface name is", "see `ip link` on the host"
    if name in (".", ".."):
        return "cannot be an interface name", "see `ip link` on the host"
    if ":" in name:
        return "is an alias or an address, not an interface", "write the name before the ':', or use 'pci' or 'mac'"
    if not _INTERFACE.fullmatch(name):
        return "holds characters that no interface name has", "see `ip link` on the host"
    return "", ""


def _pci_fault(address: str) -> tuple[str, str]:
    if _PCI.fullmatch(address.lower()):
        return "", ""
    return "is no PCI address", "write it as `lspci -D` shows it, such as '0000:01:00.0'"


def _mac_fault(address: str) -> tuple[str, str]:
    canonical = canonical_port("mac", address)
    if not _MAC.fullmatch(canonical):
        return "is no MAC address", "write it as `ip link` shows it, such as '52:54:00:aa:bb:cc'"
    if int(canonical[:2], 16) & 1 or canonical == "00:00:00:00:00:00":
        return "is the address of no single card", "see `ip link` on the host"
    return "", ""


def canonical_port(key: str, value: str) -> str:
    """The one spelling that comparisons use: `1A:00.0` -> `0000:1a:00.0`, `52-54-…` -> `52:54:…`."""
    if key == "interface":
        return value
    if key == "mac":
        return value.lower().replace("-", ":")
    match = _PCI.fullmatch(value.lower())
    return f"{int(match[1] or '0', 16):04x}:{match[2]}:{match[3]}.{match[4]}" if match else value


def _num_vfs(entry: Mapping[object, object], at: Keys, faults: FaultList) -> int | None:
    if "VF" not in entry:
        faults.add(at, "has no 'VF'", "add how many virtual functions it gets, such as 'VF': 7")
        return None
    value, here = entry["VF"], (*at, "VF")
    if isinstance(value, str) and value.strip().isdigit():
        faults.add(here, f"{shown(value)} is text, not a number", f"write {value.strip()} without quotes")
    elif not isinstance(value, int) or isinstance(value, bool):
        found = shown(value) if isinstance(value, bool | float | str) else kind(value)
        faults.add(here, f"{found} is no whole number", "write a number without quotes, such as 7; 0 means no VFs")
    elif value < 0:
        faults.add(here, f"{shown(value)} is below 0", "0 means no VFs")
    elif value > MAX_VFS:
        faults.add(here, f"{shown(value)} is more than any card can have ({MAX_VFS})", "see sriov_totalvfs on the host")
    else:
        return value
    return None


def _excluded(entry: Mapping[object, object], num_vfs: int | None, at: Keys, faults: FaultList) -> tuple[int, ...]:
    value, here = entry.get("exclude_vfs", ()), (*at, "exclude_vfs")
    if not isinstance(value, list | tuple):
        faults.add(here, f"is {kind(value)}, not a list of VF numbers", "write a list, such as [0]")
        return ()
    wrong = [item for item in value if not isinstance(item, int) or isinstance(item, bool) or item < 0]
    if wrong:
        faults.add(here, f"{shown(wrong[0])} is no VF number", "VFs are counted from 0; write numbers without quotes")
        return ()
    if num_vfs is not None and any(item >= num_vfs for item in value):
        there = f"has the VFs 0 to {num_vfs - 1}" if num_vfs else "has no VFs"
        faults.add(here, f"VF {max(value)} is out of range: this interface {there}", "VFs are counted from 0")
    if len(set(value)) < len(value):
        faults.add(here, "names one VF twice", "name each VF once")
    return tuple(sorted(set(value)))


def _physnets(
    entry: Mapping[object, object], num_vfs: int | None, excluded: int, at: Keys, faults: FaultList
) -> tuple[str, ...]:
    value, here = entry.get("physnets", ()), (*at, "physnets")
    if isinstance(value, str):
        faults.add(here, "is text, not a list", f"write [{shown(value)}]")
        return ()
    if not isinstance(value, list | tuple):
        faults.add(here, f"is {kind(value)}, not a list of names", "write a list, such as ['physnet1']")
        return ()
    if not value and num_vfs != 0:
        faults.add(here if "physnets" in entry else at, "names no physical network", "add 'physnets': ['physnet1']")
    names = [name for index, name in enumerate(value) if _is_physnet(name, (*here, index), faults)]
    for name in sorted({name for name in names if names.count(name) > 1}):
        faults.add(here, f"names {name!r} twice", "name each physical network once")
    if num_vfs and len(names) > num_vfs - excluded:
        room = f"{num_vfs} VFs" if not excluded else f"{num_vfs} VFs of which {excluded} excluded"
        faults.add(here, f"{len(names)} physical networks share {room}", "each physical network needs a VF of its own")
    return tuple(names)


def _is_physnet(name: object, at: Keys, faults: FaultList) -> bool:
    if not isinstance(name, str):
        faults.add(at, f"is {kind(name)}, not the name of a physical network", "put the name in quotes")
    elif not name:
        faults.add(at, "is an empty name", "write neutron's name of the physical network")
    elif len(name) > MAX_PHYSNET:
        faults.add(at, f"{shown(name)} is longer than {MAX_PHYSNET} characters", "neutron keeps no longer names")
    elif breaker := _PHYSNET_BREAKERS.search(name):
        what = "a blank" if breaker[0] == " " else shown(breaker[0])
        faults.add(at, f"{shown(name)} holds {what}, which nova.conf cannot carry", "use letters, digits, - _ .")
    else:
        return True
    return False


def _refuse_repeated_ports(entries: Sequence[object], at: Keys, faults: FaultList) -> None:
    first: dict[tuple[str, str], int] = {}
    for index, entry in enumerate(entries):
        for key in PORT_KEYS:
            value = entry.get(key) if isinstance(entry, Mapping) else None
            if not isinstance(value, str):
                continue
            port = (key, canonical_port(key, value))
            if port in first:
                what = f"{shown(value)} stands twice: [{first[port]}] has it too"
                faults.add((*at, index, key), what, "join the two entries")
            first.setdefault(port, index)
