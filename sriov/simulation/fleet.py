"""The fleet as its owner sees it: start, stop, look at the hosts, switch faults. The hosts run in `server`."""

from __future__ import annotations

import contextlib
import importlib.util
import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from ..errors import SriovError, UsageError
from . import poses
from .simulated_host import SimulatedHost
from .spec import HostSpec
from .texts import ssh_config, testbed

PACKAGE_PARENT = Path(__file__).parent.parent.parent


class Fleet:
    """Hosts on loopback. A context manager; `directory` None takes a temporary one that `stop` removes."""

    def __init__(self, specs: Iterable[HostSpec], directory: str | Path | None = None) -> None:
        self._specs = tuple(specs)
        if not self._specs or len({spec.name for spec in self._specs}) != len(self._specs):
            raise UsageError("a fleet needs hosts, each with a name of its own")
        self._directory = Path(directory).absolute() if directory else None
        self._temporary = directory is None
        self._process: subprocess.Popen[str] | None = None
        self._lock = threading.Lock()
        self.hosts: tuple[SimulatedHost, ...] = ()

    @property
    def directory(self) -> Path:
        if self._directory is None:
            raise UsageError("the fleet was not started")
        return self._directory

    @property
    def key_path(self) -> Path:
        """The private key that every login with `key` accepts."""
        return self.directory / "id_ed25519"

    @property
    def known_hosts_path(self) -> Path:
        return self.directory / "known_hosts"

    @property
    def ssh_config_path(self) -> Path:
        """For OpenSSH's `-F`: each host by its name."""
        return self.directory / "ssh_config"

    def __getitem__(self, name: str) -> SimulatedHost:
        for host in self.hosts:
            if host.name == name:
                return host
        raise UsageError(
            f"the fleet has no host {name!r}", hint=f"one of {', '.join(host.name for host in self.hosts)}"
        )

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def start(self) -> None:
        """All hosts are up and answer when this returns. Raises SriovError where this machine cannot do it."""
        check_machine()
        if self._directory is None:
            self._directory = Path(tempfile.mkdtemp(prefix="sriov-fleet-"))
        try:
            self._prepare()
            self._launch()
        except BaseException:
            self.stop()
            raise

    def _prepare(self) -> None:
        is_root = os.geteuid() == 0
        self.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        for name in ("hosts", "sys"):  # of a fleet that was killed here
            shutil.rmtree(self.directory / name, ignore_errors=True)
        for spec in self._specs:
            lay(spec, self.directory / "hosts" / spec.name, is_root=is_root)
        config = {
            "is_root": is_root,
            "temporary": self._temporary,
            "hosts": [spec.to_json() for spec in self._specs],
        }
        (self.directory / "fleet.json").write_text(json.dumps(config))

    def _launch(self) -> None:
        words = ["unshare", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc", "--propagation", "private"]
        if os.geteuid() != 0:
            words += ["--user", "--map-root-user"]
        path = os.pathsep.join([str(PACKAGE_PARENT), os.environ.get("PYTHONPATH", "")]).rstrip(os.pathsep)
        with open(self.directory / "server.log", "wb") as log:
            self._process = subprocess.Popen(
                [*words, "--", sys.executable, "-m", "sriov.simulation.server", str(self.directory)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                start_new_session=True,  # Ctrl-C is for the owner; the server ends when its stdin does
                env={**os.environ, "PYTHONPATH": path, "PYTHONWARNINGS": "ignore"},
            )
        ready = self._exchange(None)
        self.hosts = tuple(
            SimulatedHost(self, spec, ready["addresses"][spec.name], ready["port"]) for spec in self._specs
        )
        self.ssh_config_path.write_text(ssh_config(self.hosts, self.directory))

    def _exchange(self, request: Mapping[str, object] | None) -> Any:
        process = self._process
        if process is None or process.stdin is None or process.stdout is None:
            raise SriovError("the simulated fleet is not running")
        with self._lock, contextlib.suppress(BrokenPipeError):
            if request is not None:
                process.stdin.write(json.dumps(request) + "\n")
                process.stdin.flush()
            line = process.stdout.readline()
            if line:
                answer = json.loads(line)
                if "error" in answer:
                    raise SriovError(answer["error"])
                return answer["result"]
        log = (self.directory / "server.log").read_text("utf-8", "replace").strip()
        raise SriovError(
            f"the simulated fleet has ended: {log.splitlines()[-1] if log else 'no reason told'}",
            hint="it needs root, or a kernel that allows user namespaces (kernel.unprivileged_userns_clone, AppArmor)",
        )

    def call(self, host: str, verb: str, arguments: Mapping[str, object]) -> Any:
        return self._exchange({"host": host, "verb": verb, "arguments": arguments})

    def stop(self) -> None:
        """End every process and mount of the fleet; remove its directory if it is a temporary one."""
        process, self._process = self._process, None
        if process:
            with contextlib.suppress(BrokenPipeError):
                if process.stdin:
                    process.stdin.close()
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
            if process.stdout:
                process.stdout.close()
        if self._directory:
            for name in ("hosts", "sys"):
                shutil.rmtree(self._directory / name, ignore_errors=True)
            if self._temporary:
                shutil.rmtree(self._directory, ignore_errors=True)
                self._directory = None

    def testbed(self, sriov: Mapping[str, Sequence[Mapping[str, object]]]) -> str:
        """Text of a testbed file: roles as the hosts have them, `env.sriov` from host name -> its list."""
        return testbed(self.hosts, sriov, self.key_path)


def check_machine() -> None:
    """Raises SriovError that says what to install where a part is missing."""
    if importlib.util.find_spec("asyncssh") is None:
        raise SriovError("the simulation needs the Python package asyncssh", hint="pip install 'sriov-fab[simulation]'")
    for tool in ("unshare", "nsenter", "setpriv"):
        if shutil.which(tool) is None:
            raise SriovError(f"the simulation needs the program {tool}", hint="install the package util-linux")
    if not os.access("/dev/fuse", os.R_OK | os.W_OK):
        raise SriovError(
            "the simulation needs /dev/fuse, readable and writable",
            hint="modprobe fuse; in a container: --device /dev/fuse --cap-add SYS_ADMIN",
        )


def lay(spec: HostSpec, tree: Path, *, is_root: bool) -> None:
    """Write the files of a host below `tree`; owners only as root."""
    for item in poses.files(spec):
        path = tree / item.path.lstrip("/")
        path.parent.mkdir(parents=True, exist_ok=True)
        if item.folder:
            path.mkdir(exist_ok=True)
        elif item.link:
            path.symlink_to(item.link)
        else:
            path.write_bytes(item.content)
        if not item.link:
            path.chmod(item.mode)
            if is_root:
                os.chown(path, item.uid, item.gid)
    for path_text, content in spec.files.items():
        if content is None:
            (tree / path_text.lstrip("/")).unlink(missing_ok=True)
    for name in ("mnt", "mnt-local", "packages"):
        (tree / name).mkdir(exist_ok=True)
    if spec.roles:
        (tree / "packages" / poses.egg_info(spec)).mkdir(exist_ok=True)
    for name in ("ld.so.cache", "ld.so.conf"):
        with contextlib.suppress(OSError):
            shutil.copy(f"/etc/{name}", tree / "etc" / name)
    with contextlib.suppress(OSError):  # /usr/bin/awk and others lead through it
        shutil.copytree("/etc/alternatives", tree / "etc/alternatives", symlinks=True)
