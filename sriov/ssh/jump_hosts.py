"""Jump hosts, as `ProxyJump` of `~/.ssh/config` names them: one login on each, for all who go through it."""

from __future__ import annotations

import contextlib
import re
import threading
import weakref
from collections.abc import Callable
from typing import Any

from fabric import Connection

_HOP = re.compile(
    r"(?:ssh://)?(?:(?P<user>.+)@)?(?:\[(?P<inner>[^\]]+)\]|(?P<host>[^:/]+|[0-9a-f:]+))(?::(?P<port>\d+))?/?",
    re.IGNORECASE,
)


class HostConnection(Connection):  # type: ignore[misc] # fabric has no types
    """Fabric's, with jump hosts as in ssh_config(5): the first one named is the first one met."""

    # Fabric assigns it in its constructor; undeclared, it would be written into the configuration that all
    # connections share, and merging that again while another thread reads it makes its keys vanish for a while
    inline_ssh_env = True

    def __init__(self, host: str, user: str | None = None, **more: Any) -> None:
        login = getattr(more["config"].base_ssh_config, "login", None)
        before = getattr(login, "user", None)
        if login is not None:
            login.user = user  # for `Match user`; a jump host is made within, for a user of its own
        try:
            super().__init__(host, user=user, **more)
        finally:
            if login is not None:
                login.user = before

    def resolve_connect_kwargs(self, connect_kwargs: Any) -> dict[str, Any]:
        # given none, Fabric writes each host's `IdentityFile` into that configuration, where they pile up
        own = {"allow_agent": True, **self.config.connect_kwargs, **(connect_kwargs or {})}
        return dict(super().resolve_connect_kwargs(own))

    def get_gateway(self) -> Any:
        """Of `ProxyJump` and `ProxyCommand` the one that comes first counts, and `none` is none."""
        jumps = self.ssh_config.get("proxyjump", "none")
        first = next((key for key in self.ssh_config if key in ("proxyjump", "proxycommand")), "")
        if first == "proxycommand" or jumps.lower() == "none":
            return self.ssh_config.get("proxycommand", self.config.gateway)
        gateway = None
        for jump in jumps.split(","):
            hop = _HOP.fullmatch(jump.strip())
            if hop is None:
                raise ValueError(f"ProxyJump {jump}")
            host, user, port = hop["inner"] or hop["host"], hop["user"], int(hop["port"] or 0)
            if self._is(host, user, port):
                return None  # what `Host *` says is not for the jump host itself
            gateway = HostConnection(host, user=user, port=port or None, config=self.config, gateway=gateway)
        return gateway

    def _is(self, host: str, user: str | None, port: int) -> bool:
        return host in (self.original_host, self.host) and user in (None, self.user) and port in (0, self.port)


class JumpError(Exception):
    """The login on a jump host failed: `connection` to it, and the `error` that came of it."""

    def __init__(self, connection: Any, error: Exception) -> None:
        super().__init__(str(error))
        self.connection = connection
        self.error = error


class JumpHosts:
    """Each is logged in to once, by `dial`; who comes while that is tried shares its outcome, good or bad."""

    def __init__(self, dial: Callable[[Any], None]) -> None:
        self._dial = dial
        self._lock = threading.Lock()
        self._logins: dict[str, _Login] = {}
        weakref.finalize(self, _close, self._logins)

    def through(self, jump: Any) -> Any:
        """An open connection to that jump host. Raises JumpError."""
        with self._lock:
            login = self._logins.setdefault(_route(jump), _Login(jump))
        login.open(self._dial)
        return login.connection


def _route(jump: Any) -> str:
    """A jump host and all that is before it: the same address behind another one is another host."""
    before = jump.gateway
    return f"{_route(before) if isinstance(before, Connection) else before} {jump.user}@{jump.host}:{jump.port}"


def _close(logins: dict[str, _Login]) -> None:
    for login in logins.values():
        with contextlib.suppress(Exception):
            login.connection.close()


class _Login:
    def __init__(self, connection: Any) -> None:
        self.connection = connection
        self._lock = threading.Lock()
        self._tried = 0  # times
        self._failure: JumpError | None = None

    def open(self, dial: Callable[[Any], None]) -> None:
        before = self._tried
        with self._lock:
            if self.connection.is_connected:
                return
            if self._failure is not None and self._tried > before:
                raise JumpError(self._failure.connection, self._failure.error)
            self._failure = None
            try:
                dial(self.connection)
            except JumpError as failure:
                self._failure = failure
                raise
            except Exception as error:
                self._failure = JumpError(self.connection, error)
                raise self._failure from None
            finally:
                self._tried += 1
