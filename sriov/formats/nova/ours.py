"""What our blocks in nova's files say now, so that it can stay: entries of the whitelist, and a list of filters."""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Callable, Iterator
from typing import NamedTuple

from sriov.formats.nova import releases
from sriov.formats.nova.filter_classes import short_name
from sriov.formats.nova.whitelist import DeviceSpec, Entry, line_value
from sriov.formats.oslo import blocks
from sriov.formats.oslo.document import split_lines, unescape
from sriov.formats.oslo.options import ConfigFile, items
from sriov.formats.oslo.order import in_place

_KEYS = ("physical_network", "devname", "address")
_ELEMENT = re.compile(r"[\s,]*(?=\{)")
_DECODER = json.JSONDecoder()


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
    for a list of another writer's, and where another hand has edited the block those for a port that is not there;
    FormatError for a block that is damaged. `ports` is asked if there are any."""
    found = list(_entries(files))
    known: dict[str, Seen] = {}
    for port in ports() if found else ():
        known |= dict.fromkeys((port.interface, *port.addresses), port)
    return tuple(
        _entry(spec, known.get(spec.label)) for spec, is_edited in found if not is_edited or spec.label in known
    )


def _entry(spec: DeviceSpec, port: Seen | None) -> OurEntry:
    if port is None:
        return OurEntry(spec, spec.label)
    return OurEntry(spec._replace(covers=port.covers, interface=port.interface, ids=port.ids), port.interface)


def _entries(files: tuple[ConfigFile, ...]) -> Iterator[tuple[DeviceSpec, bool]]:
    """Each with whether its block was edited."""
    for block in _blocks(files, blocks.WHITELIST):
        replaced = [entry for _, entry in _objects(block.was)]
        for text, entry in _objects(block.body):
            network, name, address = (str(entry.get(key) or "") for key in _KEYS)
            is_rest = entry in replaced or address.startswith("*:")  # see `effect.narrowed`
            if not (block.was and is_rest):
                yield DeviceSpec(network, name, address, standing=text), block.edited


def _objects(lines: tuple[bytes, ...]) -> Iterator[tuple[str, Entry]]:
    """The entries in a part of a block, each with its text."""
    for value in blocks.values(lines):
        with contextlib.suppress(ValueError):
            for text in _elements(value):
                entry = json.loads(unescape(text))
                if isinstance(entry, dict):
                    yield text, entry


def _elements(value: str) -> Iterator[str]:
    """The entries of a value as they stand: of a list, the form for Juju, each of its objects; ValueError for a list
    that is no JSON."""
    if not value.lstrip().startswith("["):
        yield value
        return
    text = value.replace("\n", " ").replace("\\$", "$$")
    place = text.index("[") + 1
    while found := _ELEMENT.match(text, place):
        _, place = _DECODER.raw_decode(text, found.end())
        yield text[found.end() : place]


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


def still_trusted(
    files: tuple[ConfigFile, ...], present: tuple[OurEntry, ...], asked: tuple[DeviceSpec, ...]
) -> tuple[DeviceSpec, ...]:
    """`asked` with the tag `trusted` that all our entries for a port have, where the testbed says nothing of it any
    more. One that was carried over from an entry of others stays theirs."""
    if not present:
        return asked
    theirs: list[object] = []
    for block in _blocks(files, blocks.WHITELIST):
        now = [entry for _, entry in _objects(block.body)]
        theirs += [entry.get("trusted") for _, entry in _objects(block.was) if entry not in now]
    tags: dict[str, set[bool | None]] = {}
    for one in present:
        tags.setdefault(one.port, set()).add(_trusted(one.spec.standing, theirs))
    return tuple(
        spec._replace(trusted=next(iter(found)))
        if spec.trusted is None and len(found := tags.get(spec.interface, set())) == 1
        else spec
        for spec in asked
    )


def _trusted(standing: str, theirs: list[object]) -> bool | None:
    """The tag at the place and in the form in which we write it (see `whitelist.value_of`)."""
    third = list(json.loads(unescape(standing)).items())[2:3]
    ours = next((tag for key, tag in third if key == "trusted" and tag not in theirs), None)
    return {"true": True, "false": False}.get(str(ours))


def stated_filters(files: tuple[ConfigFile, ...]) -> tuple[str, ...]:
    """The list of filters in our block where an operator stated it, filters of the site's own by the path of their
    class; empty where we extended what was there, or what some release has by default, and where another hand has
    edited our line: then the list is that hand's."""
    paths = [value for block in _blocks(files, blocks.AVAILABLE) for value in blocks.values(block.body)]
    by_name = {short_name(path): path for path in paths if path.rpartition(".")[0] != releases.OWN_FILTERS}
    for block in _blocks(files, blocks.FILTERS):
        lists = [items(value) for value in blocks.values(block.body)]
        replaced = [items(value) for value in blocks.values(block.was)]
        bases = [*replaced, *map(releases.default_filters, range(releases.OLDEST, releases.NEWEST + 1))]
        extended = [tuple(dict.fromkeys((*base, releases.PCI_FILTER))) for base in bases]
        if lists and not block.edited and lists[-1] not in extended:
            return tuple(by_name.get(name, name) for name in lists[-1])
    return ()


def _blocks(files: tuple[ConfigFile, ...], topic: str) -> Iterator[blocks.Block]:
    for file in files:
        if f"BEGIN sriov-fab {topic}".encode() in file.text:
            yield from (block for block in blocks.find(file.path, split_lines(file.text)) if block.topic == topic)
