"""Jump hosts, as `ProxyJump` of `~/.ssh/config` names them: one login on each, for all who go through it."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

from fabric import Connection


class HostConnection(Connection):  # type: ignore[misc] # fabric has no types
    """Fabric's, with jump hosts in the order of ssh_config(5): the first one named is the first one met."""

    # Fabric assigns it in its constructor; undeclared, it would be written into the configuration that all
    # connections share, and merging that again while another thread reads it makes its keys vanish for a while
    inline_ssh_env = True

    def get_gateway(self) -> Any:
        jumps = self.ssh_config.get("proxyjump")
        if jumps is None:
            return super().get_gateway()
        gateway = None
        for jump in jumps.split(",") if jumps.lower() != "none" else ():
            jump = jump.strip().removeprefix("ssh://")
            if self.derive_shorthand(jump)["host"] in (self.original_host, self.host):
                return None  # `Host *` has a ProxyJump: it is not for the jump host itself
            gateway = HostConnection(jump, config=self.config.clone(), gateway=gateway)
        return gateway


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

    def through(self, jump: Any) -> Any:
        """An open connection to that jump host. Raises JumpError."""
        with self._lock:
            login = self._logins.setdefault(f"{jump.user}@{jump.host}:{jump.port}", _Login(jump))
        login.open(self._dial)
        return login.connection

    def close(self) -> None:
        for login in self._logins.values():
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
