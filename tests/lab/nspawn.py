"""Hosts with real systemd, many on one machine: containers over one tree, in a network that holds loopback alone.

Their kernel is the machine's own; what they see of it is not. /sys is the project's simulated one, served by FUSE
(`sriov_numvfs` answers EBUSY and ERANGE), the kernel's command line is what their boot loader's files say.
systemd, sshd, the journal, `systemctl reboot` are real. The other half of this module is `nspawn_server.py`.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from .nspawn_tree import Tree
from .product import ALL_ROLES, CHECKOUT, Entry, Stanza, write_testbed
from .requirements import fab_program

HERE = Path(__file__).parent
FAB_SECONDS = 1800
END_SECONDS = 60


class FleetError(Exception):
    """The containers cannot run, or one of them did not do what was asked."""


def cgroup2() -> Path:
    """Where the machine's control groups (version 2) are mounted; FleetError if they are not."""
    found = re.search(r"^(?:\S+ ){4}(\S+) .* - cgroup2 ", Path("/proc/self/mountinfo").read_text(), re.MULTILINE)
    if found is None:
        raise FleetError("no cgroup2 file system is mounted: systemd-nspawn needs one")
    return Path(found[1])


def control_groups(directory: Path) -> list[Path]:
    """Those that fleets in or below that directory have made."""
    pattern = f"{_cgroup_name(directory)}*"
    return [path for place in ("", "unified/") for path in Path("/sys/fs/cgroup").glob(place + pattern)]


def _cgroup_name(directory: Path) -> str:
    """`sriov-lab-root-.cache-sriov-lab-run-123-fleet`"""
    return f"sriov-lab-{str(directory.resolve()).strip('/').replace('/', '-')}"


@dataclass(frozen=True, slots=True)
class Visit:
    """A call of `fab`: its exit code and what it printed."""

    code: int
    out: str
    err: str

    @property
    def hosts(self) -> dict[str, dict[str, Any]]:
        """Host string -> its part of the document that `--json` prints."""
        return {host["host"]: host for host in json.loads(self.out)["hosts"]}

    def __str__(self) -> str:
        """As an operator would see it; of a document only how each host ended."""
        if not self.out.startswith("{"):
            return self.out + self.err
        return (
            "".join(f"{name}: {host['status']} {host['error'] or ''}\n" for name, host in self.hosts.items()) + self.err
        )


@dataclass(frozen=True, slots=True)
class Container:
    """A host of a fleet. It is looked into without SSH, so that nothing of it counts as a login."""

    fleet: Fleet
    name: str
    address: str

    @property
    def login(self) -> str:
        """As testbeds call it."""
        return f"root@{self.address}"

    def sh(self, command: str, *, check: bool = True, content: str = "") -> subprocess.CompletedProcess[str]:
        """Run a shell command as root. With `check`, FleetError unless it ends with status 0."""
        status, output, errors = self.fleet.ask("run", [self], command=command, content=content)
        if check and status != 0:
            raise FleetError(f"{self.name}: status {status} of: {command}\n{output}{errors}")
        return subprocess.CompletedProcess(command, status, output, errors)

    def out(self, command: str) -> str:
        """What a shell command prints, without blanks at the ends."""
        return self.sh(command).stdout.strip()

    def read(self, path: str) -> bytes:
        return self.sh(f"cat {path}").stdout.encode("latin-1")

    def write(self, path: str, content: bytes) -> None:
        """Put bytes into a file; an existing one keeps its owner and mode."""
        self.sh(f"cat > {path}", content=content.decode("latin-1"))

    def boot_id(self) -> str:
        return self.out("cat /proc/sys/kernel/random/boot_id")

    def absences(self) -> list[tuple[float, float]]:
        """When it was away, by its own record: from the begin of each shutdown until SSH was served again."""
        words = [line.split() for line in self.read("/var/log/lab-life").decode().splitlines()]
        times = {kind: [float(at) for name, at in words if name == kind] for kind in ("up", "down")}
        return list(zip(times["down"], times["up"][1:], strict=True))


class Fleet:
    """Containers from one tree. A context manager: at its end, whatever the end, nothing of them is left."""

    def __init__(self, tree: Tree, names: Iterable[str], directory: Path) -> None:
        self.tree = tree
        self.directory = directory
        self.hosts = tuple(
            Container(self, name, f"127.0.{1 + number // 200}.{1 + number % 200}") for number, name in enumerate(names)
        )
        self._lock = threading.Lock()
        self._process: subprocess.Popen[str] | None = None
        self._testbeds = 0

    def __getitem__(self, name: str) -> Container:
        return next(host for host in self.hosts if host.name == name)

    def __enter__(self) -> Self:
        self.directory.mkdir(parents=True)
        try:
            self._launch()
            self.renew(*self.hosts)
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _launch(self) -> None:
        cgroup = cgroup2() / _cgroup_name(self.directory)
        hosts = {host.name: host.address for host in self.hosts}
        plan = {"tree": str(self.tree.path), "cgroup": str(cgroup), "hosts": hosts}
        (self.directory / "plan.json").write_text(json.dumps(plan))
        keeper = ["sh", str(HERE / "nspawn-keep.sh"), str(cgroup), str(64 + 16 * len(hosts))]
        namespaces = ["unshare", "--mount", "--pid", "--net", "--fork", "--kill-child", "--mount-proc"]
        server = [sys.executable, "-m", f"{__package__}.nspawn_server", str(self.directory)]
        root = HERE.parents[__package__.count(".")]
        with open(self.directory / "server.log", "w") as log:
            self._process = subprocess.Popen(
                [*keeper, "setpriv", "--pdeathsig", "KILL", *namespaces, "--propagation", "private", *server],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                start_new_session=True,  # Ctrl-C is for the owner; the keeper ends when its input does
                env={**os.environ, "PYTHONPATH": f"{root}{os.pathsep}{CHECKOUT}", "PYTHONWARNINGS": "ignore"},
            )
        self._answer()

    def stop(self) -> None:
        """End every process, mount and control group of the fleet, and its files."""
        if self._process is not None:
            assert self._process.stdin is not None
            assert self._process.stdout is not None
            with contextlib.suppress(BrokenPipeError):
                self._process.stdin.close()
            self._process.stdout.close()
            self._process.wait(END_SECONDS)
            self._process = None
        shutil.rmtree(self.directory, ignore_errors=True)

    # -- verbs -------------------------------------------------------------------------------------------------

    def renew(self, *hosts: Container) -> None:
        """These hosts as they were installed, booted, SSH served."""
        self.ask("renew", hosts)
        self.settle(*hosts)

    def power_on(self, *hosts: Container) -> None:
        """Boot hosts that are down, SSH served."""
        self.ask("start", hosts)
        self.settle(*hosts)

    def stay_down(self, *hosts: Container) -> None:
        """The next reboot of these hosts is a power-off."""
        self.ask("stays_down", hosts)

    def settle(self, *hosts: Container) -> None:
        """Wait until systemd has done all that a boot does."""
        for host in hosts:
            host.sh("systemctl is-system-running --wait", check=False)

    def boots(self) -> dict[str, int]:
        """Name -> how often it has booted since it was installed."""
        found: dict[str, int] = self.ask("boots", self.hosts)
        return found

    def ask(self, verb: str, hosts: Sequence[Container], **arguments: object) -> Any:
        """One verb of the server. FleetError with its reason."""
        with self._lock:
            assert self._process is not None
            assert self._process.stdin is not None
            request = {"verb": verb, "hosts": [host.name for host in hosts], **arguments}
            self._process.stdin.write(json.dumps(request) + "\n")
            self._process.stdin.flush()
            return self._answer()

    def _answer(self) -> Any:
        assert self._process is not None
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise FleetError(f"the containers' server ended:\n{(self.directory / 'server.log').read_text()[-2000:]}")
        answer = json.loads(line)
        if "error" in answer:
            raise FleetError(answer["error"])
        return answer["result"]

    # -- the operator ------------------------------------------------------------------------------------------

    def testbed(
        self, hosts: Iterable[Container], entries: Sequence[Entry], roles: Sequence[str] = ALL_ROLES, more: str = ""
    ) -> Path:
        """A testbed file of these hosts, each with the same entries; in a folder of its own."""
        self._testbeds += 1
        stanzas = [Stanza(host.login, self._known(host), self.tree.key, entries, roles) for host in hosts]
        return write_testbed(self.directory / f"testbed{self._testbeds}", stanzas, more)

    def _known(self, host: Container) -> str:
        return "".join(f"{host.address} {key}\n" for key in self.tree.host_keys)

    def start_fab(self, *words: str, testbed: Path) -> subprocess.Popen[str]:
        """Begin a call of `fab` inside the fleet's network; `end_fab` waits for it."""
        print(f"$ fab {' '.join(words)}")
        kept = {name: os.environ[name] for name in ("PATH", "LANG", "TMPDIR") if name in os.environ}
        config = testbed.with_name("ssh_config")
        config.touch()
        own = {
            "HOME": str(testbed.parent),
            "SRIOV_KNOWN_HOSTS": str(testbed.with_name("known_hosts")),
            "SRIOV_SSH_CONFIG": str(config),
        }
        enter = ["setpriv", "--pdeathsig", "KILL", "nsenter", f"--net=/proc/{self._server_pid()}/ns/net"]
        return subprocess.Popen(
            [*enter, str(fab_program()), *words, "--testbed", str(testbed), "--timeout", "60"],
            cwd=CHECKOUT,
            env=kept | own,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def end_fab(self, process: subprocess.Popen[str]) -> Visit:
        """The answer of a call that was begun."""
        out, err = process.communicate(timeout=FAB_SECONDS)
        visit = Visit(process.returncode, out, err)
        print(f"{visit}[exit code {visit.code}]")
        return visit

    def fab(self, *words: str, testbed: Path) -> Visit:
        """A call of `fab`, to its end."""
        return self.end_fab(self.start_fab(*words, testbed=testbed))

    def _server_pid(self) -> int:
        """The keeper's child is `unshare`, and its child the server."""
        assert self._process is not None
        pid = self._process.pid
        for _ in range(2):
            pid = int(Path(f"/proc/{pid}/task/{pid}/children").read_text().split()[0])
        return pid
