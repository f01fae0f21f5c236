"""Runs of the library over a simulated fleet, in this process: bounds of time are chosen, and a fault can come at a
chosen moment, for the one who watches is told of each step before the host goes on."""

from __future__ import annotations

import subprocess
import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from sriov import testbed
from sriov.facts.model import checksum
from sriov.resources.contract import Request
from sriov.run import converge, lock_owner
from sriov.run.context import Event, Limits, LogEntry
from sriov.run.converge import RunOptions
from sriov.run.outcome import Outcome
from sriov.simulation import Fleet, SimulatedHost
from sriov.ssh.login import Login

Ports = Sequence[Mapping[str, object]]
Tree = dict[str, bytes]
SEVEN: Ports = ({"interface": "eth0", "VF": 7, "physnets": ["physnet1"]},)
SHORT = Limits(probe=30, apply=30, reboot=40, settle=20, pause=0.1)
KEPT = ("/etc", "/boot", "/var")
OURS = "/var/lib/sriov"


class Bench:
    """`testbed(host name -> its entries)` once, then runs. `events` holds what was told of each host, in order."""

    def __init__(self, fleet: Fleet, folder: Path) -> None:
        self.fleet = fleet
        self.known_hosts = fleet.known_hosts_path
        self.path = folder / "testbed.py"
        self.events: list[tuple[str, str]] = []
        self.log: list[str] = []
        self._names = {host.login_of(user): host.name for host in fleet.hosts for user in ("root", "ops")}
        self.who = _ended_controller()
        self._lock = threading.Lock()
        self._run = 0

    def __getstate__(self) -> dict[str, object]:
        """What a run needs, for a process that cannot have the fleet."""
        return {name: value for name, value in vars(self).items() if name not in ("fleet", "_lock")}

    def __setstate__(self, state: dict[str, object]) -> None:
        vars(self).update(state, _lock=threading.Lock())

    def write(self, sriov: Mapping[str, Ports], users: Mapping[str, str] | None = None) -> None:
        text = self.fleet.testbed(sriov)
        for name, user in (users or {}).items():
            text = text.replace(repr(self.fleet[name].login), repr(self.fleet[name].login_of(user)))
        self.path.write_text(text)

    def converge(
        self,
        *names: str,
        limits: Limits = SHORT,
        at: Callable[[str, str], None] = lambda name, words: None,
        request: Callable[[Request], Request] = lambda request: request,
        timeout: float = 5.0,
        who: str = "",
        **options: object,
    ) -> dict[str, Outcome]:
        """A run over these hosts, or all; `at(host name, words)` is called from the thread of each host."""
        bed = testbed.load(self.path)
        chosen = [host for host in bed.hosts if not names or self._names[host.name] in names]
        requests = [request(Request(host, bed, host.roles)) for host in chosen]
        self._run += 1

        def watch(label: str, event: Event) -> None:
            name = label.split(" (")[0]
            with self._lock:
                self.events.append((name, event.words))
            at(name, event.words)

        def log(host: str, entry: LogEntry) -> None:
            self.log.append(entry.line)

        login = Login(bed, timeout=timeout)
        runs = converge.converge(
            requests,
            login.connect,
            RunOptions(limits=limits, **options),  # type: ignore[arg-type]
            watch,
            f"20260101T000000Z-{self._run:06x}",
            who or self.who,
            log,
        )
        return {self._names[run.name]: run for run in runs}

    def repeat(self) -> None:
        """The next run is another attempt of the last one."""
        self._run -= 1

    def look(self, *names: str) -> dict[str, Outcome]:
        bed = testbed.load(self.path)
        chosen = [host for host in bed.hosts if not names or self._names[host.name] in names]
        requests = [Request(host, bed, host.roles) for host in chosen]
        runs = converge.look(requests, Login(bed).connect, RunOptions(limits=SHORT), lambda label, event: None)
        return {self._names[run.name]: run for run in runs}


def _ended_controller() -> str:
    """Each run of a bench is as one of a process of its own, which has ended when the next one begins."""
    process = subprocess.Popen(["true"])
    process.wait()
    return str(lock_owner.here("r")._replace(pid=process.pid))


def tree(host: SimulatedHost) -> Tree:
    """Every file and link that outlives a boot, but the product's own records."""
    found: Tree = {}
    root = host.path("/")
    for folder in KEPT:
        for path in host.path(folder).rglob("*"):
            name = f"/{path.relative_to(root)}"
            if name.startswith(OURS):
                continue
            if path.is_symlink():
                found[name] = b"-> " + str(path.readlink()).encode()
            elif path.is_file():
                found[name] = path.read_bytes()
    return found


def torn(now: Tree, *allowed: Tree) -> list[str]:
    """The files that are as in none of the allowed states."""
    names = {name for state in (now, *allowed) for name in state}
    return sorted(name for name in names if now.get(name) not in [state.get(name) for state in allowed])


def leftovers(host: SimulatedHost) -> list[str]:
    """Temporary files, and the lock if somebody holds it."""
    found = host.run("find / -xdev -name '*.sriov-new' 2>/dev/null; find /etc /var /run /boot -name '*.sriov-new'")
    files = sorted(set(found.stdout.decode().split()))
    held = host.run("test ! -e /run/sriov/lock || flock -n /run/sriov/lock true").returncode
    return files + (["lock"] if held else [])


def untrue_lines(host: SimulatedHost) -> list[str]:
    """Lines of a run's manifest whose file is not as that run left it, or whose copy is not as it was before."""
    untrue = []
    for manifest in host.path("/var/lib/sriov/runs").glob("*/manifest"):
        for line in manifest.read_text().splitlines():
            number, before, after, path = line.split(" ", 3)
            now, copy = host.path(path), manifest.parent / number
            if _sum(now) != after or _sum(copy) != before:
                untrue.append(line)
    return untrue


def _sum(path: Path) -> str:
    return checksum(path.read_bytes() if path.exists() else None)
