"""What a run needs of a way to a host: a login with root, scripts that run there, their output. Protocols only.

`sriov.ssh` is the way that the product takes; a test's stand-in is another. Nothing here knows SSH.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple, Protocol

from sriov.model import Host


class Script(NamedTuple):
    """`text` runs in sh; `payload` follows on its standard input."""

    text: bytes
    payload: bytes = b""


class Execution(Protocol):
    """A script that runs on a host."""

    def read(self, stop: bytes, idle: float, on_data: Callable[[bytes], None] | None = None) -> bytes:
        """Its output until `stop` appears or it ends; HostError after `idle` seconds of silence."""

    def answer(self, text: bytes) -> None:
        """One line on its standard input, which then ends."""


class Session(Protocol):
    """A login on a host, with root."""

    def start(self, script: Script) -> Execution:
        """Runs a script; UnreachableError if the connection has broken."""

    def wait_closed(self, seconds: float) -> None:
        """Until the other side ends the connection, as a reboot does, or so many seconds."""

    def close(self) -> None:
        """Ends the login; more than once does no harm."""


Connect = Callable[[Host], Session]
"""Logs in to a host; HostError says why it cannot."""
