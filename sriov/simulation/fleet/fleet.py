"""A fleet of simulated hosts: start and stop it, find its hosts and the files that lead a client to them."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from ...errors import UsageError
from ..disk.installation import install
from ..spec import HostSpec
from .client_files import ssh_config, testbed
from .requirements import check_machine
from .server_process import ServerProcess
from .simulated_host import SimulatedHost


class Fleet:
    """Hosts on loopback. A context manager; `directory` None takes a temporary one that `stop` removes."""

    def __init__(self, specs: Iterable[HostSpec], directory: str | Path | None = None) -> None:
        self._specs = tuple(specs)
        if not self._specs or len({spec.name for spec in self._specs}) != len(self._specs):
            raise UsageError("simulation-call", "a fleet needs hosts, each with a name of its own")
        self._directory = Path(directory).absolute() if directory else None
        self._temporary = directory is None
        self._server: ServerProcess | None = None
        self.hosts: tuple[SimulatedHost, ...] = ()

    @property
    def directory(self) -> Path:
        if self._directory is None:
            raise UsageError("simulation-call", "the fleet was not started")
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
            "simulation-call",
            f"the fleet has no host {name!r}",
            hint=f"one of {', '.join(host.name for host in self.hosts)}",
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
            install(spec, self.directory / "hosts" / spec.name, is_root=is_root)
        config = {
            "is_root": is_root,
            "temporary": self._temporary,
            "hosts": [spec.to_json() for spec in self._specs],
        }
        (self.directory / "fleet.json").write_text(json.dumps(config))

    def _launch(self) -> None:
        self._server = ServerProcess(self.directory)
        ready = self._server.start()
        self.hosts = tuple(
            SimulatedHost(self._server, spec, ready["addresses"][spec.name], ready["port"]) for spec in self._specs
        )
        self.ssh_config_path.write_text(ssh_config(self.hosts, self.directory))

    def stop(self) -> None:
        """End every process and mount of the fleet; remove its directory if it is a temporary one."""
        if self._server:
            self._server.stop()
        if self._directory:
            for name in ("hosts", "sys"):
                shutil.rmtree(self._directory / name, ignore_errors=True)
            if self._temporary:
                shutil.rmtree(self._directory, ignore_errors=True)
                self._directory = None

    def testbed(self, sriov: Mapping[str, Sequence[Mapping[str, object]]]) -> str:
        """Text of a testbed file: roles as the hosts have them, `env.sriov` from host name -> its list."""
        return testbed(self.hosts, sriov, self.key_path)
