"""`python -m tests.bench`: start a fleet, let the tools run in turn, write docs/performance.md.

`python -m tests.bench scale` prints what a run costs by the number of hosts (docs/scale.md).

`python -m tests.bench --against REV` writes nothing and needs no peers: it checks REV out into a temporary git
worktree, lets it and the working tree run in turn, and prints, for each number of hosts and for the first run and the
one without change, the ratio of wall times after/before with its 95 % interval, and what a host was asked for.
Exit code 1 if a whole interval lies above 1.05 ("SLOWER"), if executions, programs or bytes (by more than 2 %) of a
host grew, or if a run did not do the job; 2 if there is no such revision; else 0.
"""

from __future__ import annotations

import argparse
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from . import against, document, rounds, scale
from .checkout import UnknownRevisionError
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


def parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(
        prog="python -m tests.bench", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    made.add_argument("--against", metavar="REV", help="compare the working tree with this git revision instead")
    made.add_argument("--quick", action="store_true", help="1 and 10 hosts, one round (with --against 5)")
    made.add_argument("--hosts", help="numbers of hosts, separated by commas (1,10,50,100; with --against 1,10,100)")
    made.add_argument("--rounds", type=int, help="how many (3; with --against 15)")
    tools = made.add_argument_group("without --against")
    tools.add_argument("--tools", default=",".join(TOOLS), help="of: %(default)s")
    tools.add_argument("--ansible-hosts", type=int, default=100, help="Ansible up to so many hosts (%(default)s)")
    tools.add_argument("--output", type=Path, default=ROOT / "docs/performance.md", help="where the result goes")
    pairs = made.add_argument_group("with --against")
    pairs.add_argument("--many-rounds", type=int, default=5, help="rounds with more than 10 hosts (%(default)s)")
    return made


def with_peers(options: argparse.Namespace) -> int:
    counts = _numbers("1,10" if options.quick else options.hosts or "1,10,50,100")
    tools = tuple(options.tools.split(","))
    turns = 1 if options.quick else options.rounds or 3
    load = os.getloadavg()[0]
    results = rounds.Results()
    with BenchFleet(max(counts)) as fleet:
        rounds.warm_up(fleet, results, tools)
        for count in counts:
            rounds.play(fleet, results, tools, count, turns, options.ansible_hosts, tell)
    text = document.text(results, counts, turns, start_up(3 * turns), (load, os.getloadavg()[0]))
    print(text.partition("## Measured\n")[2])
    if not options.quick:
        options.output.parent.mkdir(exist_ok=True)
        options.output.write_text(text)
    return 1 if any(results.faults()) else 0


def with_revision(options: argparse.Namespace) -> int:
    counts = _numbers(options.hosts or ("1,10" if options.quick else "1,10,100"))
    plan = against.Plan(counts, options.rounds or (5 if options.quick else 15), options.many_rounds)
    try:
        outcome = against.compare(options.against, plan, tell)
    except UnknownRevisionError as error:
        print(error, file=sys.stderr)
        return 2
    for line in against.text(outcome):
        print(line)
    return 0 if outcome.is_good else 1


def _numbers(text: str) -> tuple[int, ...]:
    return tuple(int(count) for count in text.split(","))


def tell(line: str) -> None:
    print(line, flush=True)


def main() -> int:
    if sys.argv[1:2] == ["scale"]:
        return scale.main(sys.argv[2:])
    options = parser().parse_args()
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda number, frame: sys.exit(128 + number))  # so that nothing stays behind
    become_reaper()
    return with_revision(options) if options.against else with_peers(options)


if __name__ == "__main__":
    sys.exit(main())
