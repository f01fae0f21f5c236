"""An operator who types `fab` in the checkout, with simulated hosts to work on, and what that did to them."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

from sriov.simulation import Fleet, HostSpec, SimulatedHost

# what a shell starts in the background ignores Ctrl-C, and so would every `fab` that is started here
signal.signal(signal.SIGINT, signal.default_int_handler)

# a change is judged by the same examples each time; who runs the tests by hand explores further ones
settings.register_profile("ci", derandomize=True)
if os.environ.get("CI"):
    settings.load_profile("ci")

CHECKOUT = Path(__file__).parent.parent
FAB = Path(sys.executable).with_name("fab")
KEPT = ("PATH", "LANG", "COVERAGE_PROCESS_CONFIG")  # of the environment, for `fab`
PRIVATE = ("boot", "etc", "home", "opt", "root", "run", "tmp", "var")

Sriov = Mapping[str, Sequence[Mapping[str, object]]]
Tree = Mapping[str, tuple[int, ...]]


def tree(host: SimulatedHost) -> Tree:
    """All that a write would leave a trace in: owner, mode, inode, size, times of content and of inode.

    No content: whatever changes it moves the time of the inode too, and a run takes longer than the clock's tick.
    """
    found: dict[str, tuple[int, ...]] = {}
    folders = [str(host.path(folder)) for folder in PRIVATE]
    for folder in folders:
        found[folder] = _trace(os.lstat(folder))
    while folders:
        with os.scandir(folders.pop()) as entries:
            for entry in entries:
                found[entry.path] = _trace(entry.stat(follow_symlinks=False))
                if entry.is_dir(follow_symlinks=False):
                    folders.append(entry.path)
    return found


def _trace(at: os.stat_result) -> tuple[int, ...]:
    return at.st_mode, at.st_uid, at.st_gid, at.st_ino, at.st_size, at.st_mtime_ns, at.st_ctime_ns


def starts(host: SimulatedHost) -> dict[str, int]:
    """How often each packaged service has started."""
    return {name.removesuffix(".service"): service["starts"] for name, service in host.services.items()}


@dataclass(frozen=True)
class Visit:
    """One call of `fab`: its answer, and by host name what it cost and did."""

    code: int
    out: str
    err: str
    connections: Mapping[str, int]
    executions: Mapping[str, int]
    reboots: Mapping[str, int]
    touched: frozenset[str]
    restarted: Mapping[str, tuple[str, ...]]

    @property
    def said(self) -> str:
        return self.out + self.err

    @property
    def document(self) -> dict[str, Any]:
        read: dict[str, Any] = json.loads(self.out)
        return read


class Operator:
    """At home in `folder`, with its own ~/.ssh; its testbed stands there too."""

    def __init__(self, fleet: Fleet, folder: Path) -> None:
        self.fleet = fleet
        self.home = folder
        self.bed = folder / "testbed.py"
        (folder / ".ssh").mkdir(mode=0o700)
        shutil.copy(fleet.known_hosts_path, folder / ".ssh/known_hosts")

    def write(self, sriov: Sriov, more: str = "") -> None:
        """The testbed: all hosts of the fleet with their roles, this `env.sriov`, and further lines."""
        self.bed.write_text(self.fleet.testbed(sriov) + more)

    def fab(self, *words: str, testbed: bool = True, typed: str = "", **environment: Any) -> Visit:
        hosts = self.fleet.hosts
        trees, boots = [tree(host) for host in hosts], [len(host.boots) for host in hosts]
        started = [starts(host) for host in hosts]
        for host in hosts:
            host.reset_counts()
        call = [str(FAB), *words, *(("--testbed", str(self.bed)) if testbed else ())]
        kept = {name: os.environ[name] for name in KEPT if name in os.environ}
        answer = subprocess.run(
            call,
            cwd=CHECKOUT,
            env=kept | {"HOME": str(self.home), "PYTHONDONTWRITEBYTECODE": "1"} | environment,
            input=typed,
            capture_output=True,
            text=True,
            timeout=120,
            start_new_session=True,  # no terminal to ask at
        )
        return Visit(
            answer.returncode,
            answer.stdout,
            answer.stderr,
            {host.name: host.connections for host in hosts},
            {host.name: len(host.executions) for host in hosts},
            {host.name: len(host.boots) - before for host, before in zip(hosts, boots, strict=True)},
            frozenset(host.name for host, before in zip(hosts, trees, strict=True) if tree(host) != before),
            {
                host.name: tuple(sorted(name for name, count in starts(host).items() if count != before.get(name, 0)))
                for host, before in zip(hosts, started, strict=True)
            },
        )


@pytest.fixture(scope="module")
def hosts() -> tuple[HostSpec, ...]:
    """The hosts of the module's fleet; a module says which by a fixture of this name."""
    return (HostSpec("compute1"),)


@pytest.fixture(scope="module")
def fleet(hosts: tuple[HostSpec, ...]) -> Iterator[Fleet]:
    with Fleet(hosts) as running:
        yield running


@pytest.fixture(scope="module")
def operator(fleet: Fleet, tmp_path_factory: pytest.TempPathFactory) -> Operator:
    return Operator(fleet, tmp_path_factory.mktemp("operator"))
