"""A fleet of OpenSSH servers on loopback, each with a file tree, an address and a host key of its own."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

from . import pose

ROOT = Path(__file__).parent.parent.parent
PORT = 22622
LIMIT = 300  # seconds for all hosts to start, or to end
_TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class BenchHost:
    name: str
    address: str
    pid: int
    host_key: str  # as in known_hosts: type and base64

    @property
    def tree(self) -> Path:
        """The host's files, from here."""
        return Path(f"/proc/{self.pid}/root")

    def cpu_seconds(self) -> float:
        """CPU time of all processes of the host that have ended, and of its sshd (proc_pid_stat(5), fields 14-17)."""
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return sum(map(int, fields[11:15])) / _TICKS

    def is_idle(self) -> bool:
        """Whether no one is logged in, and nothing runs that a login left behind."""
        return not _children(self.pid)

    def open_processes(self) -> list[str]:
        """What runs below the host's sshd: process id and command line of each, parents first."""
        waiting, found = _children(self.pid), []
        while waiting:
            pid = waiting.pop(0)
            waiting += _children(pid)
            try:
                words = Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
            except OSError:
                continue  # it has ended meanwhile
            found.append(f"{pid} {' '.join(words.split())[:200] or '(ended, not yet reaped)'}")
        return found


class BenchFleet:
    """Context manager; `hosts` run inside it, in `network` of the loopback range: two fleets need two.

    RuntimeError if a host does not come up.
    """

    def __init__(self, size: int, network: str = "127.88") -> None:
        self._size = size
        self._network = network
        self.hosts: tuple[BenchHost, ...] = ()

    def __enter__(self) -> BenchFleet:
        self._folder = tempfile.TemporaryDirectory(prefix="sriov-bench-")
        self.directory = Path(self._folder.name)
        self.key = self.directory / "key"
        _make_key(self.key)
        plans = [self._plan(number) for number in range(self._size)]
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.bench.hosts"],
            cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        self.pid = self._process.pid
        over = threading.Timer(LIMIT, self._process.kill)
        over.start()
        try:
            self._begin(plans)
        except BaseException:
            self.__exit__(None, None, None)
            raise
        finally:
            over.cancel()
        return self

    def _begin(self, plans: list[dict[str, str]]) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(plans) + "\n")
        self._process.stdin.flush()
        hosts = []
        for plan in plans:
            name, pid = self._process.stdout.readline().split() or ("nobody", "failed")
            if pid == "failed":
                raise RuntimeError(f"host {plan['name']} did not start: {name}")
            key = Path(plan["keys"], "host_key.pub").read_text().split()
            hosts.append(BenchHost(name, plan["address"], int(pid), " ".join(key[:2])))
        self.hosts = tuple(hosts)
        for host in self.hosts:
            _wait_for_port(host.address)
        self._grub_cfg = (self.hosts[0].tree / pose.GRUB_CFG).read_bytes()
        self.known_hosts = self.directory / "known_hosts"
        self.known_hosts.write_text("".join(f"[{h.address}]:{PORT} {h.host_key}\n" for h in self.hosts))

    def _plan(self, number: int) -> dict[str, str]:
        name = f"host{number + 1}"
        root, keys = self.directory / name, self.directory / f"{name}-keys"
        root.mkdir()
        keys.mkdir()
        _make_key(keys / "host_key")
        (keys / "authorized_keys").write_text(self.key.with_suffix(".pub").read_text())
        address = f"{self._network}.{number // 200}.{number % 200 + 1}"
        return {"name": name, "root": str(root), "keys": str(keys), "address": address, "port": str(PORT)}

    def reset(self, count: int) -> None:
        """The first `count` hosts are bare again."""
        for host in self.hosts[:count]:
            pose.reset(host.tree, self._grub_cfg)

    def wait_idle(self, count: int, limit: float = 30) -> None:
        """Until the logins of the last run have ended, so that their time is counted and disturbs no later one.

        Raises RuntimeError after `limit` seconds, with what still runs on which host.
        """
        deadline = time.monotonic() + limit
        while busy := [host for host in self.hosts[:count] if not host.is_idle()]:
            if time.monotonic() > deadline:
                open_there = "".join(f"\n{host.name}: {'; '.join(host.open_processes())}" for host in busy)
                raise RuntimeError(f"logins stay open on the hosts after {limit:g} s:{open_there}")
            time.sleep(0.02)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._process.stdin:
            self._process.stdin.close()
        try:
            self._process.wait(LIMIT)
        except subprocess.TimeoutExpired:
            self._process.kill()  # the hosts die with it
            self._process.wait()
        if self._process.stdout:
            self._process.stdout.close()
        self._folder.cleanup()


def _children(pid: int) -> list[int]:
    try:
        return [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except (FileNotFoundError, ProcessLookupError):
        return []  # it has ended


def _make_key(path: Path) -> None:
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "bench", "-f", str(path)], check=True)


def _wait_for_port(address: str) -> None:
    deadline = time.monotonic() + 30
    while True:
        try:
            socket.create_connection((address, PORT), 1).close()
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.02)
        else:
            return
