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
from .counts import Counter, Counts
from .fleet import BenchFleet
from .measure import Cost, measure
from .tools import IDLE, TOOLS, Call

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


def wall(run: Run) -> float:
    return run.cost.wall


def cpu(run: Run) -> float:
    """Of the controller."""
    return run.cost.cpu


@dataclass
class Results:
    """Runs by cell, in the order of the rounds, and what was counted before them on one host."""

    runs: dict[Cell, list[Run]] = field(default_factory=dict)
    counted: dict[Cell, Counts] = field(default_factory=dict)

    def good(self, cell: Cell) -> list[Run]:
        return [run for run in self.runs.get(cell, ()) if not run.fault]

    def median(self, cell: Cell, value: Callable[[Run], float]) -> float | None:
        runs = self.good(cell)
        return statistics.median(map(value, runs)) if runs else None

    def ratios(self, over: Cell, under: Cell, value: Callable[[Run], float] = wall) -> list[float]:
        """This value of one divided by that of the other in the same round, where both runs count."""
        pairs = zip(self.runs.get(over, ()), self.runs.get(under, ()), strict=False)
        return [value(a) / value(b) for a, b in pairs if not a.fault and not b.fault]

    def ratio(self, over: Cell, under: Cell) -> float | None:
        """Of wall times, the median over the rounds."""
        ratios = self.ratios(over, under)
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
            for first in kinds(tool):
                run = run_once(fleet, TOOLS[tool](fleet, count, first), count, first, tool != IDLE)
                results.runs.setdefault(Cell(tool, count, first), []).append(run)
                words = f"{run.cost.wall:8.2f} s {run.cost.cpu:7.2f} s CPU {run.cost.memory:6.0f} MiB  {run.fault}"
                tell(f"{count:4} hosts  {tool:10} {'first' if first else 'no-op'} {words}")


def warm_up(fleet: BenchFleet, results: Results, tools: tuple[str, ...]) -> None:
    """Each tool on one host, so that its modules are compiled and its files in memory; and what that host sees."""
    for tool in tools:
        fleet.reset(1)
        for first in kinds(tool):
            with Counter(fleet.hosts[:1]) as counter:
                run_once(fleet, TOOLS[tool](fleet, 1, first), 1, first, tool != IDLE)
                results.counted[Cell(tool, 1, first)] = counter.counts()


def kinds(tool: str) -> tuple[bool, ...]:
    """First, and without change; who does no part of the job has no first run."""
    return (False,) if tool == IDLE else (True, False)


def run_once(fleet: BenchFleet, call: Call, count: int, first: bool, inspected: bool = True) -> Run:
    """One run on the first `count` hosts and, where they are `inspected`, what it left there."""
    hosts = fleet.hosts[:count]
    before = [pose.fingerprint(host.tree) for host in hosts]
    cpu = sum(host.cpu_seconds() for host in hosts)
    cost = measure(call, (fleet.pid,), fleet.directory / "output")
    fleet.wait_idle(count)
    used = sum(host.cpu_seconds() for host in hosts) - cpu
    fault = f"exit code {cost.status}: {cost.output[-2000:]}" if cost.status else ""
    for host, old in zip(hosts, before, strict=True) if inspected else ():
        for wrong in pose.faults(host.tree):
            fault = fault or f"{host.name}: {wrong}"
        if not first and pose.fingerprint(host.tree) != old:
            fault = fault or f"{host.name}: the second run changed something"
    return Run(cost, used / count, fault)
