"""The scheduler's filters: the list in force gets PciPassthroughFilter, or is set to exactly what is wanted.

A filter of the site's own is wanted by the path of its class (`site_filters.HalfFull`): its name goes into the list,
the path to the available classes, beside all of nova's where no other is set. The result is judged before it counts.
"""

from __future__ import annotations

from typing import NamedTuple

from sriov.formats.nova import filter_classes, filters_judged, releases
from sriov.formats.nova.filter_classes import short_name
from sriov.formats.nova.filters_judged import TESTBED, Classes, Enabled, Note
from sriov.formats.nova.references import reading
from sriov.formats.oslo import blocks
from sriov.formats.oslo.document import Document
from sriov.formats.oslo.options import Assignment, OptionName, items, joined, winning
from sriov.formats.oslo.substitution import Reading, UnknownReferenceError

Documents = tuple[Document, ...]


class Applied(NamedTuple):
    """Documents with what is wanted, what nova-scheduler would die of, and what else is to be said."""

    documents: Documents
    problems: tuple[str, ...] = ()
    notes: tuple[Note, ...] = ()


class UnreadError(Exception):
    """A value that nova cannot read; the text is the problem."""


def apply(documents: Documents, release: int, wanted: tuple[str, ...], exact: tuple[str, ...] | None) -> Applied:
    """Documents without blocks of ours -> documents with them. `exact` holds names of filters and paths of classes."""
    paths = tuple(path for path in exact or () if "." in path)
    try:
        lists = enabled(documents, release, wanted, exact)
        found = classes(documents, release)
    except UnreadError as unread:
        return Applied(documents, (str(unread),))
    edited = documents
    for one in lists:
        edited = _with_list(edited, one, release)
    edited = _with_classes(edited, found, release, paths)
    judged = filters_judged.judge(lists, found, classes(edited, release), paths, release)
    return Applied(documents if judged.problems else edited, judged.problems, judged.notes)


def _value(setting: Assignment, read: Reading) -> str:
    try:
        return read(setting.option.value)
    except UnknownReferenceError as reason:
        raise UnreadError(f"{setting.place}: {setting.name}: {reason}; {filters_judged.DIES}") from None


def enabled(
    documents: Documents, release: int, wanted: tuple[str, ...], exact: tuple[str, ...] | None
) -> tuple[Enabled, ...]:
    """The lists that may be in force, with what they shall hold. Raises UnreadError."""
    names = releases.filter_names(release)
    read = reading(documents, names[0])
    found = []
    for setting in _in_force(documents, names) or (None,):
        present = items(_value(setting, read)) if setting else releases.default_filters(release)
        origin = f"{setting.place}: {setting.name}" if setting else "the filters of this release"
        if exact is None:
            target = (*present, *(name for name in wanted if name not in present))
        else:
            origin, target = TESTBED, tuple(map(short_name, exact))
        found.append(Enabled(setting, present, target, origin))
    return tuple(found)


def _in_force(documents: Documents, names: tuple[OptionName, ...]) -> tuple[Assignment, ...]:
    """The setting that counts; two where one stands in a drop-in folder and one in a file. For which of them counts
    only the service's command line tells: files that it names are read after the folders, else before them."""
    named = tuple(document for document in documents if ".conf.d/" not in document.path)
    folders = tuple(document for document in documents if document not in named)
    found = [winning(order, names) for order in ((*named, *folders), (*folders, *named))]
    return tuple(dict.fromkeys(setting for setting in found if setting))


def _with_list(documents: Documents, one: Enabled, release: int) -> Documents:
    if one.wanted == one.present:
        return documents
    option = releases.filter_names(release)[0]
    if one.setting is None:
        body = (f"{option.key} = {','.join(one.wanted)}",)
        return (blocks.insert(documents[0], blocks.FILTERS, option.section, body), *documents[1:])
    setting = one.setting
    extended = ",".join((*items(setting.option.value), *one.wanted[len(one.present) :]))  # its references stay
    value = extended if items(reading(documents, option)(extended)) == one.wanted else ",".join(one.wanted)
    new = blocks.replace(setting.document, blocks.FILTERS, setting.option, (f"{setting.name.key} = {value}",))
    return tuple(new if document is setting.document else document for document in documents)


def classes(documents: Documents, release: int) -> Classes:
    """The settings of the available filters and their values, in nova's order. Raises UnreadError."""
    names = releases.available_names(release)
    read = reading(documents, names[0])
    return tuple((setting, _value(setting, read)) for setting in joined(documents, names))


def _with_classes(documents: Documents, found: Classes, release: int, paths: tuple[str, ...]) -> Documents:
    """The classes that nova would not find; with none set it looks in all of its own."""
    values = tuple(value for _, value in found)
    known = filter_classes.provided(values, release)
    added = [path for path in paths if known.get(short_name(path)) != path]
    if not values:
        added = [releases.ALL_FILTERS, *added] if added else []
    elif releases.PCI_FILTER not in (*known, *map(short_name, added)):
        added.append(releases.PCI_FILTER_CLASS)
    if not added:
        return documents
    option = releases.available_names(release)[0]
    body = tuple(f"{option.key} = {path}" for path in added)
    return (blocks.insert(documents[0], blocks.AVAILABLE, option.section, body), *documents[1:])
