"""`python -m tests.bench --against REV`: the working tree beside an earlier one, interleaved in one run.

Both trees are called by the command line alone, in their own folder; hosts, job and inspection are the working tree's.
For each cell - a first run or one without change, on so many hosts - the two are first counted, then timed in pairs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from .checkout import checkout
from .counts import Counter, Counts
from .fleet import ROOT, BenchFleet
from .rounds import Cell, Results, Run, cpu, run_once, wall
from .tools import Call, ours
from .verdict import Interval, growth, interval

BEFORE, AFTER = "before", "after"
COUNTINGS = 10  # at most: growth that goes away when it is counted again was chance

Tell = Callable[[str], None]


class Plan(NamedTuple):
    """Numbers of hosts; rounds with up to ten hosts, and with more."""

    counts: tuple[int, ...]
    few_rounds: int
    many_rounds: int

    def rounds(self, count: int) -> int:
        return self.few_rounds if count <= 10 else self.many_rounds


class Outcome(NamedTuple):
    """Of all cells: what each side was counted, and its runs; what was wrong with runs that were counted only."""

    counted: Mapping[Cell, Counts]
    results: Results
    counting_faults: Sequence[tuple[Cell, str]] = ()

    def cells(self) -> list[Cell]:
        return [cell for cell in self.counted if cell.tool == AFTER]

    def interval(self, after: Cell, value: Callable[[Run], float] = wall) -> Interval | None:
        ratios = self.results.ratios(after, after._replace(tool=BEFORE), value)
        return interval(ratios) if ratios else None

    def faults(self) -> Iterator[tuple[Cell, str]]:
        yield from self.counting_faults
        yield from self.results.faults()

    def growth(self, after: Cell) -> tuple[str, ...]:
        return growth(self.counted[after._replace(tool=BEFORE)], self.counted[after])

    @property
    def is_good(self) -> bool:
        found = [self.interval(cell) for cell in self.cells()]
        slower = any(one is None or one.is_slower for one in found)
        return not slower and not any(map(self.growth, self.cells())) and not any(self.faults())


class Sides:
    """The two trees and the fleet that they take turns on. Each has its own cache of texts."""

    def __init__(self, fleet: BenchFleet, before: Path, after: Path) -> None:
        self._fleet = fleet
        self._folders = {BEFORE: before, AFTER: after}
        self.counting_faults: list[tuple[Cell, str]] = []

    def call(self, side: str, count: int) -> Call:
        call = ours(self._fleet, count, True)
        directory = self._fleet.directory
        own = {
            "XDG_CACHE_HOME": str(directory / f"cache-{side}"),
            "PYTHONPYCACHEPREFIX": str(directory / "compiled"),
            "PYTHONPATH": "",
        }
        return replace(call, environment={**call.environment, **own}, folder=self._folders[side])

    def turn(self, side: str, count: int, run: Callable[[Call, bool], None]) -> None:
        """A first run on bare hosts, then one without change."""
        self._fleet.reset(count)
        for first in (True, False):
            run(self.call(side, count), first)

    def count(self, size: int, tell: Tell) -> dict[Cell, Counts]:
        """What each side starts and sends, the least of all countings."""
        least: dict[Cell, Counts] = {}

        def counted(side: str) -> Callable[[Call, bool], None]:
            def run(call: Call, first: bool) -> None:
                with Counter(self._fleet.hosts[:size]) as counter:
                    fault = run_once(self._fleet, call, size, first).fault
                    counts = counter.counts()
                cell = Cell(side, size, first)
                if fault:
                    self.counting_faults.append((cell, fault))
                least[cell] = counts.least(least.get(cell, counts))
                tell(f"{size:4} hosts  {side:6} {_kind(first)} counted {tuple(counts)}  {fault}")

            return run

        for _ in range(COUNTINGS):
            for side in (BEFORE, AFTER):
                self.turn(side, size, counted(side))
            if not any(growth(least[cell._replace(tool=BEFORE)], least[cell]) for cell in least if cell.tool == AFTER):
                break
        return least

    def time(self, size: int, rounds: int, results: Results, tell: Tell) -> None:
        """Pairs; the side that begins alternates."""

        def timed(side: str) -> Callable[[Call, bool], None]:
            def run(call: Call, first: bool) -> None:
                done: Run = run_once(self._fleet, call, size, first)
                results.runs.setdefault(Cell(side, size, first), []).append(done)
                tell(f"{size:4} hosts  {side:6} {_kind(first)} {done.cost.wall:8.2f} s  {done.fault}")

            return run

        for number in range(rounds):
            for side in (BEFORE, AFTER) if number % 2 == 0 else (AFTER, BEFORE):
                self.turn(side, size, timed(side))


def _kind(first: bool) -> str:
    return "first" if first else "no-op"


def compare(revision: str, plan: Plan, tell: Tell) -> Outcome:
    """UnknownRevisionError if there is no such revision; RuntimeError where no fleet can be, or nothing be counted."""
    results = Results()
    counted: dict[Cell, Counts] = {}
    with checkout(revision) as before, BenchFleet(max(plan.counts)) as fleet:
        sides = Sides(fleet, before, ROOT)
        for size in plan.counts:
            counted |= sides.count(size, tell)
            sides.time(size, plan.rounds(size), results, tell)
    return Outcome(counted, results, sides.counting_faults)


def text(outcome: Outcome) -> Iterator[str]:
    """The result as lines of Markdown."""
    cells = sorted(outcome.cells(), key=lambda cell: (cell.first, cell.size))
    yield "\n### Wall time: after/before, geometric mean of the pairs, 95 % confidence interval\n"
    yield "| | ratio | interval | pairs | | of controller CPU (not judged) | interval |"
    yield "|---|---:|---:|---:|---|---:|---:|"
    for cell in cells:
        found, by_cpu = outcome.interval(cell), outcome.interval(cell, cpu)
        words = (
            f"{found.pairs} | {found.verdict} | {_range(by_cpu)}" if found and by_cpu else "0 | NO PAIR COUNTS | - | -"
        )
        yield f"| {_title(cell)} | {_range(found) if found else '- | -'} | {words} |"
    yield "\n### Counted on one host, before -> after\n"
    yield "| | executions | programs | bytes to it | bytes from it | |\n|---|---:|---:|---:|---:|---|"
    for cell in cells:
        grown = ", ".join(name.replace("_", " ") for name in outcome.growth(cell))
        numbers = _changes(outcome.counted[cell._replace(tool=BEFORE)], outcome.counted[cell])
        yield f"| {_title(cell)} | {' | '.join(numbers)} | {f'GREW: {grown}' if grown else 'no growth'} |"
    for cell, fault in outcome.faults():
        yield f"- does not count: {cell.tool}, {_title(cell)}: {fault.strip()[-300:]}"


def _title(cell: Cell) -> str:
    return f"N={cell.size} {_kind(cell.first)}"


def _range(found: Interval) -> str:
    return f"{found.ratio:.3f} | {found.low:.3f} to {found.high:.3f}"


def _changes(before: Sequence[float], after: Sequence[float]) -> Iterator[str]:
    return (f"{old:g}" if old == new else f"{old:g} -> {new:g}" for old, new in zip(before, after, strict=True))
