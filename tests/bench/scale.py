"""`python -m tests.bench scale`: what a run costs by the number of its hosts, from one to a hundred thousand.

Real OpenSSH servers as far as one machine carries them; beyond that, hosts that answer from a recording without a
network, which shows what the controller's own part costs and whether it grows faster than the number of hosts.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from sriov import testbed
from sriov.resources.contract import Request
from sriov.run import converge as run_core
from sriov.run.converge import RunOptions
from sriov.ssh.login import Login

from . import pose
from .fleet import ROOT, BenchFleet
from .measure import become_reaper, environment, measure
from .simulated import Recorder
from .tools import Call, ours

NETWORK = "127.90"
CLUSTER = 60


def record(fleet: BenchFleet, path: Path) -> None:
    """What a bare host and one that is as wanted answer to a run."""
    bed = testbed.load(ours(fleet, 1, True).words[-1])
    requests = [Request(host, bed, host.roles) for host in bed.hosts]
    kept = {}
    os.environ["SRIOV_KNOWN_HOSTS"] = str(fleet.known_hosts)
    for kind in ("first", "no-op"):
        connect = Recorder(Login(bed).connect)
        run_core.converge(requests, connect, RunOptions(), lambda host, words: None, "r", "bench")
        kept[kind] = connect.kept
    path.write_text(json.dumps(kept))


def real(
    fleet: BenchFleet, count: int, label: str, tell: Callable[[str], None], workers: Workers | None = None
) -> None:
    fleet.reset(count)
    words = ("--engine", workers.address) if workers else ()
    spare = (fleet.pid, *(workers.pids if workers else ()))
    for kind in ("first", "no-op"):
        call = ours(fleet, count, True)
        cost = measure(Call((*call.words, *words), call.environment), spare, fleet.directory / "output")
        fleet.wait_idle(count)
        faults = [fault for host in fleet.hosts[:count] for fault in pose.faults(host.tree)]
        wrong = f" WRONG: {(faults or [cost.output])[0][-200:]}" if faults or cost.status else ""
        tell(
            f"| {count:,} | {label} | {kind} | {cost.wall:.2f} | {cost.cpu:.2f} | {cost.cpu / count * 1000:.1f} "
            f"| {cost.memory:.0f} | |{wrong}"
        )


def simulated(recording: Path, count: int, kind: str, tell: Callable[[str], None]) -> None:
    call = [sys.executable, "-m", "tests.bench.simulated", str(recording), str(count), kind]
    found = json.loads(subprocess.run(call, cwd=ROOT, env=environment(), check=True, stdout=subprocess.PIPE).stdout)
    tell(
        f"| {count:,} | simulated transport | {kind} | {found['wall']:.2f} | {found['cpu']:.2f} "
        f"| {found['cpu'] / count * 1000:.2f} | {found['peak']:.0f}, {found['peak_with_report']:.0f} with the report "
        f"| JSON {found['document_seconds']:.1f} s, {found['document_mib']:.1f} MiB; "
        f"table {found['table_seconds']:.1f} s | {' '.join(found['statuses'])}"
    )


class Workers:
    """A scheduler and three workers on loopback, without TLS: the hosts are logged in to by key."""

    def __init__(self, folder: Path, known_hosts: Path) -> None:
        self._folder = folder
        self._environment = {**environment(), "PYTHONPATH": str(ROOT), "SRIOV_KNOWN_HOSTS": str(known_hosts)}
        self._processes: list[subprocess.Popen[bytes]] = []

    @property
    def pids(self) -> tuple[int, ...]:
        return tuple(process.pid for process in self._processes)

    def __enter__(self) -> Workers:
        file = self._folder / "scheduler.json"
        self._start("dask_scheduler", "--host", "127.0.0.1", "--port", "0", "--scheduler-file", str(file))
        for _ in range(3):
            self._start("dask_worker", "--scheduler-file", str(file), "--no-nanny", "--nthreads", "20")
        client = _client(file)
        client.wait_for_workers(3, timeout=60)
        self.address = "dask://" + client.scheduler.address.partition("://")[2]
        client.close()
        return self

    def _start(self, module: str, *words: str) -> None:
        call = [sys.executable, "-m", f"distributed.cli.{module}", "--no-dashboard", *words]
        with (self._folder / "dask.log").open("ab") as log:
            self._processes.append(
                subprocess.Popen(call, cwd=self._folder, env=self._environment, stdout=log, stderr=log)
            )

    def __exit__(self, *ended: object) -> None:
        for process in reversed(self._processes):
            process.kill()
            process.wait()


def _client(scheduler_file: Path) -> Any:
    import distributed

    deadline = time.monotonic() + 60
    while not scheduler_file.exists() and time.monotonic() < deadline:
        time.sleep(0.1)
    return distributed.Client(scheduler_file=str(scheduler_file), timeout=60)


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.bench scale", description=__doc__)
    parser.add_argument("--real", default="10,100", help="numbers of OpenSSH servers (%(default)s)")
    parser.add_argument("--simulated", default="1000,10000,100000", help="numbers of simulated hosts (%(default)s)")
    parser.add_argument("--cluster", type=int, default=CLUSTER, help="OpenSSH servers for Dask; 0: none (%(default)s)")
    options = parser.parse_args(arguments)
    real_counts, many = (tuple(int(n) for n in text.split(",") if n) for text in (options.real, options.simulated))
    become_reaper()
    tell = lambda line: print(line, flush=True)  # noqa: E731
    tell(f"{os.cpu_count()} cores, load average {os.getloadavg()[0]:.1f}\n")
    tell("| hosts | who | run | wall s | controller CPU s | CPU ms a host | peak memory MiB | report |")
    tell("|---:|---|---|---:|---:|---:|---:|---|")
    with tempfile.TemporaryDirectory() as folder:
        recording = Path(folder, "recording.json")
        with BenchFleet(max(*real_counts, options.cluster, 1), NETWORK) as fleet:
            record(fleet, recording)
            for count in real_counts:
                real(fleet, count, "threads, OpenSSH", tell)
            if options.cluster:
                with Workers(Path(folder), fleet.known_hosts) as workers:
                    real(fleet, options.cluster, "Dask, 3 workers, OpenSSH", tell, workers)
        for count in many:
            for kind in ("no-op", "first"):
                simulated(recording, count, kind, tell)
    tell(f"\nload average afterwards {os.getloadavg()[0]:.1f}")
    return 0
