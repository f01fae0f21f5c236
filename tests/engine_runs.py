"""Runs whose outcomes can be compared, whoever carries out their steps."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable, Mapping
from concurrent.futures import Executor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from faults.bench import Ports

from sriov import testbed
from sriov.model import Testbed
from sriov.report.documents import document
from sriov.resources.contract import Request
from sriov.run import converge
from sriov.run.context import Event, Limits, LogEntry
from sriov.run.converge import RunOptions
from sriov.run.outcome import Outcome
from sriov.simulation import Fleet
from sriov.ssh.worker_login import WorkerLogin

LIMITS = Limits(probe=30, apply=30, reboot=40, settle=20, pause=0.1)


@dataclass(frozen=True)
class Told:
    """One run: its document and its log without times, ids and addresses, and what was told of each host by name."""

    runs: dict[str, Outcome]
    document: dict[str, Any]
    log: list[tuple[str, str, str, str]]
    words: dict[str, list[str]]


def simulated(fleet: Fleet, path: Path, ports: Ports) -> Yard:
    path.write_text(fleet.testbed({host.name: ports for host in fleet.hosts if "compute" in host.spec.roles}))
    return Yard(testbed.load(path), {host.login: host.name for host in fleet.hosts})


class Yard:
    """Runs over the hosts of a testbed; `names` are those that equal fleets have in common, by host string."""

    def __init__(self, bed: Testbed, names: Mapping[str, str]) -> None:
        self.bed = bed
        self._names = names
        self._number = 0

    def converge(
        self,
        engine: Executor | None = None,
        timeout: float = 5.0,
        at: Callable[[str, str], None] = lambda name, words: None,
        **options: Any,
    ) -> Told:
        """`at(name, words)` is called for whatever is told of a host."""
        self._number += 1
        run_id, lines = f"20260101T000000Z-{self._number:06x}", list[str]()
        words: dict[str, list[str]] = defaultdict(list)

        def watch(label: str, event: Event) -> None:
            name = self._names[label.rpartition("(")[2].rstrip(")")]
            words[name].append(event.words)
            at(name, event.words)

        def log(host: str, entry: LogEntry) -> None:
            lines.append(entry.line)

        runs = converge.converge(
            [Request(host, self.bed, host.roles) for host in self.bed.hosts],
            WorkerLogin(run_id, self.bed.key_filename, timeout),
            RunOptions(limits=LIMITS, engine=engine, **options),
            watch,
            run_id,
            f"operator@desk (pid 1, run {run_id})",
            log,
        )
        return Told({self._names[run.name]: run for run in runs}, self._document(run_id, runs), self._log(lines), words)

    def _document(self, run_id: str, runs: tuple[Outcome, ...]) -> dict[str, Any]:
        found: dict[str, Any] = dict(document("setup_all", "", run_id, runs))
        text = json.dumps({**found, "run": ""})
        for login, name in self._names.items():
            text = text.replace(login, name).replace(login.partition("@")[2], name)
        read: dict[str, Any] = json.loads(text)
        read["hosts"] = {host["host"]: {**host, "seconds": 0} for host in read["hosts"]}
        return read

    def _log(self, lines: list[str]) -> list[tuple[str, str, str, str]]:
        read = (json.loads(line) for line in lines)
        return sorted((self._names[r["host"]], r["resource"], r["target"], r["wanted"]) for r in read)
