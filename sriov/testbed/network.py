"""`env.network_backend` and `env.vlan_ranges`: who serves the network side, and the VLANs of ML2."""

from __future__ import annotations

import re
from collections.abc import Mapping

from sriov.errors import did_you_mean
from sriov.model import CONTRAIL, NETWORK_BACKENDS
from sriov.testbed.readers import read_by_name
from sriov.testbed.sources.source import FaultList, Keys
from sriov.testbed.wording import kind, shown


def read_network_backend(values: Mapping[str, object], faults: FaultList) -> str:
    """`contrail` (also where nothing is said) or `ml2`."""
    value, at = values.get("network_backend", CONTRAIL), ("network_backend",)
    if isinstance(value, str) and value in NETWORK_BACKENDS:
        return value
    what = f"{shown(value)} is not a network backend" if isinstance(value, str) else f"is {kind(value)}, not a name"
    faults.note("unknown-backend", at, what, did_you_mean(value, NETWORK_BACKENDS) or "write 'contrail' or 'ml2'")
    return CONTRAIL


def read_vlan_ranges(values: Mapping[str, object], faults: FaultList) -> tuple[tuple[str, tuple[str, ...]], ...]:
    """`{'physnet1': '100:199', 'physnet2': ['10:19', '30:39']}`; VLANs are 1 to 4094 (IEEE 802.1Q)."""
    value, hint = values.get("vlan_ranges") or {}, "write {'physnet1': '100:199'}"
    return tuple(read_by_name(value, ("vlan_ranges",), hint, _physnet_fault, _vlan_ranges, faults).items())


def _physnet_fault(key: object) -> tuple[str, str, str]:
    if not isinstance(key, str) or not key or re.search(r"[\s:,$]", key):
        return "invalid-physnet", "the key is not the name of a physical network", "write it such as 'physnet1'"
    return "", "", ""


def _vlan_ranges(given: object, at: Keys, faults: FaultList) -> tuple[str, ...]:
    listed = given if isinstance(given, list | tuple) else (given,)
    return tuple(text for one in listed if (text := _vlan_range(one, at, faults)))


def _vlan_range(value: object, at: Keys, faults: FaultList) -> str:
    match = re.fullmatch(r"\s*([0-9]{1,4})\s*[:-]\s*([0-9]{1,4})\s*", value) if isinstance(value, str) else None
    if match is None:
        what = shown(value) if isinstance(value, str) else kind(value)
        faults.note("invalid-vlan-range", at, f"{what} is not a range of VLANs", "write '100:199' in quotes")
        return ""
    low, high = int(match[1]), int(match[2])
    if not 1 <= low <= high <= 4094:
        faults.note(
            "invalid-vlan-range",
            at,
            f"{low}:{high} is not a range of VLANs",
            "the first VLAN is 1, the last 4094, the lower comes first",
        )
        return ""
    return f"{low}:{high}"
