"""Marked blocks in an oslo.config file: how lines of ours stand in it, and how they go away byte for byte.

    # BEGIN sriov-fab whitelist: managed, edits inside are overwritten
    #sriov-fab-was: passthrough_whitelist = {"devname": "eth0"}
    device_spec = {"devname": "eth0", "physical_network": "physnet1"}
    # END sriov-fab whitelist 3f1c22aa

Lines that were replaced stay in the block, commented out. Taking the block away leaves them, and nothing of ours.
The number behind END is a checksum of our lines: it tells whether they were edited, and which lines another program
has put between them (`sriov.formats.oslo.ownership`). Those stay where they are while the block stays; where it is
written again they stand behind it.
A file whose last line had no line end keeps that: then the END line has none either.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping
from typing import NamedTuple

from sriov.errors import FormatError
from sriov.formats.oslo import ownership
from sriov.formats.oslo.document import Document, Option, edited, line_end, read
from sriov.formats.oslo.options import items

WHITELIST, FILTERS, AVAILABLE = "whitelist", "filters", "available-filters"
MECHANISM_DRIVERS, VLAN_RANGES = "mechanism-drivers", "vlan-ranges"
DEVICE_MAPPINGS, EXCLUDED_DEVICES = "device-mappings", "excluded-devices"
TOPICS = (WHITELIST, FILTERS, AVAILABLE, MECHANISM_DRIVERS, VLAN_RANGES, DEVICE_MAPPINGS, EXCLUDED_DEVICES)
"""What a block is about, in the order in which blocks stand that share a place."""

_KEYS = {  # the options that a block may hold, under each of their names
    WHITELIST: ("pci_passthrough_whitelist", "passthrough_whitelist", "device_spec"),
    FILTERS: ("scheduler_default_filters", "enabled_filters"),
    AVAILABLE: ("scheduler_available_filters", "available_filters"),
    MECHANISM_DRIVERS: ("mechanism_drivers",),
    VLAN_RANGES: ("network_vlan_ranges",),
    DEVICE_MAPPINGS: ("physical_device_mappings",),
    EXCLUDED_DEVICES: ("exclude_devices",),
}

_WAS = b"#sriov-fab-was: "
_MARK = re.compile(rb"# (BEGIN|END) sriov-fab ([a-z-]+)(?:: .*| ([0-9a-f]{8}))?\s*")


class Block(NamedTuple):
    """Lines `first` (BEGIN) to `last` (END) of a file, from 0, both included.

    `body` are our lines. `others` are the numbers of lines that are not ours, also from 0. `edited`: our lines are not
    those that were written, or that cannot be told.
    """

    topic: str
    first: int
    last: int
    was: tuple[bytes, ...]
    body: tuple[bytes, ...]
    others: tuple[int, ...]
    edited: bool
    checksum: bytes | None

    @property
    def header(self) -> bytes | None:
        """The section header that the block brought along, if it did."""
        return self.body[0] if self.body and self.body[0].startswith(b"[") else None


def find(path: str, lines: tuple[bytes, ...]) -> tuple[Block, ...]:
    """The blocks of a file in their order; FormatError for a BEGIN or END without the other."""
    blocks: list[Block] = []
    begin: tuple[int, str] | None = None
    for number, line in enumerate(lines):
        mark = _MARK.fullmatch(line) if line.startswith(b"# ") else None
        if mark is None:
            continue
        topic = mark[2].decode()
        if mark[1] == b"BEGIN":
            if begin is not None or topic not in TOPICS:
                raise _broken(path, number, "BEGIN")
            begin = number, topic
        else:
            if begin is None or begin[1] != topic:
                raise _broken(path, number, "END")
            blocks.append(_block(lines, topic, begin[0], number, mark[3]))
            begin = None
    if begin is not None:
        raise _broken(path, begin[0], "BEGIN")
    return tuple(blocks)


def _broken(path: str, number: int, mark: str) -> FormatError:
    other = "END" if mark == "BEGIN" else "BEGIN"
    return FormatError(
        "block-damaged",
        path,
        number + 1,
        f"a {mark} line of sriov-fab without its {other}",
        hint="put the missing line back, or remove this one",
    )


def _block(lines: tuple[bytes, ...], topic: str, first: int, last: int, checksum: bytes | None) -> Block:
    inner = range(first + 1, last)
    was = tuple(lines[number][len(_WAS) :] for number in inner if lines[number].startswith(_WAS))
    numbers = tuple(number for number in inner if not lines[number].startswith(_WAS))
    between = tuple(lines[number] for number in numbers)
    found = ownership.shares(between, checksum, _KEYS[topic], mixed=topic == WHITELIST)
    body = tuple(lines[numbers[place]] for place in found.ours)
    others = tuple(numbers[place] for place in found.others)
    return Block(topic, first, last, was, body, others, found.edited, checksum)


def remove(document: Document, block: Block, kept: tuple[bytes, ...] | None = None) -> Document:
    """The document without that block: `kept` in its place, by default the lines that it had replaced, and the lines
    of others in it.

    A section header of ours stays if options of others depend on it.
    """
    lines = _numbered(document)
    before, after = lines[: block.first], lines[block.last + 1 :]
    number = document.numbers[block.first]
    middle = [(number, line) for line in (block.was if kept is None else kept)]
    middle += [lines[other] for other in block.others]
    if (
        block.header is not None
        and (number, block.header) not in middle
        and (_has_options_behind(document, block.last) or any(_says_something(line) for _, line in middle))
    ):
        middle.insert(0, (number, block.header))
    if not _is_ended(document.lines[block.last]):
        last = middle or before
        if last:
            last[-1] = (last[-1][0], last[-1][1].rstrip(b"\r\n"))
    return edited(document, (*before, *middle, *after))


def without(
    document: Document,
    topics: frozenset[str],
    kept: Mapping[str, Callable[[Block], tuple[bytes, ...] | None]] | None = None,
) -> Document:
    """The document without the blocks of these topics. `kept` says, by topic, what a block leaves (see `remove`)."""
    for block in reversed(find(document.path, document.lines)):
        if block.topic in topics:
            leaves = (kept or {}).get(block.topic)
            document = remove(document, block, leaves(block) if leaves else None)
    return document


def values(lines: tuple[bytes, ...]) -> tuple[str, ...]:
    """The values of the options in a part of a block, `body` or `was`."""
    head = () if lines[:1] and lines[0].startswith(b"[") else (b"[block]\n",)
    return tuple(option.value for option in read("", b"".join((*head, *lines)), any_bytes=True).options)


def options_of(block: Block) -> tuple[Option, ...]:
    """The options in a block; their lines count from 0 in its body."""
    header = () if block.header is not None else (b"[block]\n",)
    shift = len(header)
    found = read("", b"".join((*header, *block.body)), any_bytes=True).options
    return tuple(option._replace(first=option.first - shift, last=option.last - shift) for option in found)


def list_without(block: Block, ours: Collection[str]) -> tuple[bytes, ...] | None:
    """What an edited block of a list option leaves when it is taken away: its list without our items.

    None for a block that is as we wrote it, or whose option is gone: it leaves the lines that it had replaced.
    """
    if not block.edited:
        return None
    head = (block.header,) if block.header is not None else ()
    options = options_of(block)
    if not options:
        return None
    present = items(options[-1].value)
    left = ",".join(name for name in present if name not in ours)
    if len(left.split(",")) == len(present):
        return (*head, *block.body[len(head) :])
    line = f"{options[-1].key} = {left}".encode("utf-8", "surrogateescape") + line_end(block.body)
    return (*head, line) if left else ()


def _numbered(document: Document) -> list[tuple[int, bytes]]:
    return list(zip(document.numbers, document.lines, strict=True))


def _is_ended(line: bytes) -> bool:
    return line.endswith((b"\n", b"\r"))


def _says_something(line: bytes) -> bool:
    return bool(line.strip()) and not line.startswith((b"#", b";"))


def _has_options_behind(document: Document, line: int) -> bool:
    option = min((option.first for option in document.options if option.first > line), default=None)
    header = min((header.line for header in document.headers if header.line > line), default=None)
    return option is not None and (header is None or option < header)


def replace(document: Document, topic: str, option: Option, body: tuple[str, ...]) -> Document:
    """The document with that option commented out, in a block that holds `body` in its stead."""
    return _put(document, option.first, option.last + 1, topic, body)


def insert(document: Document, topic: str, section: str, body: tuple[str, ...]) -> Document:
    """The document with `body` in a block directly behind the first header of `section`.

    A file without that section gets one at its end, inside the block. Headers inside of blocks do not count.
    """
    blocks = find(document.path, document.lines)
    earlier = TOPICS[: TOPICS.index(topic)]
    for header in document.headers:
        if header.section == section and not any(block.first < header.line < block.last for block in blocks):
            place = header.line + 1
            for block in blocks:
                if block.first == place and block.topic in earlier and block.header is None:
                    place = block.last + 1
            return _put(document, place, place, topic, body)
    place = len(document.lines)
    for block in reversed(blocks):
        if block.last == place - 1 and block.header is not None and block.topic not in earlier:
            place = block.first
    return _put(document, place, place, topic, (f"[{section}]", *body))


def _put(document: Document, first: int, end: int, topic: str, body: tuple[str, ...]) -> Document:
    """A block in the place of lines `first` up to `end`, which stay in it as comments."""
    lines = _numbered(document)
    eol = line_end(document.lines)
    above, after = lines[:end], lines[end:]
    ours = tuple(line.encode("utf-8", "surrogateescape") + eol for line in body)
    head, tail = (mark + eol for mark in _marks(topic, ours))
    if not after and above and not _is_ended(above[-1][1]):
        above[-1] = (above[-1][0], above[-1][1] + eol)
        tail = tail.rstrip(b"\r\n")
    number = above[-1][0] if above else 1
    was = [(line_number, _WAS + line) for line_number, line in above[first:]]
    block = [(number, head), *was, *((number, line) for line in ours), (number, tail)]
    return edited(document, (*above[:first], *block, *after))


def _marks(topic: str, body: tuple[bytes, ...]) -> tuple[bytes, bytes]:
    """The lines around our lines `body`, without their ends."""
    name = topic.encode()
    return (
        b"# BEGIN sriov-fab %s: managed, edits inside are overwritten" % name,
        b"# END sriov-fab %s %s" % (name, ownership.checksum(body)),
    )


def is_as_written(document: Document, written: Document) -> bool:
    """Whether a document has all that we would write, if not just so: lines of others in our blocks, other line ends,
    no checksum, a block of a list option at another place of its section. None of that is worth a change."""
    return document.lines == written.lines or _shape(document) == _shape(written)


def _shape(document: Document) -> tuple[list[object], list[tuple[object, ...]]]:
    """The lines of others, with the blocks whose place counts between them; the other blocks, each with its section."""
    found = {block.first: block for block in find(document.path, document.lines)}
    lines: list[object] = []
    placeless: list[tuple[object, ...]] = []
    number, section = 0, b""
    while number < len(document.lines):
        block = found.get(number)
        if block is None:
            lines.append(_bare(document.lines[number]))
        else:
            number = block.last
            if block.header is not None:
                lines.append(_bare(block.header))
                section = _bare(block.header)
            own = block.body[block.header is not None :]
            content = (block.topic, tuple(map(_bare, block.was)), tuple(map(_bare, own)))
            if block.topic == WHITELIST:
                lines.append(content)
            else:
                placeless.append((section, *content))
            lines += [_bare(document.lines[other]) for other in block.others]
        if document.lines[number].startswith(b"["):
            section = _bare(document.lines[number])
        number += 1
    return lines, sorted(placeless, key=repr)


def _bare(line: bytes) -> bytes:
    return line.rstrip(b"\r\n")
