"""nova's configuration files with our whitelist and our scheduler filter in them, and back again.

`edit` is the whole of it: it takes our blocks out, then puts in what is wanted. So a second edit changes
nothing, and wanting nothing gives the original bytes. `effective` tells what nova reads, `diff` what changed,
in our lines only: the files hold passwords.
"""

from __future__ import annotations

import difflib
from typing import NamedTuple

from sriov.formats import blocks, nova, nova_filters, nova_whitelist, oslo
from sriov.formats.nova_values import items, joined, winning
from sriov.formats.nova_whitelist import DeviceSpec

__all__ = [
    "ConfigFile",
    "DeviceSpec",
    "Edited",
    "Effective",
    "NovaWanted",
    "diff",
    "edit",
    "effective",
    "reports_in_placement",
]

COMPUTE, SCHEDULER = "nova-compute", "nova-scheduler"


class ConfigFile(NamedTuple):
    """A file and the programs (`nova-compute`, `nova-scheduler`) that read it. Order among files is nova's."""

    path: str
    text: bytes
    readers: frozenset[str]


class NovaWanted(NamedTuple):
    """What a host's nova shall read. None: that side is no concern, it is neither changed nor judged.

    An empty tuple takes away what is ours. `filters` are added to the list in force; `exact_filters`, if set,
    are the whole list instead.
    """

    device_specs: tuple[DeviceSpec, ...] | None = None
    filters: tuple[str, ...] | None = None
    exact_filters: tuple[str, ...] | None = None


class Edited(NamedTuple):
    """`files` as they shall be, in the given order; with `problems` they are as given.

    A problem is a line of text: place, option, what nova would die of or do wrong with. None holds a value.
    """

    files: tuple[ConfigFile, ...]
    problems: tuple[str, ...] = ()


class Effective(NamedTuple):
    """What one program reads: whitelist values in nova's order, enabled filters, available filter classes.

    `filters` are the release's defaults where none are set; `available` is empty where unset (all of nova's).
    """

    whitelist: tuple[str, ...]
    filters: tuple[str, ...]
    available: tuple[str, ...]


def edit(files: tuple[ConfigFile, ...], release: int, wanted: NovaWanted) -> Edited:
    """Put what is wanted into the files. Pure and idempotent; raises FormatError for a file that nova refuses.

    Only files that a concerned program reads are looked at.
    """
    sides = [(COMPUTE, wanted.device_specs is not None), (SCHEDULER, wanted.filters is not None)]
    concerned = {program for program, is_wanted in sides if is_wanted}
    topics = _topics(wanted)
    documents = {
        position: _without_ours(_read(file, release), topics)
        for position, file in enumerate(files)
        if concerned & file.readers
    }
    problems: list[str] = []
    for program in sorted(concerned):
        places = [place for place in documents if program in files[place].readers]
        edited, found = _apply(program, tuple(documents[place] for place in places), release, wanted)
        documents.update(zip(places, edited, strict=True))
        problems.extend(found)
    if problems:
        return Edited(files, tuple(problems))
    return Edited(
        tuple(
            file._replace(text=b"".join(documents[place].lines)) if place in documents else file
            for place, file in enumerate(files)
        )
    )


def _topics(wanted: NovaWanted) -> frozenset[str]:
    whitelist = () if wanted.device_specs is None else (blocks.WHITELIST,)
    filters = () if wanted.filters is None else (blocks.FILTERS, blocks.AVAILABLE)
    return frozenset((*whitelist, *filters))


def _apply(
    program: str, documents: tuple[oslo.Document, ...], release: int, wanted: NovaWanted
) -> tuple[tuple[oslo.Document, ...], tuple[str, ...]]:
    if program == COMPUTE:
        if wanted.device_specs and not documents:
            return (), ("no configuration file that nova-compute reads",)
        return nova_whitelist.apply(documents, release, wanted.device_specs or ())
    if not wanted.filters:
        return documents, ()
    if not documents:
        return (), ("no configuration file that nova-scheduler reads",)
    return nova_filters.apply(documents, release, wanted.filters, wanted.exact_filters)


def _read(file: ConfigFile, release: int) -> oslo.Document:
    return oslo.read(file.path, file.text, any_bytes=nova.reads_any_bytes(release))


def _without_ours(document: oslo.Document, topics: frozenset[str]) -> oslo.Document:
    for block in reversed(blocks.find(document.path, document.lines)):
        if block.topic in topics:
            kept = nova_filters.kept_after(block) if block.topic == blocks.FILTERS else None
            document = blocks.remove(document, block, kept)
    return document


def _documents(files: tuple[ConfigFile, ...], release: int, reader: str) -> tuple[oslo.Document, ...]:
    return tuple(_read(file, release) for file in files if reader in file.readers)


def effective(files: tuple[ConfigFile, ...], release: int, reader: str) -> Effective:
    """What `reader` (`nova-compute` or `nova-scheduler`) reads from the files; `$$` is a dollar, `$name` stays."""
    documents = _documents(files, release, reader)
    filters = winning(documents, nova.filter_names(release))
    return Effective(
        whitelist=_values(documents, nova.whitelist_names(release)),
        filters=items(oslo.unescape(filters.option.value)) if filters else nova.default_filters(release),
        available=_values(documents, nova.available_names(release)),
    )


def _values(documents: tuple[oslo.Document, ...], names: tuple[nova.OptionName, ...]) -> tuple[str, ...]:
    return tuple(oslo.unescape(setting.option.value) for setting in joined(documents, names))


def reports_in_placement(files: tuple[ConfigFile, ...], release: int) -> bool:
    """Whether nova-compute has `[pci] report_in_placement` on (26 and later): it then refuses `devname`."""
    return nova_whitelist.reports_in_placement(_documents(files, release, COMPUTE), release)


def diff(before: tuple[ConfigFile, ...], after: tuple[ConfigFile, ...]) -> tuple[str, ...]:
    """What changed, as lines of a diff: `--- path`, `+++ path`, then lines with `-` and `+`.

    Only lines of our blocks and of the options that we edit are looked at, so no other line can show.
    """
    shown: list[str] = []
    for old, new in zip(before, after, strict=True):
        if old.text != new.text:
            lines = difflib.unified_diff(_our_lines(old), _our_lines(new), old.path, new.path, n=0, lineterm="")
            shown.extend(line for line in lines if not line.startswith("@@"))
    return tuple(shown)


def _our_lines(file: ConfigFile) -> list[str]:
    document = oslo.read(file.path, file.text, any_bytes=True)
    numbers = {
        number for block in blocks.find(file.path, document.lines) for number in range(block.first, block.last + 1)
    }
    for option in document.options:
        if nova.OptionName(option.section, option.key) in nova.ALL_NAMES:
            numbers.update(range(option.first, option.last + 1))
    return [document.lines[number].decode("utf-8", "replace").rstrip("\r\n") for number in sorted(numbers)]
