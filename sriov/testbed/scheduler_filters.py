"""`env.scheduler_filters`: the exact list for nova-scheduler, names of filters, and paths of the site's own classes."""

from __future__ import annotations

import re
from collections.abc import Mapping

from sriov.errors import did_you_mean
from sriov.formats.nova.filter_classes import NAME, PATH, short_name
from sriov.formats.nova.releases import OWN_FILTERS, PCI_FILTER, own_filters
from sriov.testbed.sources.source import FaultList, Keys
from sriov.testbed.wording import kind, shown

_EXAMPLE = "write it such as 'ComputeFilter', or with its module, such as 'site_filters.HalfFull'"


def read_scheduler_filters(values: Mapping[str, object], faults: FaultList) -> tuple[str, ...] | None:
    """The exact list wanted, None if the testbed leaves it to what each host has.

    An item is the name of a filter (`ComputeFilter`) or the path of its class (`site_filters.HalfFull`).
    """
    value, at = values.get("scheduler_filters"), ("scheduler_filters",)
    if value is None:
        return None
    if not isinstance(value, list | tuple):
        faults.note("wrong-type", at, f"is {kind(value)}, not a list", f"write ['ComputeFilter', '{PCI_FILTER}']")
        return None
    found: dict[str, str] = {}
    for index, item in enumerate(value):
        if not _is_filter(item, (*at, index), faults):
            continue
        name = short_name(item)
        if name in found:
            what = f"{item} appears twice" if item == found[name] else f"{item} and {found[name]} have one name"
            hint = "name each filter once: nova tells filters by the names of their classes alone"
            faults.note("duplicate-name", (*at, index), what, hint)
        found.setdefault(name, item)
    if PCI_FILTER not in found:
        hint = "add it, or omit the key to extend what each host has"
        faults.note("missing-pci-filter", at, f"lacks {PCI_FILTER}, which SR-IOV needs", hint)
    return tuple(found.values())


def _is_filter(item: object, at: Keys, faults: FaultList) -> bool:
    what, hint = "", ""
    if not isinstance(item, str) or not (NAME.fullmatch(item) or PATH.fullmatch(item)):
        what, hint = f"{shown(item)} is not the name of a filter", _repaired(item)
    elif not short_name(item)[0].isupper():
        what = f"{shown(item)} does not end in the name of a class, which begins with a capital"
        hint = (
            did_you_mean(short_name(item), own_filters(0), 0.88) or "name each class: nova enables filters one by one"
        )
    elif item.rpartition(".")[0] == OWN_FILTERS:
        own = own_filters(0).get(short_name(item), "")
        what, hint = f"{shown(item)} is not where nova has a class", f"did you mean {own!r}?" if own else ""
    if what:
        faults.note("invalid-filter", at, what, hint or _EXAMPLE)
    return not what


def _repaired(item: object) -> str:
    """The question that names what was meant; empty where that is not near: `site-filters/half.py:HalfFull`."""
    if not isinstance(item, str):
        return ""
    text = re.sub(r"\(\)\Z|\.py(?=[:.])", "", item.strip())
    text = re.sub(r"[:/. ]+", ".", text.replace("-", "_")).strip(".")
    return f"did you mean {text!r}?" if NAME.fullmatch(text) or PATH.fullmatch(text) else ""
