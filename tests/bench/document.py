"""From the results to `docs/performance.md`."""

from __future__ import annotations

import importlib.metadata
import math
import os
import platform
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from .rounds import OURS, Cell, Results, Run
from .tools import PEERS_VENV

NAMES = {
    OURS: "sriov-fab", "floor": "one-exec floor (paramiko, tuned socket)",
    "login": "login and `true` (paramiko, tuned socket)", "fabric": "naive Fabric, threads",
    "pyinfra": "pyinfra", "ansible": "Ansible, pipelined, 50 forks",
}  # fmt: skip
WANTED: dict[
    str, dict[tuple[int, bool], float]
] = {  # (count, first) -> how many times the peer's time over ours, or, for the floor, ours over it
    "ansible": {(1, False): 7, (10, False): 17, (100, False): 24, (100, True): 20},
    "pyinfra": {(1, False): 2.7, (10, False): 2.4, (100, False): 2.1, (100, True): 1.8},
    "fabric": {(1, False): 2.1, (10, False): 1.8, (100, False): 1.9, (100, True): 2.0},
    "floor": {(1, False): 1.25, (10, False): 1.20, (100, False): 1.15, (100, True): 1.25},
}
FLOORS = ("floor", "login")  # that one cannot go below, so ratios are of our time over theirs
METHOD = (Path(__file__).parent / "method.md").read_text()


@dataclass(frozen=True, slots=True)
class StartUp:
    """Seconds of `fab --list`, medians: of this project's fabfile, and of an empty one."""

    ours: float
    empty: float


def text(results: Results, counts: tuple[int, ...], rounds: int, start_up: StartUp, load: tuple[float, float]) -> str:
    tools = tuple(dict.fromkeys(cell.tool for cell in results.runs))
    parts = [
        METHOD,
        "## Measured\n",
        "\n".join(_circumstances(rounds, load)),
        "\n### Times faster than the peer (paired ratios of wall time, median; in brackets what is aimed at)\n",
        _table(results, tools, counts, _ratio_cell),
    ]
    for title, value in (
        ("Wall time, seconds", lambda run: run.cost.wall),
        ("CPU time of the controller, seconds, all processes", lambda run: run.cost.cpu),
        ("Peak memory of the controller, MiB", lambda run: run.cost.memory),
        ("CPU time of one host, milliseconds, login and stubs included", lambda run: run.host_cpu * 1000),
    ):
        parts += [f"\n### {title} (medians)\n", _table(results, tools, counts, _median_cell(value))]
    parts += ["\n### Counted on one host\n", "\n".join(_counted(results))]
    none = "None: every run left the hosts as the job wants them."
    parts += ["\n### Growth and start-up\n", "\n".join(_growth(results, tools, counts, start_up))]
    faults = [f"- {NAMES[cell.tool]}, {cell.size} hosts: {fault.strip()[-300:]}" for cell, fault in results.faults()]
    parts += [
        "\n### Runs that do not count\n",
        "\n".join(faults) or none,
    ]
    return "\n".join(parts) + "\n"


def _circumstances(rounds: int, load: tuple[float, float]) -> Iterator[str]:
    python = PEERS_VENV / "bin/python"
    peers = []
    if python.exists():
        freeze = [str(python), "-m", "pip", "list", "--format=freeze"]
        peers = subprocess.run(freeze, capture_output=True, text=True, check=False).stdout.split()
    versions = [f"{name} {importlib.metadata.version(name)}" for name in ("fabric", "paramiko", "cryptography")]
    named = ("ansible-core=", "pyinfra=", "paramiko=")
    versions += [line.replace("==", " ") for line in peers if line.startswith(named)]
    sshd = subprocess.run(["ssh", "-V"], capture_output=True, text=True, check=True).stderr.split(",")[0].strip()
    yield f"- {time.strftime('%Y-%m-%d', time.gmtime())}; {rounds} rounds; Python {platform.python_version()}"
    yield f"- {os.cpu_count()} cores ({_processor()}), Linux {platform.release()}; {sshd}"
    yield f"- here: {', '.join(versions[:3])}; the peers: {', '.join(versions[3:]) or 'not installed'}"
    yield f"- load average of the machine before and after: {load[0]:.1f} and {load[1]:.1f}"


def _processor() -> str:
    lines = Path("/proc/cpuinfo").read_text().split("\n")
    return next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), platform.machine())


def _table(
    results: Results, tools: tuple[str, ...], counts: tuple[int, ...], cell: Callable[[Results, Cell], str]
) -> str:
    columns = [(count, first) for first in (False, True) for count in counts]
    head = ["", *(f"N={count} {'first' if first else 'no-op'}" for count, first in columns)]
    rows = [[NAMES[tool], *(cell(results, Cell(tool, *column)) for column in columns)] for tool in tools]
    lines = [head, ["---", *("---:" for _ in columns)], *(row for row in rows if any(row[1:]))]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def _ratio_cell(results: Results, cell: Cell) -> str:
    """How many times faster we are; for a floor, how many times its time we take."""
    if cell.tool == OURS:
        return ""
    ours = cell._replace(tool=OURS)
    ratio = results.ratio(ours, cell) if cell.tool in FLOORS else results.ratio(cell, ours)
    if ratio is None:
        return "-"
    wanted = WANTED.get(cell.tool, {}).get((cell.size, cell.first))
    sign = "at most " if cell.tool in FLOORS else ""
    return f"{ratio:.2f}" + (f" ({sign}{wanted:g})" if wanted else "")


def _median_cell(value: Callable[[Run], float]) -> Callable[[Results, Cell], str]:
    def cell(results: Results, where: Cell) -> str:
        median = results.median(where, value)
        return "-" if median is None else f"{median:.2f}" if median < 20 else f"{median:.0f}"

    return cell


def _counted(results: Results) -> Iterator[str]:
    yield "|  | executions | programs, sshd's included | bytes to the host | bytes from it |"
    yield "| --- | ---: | ---: | ---: | ---: |"
    for cell, counts in sorted(results.counted.items(), key=lambda item: item[0].first):
        numbers = " | ".join(f"{number:g}" for number in counts)
        yield f"| {NAMES[cell.tool]}, {'first' if cell.first else 'no-op'} | {numbers} |"


def _growth(results: Results, tools: tuple[str, ...], counts: tuple[int, ...], start_up: StartUp) -> Iterator[str]:
    low, high = 10, 100
    what = f"controller CPU without change, slope from {low} to {high} hosts (log-log)"
    for tool in tools if {low, high} <= {*counts} else ():
        at = [results.median(Cell(tool, count, False), lambda run: run.cost.cpu) for count in (low, high)]
        if at[0] and at[1]:
            slope = math.log(at[1] / at[0]) / math.log(high / low)
            yield f"- {what}: {NAMES[tool]} {slope:.2f}"
    yield (
        f"- `fab --list`: {start_up.ours * 1000:.0f} ms; with an empty fabfile {start_up.empty * 1000:.0f} ms; "
        f"ratio {start_up.ours / start_up.empty:.2f} (at most 1.3)"
    )
