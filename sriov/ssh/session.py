"""A session with a host and the scripts that run in it. Scripts go through the channel itself, not through Fabric's
runner, which moves some 95 bytes a second."""

from __future__ import annotations

import contextlib
import secrets
import socket
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from sriov.errors import ConnectError, HostError, UnreachableError, printable
from sriov.model import Host, Secret
from sriov.ssh.errors import TROUBLE, words_of
from sriov.transport import Execution, Script

OUTPUT_LIMIT = 64 << 20  # bytes of one execution; a host that sends more is cut off
_GREETING_LIMIT = 64 << 10  # characters before sudo has begun
_PATIENCE = 10  # times the silence that is borne: so long may an answer take that comes drop by drop
_TALKER = "does its login shell print without end?"


class _Answered(threading.Event):
    """The word that a channel waits for. Left to itself paramiko waits for it for ever: on a host that freezes in
    this moment, or that goes in the very moment before."""

    def __init__(self, patience: float) -> None:
        super().__init__()
        self._patience = patience

    def wait(self, timeout: float | None = None) -> bool:
        if not super().wait(self._patience if timeout is None else timeout):
            raise TimeoutError
        return True


@dataclass(eq=False, repr=False)
class SshSession:
    host: Host
    connection: Any
    needs_sudo: bool
    password: Callable[[], Secret | None]
    patience: float

    def start(self, script: Script) -> Execution:
        # in braces, for of a text that arrives cut off the shell would run what it has of it; so it runs nothing
        text = b"{\n" + script.text + b"\n}\n"
        inner = f'eval "$(head -c {len(text)})"'
        try:
            channel = self.connection.transport.open_session(timeout=self.patience)
            channel.event = _Answered(self.patience)
            channel.settimeout(self.patience)
            channel.set_combine_stderr(True)
            if self.needs_sudo:
                self._become_root(channel, inner)
            else:
                channel.exec_command(f"exec sh -c '{inner}'")
            execution = _SshExecution(self.host, channel)
            channel.sendall(text + script.payload)
        except TimeoutError:
            words = f"nothing was heard from it for {self.patience:g} s"
            raise UnreachableError("no-answer", self.host.name, words) from None
        except TROUBLE as error:
            words = f"the connection broke: {words_of(error)}"
            raise UnreachableError("connection-lost", self.host.name, words) from None
        return execution

    def _become_root(self, channel: Any, inner: str) -> None:
        """sudo asks on standard error and reads standard input; nothing is sent before it is clear who reads."""
        prompt, ready = f"password-{secrets.token_hex(8)}:", f"root-{secrets.token_hex(8)}"
        channel.exec_command(f"exec sudo -S -p '{prompt}' -- sh -c 'echo {ready}; {inner}'")
        seen, asked = "", False
        while ready not in seen:
            data = channel.recv(4096)
            seen += data.decode(errors="replace")
            if not data or seen.count(prompt) > 1 or len(seen) > _GREETING_LIMIT:
                raise self._no_root(seen.replace(prompt, " "), asked)
            if prompt in seen and not asked:
                password = self.password()
                if password is None:
                    channel.close()
                    raise ConnectError(
                        "sudo-password",
                        self.host.name,
                        f"no root: sudo asks {self.connection.user} for a password",
                        hint="put it into env.passwords, run from a terminal to be asked, or allow NOPASSWD",
                    )
                asked = True
                channel.sendall(password.reveal().encode() + b"\n")

    def _no_root(self, said: str, asked: bool) -> ConnectError:
        words = " ".join(printable(said).split())[-200:] or "sudo ended without a word"
        is_wrong = asked and "try again" in words
        reason = "sudo refused the password" if is_wrong else f"sudo says: {words}"
        return ConnectError(
            "sudo-password-wrong" if is_wrong else "no-root",
            self.host.name,
            f"no root and no sudo for {self.connection.user}: {reason}",
            hint=f"log in as root, or allow {self.connection.user} to run sh with sudo",
        )

    def wait_closed(self, seconds: float) -> None:
        deadline = time.monotonic() + seconds
        while self.connection.transport.is_active() and time.monotonic() < deadline:
            time.sleep(0.05)

    def close(self) -> None:
        with contextlib.suppress(Exception):
            # else paramiko's thread notices the end at its next look, up to 100 ms later, and is waited for
            self.connection.transport.sock.shutdown(socket.SHUT_RDWR)
        with contextlib.suppress(Exception):
            self.connection.close()


@dataclass(eq=False, repr=False)
class _SshExecution:
    host: Host
    channel: Any
    _seen: bytearray = field(default_factory=bytearray)

    def read(self, stop: bytes, idle: float, on_data: Callable[[bytes], None] | None = None) -> bytes:
        self.channel.settimeout(idle)
        end = time.monotonic() + _PATIENCE * idle
        while stop not in self._seen[-len(stop) - 32768 :]:
            try:
                data = self.channel.recv(32768)
            except TimeoutError:
                words = f"nothing was heard from it for {idle:g} s"
                raise UnreachableError("no-answer", self.host.name, words) from None
            if not data:
                break
            self._seen += data
            if on_data:
                on_data(data)
            if time.monotonic() > end:
                words = f"it did not end within {_PATIENCE * idle:g} s"
                raise UnreachableError("endless-answer", self.host.name, words)
            if len(self._seen) > OUTPUT_LIMIT:
                self.channel.close()
                words = f"it sent more than {OUTPUT_LIMIT >> 20} MiB and was cut off"
                raise HostError("endless-answer", self.host.name, words, hint=_TALKER)
        return bytes(self._seen)

    def answer(self, text: bytes) -> None:
        with contextlib.suppress(*TROUBLE):
            self.channel.sendall(text)
            self.channel.shutdown_write()
