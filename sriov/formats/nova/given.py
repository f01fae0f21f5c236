"""What nova's whitelist gives a virtual function: the entry that takes it, less the words by which it finds it."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable

from sriov.formats.nova.whitelist import Entry, address_patterns, entries_of

_FINDERS = ("devname", "address", "vendor_id", "product_id")


def given(values: Iterable[str], release: int, interface: str, parent: str, address: str) -> Entry | None:
    """The tags of the first entry for the VF at `address` of the port `interface` at `parent`; None without an entry.

    `values` as nova-compute reads them (`sriov.formats.nova.edit.Effective`). One that nova refuses gives nothing.
    """
    for value in values:
        with contextlib.suppress(ValueError):
            for entry in entries_of(value, release)[1]:
                if _takes(entry, interface, parent, address):
                    return {key: tag for key, tag in entry.items() if key not in _FINDERS}
    return None


def _takes(entry: Entry, interface: str, parent: str, address: str) -> bool:
    devname = entry.get("devname")
    if devname:
        return devname == interface
    return entry.get("address") == parent or _has(entry, address)


def _has(entry: Entry, address: str) -> bool:
    parts = address.replace(".", ":").split(":")
    return all(pattern.match(part) for pattern, part in zip(address_patterns(entry), parts, strict=True))
