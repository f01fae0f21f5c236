"""The open sessions of a process, by host: what stays open from one phase of a host to the next."""

from __future__ import annotations

import threading
from typing import NamedTuple

from sriov.transport import Execution, Session


class Waiting(NamedTuple):
    """An execution that waits for the word to reboot; `nonce` marks its sections."""

    execution: Execution
    nonce: str


class Sessions:
    """At most one session a host. Any thread may close them: a thread that reads from one then gets an error."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._open: dict[str, Session] = {}
        self._waiting: dict[str, Waiting] = {}

    def keep(self, host: str, session: Session) -> None:
        with self._lock:
            self._open[host] = session

    def of(self, host: str) -> Session | None:
        return self._open.get(host)

    def keep_waiting(self, host: str, waiting: Waiting) -> None:
        with self._lock:
            self._waiting[host] = waiting

    def take_waiting(self, host: str) -> Waiting | None:
        with self._lock:
            return self._waiting.pop(host, None)

    def close(self, host: str) -> None:
        """An execution that waits is told that no reboot comes."""
        with self._lock:
            waiting, session = self._waiting.pop(host, None), self._open.pop(host, None)
        if waiting is not None:
            waiting.execution.answer(b"")
        if session is not None:
            session.close()

    def close_all(self) -> None:
        """At once, with no last word to anybody: the end of its input means no to an execution that waits."""
        with self._lock:
            sessions = tuple(self._open.values())
            self._open.clear()
            self._waiting.clear()
        for session in sessions:
            session.close()
