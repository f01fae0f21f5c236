"""The SSH server of one simulated host: logins, and commands piped to and from the host as sshd does it."""

from __future__ import annotations

import asyncio
import contextlib
import os
import secrets
import signal
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import asyncssh

from .host import PATH, Host
from .spec import User

CHUNK = 65536


class Login(asyncssh.SSHServer):
    """One connection."""

    def __init__(self, daemon: Daemon) -> None:
        self._daemon = daemon
        self._connection: asyncssh.SSHServerConnection | None = None
        self._user = User("")

    def connection_made(self, connection: asyncssh.SSHServerConnection) -> None:
        self._connection = connection
        self._daemon.connections.add(connection)

    def connection_lost(self, error: Exception | None) -> None:
        if self._connection:
            self._daemon.connections.discard(self._connection)

    async def begin_auth(self, username: str) -> bool:
        await asyncio.sleep(self._daemon.host.faults.stall_seconds)
        self._user = next((user for user in self._daemon.host.spec.logins if user.name == username), User(""))
        return True

    def auth_completed(self) -> None:
        self._daemon.host.counts.connections += 1

    def public_key_auth_supported(self) -> bool:
        return True

    def validate_public_key(self, username: str, key: asyncssh.SSHKey) -> bool:
        return bool(self._user.name) and self._user.key and key.public_data == self._daemon.client_key

    def password_auth_supported(self) -> bool:
        return any(user.password is not None for user in self._daemon.host.spec.logins)

    def validate_password(self, username: str, password: str) -> bool:
        return self._user.password is not None and self._user.password == password

    def connection_requested(self, dest_host: str, dest_port: int, orig_host: str, orig_port: int) -> bool:
        return True


class Daemon:
    """Listens for one host; `up` and `down` follow its boots."""

    def __init__(self, host: Host, address: str, port: int, host_key: Path, client_key: bytes) -> None:
        self.host = host
        self.connections: set[asyncssh.SSHServerConnection] = set()
        self.client_key = client_key
        self.host_key = host_key
        self.address = address
        self.port = port
        self._listener: asyncio.Server | asyncssh.SSHAcceptor | None = None
        self._raw: set[asyncio.StreamWriter] = set()

    async def up(self) -> None:
        """Open the port, unless it is open. Raises OSError when something else has it."""
        if self._listener:
            return
        if self.host.faults.silent:
            self._listener = await asyncio.start_server(self._silence, self.address, self.port)
            return
        self._listener = await asyncssh.listen(
            self.address,
            self.port,
            server_host_keys=[str(self.host_key)],
            server_factory=lambda: Login(self),
            process_factory=self._session,
            encoding=None,
            line_editor=False,
            reuse_address=True,
            compression_algs=None,
            login_timeout=30,
            gss_host=None,
            allow_scp=False,
            server_version="OpenSSH_9.2p1",
        )

    def down(self) -> None:
        if self._listener:
            self._listener.close()
            self._listener = None
        self.drop()

    def drop(self) -> None:
        """End all connections, as a crash of the host does."""
        for connection in list(self.connections):
            connection.abort()
        for writer in list(self._raw):
            writer.close()

    async def _silence(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._raw.add(writer)
        while await reader.read(CHUNK):
            pass
        self._raw.discard(writer)

    async def _session(self, process: asyncssh.SSHServerProcess[bytes]) -> None:
        command = process.command or ""
        self.host.counts.executions.append(command)
        await asyncio.sleep(self.host.faults.stall_seconds)
        user = next(user for user in self.host.spec.logins if user.name == process.get_extra_info("username"))
        await Session(self, process, user).run(command)


class Session:
    """One command: three pipes between the channel and a shell in the host."""

    def __init__(self, daemon: Daemon, process: asyncssh.SSHServerProcess[bytes], user: User) -> None:
        self._daemon = daemon
        self._host = daemon.host
        self._process = process
        self._user = user
        self._lines = 0
        self._taken = 0
        self._tail = b""
        self._seen = b""
        self._files: list[int] = []

    async def run(self, command: str) -> None:
        """Until the command has ended and its output is at its end; then the exit status is sent."""
        ours_in, theirs_in = self._pipe(writes=True)
        ours_out, theirs_out = self._pipe()
        ours_err, theirs_err = self._pipe()
        child = await asyncio.create_subprocess_exec(
            *self._host.enter(self._user), *self._shell(command),
            stdin=theirs_in, stdout=theirs_out, stderr=theirs_err, env=self._environment(), start_new_session=True,
        )  # fmt: skip
        for number in (theirs_in, theirs_out, theirs_err):
            os.close(number)
        feeding = asyncio.ensure_future(self._feed(ours_in))
        pumps: asyncio.Future[tuple[None, None]] = asyncio.gather(
            self._pump(ours_out, self._process.stdout, self._alter), self._pump(ours_err, self._process.stderr, None)
        )
        gone = asyncio.ensure_future(self._process.wait_closed())
        ends: set[asyncio.Future[Any]] = {pumps, gone}
        await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
        feeding.cancel()
        if not pumps.done():
            pumps.cancel()  # closes the pipes: the command meets SIGPIPE when it writes on
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.gather(pumps, feeding, return_exceptions=True)
        status = await child.wait()
        if not gone.done():
            gone.cancel()
            if status < 0:
                self._process.exit_with_signal(_signal_name(-status))
            else:
                self._process.exit(status)

    @staticmethod
    def _pipe(*, writes: bool = False) -> tuple[int, int]:
        """Our end and the command's end."""
        reading, writing = os.pipe()
        return (writing, reading) if writes else (reading, writing)

    def _shell(self, command: str) -> list[str]:
        words = ["/bin/sh", "-c", command] if command else ["/bin/sh"]
        if self._process.term_type:  # `ssh -t`, or somebody who looks around
            words = ["script", "-qec", command or "/bin/sh -i", "/dev/null"]
        return words if not self._user.uid else ["/bin/sh", "-c", 'cd "$HOME"; exec "$@"', "sh", *words]

    def _environment(self) -> dict[str, str]:
        name = self._user.name
        home = f"/home/{name}" if self._user.uid else "/root"
        peer = " ".join(str(part) for part in (*self._process.get_extra_info("peername")[:2],))
        here = " ".join(str(part) for part in (*self._process.get_extra_info("sockname")[:2],))
        return {
            "PATH": PATH, "HOME": home, "USER": name, "LOGNAME": name, "SHELL": "/bin/sh", "PWD": home,
            "SSH_CONNECTION": f"{peer} {here}",
        }  # fmt: skip

    async def _feed(self, number: int) -> None:
        loop = asyncio.get_running_loop()
        transport, protocol = await loop.connect_write_pipe(asyncio.streams.FlowControlMixin, os.fdopen(number, "wb"))
        writer = asyncio.StreamWriter(transport, protocol, None, loop)
        try:
            while data := await self._read():
                self._host.counts.received += len(data)
                self._taken += len(data)
                limit = self._host.faults.drop_after_bytes
                if limit is not None and self._taken > limit:
                    writer.write(data[: limit - self._taken])
                    self._daemon.drop()
                    return
                writer.write(data)
                await writer.drain()
        except (OSError, asyncssh.Error):
            pass  # the command has closed its input, or the client is gone
        finally:
            writer.close()

    async def _read(self) -> bytes:
        while True:
            try:
                return await self._process.stdin.read(CHUNK)
            except (asyncssh.BreakReceived, asyncssh.SignalReceived, asyncssh.TerminalSizeChanged):
                continue

    async def _pump(
        self, number: int, target: asyncssh.SSHWriter[bytes], alter: Callable[[bytes], bytes] | None
    ) -> None:
        loop = asyncio.get_running_loop()
        reader = asyncio.StreamReader(CHUNK)
        transport, _ = await loop.connect_read_pipe(
            lambda: asyncio.StreamReaderProtocol(reader), os.fdopen(number, "rb")
        )
        try:
            if alter and self._host.faults.prepend_output:
                target.write(self._host.faults.prepend_output.encode())
            while data := await reader.read(CHUNK):
                data = alter(data) if alter else data
                self._host.counts.sent += len(data)
                target.write(data)
                await target.drain()
                if alter:
                    self._watch(data)
                    await self._go_on(target)
        except (OSError, asyncssh.Error):
            pass  # the client is gone
        finally:
            transport.close()

    async def _go_on(self, target: asyncssh.SSHWriter[bytes]) -> None:
        """Faults after which nothing that makes sense comes any more; they end with the connection."""
        faults = self._host.faults
        if faults.freeze_at_marker and faults.freeze_at_marker.encode() in self._seen:
            await self._process.wait_closed()
        while faults.endless_output or faults.drip_seconds:
            target.write(b"x" if faults.drip_seconds else b"and so on\n" * 6000)
            await target.drain()
            await asyncio.sleep(faults.drip_seconds)

    def _alter(self, data: bytes) -> bytes:
        faults = self._host.faults
        if faults.replace_output:
            old, new = faults.replace_output
            data = data.replace(old.encode(), new.encode())
        for marker in filter(None, (faults.drop_at_marker, faults.reboot_at_marker, faults.freeze_at_marker)):
            before, found, _ = (self._tail + data).partition(marker.encode())
            if found:  # what the host has said in the same breath does not get through
                data = (before + found)[len(self._tail) :]
        return data

    def _watch(self, data: bytes) -> None:
        """Faults that come at a point of the output."""
        faults = self._host.faults
        self._lines += data.count(b"\n")
        seen, self._tail = self._tail + data, (self._tail + data)[-256:]
        self._seen = seen
        if faults.reboot_at_marker and faults.reboot_at_marker.encode() in seen:
            self._host.spawn(self._host.reboot())
        dropped = faults.drop_at_marker and faults.drop_at_marker.encode() in seen
        if dropped or (faults.drop_after_lines is not None and self._lines >= faults.drop_after_lines):
            self._daemon.drop()


def _signal_name(number: int) -> str:
    return signal.Signals(number).name.removeprefix("SIG")


def free_port(addresses: list[str]) -> int:
    """A port below the ephemeral range that is free on all addresses. Raises OSError when there is none."""
    start = 20000 + secrets.randbelow(12000)  # two fleets that start together look in different places
    for port in [*range(start, 32000), *range(20000, start)]:
        with contextlib.ExitStack() as stack:
            try:
                for address in addresses:
                    probe = stack.enter_context(socket.socket())
                    probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                    probe.bind((address, port))
            except OSError:
                continue
            return int(port)
    raise OSError("no free port between 20000 and 32000")
