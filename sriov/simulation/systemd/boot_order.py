"""The order in which the units of a boot start. Source: systemd.unit(5), `After`, `Before` and the default targets."""

from __future__ import annotations

import graphlib
import itertools
from collections.abc import Mapping

from .unit_file import Unit

ORDERED_TARGETS = (
    "sysinit.target",
    "basic.target",
    "network-pre.target",
    "network.target",
    "network-online.target",
    "multi-user.target",
)


def predecessors(units: Mapping[str, Unit]) -> dict[str, frozenset[str]]:
    """For each unit and each ordered target the names that must be done before it; only names that take part.

    Packaged services of the simulation come as units with After=network-online.target.
    """
    before: dict[str, set[str]] = {target: set() for target in ORDERED_TARGETS}
    for earlier, target in itertools.pairwise(ORDERED_TARGETS):
        before[target].add(earlier)
    for name, unit in units.items():
        before.setdefault(name, set()).update(unit.after)
    for name, unit in units.items():
        for later in unit.words("Unit", "Before"):
            if later in before:
                before[later].add(name)
        for target in (*unit.words("Install", "WantedBy"), *unit.words("Install", "RequiredBy")):
            # a target comes after what it wants, unless that is ordered after it
            if target in before and target not in unit.after and unit.flag("Unit", "DefaultDependencies", True):
                before[target].add(name)
    return {name: frozenset(earlier & before.keys()) for name, earlier in before.items()}


def acyclic(order: Mapping[str, frozenset[str]]) -> dict[str, frozenset[str]]:
    """The same order without its cycles: an edge of each is dropped, as systemd drops a job to break one."""
    graph = dict(order)
    while True:
        try:
            graphlib.TopologicalSorter(graph).prepare()
        except graphlib.CycleError as error:
            earlier, later = error.args[1][:2]
            graph[later] = graph[later] - {earlier}
        else:
            return graph


def is_late(name: str, jobs: Mapping[str, Unit], order: Mapping[str, frozenset[str]]) -> bool:
    """Whether a unit waits, itself or through others, for an interface or for the network."""
    pending, seen = [name], set[str]()
    while pending:
        here = pending.pop()
        if here in ("network.target", "network-online.target", "multi-user.target"):
            return True
        if here in jobs and jobs[here].devices:
            return True
        pending += [earlier for earlier in order[here] if earlier not in seen]
        seen.add(here)
    return False
