"""Our blocks in the whitelist of nova's files: whether they may stay as they are, and what one leaves behind.

A host that is as wanted is not written again because we would write it in another way today: an older release of ours,
another program or a hand may have made it so.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from sriov.formats.nova import releases
from sriov.formats.nova.devices import may_match
from sriov.formats.nova.effect import Wanted, beside_ours, gives, is_given, placed, wanted_of
from sriov.formats.nova.whitelist import DeviceSpec, Entry, entries_of, line_value
from sriov.formats.nova.whitelist_edit import line, refusals
from sriov.formats.oslo import blocks
from sriov.formats.oslo.blocks import Block
from sriov.formats.oslo.document import Document, Option, read

_OUR_FORMS = (
    ["devname", "physical_network"],
    ["devname", "physical_network", "trusted"],
    ["address", "physical_network"],
    ["address", "physical_network", "trusted"],
)


class Ours(NamedTuple):
    """What the testbed asks for, and the lines that we write for it where no entry of others plays a part."""

    wanted: Wanted
    lines: frozenset[bytes]


def _ours(specs: tuple[DeviceSpec, ...], release: int) -> Ours:
    name = releases.whitelist_names(release)[0]

    def text(spec: DeviceSpec) -> bytes:
        return line(name, line_value(spec)).encode()

    wanted = wanted_of(specs, release)
    single = (
        claim.spec._replace(standing="", devname="", address=claim.device.address)
        for claim in wanted.claims
        if claim.spec is not None
    )
    return Ours(wanted, frozenset(map(text, (*specs, *single))))


def stand(
    documents: tuple[Document, ...], written_now: tuple[Document, ...], release: int, specs: tuple[DeviceSpec, ...]
) -> bool:
    """Whether documents with blocks of ours give every VF what is wanted, and none of our lines says more than that.

    `written_now` are the same files as we would write them: their lines of ours are right too.
    """
    ours = _ours(specs, release)
    names = releases.whitelist_names(release)
    right = ours.lines.union(text for document in written_now for block in _of(document) for text in _texts(block))
    try:
        entries = placed(documents, names, release)
        if any(_is_stale(block, ours, right) for document in documents for block in _of(document)):
            return False
        if refusals(documents, names, ours.wanted):
            return False
    except ValueError:
        return False
    return all(is_given(ours.wanted, entries, claim) for claim in ours.wanted.claims)


def leaves(specs: tuple[DeviceSpec, ...], release: int) -> Callable[[Block], tuple[bytes, ...] | None]:
    """What a block leaves where it is taken away: the lines that it replaced, and entries that are not ours."""
    ours = _ours(specs, release)

    def of(block: Block) -> tuple[bytes, ...] | None:
        kept = [option for option in _options(block) if not _is_ours(block, option, ours, release)]
        content = _content(block)
        return (*block.was, *(text for option in kept for text in content[option.first - 1 : option.last]))

    return of


def _of(document: Document) -> tuple[Block, ...]:
    return tuple(block for block in blocks.find(document.path, document.lines) if block.topic == blocks.WHITELIST)


def _content(block: Block) -> tuple[bytes, ...]:
    return block.body[block.header is not None :]


def _options(block: Block) -> tuple[Option, ...]:
    """Their lines count from 1, for a header stands before them."""
    return read("", b"[block]\n" + b"".join(_content(block)), any_bytes=True).options


def _text(block: Block, option: Option) -> bytes:
    return b"".join(_content(block)[option.first - 1 : option.last]).rstrip(b"\r\n")


def _texts(block: Block) -> tuple[bytes, ...]:
    return tuple(_text(block, option) for option in _options(block))


def _is_ours(block: Block, option: Option, ours: Ours, release: int) -> bool:
    """Whether we have written an option of a block. Where one of its lines was edited, the checksum cannot tell: then
    those are ours that make a VF of ours something else than wanted. An older release has left no checksum, and nothing
    is wanted where all of ours goes: then those are ours, too, that have our form."""
    if not block.edited or _text(block, option) in ours.lines:
        return True
    try:
        entries = entries_of(option.value, release)[1]
    except ValueError:
        return True
    if any(_is_for_others(entry, ours) or _is_right(entry, ours) for entry in entries):
        by_form = block.checksum is None or not ours.wanted.claims
        return by_form and all(list(entry) in _OUR_FORMS for entry in entries)
    return True


def _is_for_others(entry: Entry, ours: Ours) -> bool:
    devname = entry.get("devname")
    if devname:
        return devname not in ours.wanted.hardware.names
    return beside_ours(ours.wanted, entry) != ()


def _is_right(entry: Entry, ours: Ours) -> bool:
    release = ours.wanted.release
    return all(
        gives(entry, claim, release)
        for claim in ours.wanted.claims
        if may_match(ours.wanted.hardware, entry, claim.device, release)
    )


def _is_stale(block: Block, ours: Ours, right: frozenset[bytes]) -> bool:
    """Whether a block holds a line of ours that is not wanted, or keeps an entry out for which no one asks."""
    release = ours.wanted.release
    replaced = _raw(read("", b"[block]\n" + b"".join(block.was), any_bytes=True).options, release)
    present = _raw(_options(block), release)
    for option in _options(block):
        is_rest = all(entry in replaced for entry in _raw((option,), release))
        if _text(block, option) not in right and not is_rest and _is_ours(block, option, ours, release):
            return True
    return any(
        entry not in present
        and not any(may_match(ours.wanted.hardware, entry, claim.device, release) for claim in ours.wanted.claims)
        for entry in replaced
    )


def _raw(options: tuple[Option, ...], release: int) -> list[Entry]:
    return [entry for option in options for entry in entries_of(option.value, release)[0]]
