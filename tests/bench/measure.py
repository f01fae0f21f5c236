"""What a command costs here: wall time, CPU time and memory of all processes that it started.

What it leaves behind (Ansible's ssh masters) is ended and counted too: this process is the reaper of its orphans.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import resource
import signal
import subprocess
import tempfile
import threading
import time
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from .tools import Call

PR_SET_CHILD_SUBREAPER = 36
LIMIT = 1800  # seconds; Ansible takes 200 on 100 hosts
ANSWER_SECONDS = 10  # seconds that orphans have to end
_PAGE = os.sysconf("SC_PAGE_SIZE")


@dataclass(frozen=True, slots=True)
class Cost:
    """Seconds and MiB. `status` is the exit code, `output` what was said, for the case that it is not 0."""

    wall: float
    cpu: float
    memory: float
    status: int
    output: str


def become_reaper() -> None:
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1)


def environment() -> dict[str, str]:
    """As on an installed machine: Python finds its compiled modules, whatever the settings here."""
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    return {"PYTHONPYCACHEPREFIX": str(Path(tempfile.gettempdir(), "sriov-bench-compiled")), **kept}


def children(pid: int) -> list[int]:
    with contextlib.suppress(OSError):
        tasks = Path(f"/proc/{pid}/task").iterdir()
        return [int(child) for task in tasks for child in (task / "children").read_text().split()]
    return []


def _tree(pid: int) -> list[int]:
    found = [pid]
    for process in found:
        found += children(process)
    return found


class _Memory(threading.Thread):
    """The most that a process and its children held at once, in bytes: what is private to each, what is shared once."""

    def __init__(self, pid: int) -> None:
        super().__init__(daemon=True)
        self._pid = pid
        self._over = threading.Event()
        self.most = 0

    def run(self) -> None:
        while not self._over.wait(0.25):
            private = shared = 0
            for pid in _tree(self._pid):
                with contextlib.suppress(OSError):
                    _, resident, common, *_ = map(int, Path(f"/proc/{pid}/statm").read_text().split())
                    private += resident - common
                    shared = max(shared, common)
            self.most = max(self.most, (private + shared) * _PAGE)

    def end(self) -> None:
        self._over.set()
        self.join()


def _cpu() -> float:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def measure(call: Call, spare: Collection[int], log: Path) -> Cost:
    """Runs a command to its end; after half an hour it is killed. `spare` are the children of this process that are not
    the command's."""
    before = _cpu()
    with log.open("w+") as said:
        begun = time.perf_counter()
        process = subprocess.Popen(
            call.words, cwd=call.folder, env={**environment(), **call.environment},
            stdin=subprocess.DEVNULL, stdout=said, stderr=subprocess.STDOUT,
        )  # fmt: skip
        memory = _Memory(process.pid)
        memory.start()
        over = threading.Timer(LIMIT, process.kill)
        over.start()
        try:
            _, status, usage = os.wait4(process.pid, 0)
        except BaseException:
            process.kill()
            raise
        finally:
            over.cancel()
        wall = time.perf_counter() - begun
        process.returncode = os.waitstatus_to_exitcode(status)
        memory.end()
        _end_orphans(spare)
        said.seek(0)
        output = said.read()
    most = max(memory.most, usage.ru_maxrss * 1024)
    return Cost(wall, _cpu() - before, most / (1 << 20), process.returncode, output)


def _end_orphans(spare: Collection[int]) -> None:
    """Asks them to end, then insists."""
    begun = time.monotonic()
    while orphans := [pid for pid in children(os.getpid()) if pid not in spare]:
        insist = time.monotonic() > begun + ANSWER_SECONDS
        for pid in orphans:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL if insist else signal.SIGTERM)
        for pid in orphans:
            with contextlib.suppress(ChildProcessError):
                os.waitpid(pid, os.WNOHANG)
        time.sleep(0.01)
