"""Reboots in waves: which host may go down now, and when no other may."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from concurrent.futures import Executor
from dataclasses import dataclass, field

from sriov.run import drain
from sriov.run.engine import Phase, Place
from sriov.run.host_run import HostRun, Status


@dataclass(eq=False, repr=False)
class Waves:
    """One host at a time until one has come back as wanted, then `width` at once. The first failure, or the
    operator's interruption, stops all that are not down yet."""

    place: Place
    pool: Executor
    width: int
    drain: drain.Drain | None
    with_instances: bool
    _failed: threading.Event = field(default_factory=threading.Event)

    def run(self, waiting: tuple[HostRun, ...]) -> None:
        slots = threading.Semaphore(self.width)

        def in_turn(run: HostRun) -> None:
            with slots:
                run.attempt(self._reboot)
                if run.status is Status.FAILED:
                    self._failed.set()

        proven = 0
        while proven < len(waiting) and not any(run.rebooted for run in waiting):
            each(self.pool, waiting[proven : proven + 1], in_turn)
            proven += 1
        each(self.pool, waiting[proven:], in_turn)

    def _reboot(self, run: HostRun) -> None:
        if self._is_over(run):
            return
        if not drain.empty(self.drain, run, self.with_instances):
            return
        if self._is_over(run):  # to empty a host takes its time
            drain.refill(self.drain, run, also_undone=True)
            return
        self.place.now(run, Phase.REBOOT)
        drain.refill(self.drain, run, also_undone=True)

    def _is_over(self, run: HostRun) -> bool:
        if run.stop.is_set():
            return True  # HostRun.interrupt() says so
        if self._failed.is_set():
            run.hold_back("not rebooted, for another host did not come back as wanted")
            return True
        return False


def each(pool: Executor, runs: Iterable[HostRun], act: Callable[[HostRun], None]) -> None:
    """The same for each of them, side by side; what goes wrong with a host is its own."""
    for future in [pool.submit(run.attempt, act) for run in runs]:
        future.result()
