"""The scheduler's filters: the list in force gets PciPassthroughFilter, or is set to exactly what is wanted."""

from __future__ import annotations

import re

from sriov.formats import blocks, nova, oslo
from sriov.formats.nova_values import Setting, items, joined, winning

_NAME = re.compile(r"[A-Za-z_]\w*")


def apply(
    documents: tuple[oslo.Document, ...], release: int, wanted: tuple[str, ...], exact: tuple[str, ...] | None
) -> tuple[tuple[oslo.Document, ...], tuple[str, ...]]:
    """Documents without blocks of ours -> documents with them, and what nova-scheduler would die of."""
    names = nova.filter_names(release)
    settings = _in_force(documents, names)
    problems = _available_problems(documents, release)
    targets = []
    for setting in settings or (None,):
        present = items(setting.option.value) if setting else nova.default_filters(release)
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


def _in_force(documents: tuple[oslo.Document, ...], names: tuple[nova.OptionName, ...]) -> tuple[Setting, ...]:
    """The setting that counts; two where one stands in a drop-in folder and one in a file. For which of them counts
    only the service's command line tells: files that it names are read after the folders, else before them."""
    named = tuple(document for document in documents if ".conf.d/" not in document.path)
    folders = tuple(document for document in documents if document not in named)
    found = [winning(order, names) for order in ((*named, *folders), (*folders, *named))]
    return tuple(dict.fromkeys(setting for setting in found if setting))


def _refused(filters: tuple[str, ...], release: int, origin: str) -> tuple[str, ...]:
    gone = nova.removed_filters(release)
    problems = []
    for name in filters:
        if name in gone:
            problems.append(f"{origin}: nova {release} no longer has {name}; nova-scheduler does not start with it")
        elif not _NAME.fullmatch(name):
            problems.append(f"{origin}: an item that is no filter's name; nova-scheduler does not start with it")
    return tuple(problems)


def _available_problems(documents: tuple[oslo.Document, ...], release: int) -> tuple[str, ...]:
    return tuple(
        f"{setting.place}: {setting.name}: a value that is no class's name (empty, or begun on the next line); "
        "nova-scheduler does not start with it"
        for setting in joined(documents, nova.available_names(release))
        if not re.fullmatch(r"[\w.]+", setting.option.value)
    )


def _apply_available(
    documents: tuple[oslo.Document, ...], release: int, target: tuple[str, ...]
) -> tuple[oslo.Document, ...]:
    """The filter's class, where a list of classes is set that leaves it out; unset, nova looks in all of its own."""
    names = nova.available_names(release)
    values = [setting.option.value for setting in joined(documents, names)]
    enough = {*nova.ALL_FILTERS, nova.PCI_FILTER_CLASS}
    if nova.PCI_FILTER not in target or not values or enough.intersection(values):
        return documents
    body = (f"{names[0].key} = {nova.PCI_FILTER_CLASS}",)
    return (blocks.insert(documents[0], blocks.AVAILABLE, names[0].section, body), *documents[1:])


def kept_after(block: blocks.Block, ours: str = nova.PCI_FILTER) -> tuple[bytes, ...] | None:
    """What an edited block leaves when it is taken away: its list without our item.

    None for a block that nobody edited, or whose option is gone: it leaves the lines that it had replaced.
    """
    if not block.edited:
        return None
    head = (block.header,) if block.header is not None else ()
    text = b"".join(block.body[len(head) :])
    options = oslo.read("", b"[block]\n" + text, any_bytes=True).options
    if not options:
        return None
    filters = items(options[-1].value)
    left = ",".join(name for name in filters if name != ours)
    if len(left.split(",")) == len(filters):
        return (*head, *block.body[len(head) :])
    line = f"{options[-1].key} = {left}".encode("utf-8", "surrogateescape") + oslo.line_end(block.body)
    return (*head, line) if left else ()
