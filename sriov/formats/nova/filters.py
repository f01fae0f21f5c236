"""The scheduler's filters: the list in force gets PciPassthroughFilter, or is set to exactly what is wanted."""

from __future__ import annotations

import re

from sriov.formats.nova import releases
from sriov.formats.oslo import blocks
from sriov.formats.oslo.document import Document
from sriov.formats.oslo.options import Assignment, OptionName, items, joined, winning

_NAME = re.compile(r"[A-Za-z_]\w*")


def apply(
    documents: tuple[Document, ...], release: int, wanted: tuple[str, ...], exact: tuple[str, ...] | None
) -> tuple[tuple[Document, ...], tuple[str, ...]]:
    """Documents without blocks of ours -> documents with them, and what nova-scheduler would die of."""
    names = releases.filter_names(release)
    settings = _in_force(documents, names)
    problems = _available_problems(documents, release)
    targets = []
    for setting in settings or (None,):
        present = items(setting.option.value) if setting else releases.default_filters(release)
        place = f"{setting.place}: {setting.name}" if setting else "the filters of this release"
        target = exact if exact is not None else (*present, *(name for name in wanted if name not in present))
        refused = _refused(target, release, "the filters wanted" if exact is not None else place)
        problems = tuple(dict.fromkeys((*refused, *problems)))
        targets.append((setting, target, target != present))
    for setting, target, differs in targets if not problems else ():
        if differs and setting:
            body = (f"{setting.name.key} = {','.join(target)}",)
            new = blocks.replace(setting.document, blocks.FILTERS, setting.option, body)
            documents = tuple(new if document is setting.document else document for document in documents)
        elif differs:
            body = (f"{names[0].key} = {','.join(target)}",)
            documents = (blocks.insert(documents[0], blocks.FILTERS, names[0].section, body), *documents[1:])
    return _apply_available(documents, release, targets[0][1]), problems


def _in_force(documents: tuple[Document, ...], names: tuple[OptionName, ...]) -> tuple[Assignment, ...]:
    """The setting that counts; two where one stands in a drop-in folder and one in a file. For which of them counts
    only the service's command line tells: files that it names are read after the folders, else before them."""
    named = tuple(document for document in documents if ".conf.d/" not in document.path)
    folders = tuple(document for document in documents if document not in named)
    found = [winning(order, names) for order in ((*named, *folders), (*folders, *named))]
    return tuple(dict.fromkeys(setting for setting in found if setting))


def _refused(filters: tuple[str, ...], release: int, origin: str) -> tuple[str, ...]:
    gone = releases.removed_filters(release)
    problems = []
    for name in filters:
        if name in gone:
            problems.append(f"{origin}: nova {release} no longer has {name}; nova-scheduler does not start with it")
        elif not _NAME.fullmatch(name):
            problems.append(
                f"{origin}: an item that is not the name of a filter; nova-scheduler does not start with it"
            )
    return tuple(problems)


def _available_problems(documents: tuple[Document, ...], release: int) -> tuple[str, ...]:
    return tuple(
        f"{setting.place}: {setting.name}: a value that is not the name of a class (empty, or begun on the next line); "
        "nova-scheduler does not start with it"
        for setting in joined(documents, releases.available_names(release))
        if not re.fullmatch(r"[\w.]+", setting.option.value)
    )


def _apply_available(documents: tuple[Document, ...], release: int, target: tuple[str, ...]) -> tuple[Document, ...]:
    """The filter's class, where a list of classes is set that leaves it out; unset, nova looks in all of its own."""
    names = releases.available_names(release)
    values = [setting.option.value for setting in joined(documents, names)]
    enough = {*releases.ALL_FILTERS, releases.PCI_FILTER_CLASS}
    if releases.PCI_FILTER not in target or not values or enough.intersection(values):
        return documents
    body = (f"{names[0].key} = {releases.PCI_FILTER_CLASS}",)
    return (blocks.insert(documents[0], blocks.AVAILABLE, names[0].section, body), *documents[1:])
