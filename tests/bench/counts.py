"""What a run starts on the hosts and exchanges with them, counted by the kernel and by sshd.

Needs root and the first pid and network namespace, so it does not work inside a container.
"""

from __future__ import annotations

import contextlib
import subprocess
from collections.abc import Iterable, Sequence
from types import TracebackType
from typing import NamedTuple

from . import pose
from .fleet import PORT, BenchHost
from .kernel_events import (
    EXEC,
    EXIT,
    FORK,
    IGNORE,
    Ended,
    ProcEvent,
    ended_socket,
    proc_event,
    process_events,
    socket_events,
    tell,
    waiting,
)

QUIET = 0.3  # seconds; sockets are told of by a work queue, a little later than they end
STARTED = b"\nStarting session: "


class Counts(NamedTuple):
    """Of one run and one host: SSH executions, the mean of all hosts; programs, sshd's own included, and TCP payload,
    both of the host with the least.

    The least, for all hosts do the same and chance only adds: a script that crosses the end of a second touches a file
    once more, and a busy host splits its output into more packets.
    """

    executions: float
    programs: int
    bytes_to: int
    bytes_from: int

    def least(self, other: Counts) -> Counts:
        return Counts(
            min(self.executions, other.executions),
            min(self.programs, other.programs),
            min(self.bytes_to, other.bytes_to),
            min(self.bytes_from, other.bytes_from),
        )


def programs(roots: Iterable[int], events: Iterable[ProcEvent]) -> dict[int, int]:
    """How many programs each of the processes `roots`, and all that came of it, started."""
    found = dict.fromkeys(roots, 0)
    root_of = {root: root for root in found}
    for event in events:
        if event.what == FORK and event.parent in root_of:
            root_of[event.pid] = root_of[event.parent]
        elif event.what == EXIT:
            root_of.pop(event.pid, None)
        elif event.what == EXEC and event.pid in root_of:
            found[root_of[event.pid]] += 1
    return found


def traffic(addresses: Iterable[str], ended: Iterable[Ended]) -> dict[str, tuple[int, int]]:
    """Bytes to and from the SSH port of each address."""
    found = dict.fromkeys(addresses, (0, 0))
    for one in ended:
        if one.port == PORT and one.address in found:
            to, back = found[one.address]
            found[one.address] = (to + one.received, back + one.sent)
    return found


class Counter:
    """Context manager; counts what happens on these hosts from its start until `counts()`.

    RuntimeError where the kernel does not tell.
    """

    def __init__(self, hosts: Sequence[BenchHost]) -> None:
        self._hosts = hosts

    def __enter__(self) -> Counter:
        with contextlib.ExitStack() as opened:
            self._events = opened.enter_context(process_events())
            opened.callback(tell, self._events, IGNORE)
            self._sockets = opened.enter_context(socket_events())
            subprocess.run(["true"], check=True)
            if not any(event.what == EXEC for event in map(proc_event, waiting(self._events, 0))):
                raise RuntimeError("the kernel tells of no process (root? CONFIG_PROC_EVENTS? in a container?)")
            self._logged = [self._log(host).count(STARTED) for host in self._hosts]
            for _ in waiting(self._sockets, QUIET):
                pass  # of the run before
            self._opened = opened.pop_all()
        return self

    @staticmethod
    def _log(host: BenchHost) -> bytes:
        return b"\n" + (host.tree / pose.SSHD_LOG).read_bytes()

    def counts(self) -> Counts:
        """Once, when nobody is logged in any more."""
        started = programs([host.pid for host in self._hosts], map(proc_event, waiting(self._events, 0)))
        ended = [one for one in map(ended_socket, waiting(self._sockets, QUIET)) if one]
        moved = traffic([host.address for host in self._hosts], ended).values()
        executions = sum(self._log(host).count(STARTED) for host in self._hosts) - sum(self._logged)
        return Counts(
            executions / len(self._hosts),
            min(started.values()),
            min(to for to, _ in moved),
            min(back for _, back in moved),
        )

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._opened.close()
