"""The SSH server of one simulated host: its port, its key, and who may log in."""

from __future__ import annotations

import asyncio
from pathlib import Path

import asyncssh

from ..host.host import Host
from ..spec import User
from .session import CHUNK, Session


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
        await asyncio.sleep(self._daemon.host.machine.faults.stall_seconds)
        self._user = next((user for user in self._daemon.host.spec.logins if user.name == username), User(""))
        return True

    def auth_completed(self) -> None:
        self._daemon.host.machine.counts.connections += 1

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
    """Listens for one host at `address`, port `port`; `up` and `down` follow its boots. `host_key` is a private key."""

    def __init__(self, host: Host, address: str, host_key: Path, client_key: bytes) -> None:
        self.host = host
        self.connections: set[asyncssh.SSHServerConnection] = set()
        self.client_key = client_key
        self.host_key = host_key
        self.address = address
        self.port = 0
        self._listener: asyncio.Server | asyncssh.SSHAcceptor | None = None
        self._raw: set[asyncio.StreamWriter] = set()

    async def up(self) -> None:
        """Open the port, unless it is open. Raises OSError when something else has it."""
        if self._listener:
            return
        if self.host.machine.faults.silent:
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
        """Close the port and end all connections."""
        if self._listener:
            self._listener.close()
            self._listener = None
        self.drop()

    async def restart(self) -> None:
        """With the key and the faults that there are now."""
        self.down()
        await self.up()

    def change_host_key(self) -> None:
        """A new key on disk; sshd shows it from its next start on."""
        asyncssh.generate_private_key("ssh-ed25519").write_private_key(str(self.host_key))

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
        self.host.machine.counts.executions.append(command)
        await asyncio.sleep(self.host.machine.faults.stall_seconds)
        user = next(user for user in self.host.spec.logins if user.name == process.get_extra_info("username"))
        await Session(self.host, process, user, self.drop).run(command)
