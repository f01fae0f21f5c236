"""What our blocks about filters leave where they are taken away, so that nova-scheduler still starts.

A block as we wrote it leaves the lines that it had replaced, and no more. In one that was edited are lines of others:
they stay, without what is ours.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import NamedTuple

from sriov.formats.nova import filter_classes, releases
from sriov.formats.nova.filter_classes import short_name
from sriov.formats.nova.filters import Documents, UnreadError, classes, enabled
from sriov.formats.nova.filters_judged import DIES, origin
from sriov.formats.oslo import blocks
from sriov.formats.oslo.blocks import Block
from sriov.formats.oslo.options import items

_ALWAYS_OURS = (releases.ALL_FILTERS, releases.PCI_FILTER_CLASS)


class Ours(NamedTuple):
    """What our blocks say: items of lists, and values of the available filters."""

    listed: frozenset[str]
    classes: frozenset[str]

    def leaving(self) -> Mapping[str, Callable[[Block], tuple[bytes, ...] | None]]:
        """By topic, what a block leaves (see `blocks.remove`)."""
        names = (releases.PCI_FILTER, *(short_name(path) for path in self.classes - {releases.ALL_FILTERS}))
        return {
            blocks.FILTERS: lambda block: blocks.list_without(block, names),
            blocks.AVAILABLE: lambda block: _classes_left(block, self.listed),
        }

    def attached(self, release: int) -> frozenset[str]:
        """The names of filters whose classes the blocks name: the site's, and nova's own beside them.

        Not PciPassthroughFilter alone: a list that holds it without its class did so before ours came.
        """
        if not self.classes - {releases.PCI_FILTER_CLASS}:
            return frozenset()
        return frozenset(filter_classes.provided(tuple(self.classes), release))


def of_ours(documents: Documents) -> Ours:
    """What the blocks in these files say."""
    found = [block for document in documents for block in blocks.find(document.path, document.lines)]

    def values(topic: str) -> Iterator[str]:
        return (option.value for block in found if block.topic == topic for option in blocks.options_of(block))

    listed = (name for value in values(blocks.FILTERS) for name in items(value))
    return Ours(frozenset(listed), frozenset(values(blocks.AVAILABLE)))


def orphans(documents: Documents, release: int, names: frozenset[str]) -> tuple[str, ...]:
    """Documents without our blocks: lists of others that hold one of `names`, whose class went with our block."""
    try:
        lists, found = enabled(documents, release, (), None), classes(documents, release)
    except UnreadError:
        return ()  # nova-scheduler cannot read them anyhow
    values = tuple(value for _, value in found)
    if filter_classes.functions(values, release):
        return ()
    return tuple(
        f"{origin(one, found)}: {name} would lose its class, which our block names; {DIES}: take the name out of this "
        f"list, or the path of its class into {releases.available_names(release)[0]}, outside our block"
        for one in lists
        for name in filter_classes.lacking(one.wanted, values, release)
        if name in names
    )


def _classes_left(block: Block, listed: frozenset[str]) -> tuple[bytes, ...] | None:
    """The lines of others: paths of classes that our list does not name. nova's own stay with them."""
    if not block.edited:
        return None
    found = blocks.options_of(block)
    others = [o for o in found if o.value not in _ALWAYS_OURS and short_name(o.value) not in listed]
    if not others:
        return None
    kept = [o for o in found if o in others or o.value == releases.ALL_FILTERS]
    head = (block.header,) if block.header is not None else ()
    return (*head, *(line for o in kept for line in block.body[o.first : o.last + 1]))
