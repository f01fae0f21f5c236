"""Phases done by threads of this process, which keep the sessions open between them."""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor

from sriov.run.backends.protocol import Settled
from sriov.run.context import RunContext
from sriov.run.outcome import State
from sriov.run.phases import Phase, perform


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
        self._ctx.sessions.close_all()  # a thread that waits for a host's answer wakes up
        self._pool.shutdown()

    def close(self) -> None:
        self._pool.shutdown()
        self._ctx.sessions.close_all()
