"""`python -m tests.bench.simulated RECORDING COUNT first|no-op`: a run over hosts that answer without a network.

The recording is what one host of the benchmark answered. Everything else is the product: plans, scripts, threads,
report, screen. Prints one line of JSON. A process of its own, so that its memory is its own.
"""

from __future__ import annotations

import io
import json
import os
import re
import resource
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from sriov.model import Host, PhysicalFunction, Role, Testbed
from sriov.report import documents as report
from sriov.report import screen
from sriov.resources.contract import Request
from sriov.run import converge as run_core
from sriov.run.converge import RunOptions
from sriov.transport import Execution, Script, Session

from .pose import NUM_VFS, PORTS

NONCE = "@NONCE@"
FUNCTIONS = tuple(PhysicalFunction(NUM_VFS, (physnet,), interface=name) for name, (_, physnet) in PORTS.items())


def nonce_of(script: Script) -> bytes:
    found = re.search(rb"^nonce='?([0-9a-f]{32})", script.text, re.MULTILINE)
    assert found is not None
    return found[1]


@dataclass
class Recorder:
    """A Connect that keeps what each execution answered, in order."""

    connect: Callable[[Host], Session]
    kept: list[str] = field(default_factory=list)

    def __call__(self, host: Host) -> Session:
        return _Recorded(self.connect(host), self.kept)


@dataclass
class _Recorded:
    session: Session
    kept: list[str]

    def start(self, script: Script) -> Execution:
        return _Listening(self.session.start(script), nonce_of(script), self.kept)

    def wait_closed(self, seconds: float) -> None:
        self.session.wait_closed(seconds)

    def close(self) -> None:
        self.session.close()


@dataclass
class _Listening:
    execution: Execution
    nonce: bytes
    kept: list[str]

    def read(self, stop: bytes, idle: float, on_data: Callable[[bytes], None] | None = None) -> bytes:
        output = self.execution.read(stop, idle, on_data)
        self.kept.append(output.replace(self.nonce, NONCE.encode()).decode("latin-1"))
        return output

    def answer(self, text: bytes) -> None:
        self.execution.answer(text)


@dataclass
class Replayed:
    """A session and its executions: answer after answer of a recording."""

    answers: list[bytes]
    at: int = 0
    nonce: bytes = b""

    def start(self, script: Script) -> Execution:
        self.nonce = nonce_of(script)
        return self

    def read(self, stop: bytes, idle: float, on_data: Callable[[bytes], None] | None = None) -> bytes:
        output = self.answers[self.at].replace(NONCE.encode(), self.nonce)
        self.at += 1
        if on_data:
            on_data(output)
        return output

    def answer(self, text: bytes) -> None: ...

    def wait_closed(self, seconds: float) -> None: ...

    def close(self) -> None: ...


def main() -> None:
    recording, count, kind = Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
    answers = [text.encode("latin-1") for text in json.loads(recording.read_text())[kind]]
    hosts = tuple(
        Host(f"root@h{n}", f"h{n}", "root", roles=frozenset({Role.COMPUTE}), physical_functions=FUNCTIONS)
        for n in range(count)
    )
    bed = Testbed("simulated", hosts)
    requests = [Request(host, bed, host.roles) for host in hosts]
    empty = _memory()
    begun, cpu = time.perf_counter(), time.process_time()
    with screen.Progress(io.StringIO()) as progress:
        runs = run_core.converge(requests, lambda host: Replayed(answers), RunOptions(), progress.told, "r", "bench")
    wall, used = time.perf_counter() - begun, time.process_time() - cpu
    statuses = {run.status.value for run in runs}
    at_work = _peak()
    begun = time.perf_counter()
    text = json.dumps(report.document("setup_all", "", "r", runs), indent=2)
    as_json = time.perf_counter() - begun
    begun = time.perf_counter()
    with open(os.devnull, "w") as null:
        screen.show_outcome(runs, screen.printer(null))
    as_table = time.perf_counter() - begun
    print(
        json.dumps(
            {
                "statuses": sorted(statuses), "wall": wall, "cpu": used, "before": empty, "peak": at_work,
                "document_seconds": as_json, "document_mib": len(text) / (1 << 20), "table_seconds": as_table,
                "peak_with_report": _peak(),
            }
        )
    )  # fmt: skip


def _memory() -> float:
    """MiB of this process now."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / (1 << 20)


def _peak() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


if __name__ == "__main__":
    main()
