"""Where phases of hosts are done: in threads of this process that keep sessions open, or wherever an Executor is."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Protocol

from sriov.run.context import RunContext
from sriov.run.outcome import State
from sriov.run.phases import Phase, perform

Settled = Callable[[State], None]
"""Given the state after a phase, before the future of it is done: so none is lost, whenever a run is interrupted."""


class Backend(Protocol):
    """Phases go in, states come out; what goes wrong with a host is a state. `width` phases are given out at once."""

    width: int

    def submit(self, phase: Phase, state: State, settled: Settled = lambda state: None) -> Future[State]:
        """The state after that phase. Cancelled where the run was interrupted before the phase began."""

    def interrupt(self) -> None:
        """The operator ended the run: what has not begun is cancelled, the rest hastened to its end, and waited for."""

    def close(self) -> None:
        """No phase will follow."""


class LocalBackend:
    """Threads of this process, each at the session of one host."""

    def __init__(self, ctx: RunContext, threads: int) -> None:
        self._ctx = ctx
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="host")
        self.width = 4 * threads

    def submit(self, phase: Phase, state: State, settled: Settled = lambda state: None) -> Future[State]:
        try:
            return self._pool.submit(self._perform, phase, state, settled)
        except RuntimeError:  # the pool takes nothing more once the run is interrupted
            refused: Future[State] = Future()
            refused.cancel()
            return refused

    def _perform(self, phase: Phase, state: State, settled: Settled) -> State:
        after = perform(phase, state, self._ctx)
        settled(after)
        return after

    def interrupt(self) -> None:
        self._pool.shutdown(wait=False, cancel_futures=True)
        self._ctx.sessions.close_all()  # whoever waits for a host's answer wakes up
        self._pool.shutdown()

    def close(self) -> None:
        self._pool.shutdown()
        self._ctx.sessions.close_all()
