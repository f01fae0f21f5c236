"""The place that is not here: each phase of a host is sent to a concurrent.futures.Executor, as a step that is whole in
itself (`sriov/engine_step.py`), and the host's run is filled from the answer.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from concurrent.futures import CancelledError, Executor, Future, wait
from dataclasses import dataclass, field
from typing import Any, Protocol, runtime_checkable

from sriov.errors import HostError
from sriov.planning import script
from sriov.resources.contract import Change
from sriov.run.engine import Phase
from sriov.run.engine_step import Message, Outcome, Step, alone, carry_out
from sriov.run.host_run import HostRun, Limits, Status, Watch
from sriov.transport import Connect

_WIDTH = 10_000  # steps given out at once; each is some KB in the memory of the scheduler
_GRACE = 20.0  # seconds for the steps under way to end after an interruption


@runtime_checkable
class Cluster(Protocol):
    """What an Executor may offer beside `submit`."""

    def listen(self, heard: Callable[[Message], None]) -> None:
        """Hands on what hosts are at, from another thread, while their steps are under way."""

    def interrupt(self, run: str) -> None:
        """Lets the steps of that run, wherever they are under way, end soon (`engine_step.interrupt`)."""


@dataclass
class Elsewhere:
    """Steps for an Executor. `run` names them; `keeps_files`: the facts hold the files that were read."""

    executor: Executor
    connect: Connect
    limits: Limits
    watch: Watch
    run: str
    keeps_files: bool
    width: int = 0
    _under_way: dict[str, tuple[HostRun, Phase, Future[Any]]] = field(default_factory=dict)
    _heard: dict[str, Message] = field(default_factory=dict)  # the last of each host whose step is under way
    _logged: set[tuple[str, str, str]] = field(default_factory=set)  # host, resource, target
    _claimed: set[Future[Any]] = field(default_factory=set)  # of those under way
    _is_interrupted: bool = False
    _over: threading.Event = field(default_factory=threading.Event)  # what became of each step is known
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def __post_init__(self) -> None:
        self.width = self.width or _WIDTH
        if isinstance(self.executor, Cluster):
            self.executor.listen(self._hear)

    def start(self, run: HostRun, phase: Phase) -> Future[Any]:
        future: Future[Any] = Future()
        if self._is_interrupted:
            future.cancel()
            return future
        if phase is Phase.APPLY:
            run.has_begun = True
        step = Step(
            alone(run.request), self.connect, self.limits, phase, self.run, run.changes_hosts, run.who,
            run.may_reboot, run.with_instances, run.facts.boot_id if run.facts else "", self.keeps_files,
        )  # fmt: skip
        try:
            future = self.executor.submit(carry_out, step)
        except Exception as error:  # an executor that broke with an earlier host refuses in words of its own
            future.set_exception(error)
        with self._lock:
            self._heard.pop(run.name, None)
            self._under_way[run.name] = (run, phase, future)
            is_late = self._is_interrupted
        if is_late and not self._take_back(run, phase, future) and isinstance(self.executor, Cluster):
            self.executor.interrupt(self.run)
        return future

    def finish(self, run: HostRun, future: Future[Any]) -> None:
        self._finish(run, future)

    def _finish(self, run: HostRun, future: Future[Any]) -> bool:
        """Whether it was for this caller to do."""
        if not self._claim(run, future):
            return False
        try:
            outcome = future.result()
        except CancelledError:
            run.fail(_lost(run, "it was cancelled there, or its scheduler is gone"))
        except Exception as error:
            run.fail(_lost(run, f"{type(error).__name__}: {' '.join(str(error).split())[:300]}"))
        else:
            for message in outcome.told:
                self._hear(message)
            self._fill(run, outcome)
        with self._lock:
            del self._under_way[run.name]
            self._claimed.discard(future)
            self._heard.pop(run.name, None)
        return True

    def _claim(self, run: HostRun, future: Future[Any]) -> bool:
        """Whether the caller is the one to say what came of the step: nobody has, and it was not taken back."""
        with self._lock:
            entry = self._under_way.get(run.name)
            if entry is None or entry[2] is not future or future in self._claimed:
                return False
            self._claimed.add(future)
            return True

    def now(self, run: HostRun, phase: Phase) -> None:
        future = self.start(run, phase)
        done = threading.Event()
        future.add_done_callback(lambda future: done.set())
        while not done.wait(1.0) and not self._over.is_set():
            pass
        if not done.is_set() or not self._finish(run, future):
            self._over.wait()  # who interrupts the run says what became of it

    def _hear(self, message: Message) -> None:
        """Each word once, whether it comes live or with the outcome; none of a step whose outcome is here."""
        if message.run != self.run:
            return
        with self._lock:
            last, under_way = self._heard.get(message.host), self._under_way.get(message.host)
            is_old = last is not None and last.attempt == message.attempt and last.number >= message.number
            if is_old:
                return
            self._heard[message.host] = message
        if under_way is not None:
            self.watch(under_way[0].label, message.words)

    def interrupt(self) -> None:
        with self._lock:
            self._is_interrupted = True
            waiting = tuple(self._under_way.values())
        try:
            if isinstance(self.executor, Cluster):
                self.executor.interrupt(self.run)
            begun = [entry for entry in waiting if entry[0].name in self._heard or not self._take_back(*entry)]
            wait([future for _, _, future in begun], timeout=_GRACE)
            for run, _, future in begun:
                if future.done():
                    self._finish(run, future)
                elif self._claim(run, future):
                    words = self._heard[run.name].words if run.name in self._heard else "its step"
                    hint = "run again; its worker ends by itself"
                    run.fail(HostError(run.name, f"interrupted during: {words}", hint=hint))
        finally:
            self._over.set()

    def _take_back(self, run: HostRun, phase: Phase, future: Future[Any]) -> bool:
        """Whether the step could be kept from beginning; the run is then as it was before."""
        with self._lock:
            self._claimed.add(future)  # else whoever waits for it would take it for lost
        if not future.cancel():
            with self._lock:
                self._claimed.discard(future)
            return False
        with self._lock:
            self._under_way.pop(run.name, None)
            self._claimed.discard(future)
        run.has_begun = run.has_begun and phase is not Phase.APPLY
        return True

    def _fill(self, run: HostRun, outcome: Outcome) -> None:
        """The run of a host, as if it had been at work itself."""
        if outcome.facts is not None:
            if run.has_begun:
                run.done = _done(run, outcome)
            else:
                run.first_plan = outcome.first_plan
            run.facts, run.plan = outcome.facts, outcome.plan
        run.request = run.request._replace(rollback=outcome.rollback)
        run.notes += outcome.notes
        run.rebooted = run.rebooted or outcome.rebooted
        run.waits_for_reboot = outcome.waits_for_reboot
        if run.has_begun:
            self._log(run, outcome)
        is_done_before = run.has_begun and outcome.status is Status.UNCHANGED  # by an attempt that was lost
        run.end_as(Status.CHANGED if is_done_before else outcome.status, outcome.seconds, _error(run, outcome))

    def _log(self, run: HostRun, outcome: Outcome) -> None:
        """What was made goes into the log once; what a lost attempt made, no outcome tells."""
        for line in outcome.log:
            read = json.loads(line)
            self._logged.add((run.name, read["resource"], read["target"]))
            run.log(line)
        for change in run.first_plan.changes:
            if (run.name, *_key(change)) not in self._logged and run.has_done(change):
                self._logged.add((run.name, *_key(change)))
                run.log(script.log_line(run.request, change, run.run_id, run.who))


def _lost(run: HostRun, words: str) -> HostError:
    what = "a change may have been under way" if run.has_begun else "nothing was touched"
    return HostError(run.name, f"its step was lost by the engine ({words}); {what}", hint="see the workers; run again")


def _error(run: HostRun, outcome: Outcome) -> HostError | None:
    if outcome.error is None:
        return None
    kind, message, hint, step = outcome.error
    return kind(run.name, message, hint=hint, step=step)


def _done(run: HostRun, outcome: Outcome) -> tuple[int, ...]:
    """The steps of the first plan that this run made: in this attempt, or before its look in one that was lost."""
    numbered = enumerate(script.steps(outcome.first_plan))
    undone = {_key(change) for number, (change, _) in numbered if number not in outcome.done}
    return tuple(n for n, (change, _) in enumerate(script.steps(run.first_plan)) if _key(change) not in undone)


def _key(change: Change) -> tuple[str, str]:
    return change.resource, change.target
