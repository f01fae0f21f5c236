"""The hosts of a fleet with their SSH servers: keys, addresses, the port that they share, the mount of their /sys."""

from __future__ import annotations

import asyncio
import errno
import os
from collections.abc import Callable
from pathlib import Path

import asyncssh

from ...errors import SriovError
from ..host.host import Host
from ..spec import HostSpec
from ..tree import fuse
from ..tree.nodes import Directory
from .daemon import Daemon
from .free_port import free_port


class Hosts:
    """The running hosts, by name."""

    def __init__(self, folder: Path, specs: list[HostSpec], *, is_root: bool) -> None:
        self._folder = folder
        root, mountpoint = Directory(), folder / "sys"
        _serve(root, mountpoint)
        self.hosts = {
            spec.name: Host(spec, folder / "hosts" / spec.name, root, mountpoint, is_root=is_root) for spec in specs
        }
        self.daemons: dict[str, Daemon] = {}
        self.addresses = {spec.name: f"127.77.{index >> 8}.{index & 255}" for index, spec in enumerate(specs, 1)}
        self.port = 0

    async def start(self) -> None:
        """Keys, ports, then all hosts side by side."""
        client = asyncssh.generate_private_key("ssh-ed25519", "simulated fleet")
        client.write_private_key(str(self._folder / "id_ed25519"))
        client.write_public_key(str(self._folder / "id_ed25519.pub"))
        os.chmod(self._folder / "id_ed25519", 0o600)
        for name, host in self.hosts.items():
            key = self._folder / "hosts" / name / "ssh_host_ed25519_key"
            self.daemons[name] = Daemon(host, self.addresses[name], key, client.public_data)
            self.daemons[name].change_host_key()
        await self._listen()
        self._write_known_hosts()
        for name, host in self.hosts.items():
            host.on_network = _follower(host, self.daemons[name])
        await asyncio.gather(*(host.boot() for host in self.hosts.values()))

    async def _listen(self) -> None:
        """One port for all; another one if another process takes it in between."""
        while True:
            self.port = free_port(list(self.addresses.values()))
            try:
                for daemon in self.daemons.values():
                    daemon.port = self.port
                    await daemon.up()
            except OSError as error:
                if error.errno != errno.EADDRINUSE:
                    raise
                for daemon in self.daemons.values():
                    daemon.down()
            else:
                return

    def _write_known_hosts(self) -> None:
        lines = []
        for name, daemon in self.daemons.items():
            public = asyncssh.read_private_key(str(daemon.host_key)).export_public_key().decode().split()
            lines.append(f"[{self.addresses[name]}]:{self.port} {public[0]} {public[1]}\n")
        (self._folder / "known_hosts").write_text("".join(lines))


def _serve(root: Directory, mountpoint: Path) -> None:
    """Mount `root`. Raises SriovError where this machine allows no FUSE."""
    mountpoint.mkdir(exist_ok=True)
    try:
        device = fuse.mount(str(mountpoint))
    except OSError as error:
        raise SriovError(
            "simulation-requirement",
            f"no FUSE file system can be mounted: {error.strerror}",
            hint="it needs a readable and writable /dev/fuse (modprobe fuse; in a container: --device /dev/fuse)",
        ) from None
    fuse.Server(device, root)


def _follower(host: Host, daemon: Daemon) -> Callable[[bool], None]:
    def follow(up: bool) -> None:
        if up:
            host.spawn(daemon.up())
        else:
            daemon.down()

    return follow
