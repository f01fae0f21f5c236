"""How a guest is reached: its SSH server on 127.0.0.1, one key, known host keys, one connection that commands share."""

from __future__ import annotations

import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

CONNECT_SECONDS = 60


@dataclass(frozen=True, slots=True)
class Login:
    """A guest's SSH server on 127.0.0.1, the key that it lets in, and a file with the only host keys to accept."""

    port: int
    key: Path
    known_hosts: Path

    def command(self, user: str, *options: str) -> list[str]:
        """`ssh` with all it needs but the remote command; nothing of the operator's configuration plays a part."""
        settings = {
            "BatchMode": "yes",
            "ConnectTimeout": "30",
            "IdentitiesOnly": "yes",
            "LogLevel": "ERROR",
            "ServerAliveInterval": "30",
            "StrictHostKeyChecking": "yes",
            "UserKnownHostsFile": str(self.known_hosts),
        }
        arguments = ["-F", "none", "-i", str(self.key)]
        for name, value in settings.items():
            arguments += ["-o", f"{name}={value}"]
        return ["ssh", *arguments, *options, "-p", str(self.port), f"{user}@127.0.0.1"]


class Connection:
    """root's connection to a guest, opened at the first command and shared: under emulation a login takes 1.5 s."""

    SOCKET = "connection"  # relative to the directory: the path of a socket has little room

    def __init__(self, login: Login, directory: Path) -> None:
        self._login = login
        self._directory = directory
        self._master: subprocess.Popen[bytes] | None = None

    def run(self, command: str, content: bytes = b"", *, timeout: float) -> subprocess.CompletedProcess[bytes]:
        """Run a command with that standard input. Status 255 where there is no connection; TimeoutExpired."""
        if self._master is None or self._master.poll() is not None:
            self._open()
        return subprocess.run(
            [*self._login.command("root", "-S", self.SOCKET), command],
            cwd=self._directory,
            input=content,
            capture_output=True,
            timeout=timeout,
            check=False,
        )

    def close(self) -> None:
        """Forget the connection; the next command opens another."""
        if self._master is not None:
            self._master.kill()
            self._master.wait()
            self._master = None
        (self._directory / self.SOCKET).unlink(missing_ok=True)

    def _open(self) -> None:
        """Start ssh as the keeper of the connection; where it cannot connect, commands will say so themselves."""
        self.close()
        self._master = subprocess.Popen(
            ["setpriv", "--pdeathsig", "KILL", *self._login.command("root", "-M", "-N", "-S", self.SOCKET)],
            cwd=self._directory,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        deadline = time.monotonic() + CONNECT_SECONDS
        while self._master.poll() is None and time.monotonic() < deadline:
            if (self._directory / self.SOCKET).exists():
                return
            time.sleep(0.05)
