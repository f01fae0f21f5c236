"""nova's configuration files with our whitelist and our scheduler filter in them, and back again.

`edit` is the whole of it: it removes our blocks, then puts in what is wanted. So a second edit changes
nothing, and wanting nothing gives the original bytes. `effective` tells what nova reads, `diff` what changed,
in our lines only: the files hold passwords.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from sriov.errors import FormatError
from sriov.formats.nova import filters, filters_removed, releases, whitelist, whitelist_blocks, whitelist_edit
from sriov.formats.nova.filters import Applied
from sriov.formats.nova.filters_judged import Note
from sriov.formats.nova.filters_removed import Ours
from sriov.formats.nova.references import reading
from sriov.formats.nova.whitelist import DeviceSpec
from sriov.formats.oslo import blocks
from sriov.formats.oslo.diff import diff as block_diff
from sriov.formats.oslo.document import Document, read
from sriov.formats.oslo.options import Assignment, ConfigFile, OptionName, items, joined, winning
from sriov.formats.oslo.substitution import Reading, UnknownReferenceError

COMPUTE, SCHEDULER = "nova-compute", "nova-scheduler"


class NovaWanted(NamedTuple):
    """What a host's nova shall read. None: that side is no concern, it is neither changed nor judged.

    An empty tuple takes away what is ours. `filters` are added to the list in force; `exact_filters`, if set,
    are the whole list instead: names, and paths of classes of the site's own.
    """

    device_specs: tuple[DeviceSpec, ...] | None = None
    filters: tuple[str, ...] | None = None
    exact_filters: tuple[str, ...] | None = None


class Edited(NamedTuple):
    """`files` as they shall be, in the given order; with `problems` they are as given.

    A problem is a line of text: place, option, what nova would die of or do wrong with. None holds a value, but
    for names of filters and their classes. `notes` stop nothing.
    """

    files: tuple[ConfigFile, ...]
    problems: tuple[str, ...] = ()
    notes: tuple[Note, ...] = ()


class Effective(NamedTuple):
    """What one program reads: whitelist values in nova's order, enabled filters, available filter classes.

    `filters` are the release's defaults where none are set; `available` is empty where unset (all of nova's). Both are
    the scheduler's alone.
    """

    whitelist: tuple[str, ...]
    filters: tuple[str, ...]
    available: tuple[str, ...]


def edit(files: tuple[ConfigFile, ...], release: int, wanted: NovaWanted) -> Edited:
    """Put what is wanted into the files. Pure and idempotent; raises FormatError for a file that nova refuses.

    Only files that a concerned program reads are looked at. A file that has all that is wanted stays as it is, by
    any hand.
    """
    edited = _edit(files, release, wanted)
    specs = wanted.device_specs
    if specs is None or edited.is_unchanged or not _whitelist_stands(edited, release, specs):
        return edited.as_edited(files)
    return _edit(files, release, wanted._replace(device_specs=None)).as_edited(files)


class _Documents(NamedTuple):
    """The files of concerned programs as they are and as they shall be, by their place among all files."""

    before: Mapping[int, Document]
    after: Mapping[int, Document]
    compute: tuple[int, ...]
    problems: tuple[str, ...]
    notes: tuple[Note, ...]

    @property
    def is_unchanged(self) -> bool:
        return not self.problems and all(
            blocks.is_as_written(document, self.after[place]) for place, document in self.before.items()
        )

    def as_edited(self, files: tuple[ConfigFile, ...]) -> Edited:
        if self.problems:
            return Edited(files, self.problems)
        return Edited(tuple(self._file(place, file) for place, file in enumerate(files)), notes=self.notes)

    def _file(self, place: int, file: ConfigFile) -> ConfigFile:
        if place not in self.before or blocks.is_as_written(self.before[place], self.after[place]):
            return file
        return file._replace(text=b"".join(self.after[place].lines))


def _edit(files: tuple[ConfigFile, ...], release: int, wanted: NovaWanted) -> _Documents:
    sides = [(COMPUTE, wanted.device_specs is not None), (SCHEDULER, wanted.filters is not None)]
    concerned = {program for program, is_wanted in sides if is_wanted}
    before = {place: _read(file, release) for place, file in enumerate(files) if concerned & file.readers}
    ours = filters_removed.of_ours(tuple(before.values()))
    kept = {**ours.leaving(), blocks.WHITELIST: whitelist_blocks.leaves(wanted.device_specs or (), release)}
    after = {place: blocks.without(document, _topics(wanted), kept) for place, document in before.items()}
    problems: list[str] = []
    notes: tuple[Note, ...] = ()
    for program in sorted(concerned):
        places = [place for place in after if program in files[place].readers]
        applied = _apply(program, tuple(after[place] for place in places), release, wanted, ours)
        after.update(zip(places, applied.documents, strict=True))
        problems.extend(applied.problems)
        notes += applied.notes
    compute = tuple(place for place in before if COMPUTE in files[place].readers)
    return _Documents(before, after, compute, tuple(problems), notes)


def _whitelist_stands(edited: _Documents, release: int, specs: tuple[DeviceSpec, ...]) -> bool:
    before = tuple(edited.before[place] for place in edited.compute)
    return bool(before) and whitelist_blocks.stand(
        before, tuple(edited.after[place] for place in edited.compute), release, specs
    )


def _topics(wanted: NovaWanted) -> frozenset[str]:
    compute = () if wanted.device_specs is None else (blocks.WHITELIST,)
    scheduler = () if wanted.filters is None else (blocks.FILTERS, blocks.AVAILABLE)
    return frozenset((*compute, *scheduler))


def _apply(program: str, documents: tuple[Document, ...], release: int, wanted: NovaWanted, ours: Ours) -> Applied:
    """`ours`: what our blocks said until now."""
    if program == COMPUTE:
        if not wanted.device_specs:
            return Applied(documents, ())
        if not documents:
            return Applied((), ("no configuration file that nova-compute reads",))
        return Applied(*whitelist_edit.apply(documents, release, wanted.device_specs))
    if not wanted.filters:
        return Applied(documents, filters_removed.orphans(documents, release, ours.attached(release)))
    if not documents:
        return Applied((), ("no configuration file that nova-scheduler reads",))
    return filters.apply(documents, release, wanted.filters, wanted.exact_filters)


def _read(file: ConfigFile, release: int) -> Document:
    return read(file.path, file.text, any_bytes=releases.reads_any_bytes(release))


def _documents(files: tuple[ConfigFile, ...], release: int, reader: str) -> tuple[Document, ...]:
    return tuple(_read(file, release) for file in files if reader in file.readers)


def effective(files: tuple[ConfigFile, ...], release: int, reader: str) -> Effective:
    """What `reader` (`nova-compute` or `nova-scheduler`) reads from the files, references followed.

    Raises FormatError for a file that nova refuses, and for a reference that cannot be followed.
    """
    documents = _documents(files, release, reader)
    values = _values(documents, releases.whitelist_names(release))
    if reader != SCHEDULER:
        return Effective(values, (), ())
    names = releases.filter_names(release)
    listed = winning(documents, names)
    return Effective(
        values,
        items(_value(listed, reading(documents, names[0]))) if listed else releases.default_filters(release),
        _values(documents, releases.available_names(release)),
    )


def _values(documents: tuple[Document, ...], names: tuple[OptionName, ...]) -> tuple[str, ...]:
    read = reading(documents, names[0])
    return tuple(_value(setting, read) for setting in joined(documents, names))


def _value(setting: Assignment, read: Reading) -> str:
    try:
        return read(setting.option.value)
    except UnknownReferenceError as reason:
        line = setting.document.numbers[setting.option.first]
        path = setting.document.path
        raise FormatError("reference-unknown", path, line, f"{setting.name}: {reason}") from None


def reports_in_placement(files: tuple[ConfigFile, ...], release: int) -> bool:
    """Whether nova-compute has `[pci] report_in_placement` on (26 and later): it then refuses `devname`."""
    return whitelist.reports_in_placement(_documents(files, release, COMPUTE), release)


def diff(before: ConfigFile, after: ConfigFile) -> tuple[str, ...]:
    """What changed in a file that nova reads; see `sriov.formats.oslo.diff`."""
    return block_diff(before, after, releases.ALL_NAMES)
