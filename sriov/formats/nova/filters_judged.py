"""What nova-scheduler would die of at its start, and what else is odd, in the filters that its files name."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import NamedTuple

from sriov.errors import counted, did_you_mean
from sriov.formats.nova import filter_classes, releases
from sriov.formats.nova.filter_classes import NAME, PATH, short_name
from sriov.formats.oslo.options import Assignment

DIES = "nova-scheduler does not start with it"
TESTBED = "env.scheduler_filters"
_MOST = 8  # problems told of one kind: a host's file may hold any number
Classes = tuple[tuple[Assignment, str], ...]
"""Settings of the available filters, each with its value, in nova's order."""


class Enabled(NamedTuple):
    """A list of enabled filters: its setting (None: the release's own), what it holds, what it shall hold.

    `origin` is who wants that: place and name of the option, or the testbed.
    """

    setting: Assignment | None
    present: tuple[str, ...]
    wanted: tuple[str, ...]
    origin: str


class Note(NamedTuple):
    """Something to be said that stops no run; `id` as in `sriov.errors`."""

    id: str
    text: str
    hint: str


class Judged(NamedTuple):
    """Problems are lines of text, with place, option, and what nova-scheduler would die of or do wrong."""

    problems: tuple[str, ...]
    notes: tuple[Note, ...] = ()


def judge(lists: tuple[Enabled, ...], found: Classes, after: Classes, paths: tuple[str, ...], release: int) -> Judged:
    """`found` are the available classes as the operator has them, `after` with ours; `paths` those of the testbed."""
    if refused := _first(_refused(found, paths, release)):
        return Judged(refused)
    values = tuple(value for _, value in after)
    lacking = [(one, filter_classes.lacking(one.wanted, values, release)) for one in lists]
    reasons = (
        f"{origin(one, found)}: {why}; {DIES}" for one, names in lacking for why in _reasons(names, found, release)
    )
    problems = (*_first(reasons), *_first(_hidden(found, values, paths, release)))
    notes = [*_defaults_gone(lists, release), *_not_judged(lacking, found, release)]
    return Judged(problems, () if problems else tuple(notes))


def origin(one: Enabled, found: Classes) -> str:
    """Who wants a name that is lacking; of the release's own list, who keeps its classes away."""
    if one.setting or one.origin == TESTBED or not found:
        return one.origin
    return f"{found[0][0].place}: {found[0][0].name}"


def _first(problems: Iterable[str]) -> tuple[str, ...]:
    return tuple(islice(dict.fromkeys(islice(problems, 2 * _MOST)), _MOST))


def _refused(found: Classes, paths: tuple[str, ...], release: int) -> Iterator[str]:
    """Values that are no path of a class that there is, though no one may use it."""
    for setting, value in found:
        if reason := filter_classes.refusal(value, release):
            yield f"{setting.place}: {setting.name}: {reason}; {DIES}"
    for path in paths:
        if reason := filter_classes.refusal(path, release):
            yield f"{TESTBED}: {reason}; {DIES}"


def _reasons(names: tuple[str, ...], found: Classes, release: int) -> Iterator[str]:
    """What is wrong with enabled names that no class seen has; of a malformed list only that."""
    malformed = tuple(name for name in names if not NAME.fullmatch(name))
    if malformed:
        yield from map(_malformed, malformed)
    elif not filter_classes.functions(tuple(value for _, value in found), release):  # a function may return them
        yield from _unknown(names, found, release)


def _malformed(name: str) -> str:
    if PATH.fullmatch(name):
        return (
            f"{name} is a path, and the list takes names: write {short_name(name)} here, the path in available_filters"
        )
    return "an item that is not the name of a filter"


def _unknown(names: tuple[str, ...], found: Classes, release: int) -> Iterator[str]:
    own = releases.own_filters(release)
    known = filter_classes.provided(tuple(value for _, value in found), release)
    if hidden := ", ".join(name for name in names if name in own):
        remedy = f"add the line {releases.available_names(release)[0].key} = {releases.ALL_FILTERS}"
        yield f"no available filter provides {hidden}: {_searched(found, release)}; {remedy}"
    for name in (name for name in names if name not in own):
        if name in releases.removed_filters(release):
            yield f"nova {release} no longer has {name}"
            continue
        remedy = did_you_mean(name, known, 0.88) or f"add the path of its class to {TESTBED}: 'site_filters.{name}'"
        yield f"no available filter provides {name}: {_searched(found, release)}; {remedy}"


def _searched(found: Classes, release: int) -> str:
    if not found:
        return f"nova {release} has none of that name, and {releases.available_names(release)[0]} is not set"
    places = ", ".join(f"{setting.place}" for setting, _ in found[:3])
    more = f" and {counted(len(found) - 3, 'more line')}" if len(found) > 3 else ""
    return f"{found[0][0].name} ({places}{more}) has none of that name"


def _hidden(found: Classes, values: tuple[str, ...], paths: tuple[str, ...], release: int) -> Iterator[str]:
    """Filters of the testbed whose name another class has too: nova takes the later class, without a word."""
    taken = filter_classes.provided(values, release)
    for path in paths:
        for setting, value in found:
            is_twin = value != path and short_name(value) == short_name(path)
            is_all = releases.names_all_filters(value, release) and short_name(path) in releases.own_filters(release)
            if is_twin or (is_all and taken[short_name(path)] != path):
                yield (
                    f"{setting.place}: {setting.name}: {value} has a filter of the name of {path}, which {TESTBED} "
                    "wants, and nova uses the later one alone: give one of them another name, or remove it"
                )


def _defaults_gone(lists: tuple[Enabled, ...], release: int) -> Iterator[Note]:
    defaults = releases.default_filters(release)
    for one in lists:
        if not set(defaults).intersection(one.wanted):
            yield Note(
                "default-filters-gone",
                f"{one.origin}: none of the filters that nova {release} has by default is in the list "
                f"({', '.join(one.wanted[:_MOST])}): hosts that are down or cannot run the VM would be chosen too",
                f"add {', '.join(defaults)}, or what you need of them",
            )


def _not_judged(lacking: list[tuple[Enabled, tuple[str, ...]]], found: Classes, release: int) -> Iterator[Note]:
    functions = filter_classes.functions(tuple(value for _, value in found), release)
    for one, names in lacking:
        if names and functions:
            yield Note(
                "filter-not-judged",
                f"{one.origin}: whether {functions[0]} provides {', '.join(names[:_MOST])} cannot be told from here: "
                "it looks like a function, which returns classes",
                "make sure of it: nova-scheduler does not start with a filter that has no class",
            )
