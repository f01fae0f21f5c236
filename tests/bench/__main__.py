"""`python -m tests.bench`: start a fleet, let the tools run in turn, write docs/performance.md.

`python -m tests.bench scale` prints what a run costs by the number of hosts (docs/scale.md).
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from . import document, rounds, scale
from .fleet import ROOT, BenchFleet
from .measure import become_reaper, environment
from .tools import BIN, TOOLS


def start_up(times: int) -> document.StartUp:
    """`fab --list` of both fabfiles in turn."""
    with tempfile.TemporaryDirectory() as empty:
        Path(empty, "fabfile.py").write_text("")
        found: dict[str, list[float]] = {str(ROOT): [], empty: []}
        for _ in range(times):
            for folder, seconds in found.items():
                begun = time.perf_counter()
                subprocess.run([BIN / "fab", "--list"], cwd=folder, env=environment(), capture_output=True, check=False)
                seconds.append(time.perf_counter() - begun)
    ours, without = map(statistics.median, found.values())
    return document.StartUp(ours, without)


def main() -> int:
    if sys.argv[1:2] == ["scale"]:
        return scale.main(sys.argv[2:])
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="1 and 10 hosts, one round, nothing is written")
    parser.add_argument("--hosts", default="1,10,50,100", help="numbers of hosts, separated by commas")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--tools", default=",".join(TOOLS), help="of: %(default)s")
    parser.add_argument("--ansible-hosts", type=int, default=100, help="Ansible only up to so many hosts (%(default)s)")
    parser.add_argument("--output", type=Path, default=ROOT / "docs/performance.md", help="where the result goes")
    options = parser.parse_args()
    counts = (1, 10) if options.quick else tuple(int(count) for count in options.hosts.split(","))
    tools = tuple(options.tools.split(","))
    turns = 1 if options.quick else options.rounds
    become_reaper()
    load = os.getloadavg()[0]
    results = rounds.Results()
    with BenchFleet(max(counts)) as fleet:
        rounds.warm_up(fleet, results, tools)
        for count in counts:
            rounds.play(
                fleet, results, tools, count, turns, options.ansible_hosts, lambda line: print(line, flush=True)
            )
    text = document.text(results, counts, turns, start_up(3 * turns), (load, os.getloadavg()[0]))
    print(text.partition("## Measured\n")[2])
    if not options.quick:
        options.output.parent.mkdir(exist_ok=True)
        options.output.write_text(text)
    return 1 if any(results.faults()) else 0


if __name__ == "__main__":
    sys.exit(main())
