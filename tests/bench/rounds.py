"""The runs, in turn: in each round every tool makes its first run on bare hosts, then a run without change.

A run counts only if the tool said that all is well, the hosts are as the job wants them, and the second run
changed nothing there.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

from . import pose
from .fleet import BenchFleet
from .measure import Cost, measure
from .tools import TOOLS

OURS = "sriov-fab"


class Cell(NamedTuple):
    """What was run: `first` on bare hosts, or without change."""

    tool: str
    size: int
    first: bool


@dataclass(frozen=True, slots=True)
class Run:
    """One run: its cost, CPU seconds of one host (the mean), and what was wrong with its result."""

    cost: Cost
    host_cpu: float
    fault: str = ""


@dataclass
class Results:
    """Runs by cell, in the order of the rounds; None where a run does not count."""

    runs: dict[Cell, list[Run]] = field(default_factory=dict)

    def good(self, cell: Cell) -> list[Run]:
        return [run for run in self.runs.get(cell, ()) if not run.fault]

    def median(self, cell: Cell, value: Callable[[Run], float]) -> float | None:
        runs = self.good(cell)
        return statistics.median(map(value, runs)) if runs else None

    def ratio(self, over: Cell, under: Cell) -> float | None:
        """Median over the rounds of the wall time of one divided by that of the other in the same round."""
        pairs = zip(self.runs.get(over, ()), self.runs.get(under, ()), strict=False)
        ratios = [a.cost.wall / b.cost.wall for a, b in pairs if not a.fault and not b.fault]
        return statistics.median(ratios) if ratios else None

    def faults(self) -> Iterator[tuple[Cell, str]]:
        for cell, runs in self.runs.items():
            yield from ((cell, run.fault) for run in runs if run.fault)


def play(
    fleet: BenchFleet,
    results: Results,
    tools: tuple[str, ...],
    count: int,
    rounds: int,
    ansible_hosts: int,
    tell: Callable[[str], None],
) -> None:
    """`rounds` rounds on `count` hosts. Ansible takes part in the first one only where hosts are many: its runs are
    so much longer that one says enough; with more than `ansible_hosts` hosts it takes no part."""
    for number in range(rounds):
        for tool in tools:
            if tool == "ansible" and (count > ansible_hosts or (count > 10 and number)):
                continue
            fleet.reset(count)
            for first in (True, False):
                run = _one(fleet, tool, count, first)
                results.runs.setdefault(Cell(tool, count, first), []).append(run)
                words = f"{run.cost.wall:8.2f} s {run.cost.cpu:7.2f} s CPU {run.cost.memory:6.0f} MiB  {run.fault}"
                tell(f"{count:4} hosts  {tool:10} {'first' if first else 'no-op'} {words}")


def warm_up(fleet: BenchFleet, tools: tuple[str, ...]) -> None:
    """Each tool once on one host, so that its modules are compiled and its files in memory."""
    for tool in tools:
        fleet.reset(1)
        _one(fleet, tool, 1, True)


def _one(fleet: BenchFleet, tool: str, count: int, first: bool) -> Run:
    hosts = fleet.hosts[:count]
    before = [pose.fingerprint(host.tree) for host in hosts]
    cpu = sum(host.cpu_seconds() for host in hosts)
    cost = measure(TOOLS[tool](fleet, count, first), (fleet.pid,), fleet.directory / "output")
    fleet.wait_idle(count)
    used = sum(host.cpu_seconds() for host in hosts) - cpu
    fault = f"exit code {cost.status}: {cost.output[-2000:]}" if cost.status else ""
    for host, old in zip(hosts, before, strict=True):
        for wrong in pose.faults(host.tree):
            fault = fault or f"{host.name}: {wrong}"
        if not first and pose.fingerprint(host.tree) != old:
            fault = fault or f"{host.name}: the second run changed something"
    return Run(cost, used / count, fault)
