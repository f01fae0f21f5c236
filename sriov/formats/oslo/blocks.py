"""Marked blocks in an oslo.config file: how lines of ours stand in it, and how they go away byte for byte.

    # BEGIN sriov-fab whitelist: managed, edits inside are overwritten
    #sriov-fab-was: passthrough_whitelist = {"devname": "eth0"}
    device_spec = {"devname": "eth0", "physical_network": "physnet1"}
    # END sriov-fab whitelist 3f1c22aa

Lines that were replaced stay in the block, commented out. Taking the block away leaves them, and nothing else.
The number behind END is a checksum of our lines: it tells whether they were edited.
A file whose last line had no line end keeps that: then the END line has none either.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Callable, Collection, Mapping
from typing import NamedTuple

from sriov.errors import FormatError
from sriov.formats.oslo.document import Document, Option, edited, line_end, read
from sriov.formats.oslo.options import items

WHITELIST, FILTERS, AVAILABLE = "whitelist", "filters", "available-filters"
MECHANISM_DRIVERS, VLAN_RANGES = "mechanism-drivers", "vlan-ranges"
DEVICE_MAPPINGS, EXCLUDED_DEVICES = "device-mappings", "excluded-devices"
TOPICS = (WHITELIST, FILTERS, AVAILABLE, MECHANISM_DRIVERS, VLAN_RANGES, DEVICE_MAPPINGS, EXCLUDED_DEVICES)
"""What a block is about, in the order in which blocks stand that share a place."""

_WAS = b"#sriov-fab-was: "
_MARK = re.compile(rb"# (BEGIN|END) sriov-fab ([a-z-]+)(?:: .*| ([0-9a-f]{8}))?\s*")


class Block(NamedTuple):
    """Lines `first` (BEGIN) to `last` (END) of a file, from 0, both included."""

    topic: str
    first: int
    last: int
    was: tuple[bytes, ...]
    body: tuple[bytes, ...]
    edited: bool

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
    inner = lines[first + 1 : last]
    was = tuple(line[len(_WAS) :] for line in inner if line.startswith(_WAS))
    body = tuple(line for line in inner if not line.startswith(_WAS))
    return Block(topic, first, last, was, body, checksum != _checksum(body))


def _checksum(body: tuple[bytes, ...]) -> bytes:
    return b"%08x" % zlib.crc32(b"\n".join(line.strip() for line in body))


def remove(document: Document, block: Block, kept: tuple[bytes, ...] | None = None) -> Document:
    """The document without that block: `kept` in its place, by default the lines that it had replaced.

    A section header of ours stays if options of others behind the block depend on it.
    """
    lines = _numbered(document)
    before, after = lines[: block.first], lines[block.last + 1 :]
    number = document.numbers[block.first]
    middle = [(number, line) for line in (block.was if kept is None else kept)]
    if block.header is not None and _has_options_behind(document, block.last) and (number, block.header) not in middle:
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
    head = f"# BEGIN sriov-fab {topic}: managed, edits inside are overwritten".encode() + eol
    tail = b"# END sriov-fab %s %s" % (topic.encode(), _checksum(ours)) + eol
    if not after and above and not _is_ended(above[-1][1]):
        above[-1] = (above[-1][0], above[-1][1] + eol)
        tail = tail.rstrip(b"\r\n")
    number = above[-1][0] if above else 1
    was = [(line_number, _WAS + line) for line_number, line in above[first:]]
    block = [(number, head), *was, *((number, line) for line in ours), (number, tail)]
    return edited(document, (*above[:first], *block, *after))
