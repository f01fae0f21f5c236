"""What our blocks in nova's files say now, so that it can stay: entries of the whitelist, and a list of filters."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Iterator
from typing import NamedTuple

from sriov.formats.nova import releases
from sriov.formats.nova.filter_classes import short_name
from sriov.formats.nova.whitelist import DeviceSpec, line_value
from sriov.formats.oslo import blocks
from sriov.formats.oslo.document import split_lines, unescape
from sriov.formats.oslo.options import ConfigFile, items
from sriov.formats.oslo.order import in_place

_KEYS = ("physical_network", "devname", "address")


class Seen(NamedTuple):
    """A port that the host has: its name, its address and those of its VFs, and what they are (`8086:10ca`).

    `addresses`: with those of VFs that it could have.
    """

    interface: str
    covers: tuple[str, ...]
    ids: tuple[str, ...]
    addresses: tuple[str, ...]


class OurEntry(NamedTuple):
    """An entry of ours, as what it was written by; so what it has taken the place of stays replaced. `port`: the one
    that it is for; where the host has none such, the entry's own name of it."""

    spec: DeviceSpec
    port: str


def entries(files: tuple[ConfigFile, ...], ports: Callable[[], tuple[Seen, ...]]) -> tuple[OurEntry, ...]:
    """Those of the whitelist, in their order. Lines in a block that are no entry are left out, as are those that stand
    for a list of another writer's; FormatError for a block that is damaged. `ports` is asked if there are any."""
    found = list(_entries(files))
    known: dict[str, Seen] = {}
    for port in ports() if found else ():
        known |= dict.fromkeys((port.interface, *port.addresses), port)
    return tuple(_entry(spec, known.get(spec.label)) for spec in found)


def _entry(spec: DeviceSpec, port: Seen | None) -> OurEntry:
    if port is None:
        return OurEntry(spec, spec.label)
    return OurEntry(spec._replace(covers=port.covers, interface=port.interface, ids=port.ids), port.interface)


def _entries(files: tuple[ConfigFile, ...]) -> Iterator[DeviceSpec]:
    for block in _blocks(files, blocks.WHITELIST):
        for value in () if block.was else blocks.values(block.body):
            with contextlib.suppress(ValueError):
                entry = json.loads(unescape(value))
                if isinstance(entry, dict):
                    network, name, address = (str(entry.get(key) or "") for key in _KEYS)
                    yield DeviceSpec(network, name, address, standing=value)


def with_staying(
    present: tuple[OurEntry, ...], asked: tuple[DeviceSpec, ...], stays: Callable[[str], bool]
) -> tuple[DeviceSpec, ...]:
    """`asked`, and between them, in their places, the entries whose port stays."""
    staying = {entry.spec.standing: entry.spec for entry in present if stays(entry.port)}
    if not staying:
        return asked
    moving = {line_value(spec): spec for spec in asked}
    order = in_place(tuple(moving), tuple(staying), tuple(entry.spec.standing for entry in present))
    return tuple((moving | staying)[text] for text in order)


def stated_filters(files: tuple[ConfigFile, ...]) -> tuple[str, ...]:
    """The list of filters in our block where an operator stated it, filters of the site's own by the path of their
    class; empty where we extended what was there, or what some release has by default."""
    paths = [value for block in _blocks(files, blocks.AVAILABLE) for value in blocks.values(block.body)]
    by_name = {short_name(path): path for path in paths if path.rpartition(".")[0] != releases.OWN_FILTERS}
    for block in _blocks(files, blocks.FILTERS):
        lists = [items(value) for value in blocks.values(block.body)]
        replaced = [items(value) for value in blocks.values(block.was)]
        extended = [*replaced, *map(releases.default_filters, range(releases.OLDEST, releases.NEWEST + 1))]
        if lists and all(tuple(dict.fromkeys((*base, releases.PCI_FILTER))) != lists[-1] for base in extended):
            return tuple(by_name.get(name, name) for name in lists[-1])
    return ()


def _blocks(files: tuple[ConfigFile, ...], topic: str) -> Iterator[blocks.Block]:
    for file in files:
        if f"BEGIN sriov-fab {topic}".encode() in file.text:
            yield from (block for block in blocks.find(file.path, split_lines(file.text)) if block.topic == topic)
