"""What our blocks in nova's files say now, so that it can stay: entries of the whitelist, and a list of filters."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Iterator
from typing import NamedTuple

from sriov.formats.nova import releases
from sriov.formats.nova.whitelist import DeviceSpec, line_value
from sriov.formats.oslo import blocks
from sriov.formats.oslo.document import split_lines, unescape
from sriov.formats.oslo.options import ConfigFile, items
from sriov.formats.oslo.order import in_place


class OurEntry(NamedTuple):
    """An entry of ours: `written` is its JSON as it stands in the file, the others what it says of a device."""

    written: str
    physical_network: str
    devname: str = ""
    address: str = ""


def entries(files: tuple[ConfigFile, ...]) -> tuple[OurEntry, ...]:
    """Those of the whitelist, in their order. Lines in a block that are no entry are left out, as are those that stand
    for a list of another writer's; FormatError for a block that is damaged."""
    return tuple(_entries(files))


def _entries(files: tuple[ConfigFile, ...]) -> Iterator[OurEntry]:
    for block in _blocks(files, blocks.WHITELIST):
        for value in () if block.was else blocks.values(block.body):
            with contextlib.suppress(ValueError):
                entry = json.loads(unescape(value))
                if isinstance(entry, dict):
                    network, *device = (str(entry.get(key) or "") for key in ("physical_network", "devname", "address"))
                    yield OurEntry(value, network, *device)


class Seen(NamedTuple):
    """A port that the host has: its name, its address and those of its VFs, and what they are (`8086:10ca`)."""

    interface: str
    covers: tuple[str, ...]
    ids: tuple[str, ...]


def with_staying(
    present: tuple[OurEntry, ...],
    asked: tuple[DeviceSpec, ...],
    seen: Callable[[OurEntry], Seen | None],
    stays: Callable[[str], bool],
) -> tuple[DeviceSpec, ...]:
    """`asked`, and between them, in their places, the entries whose port stays. `seen`: the port of an entry; one that
    the host has not goes by the name that the entry has for it."""
    staying = {}
    for entry in present:
        port = seen(entry)
        if stays(port.interface if port else entry.devname or entry.address):
            # as what it was written by; so what it has taken the place of stays replaced
            spec = DeviceSpec(entry.physical_network, entry.devname, entry.address, written=entry.written)
            staying[entry.written] = spec._replace(**port._asdict()) if port else spec
    moving = {line_value(spec): spec for spec in asked}
    order = in_place(tuple(moving), tuple(staying), tuple(entry.written for entry in present))
    return tuple((moving | staying)[text] for text in order)


def stated_filters(files: tuple[ConfigFile, ...]) -> tuple[str, ...]:
    """The list of filters in our block where an operator stated it; empty where we extended what was there, or what
    some release has by default."""
    for block in _blocks(files, blocks.FILTERS):
        lists = [items(value) for value in blocks.values(block.body)]
        replaced = [items(value) for value in blocks.values(block.was)]
        extended = [*replaced, *map(releases.default_filters, range(releases.OLDEST, releases.NEWEST + 1))]
        if lists and all(tuple(dict.fromkeys((*base, releases.PCI_FILTER))) != lists[-1] for base in extended):
            return lists[-1]
    return ()


def _blocks(files: tuple[ConfigFile, ...], topic: str) -> Iterator[blocks.Block]:
    for file in files:
        if f"BEGIN sriov-fab {topic}".encode() in file.text:
            yield from (block for block in blocks.find(file.path, split_lines(file.text)) if block.topic == topic)
