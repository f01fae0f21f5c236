"""Reboots in waves: which host goes down now, and when no other does."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from concurrent.futures import CancelledError, Future, ThreadPoolExecutor

from sriov.errors import HostError
from sriov.planning.reboots import Note
from sriov.run import drain
from sriov.run.apply import defer_reboot
from sriov.run.backends.protocol import Backend
from sriov.run.context import RunContext
from sriov.run.drain import Drain
from sriov.run.look import ended, failed
from sriov.run.outcome import AwaitingReboot, State, Status, outcome_of
from sriov.run.phases import Phase


class Waves:
    """One host at a time until one has come back as wanted, then `width` at once. The first failure, or the
    operator's interruption, stops all that are not down yet."""

    def __init__(self, backend: Backend, ctx: RunContext, drain: Drain | None, threads: int) -> None:
        self._backend = backend
        self._ctx = ctx
        self._drain = drain
        self._turns = ThreadPoolExecutor(threads, thread_name_prefix="wave")
        self._has_failed = threading.Event()

    def run(self, waiting: Mapping[int, AwaitingReboot], width: int, settled: Callable[[int, State], None]) -> None:
        """Tells of each host (its number) what has become of it, from any thread."""
        left, slots = dict(waiting), threading.Semaphore(width)
        is_proven = False
        while left and not is_proven:
            number = next(iter(left))
            state = self._begin(number, left.pop(number), slots, settled).result()
            is_proven = outcome_of(state).rebooted
        for future in [self._begin(number, awaiting, slots, settled) for number, awaiting in left.items()]:
            future.result()

    def close(self) -> None:
        """No turn begins any more; until those that have begun are over."""
        self._turns.shutdown(cancel_futures=True)

    def _begin(
        self,
        number: int,
        awaiting: AwaitingReboot,
        slots: threading.Semaphore,
        settled: Callable[[int, State], None],
    ) -> Future[State]:
        def turn() -> State:
            with slots:
                state = self._attempt(awaiting)
                if outcome_of(state).status is Status.FAILED:
                    self._has_failed.set()
            settled(number, state)
            return state

        return self._turns.submit(turn)

    def _attempt(self, awaiting: AwaitingReboot) -> State:
        try:
            return self._turn(awaiting)
        except Exception as error:  # of a cloud, of a kind not known here
            outcome = awaiting.outcome
            words = f"not rebooted: its turn failed ({type(error).__name__})"
            hint = "run again; if it stays, tell the authors what --debug shows"
            found = HostError("reboot-turn-failed", outcome.name, words, hint=hint)
            found.__cause__ = error
            return ended(failed(outcome, found, self._ctx), self._ctx)

    def _turn(self, awaiting: AwaitingReboot) -> State:
        if self._is_over:
            return self._left_out(awaiting)
        reason_not_to_reboot = drain.drain_host(self._drain, awaiting, self._ctx)
        state: State
        if reason_not_to_reboot is not None:
            state = ended(defer_reboot(awaiting.outcome, reason_not_to_reboot), self._ctx)
        elif self._is_over:  # to empty a host takes its time
            state = self._left_out(awaiting)
        else:
            state = self._reboot(awaiting)
        return drain.undrain_host(self._drain, state, also_undone=True)

    def _reboot(self, awaiting: AwaitingReboot) -> State:
        try:
            return self._backend.submit(Phase.REBOOT, awaiting).result()
        except CancelledError:
            return awaiting

    @property
    def _is_over(self) -> bool:
        return self._ctx.stop.is_set() or self._has_failed.is_set()

    def _left_out(self, awaiting: AwaitingReboot) -> State:
        if self._ctx.stop.is_set():
            return awaiting  # the one that ends the run says so
        note = Note("wave-stopped", "not rebooted, because another host did not come back as wanted")
        return ended(defer_reboot(awaiting.outcome, note), self._ctx)
