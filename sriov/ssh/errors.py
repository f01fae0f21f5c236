"""What goes wrong in a login, from paramiko's words to ours."""

from __future__ import annotations

import socket
from typing import Any

import paramiko
from fabric import Connection

from sriov.errors import ConnectError, HostError, UnreachableError, UsageError, printable
from sriov.model import Host
from sriov.ssh.host_key_options import OptionError
from sriov.ssh.host_keys import HostKeyError
from sriov.ssh.jump_hosts import JumpError

TROUBLE = (OSError, EOFError, paramiko.SSHException)
# paramiko's words for a server that says nothing when its banner is due (transport.py, `_check_banner`), or its answer
_SILENCE = ("No existing session", "Error reading SSH protocol banner", "Authentication timeout.")
_NO_CHANNEL = "Timeout opening channel."  # and for a jump host that cannot reach the next one
_IS_IT_UP = "is the host up, and does `ssh` reach it? Then run again"


class RefusedError(Exception):
    """The host speaks SSH, and refuses the login. `id`: see `sriov.errors`."""

    def __init__(self, id: str, message: str) -> None:
        super().__init__(message)
        self.id = id


def is_refusal(error: BaseException, transport: paramiko.Transport | None) -> bool:
    """paramiko has no class of its own for having neither key, agent nor password to offer, and its last word may be
    of a key file that it took for one of another kind."""
    if isinstance(error, HostKeyError) or str(error) in _SILENCE:
        return False
    asks = transport is not None and transport.is_active() and transport.initial_kex_done
    return isinstance(error, paramiko.AuthenticationException) or (asks and isinstance(error, paramiko.SSHException))


def explained(error: Exception, connection: Any, host: Host, timeout: float) -> HostError:
    """Why the login to this host failed, on this connection or on one to a jump host before it."""
    if isinstance(error, JumpError):
        return explained(error.error, error.connection, host, timeout)
    where = f"{connection.host}:{connection.port}"
    if isinstance(error, RefusedError):
        return ConnectError(
            "jump-host-refused",
            host.name,
            f"its jump host {connection.user}@{where} refused the login",
            hint="`ssh` to the jump host must work without a password",
        )
    if isinstance(error, HostKeyError):
        hint = error.hint.replace("{port}", str(connection.port)).replace("{address}", connection.host)
        return ConnectError(error.id, host.name, f"the host key of {where} {error.what}", hint=hint)
    if isinstance(error, OptionError):
        return ConnectError(error.id, host.name, str(error), hint=error.hint)
    if isinstance(error, UsageError):
        return ConnectError(error.id, host.name, error.message, hint=error.hint)
    if isinstance(error, socket.gaierror):
        return UnreachableError(
            "name-not-resolved",
            host.name,
            f"the name {connection.host} cannot be resolved",
            hint="correct the name in the testbed, or DNS",
        )
    if isinstance(connection.gateway, Connection):
        where += f" (behind {connection.gateway.host}:{connection.gateway.port})"
    if isinstance(error, TimeoutError) or str(error) == _NO_CHANNEL:
        words = f"{where} does not answer within {timeout:g} s"
        return UnreachableError("host-unreachable", host.name, words, hint=_IS_IT_UP)
    words = "it accepts the connection but sends no SSH banner or answer" if str(error) in _SILENCE else words_of(error)
    return UnreachableError("no-ssh", host.name, f"no SSH with {where}: {words}", hint=_IS_IT_UP)


def words_of(error: BaseException) -> str:
    return printable(str(error)) or type(error).__name__
