"""The fleet's own process: all hosts, their sshds and the one FUSE mount, on one asyncio loop.

It is the first process of its own pid and mount namespace, so when it ends, in whatever way, the kernel ends
every process of every host and undoes every mount. It ends when its stdin does: then its owner is gone.
Protocol: one JSON document a line, `{"host", "verb", "arguments"}` in, `{"result"}` or `{"error"}` out.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import errno
import json
import os
import shutil
import signal
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import asyncssh

from ..errors import SriovError
from .fuse import Server, mount, unmount
from .host import PATH, Host
from .spec import Faults, HostSpec
from .sshd import Daemon, free_port
from .tree import Directory


class Hosts:
    """The running hosts, by name."""

    def __init__(self, folder: Path, specs: list[HostSpec], *, is_root: bool) -> None:
        self._folder = folder
        root = Directory()
        mountpoint = folder / "sys"
        mountpoint.mkdir(exist_ok=True)
        try:
            device = mount(str(mountpoint))
        except OSError as error:
            raise SriovError(
                f"no FUSE file system can be mounted: {error.strerror}",
                hint="it needs a readable and writable /dev/fuse (modprobe fuse; in a container: --device /dev/fuse)",
            ) from None
        Server(device, root)
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
            asyncssh.generate_private_key("ssh-ed25519").write_private_key(str(key))
            self.daemons[name] = Daemon(host, self.addresses[name], 0, key, client.public_data)
        await self._listen()
        self.write_known_hosts()
        for name, host in self.hosts.items():
            host.on_network = self._follower(name)
        await asyncio.gather(*(host.boot() for host in self.hosts.values()))

    async def _listen(self) -> None:
        """One port for all; another one where somebody takes it while we look."""
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

    def _follower(self, name: str) -> Any:
        daemon, host = self.daemons[name], self.hosts[name]

        def follow(up: bool) -> None:
            if up:
                host.spawn(daemon.up())
            else:
                daemon.down()

        return follow

    def write_known_hosts(self) -> None:
        lines = []
        for name, daemon in self.daemons.items():
            public = asyncssh.read_private_key(str(daemon.host_key)).export_public_key().decode().split()
            lines.append(f"[{self.addresses[name]}]:{self.port} {public[0]} {public[1]}\n")
        (self._folder / "known_hosts").write_text("".join(lines))

    # --- verbs ---

    async def call(self, name: str, verb: str, arguments: Mapping[str, Any]) -> Any:
        """One verb of one host; the result is plain JSON. Raises SriovError."""
        host, daemon = self.hosts[name], self.daemons[name]
        match verb:
            case "report":
                return host.report() | {"pid": host.pid}
            case "run":
                return await self._run(host, str(arguments["command"]))
            case "faults":
                return await self._faults(host, daemon, Faults.from_json(arguments))
            case "hold":
                await host.holders.hold(
                    arguments["interface"], arguments["index"], arguments["kind"], arguments["name"]
                )
            case "release":
                await host.holders.release(arguments["interface"], arguments["index"], arguments["name"])
            case "reboot":
                host.spawn(host.reboot())
            case "host_key":
                asyncssh.generate_private_key("ssh-ed25519").write_private_key(str(daemon.host_key))
                daemon.down()
                await daemon.up()
            case "drop":
                daemon.drop()
            case "restart":
                await host.manager.stop(arguments["unit"])
                return await host.manager.start(arguments["unit"])
            case "reset":
                host.counts.connections, host.counts.sent, host.counts.received = 0, 0, 0
                host.counts.executions.clear()
        return None

    @staticmethod
    async def _run(host: Host, command: str) -> dict[str, Any]:
        process = await asyncio.create_subprocess_exec(
            *host.enter(), "/bin/sh", "-c", command,
            stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
            env={"PATH": PATH, "HOME": "/root", "USER": "root"},
        )  # fmt: skip
        output, errors = await process.communicate()
        return {"status": process.returncode, "output": output.decode("latin-1"), "errors": errors.decode("latin-1")}

    @staticmethod
    async def _faults(host: Host, daemon: Daemon, faults: Faults) -> None:
        was_silent = host.faults.silent
        await host.set_faults(faults)
        if faults.silent != was_silent and host.is_up:
            daemon.down()
            await daemon.up()


async def serve(folder: Path) -> None:
    """Until stdin ends or SIGTERM comes."""
    config = json.loads((folder / "fleet.json").read_text())
    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader(1 << 24)
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin.buffer)
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        loop.add_signal_handler(number, reader.feed_eof)
    hosts = Hosts(folder, [HostSpec.from_json(spec) for spec in config["hosts"]], is_root=config["is_root"])
    await hosts.start()
    say({"result": {"port": hosts.port, "addresses": hosts.addresses, "pid": os.getpid()}})
    while line := await reader.readline():
        request = json.loads(line)
        try:
            result = await hosts.call(request["host"], request["verb"], request["arguments"])
        except (SriovError, OSError) as error:
            say({"error": str(error)})
        else:
            say({"result": result})


def say(document: Mapping[str, Any]) -> None:
    sys.stdout.write(json.dumps(document, default=_plain) + "\n")
    sys.stdout.flush()


def _plain(value: object) -> object:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return dataclasses.asdict(value)
    raise TypeError(type(value).__name__)


def main() -> None:
    folder = Path(sys.argv[1])
    signal.pthread_sigmask(signal.SIG_SETMASK, ())  # what an owner has blocked would be blocked in every host
    temporary = json.loads((folder / "fleet.json").read_text())["temporary"]
    if sys.version_info < (3, 12):  # later versions wait for children through pidfds by themselves
        asyncio.set_child_watcher(asyncio.PidfdChildWatcher())
    try:
        asyncio.run(serve(folder))
    except SriovError as error:
        say({"error": str(error)})
    finally:
        unmount(str(folder / "sys"))
        for leftover in (folder / "hosts", folder / "sys", *([folder] if temporary else [])):
            shutil.rmtree(leftover, ignore_errors=True)  # the owner does it too; it may have been killed
        with contextlib.suppress(OSError):
            sys.stdout.flush()
        os._exit(0)  # what still hangs in a host ends with this process


if __name__ == "__main__":
    main()
