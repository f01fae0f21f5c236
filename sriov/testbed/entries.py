"""`env.sriov`: each compute host's list of entries to PhysicalFunctions, with every fault that the file alone can show.

Whether a card has such an interface, or that many VFs, is seen on the host; here only what no host could take.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from sriov.errors import counted, did_you_mean, nearest
from sriov.model import PhysicalFunction, Role
from sriov.testbed.host_strings import HostString
from sriov.testbed.ports import read_port, refuse_repeated_ports
from sriov.testbed.readers import read_by_name, read_mapping
from sriov.testbed.sources.source import FaultList, Keys
from sriov.testbed.wording import as_text, kind, shown

KEYS = ("interface", "pci", "mac", "VF", "physnets", "exclude_vfs", "trusted")
MAX_VFS = 65535  # NumVFs is a 16-bit register (PCI Express SR-IOV capability)
MAX_PHYSNET = 64  # neutron's column for physical_network

_PHYSNET_BREAKERS = re.compile(r"[^!-~]|['\"`{}\[\](),:;$%#\\=]")


def read_sriov(
    values: Mapping[str, object], found: Mapping[HostString, frozenset[Role]], faults: FaultList
) -> dict[str, tuple[PhysicalFunction, ...]]:
    """The PFs by host string. Entries of other hosts are read too, so that all faults are reported."""
    sriov = values.get("sriov")
    if sriov is None:
        return {}
    computes = {host.name for host, host_roles in found.items() if Role.COMPUTE in host_roles}
    everyone = {host.name for host in found}

    def read(entries: object, at: Keys, faults: FaultList) -> tuple[PhysicalFunction, ...]:
        name = at[-1]
        if isinstance(name, str) and name not in computes:
            id, *words = _no_compute(name, computes, everyone)
            faults.note(id, at, *words)
        return _read_entries(entries, at, faults)

    return read_by_name(sriov, ("sriov",), "write {host1: [{'interface': ...}]}", _not_text, read, faults)


def _not_text(key: object) -> tuple[str, str, str]:
    if isinstance(key, str):
        return "", "", ""
    return "wrong-type", f"the key is {kind(key)}, not a host string", "use a host string of roledefs"


def _no_compute(name: str, computes: set[str], everyone: set[str]) -> tuple[str, str, str]:
    if name in everyone:
        hint = "add it to env.roledefs['compute'] too, or remove the entry"
        return "unknown-host", "has the role openstack, but not compute", hint
    same = [host for host in sorted(computes) if host.rpartition("@")[2] == name.rpartition("@")[2]]
    near = same[0] if same else nearest(name, sorted(computes), 0.9)
    hint = f"did you mean {shown(near)}?" if near else "add it to env.roledefs['compute']"
    return "unknown-host", "is not in env.roledefs['compute']", hint


def _read_entries(value: object, at: Keys, faults: FaultList) -> tuple[PhysicalFunction, ...]:
    """The PFs of one host; faulty entries are left out, their faults are in `faults`."""
    if not isinstance(value, list | tuple):
        example = "[{'interface': 'eth0', 'VF': 7, 'physnets': ['physnet1']}]"
        faults.note("wrong-type", at, f"is {kind(value)}, not a list of entries", f"write {example}")
        return ()
    functions = [_read_entry(entry, (*at, index), faults) for index, entry in enumerate(value)]
    refuse_repeated_ports(value, at, faults)
    return tuple(function for function in functions if function)


def _read_entry(value: object, at: Keys, faults: FaultList) -> PhysicalFunction | None:
    count_before = len(faults.found)
    given = read_mapping(value, at, "write {'interface': ..., 'VF': ..., 'physnets': [...]}", faults)
    if given is None:
        return None
    entry = _with_known_keys(given, at, faults)
    port = read_port(entry, at, faults)
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
    faults.note(
        "wrong-type", (*at, "trusted"), f"is {kind(value)}, not True or False", "write True or False without quotes"
    )
    return None


def _with_known_keys(entry: Mapping[object, object], at: Keys, faults: FaultList) -> dict[object, object]:
    """The entry with misspelt keys put right, so that `'VFs': 7` is one fault and not also a missing 'VF'."""
    known: dict[object, object] = {key: value for key, value in entry.items() if key in KEYS}
    for key, value in entry.items():
        if key not in KEYS:
            hint = did_you_mean(key, KEYS) or f"known keys: {', '.join(KEYS)}"
            faults.note("unknown-key", (*at, key), f"unknown key {shown(key)}", hint)
            known.setdefault(nearest(key, KEYS), value)
    return known


def _num_vfs(entry: Mapping[object, object], at: Keys, faults: FaultList) -> int | None:
    if "VF" not in entry:
        faults.note("missing-key", at, "has no 'VF'", "add how many virtual functions it gets, such as 'VF': 7")
        return None
    value, here = entry["VF"], (*at, "VF")
    if isinstance(value, str) and value.strip().isdigit():
        faults.note(
            "wrong-type", here, f"{shown(value)} is text, not a number", f"write {value.strip()} without quotes"
        )
    elif not isinstance(value, int) or isinstance(value, bool):
        found = shown(value) if isinstance(value, bool | float | str) else kind(value)
        faults.note(
            "invalid-vf-count",
            here,
            f"{found} is not a whole number",
            "write a number without quotes, such as 7; 0 means no VFs",
        )
    elif value < 0:
        faults.note("invalid-vf-count", here, f"{shown(value)} is below 0", "0 means no VFs")
    elif value > MAX_VFS:
        faults.note(
            "invalid-vf-count",
            here,
            f"{shown(value)} is more than any card can have ({MAX_VFS})",
            "see sriov_totalvfs on the host",
        )
    else:
        return value
    return None


def _excluded(entry: Mapping[object, object], num_vfs: int | None, at: Keys, faults: FaultList) -> tuple[int, ...]:
    value, here = entry.get("exclude_vfs", ()), (*at, "exclude_vfs")
    if not isinstance(value, list | tuple):
        faults.note("wrong-type", here, f"is {kind(value)}, not a list of VF numbers", "write a list, such as [0]")
        return ()
    wrong = [item for item in value if not isinstance(item, int) or isinstance(item, bool) or item < 0]
    if wrong:
        faults.note(
            "invalid-exclude-vfs",
            here,
            f"{shown(wrong[0])} is not a VF number",
            "VFs are counted from 0; write numbers without quotes",
        )
        return ()
    if num_vfs is not None and any(item >= num_vfs for item in value):
        there = f"has the VFs 0 to {num_vfs - 1}" if num_vfs else "has no VFs"
        name = f"VF {shown(max(value))}" if as_text(max(value)) else "a VF number with too many digits"
        faults.note(
            "invalid-exclude-vfs", here, f"{name} is out of range: this interface {there}", "VFs are counted from 0"
        )
    if len(set(value)) < len(value):
        faults.note("duplicate-name", here, "names one VF twice", "name each VF once")
    return tuple(sorted(set(value)))


def _physnets(
    entry: Mapping[object, object], num_vfs: int | None, excluded: int, at: Keys, faults: FaultList
) -> tuple[str, ...]:
    value, here = entry.get("physnets", ()), (*at, "physnets")
    if isinstance(value, str):
        faults.note("wrong-type", here, "is text, not a list", f"write [{shown(value)}]")
        return ()
    if not isinstance(value, list | tuple):
        faults.note("wrong-type", here, f"is {kind(value)}, not a list of names", "write a list, such as ['physnet1']")
        return ()
    if not value and num_vfs != 0:
        faults.note(
            "missing-key",
            here if "physnets" in entry else at,
            "names no physical network",
            "add 'physnets': ['physnet1']",
        )
    names = [name for index, name in enumerate(value) if _is_physnet(name, (*here, index), faults)]
    for name in sorted({name for name in names if names.count(name) > 1}):
        faults.note("duplicate-name", here, f"names {name!r} twice", "name each physical network once")
    if num_vfs and len(names) > num_vfs - excluded:
        room = counted(num_vfs, "VF") + (
            f" of which {excluded} {'is' if excluded == 1 else 'are'} excluded" if excluded else ""
        )
        faults.note(
            "too-many-physnets",
            here,
            f"{counted(len(names), 'physical network')} for {room}",
            "each physical network needs a VF of its own",
        )
    return tuple(names)


def _is_physnet(name: object, at: Keys, faults: FaultList) -> bool:
    if not isinstance(name, str):
        faults.note("wrong-type", at, f"is {kind(name)}, not the name of a physical network", "put the name in quotes")
    elif not name:
        faults.note("invalid-physnet", at, "is an empty name", "write neutron's name of the physical network")
    elif len(name) > MAX_PHYSNET:
        faults.note(
            "invalid-physnet",
            at,
            f"{shown(name)} is longer than {MAX_PHYSNET} characters",
            "neutron keeps no longer names",
        )
    elif breaker := _PHYSNET_BREAKERS.search(name):
        what = "a blank" if breaker[0] == " " else shown(breaker[0])
        faults.note(
            "invalid-physnet",
            at,
            f"{shown(name)} holds {what}, which nova.conf cannot carry",
            "use letters, digits, - _ .",
        )
    else:
        return True
    return False
