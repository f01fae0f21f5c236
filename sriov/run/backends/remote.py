"""Phases sent to a concurrent.futures.Executor, as jobs that are whole in themselves, and their answers taken over."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import CancelledError, Executor, Future, wait
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

from sriov.errors import HostError, InterruptedRunError
from sriov.resources.contract import Change
from sriov.run.apply import entry_of
from sriov.run.backends.protocol import Settled
from sriov.run.backends.worker import Answer, Message, carry_out, job
from sriov.run.context import LogEntry, RunContext
from sriov.run.outcome import Outcome, State, Status, outcome_of, with_outcome
from sriov.run.phases import Phase

_WIDTH = 10_000  # jobs given out at once; each is some KB in the memory of the scheduler
_GRACE = 20.0  # seconds for the jobs under way to end after an interruption


@runtime_checkable
class Cluster(Protocol):
    """What an Executor may offer beside `submit`."""

    def listen(self, heard: Callable[[Message], None]) -> None:
        """Hands on what hosts are at, from another thread, while their jobs are under way."""

    def interrupt(self, run: str) -> None:
        """Lets the jobs of that run end soon, on all workers (`worker.interrupt`)."""


@dataclass(eq=False)
class _Sent:
    """A phase under way: `inner` is the executor's future, `outer` the one that the run waits for.

    `is_claimed`: a thread is about to say what became of it.
    """

    phase: Phase
    state: State
    inner: Future[Any]
    outer: Future[State]
    settled: Settled
    is_claimed: bool = False
    heard: Message | None = None  # the last word of it

    @property
    def name(self) -> str:
        return outcome_of(self.state).name


class RemoteBackend:
    """`jobs`: how many are given out at once; 0: as many as do no harm."""

    def __init__(self, executor: Executor, ctx: RunContext, jobs: int = 0) -> None:
        self.width = jobs or _WIDTH
        self._executor = executor
        self._ctx = ctx
        self._under_way: dict[str, _Sent] = {}
        self._logged: set[tuple[str, str, str]] = set()  # host, resource, target
        self._is_interrupted = False
        self._lock = threading.Lock()
        if isinstance(executor, Cluster):
            executor.listen(self._hear)

    def submit(self, phase: Phase, state: State, settled: Settled = lambda state: None) -> Future[State]:
        outer: Future[State] = Future()
        if self._is_interrupted:
            outer.cancel()
            return outer
        inner: Future[Any] = Future()
        try:
            inner = self._executor.submit(carry_out, job(phase, state, self._ctx.settings))
        except Exception as error:  # an executor that broke with an earlier host refuses in words of its own
            inner.set_exception(error)
        sent = _Sent(phase, state, inner, outer, settled)
        with self._lock:
            self._under_way[sent.name] = sent
            is_late = self._is_interrupted
        inner.add_done_callback(lambda _: self._finish(sent))
        if is_late and not self._take_back(sent):
            self._interrupt_jobs()
        return outer

    def interrupt(self) -> None:
        with self._lock:
            self._is_interrupted = True
            under_way = tuple(self._under_way.values())
        try:
            self._interrupt_jobs()
            begun = [sent for sent in under_way if sent.heard is not None or not self._take_back(sent)]
            wait([sent.inner for sent in begun], timeout=_GRACE)
            for sent in begun:
                if sent.inner.done():
                    self._finish(sent)
                elif self._claim(sent):
                    self._settle(sent, self._failed(sent, _interrupted(sent)))
        finally:
            for sent in under_way:  # no thread waits for ever, even if this was interrupted too
                if self._claim(sent):
                    sent.outer.cancel()

    def close(self) -> None:
        """The executor is its owner's to close."""

    def _interrupt_jobs(self) -> None:
        if isinstance(self._executor, Cluster):
            self._executor.interrupt(self._ctx.settings.run)

    def _take_back(self, sent: _Sent) -> bool:
        """Whether the job could be kept from beginning; its host is then as it was before."""
        if not self._claim(sent):
            return sent.outer.cancelled()
        if sent.inner.cancel():
            with self._lock:
                self._under_way.pop(sent.name, None)
            return sent.outer.cancel()
        with self._lock:
            sent.is_claimed = False
        if sent.inner.done():  # it ended while it was claimed
            self._finish(sent)
        return False

    def _claim(self, sent: _Sent) -> bool:
        """Whether it is for the caller to say what became of it."""
        with self._lock:
            is_free, sent.is_claimed = not sent.is_claimed, True
            return is_free

    def _finish(self, sent: _Sent) -> None:
        """Called by a thread of the executor's, too: nothing may keep the future of the run from being done."""
        if not self._claim(sent):
            return
        state: State = sent.state
        try:
            error = CancelledError() if sent.inner.cancelled() else sent.inner.exception()
            if error is not None:
                state = self._failed(sent, _lost(sent, error))
            else:
                answer: Answer = sent.inner.result()
                state = merged(sent.phase, sent.state, answer.state)
                for message in answer.messages:
                    self._hear(message)
                self._log(state, answer.log)
        finally:
            self._settle(sent, state)

    def _settle(self, sent: _Sent, state: State) -> None:
        with self._lock:
            self._under_way.pop(sent.name, None)
        sent.settled(state)
        sent.outer.set_result(state)

    def _failed(self, sent: _Sent, error: HostError) -> Outcome:
        outcome = outcome_of(sent.state)
        has_begun = sent.phase is not Phase.LOOK
        self._ctx.tell(outcome.request.host, "failed", is_rest=True)
        return outcome._replace(status=Status.FAILED, error=self._ctx.explained(error), has_begun=has_begun)

    def _hear(self, message: Message) -> None:
        """Each word once, whether it comes live or with the answer; none of a job whose answer is here."""
        if message.run != self._ctx.settings.run:
            return
        with self._lock:
            sent = self._under_way.get(message.host)
            if sent is None or sent.phase.value != message.phase:
                return
            last = sent.heard
            if last is not None and last.attempt == message.attempt and last.number >= message.number:
                return
            sent.heard = message
        self._ctx.watch(outcome_of(sent.state).label, message.event)

    def _log(self, state: State, entries: tuple[LogEntry, ...]) -> None:
        """What was made goes into the log once; what a lost attempt made, no answer tells."""
        outcome = outcome_of(state)
        for entry in entries:
            self._logged.add((outcome.name, entry.resource, entry.target))
            self._ctx.log(outcome.name, entry)
        for change in outcome.first_plan.changes if outcome.has_begun else ():
            key = (outcome.name, *_key(change))
            if key not in self._logged and outcome.has_done(change):
                self._logged.add(key)
                self._ctx.log(outcome.name, entry_of(outcome, change, self._ctx))


def merged(phase: Phase, before: State, after: State) -> State:
    """The state that a worker sends back, with what only the controller knows: what was found before that job."""
    was, now = outcome_of(before), outcome_of(after)
    has_begun = phase is not Phase.LOOK
    outcome = now._replace(
        request=was.request._replace(rollback=now.request.rollback),
        notes=(*was.notes, *now.notes),
        has_begun=has_begun,
        rebooted=was.rebooted or now.rebooted,
        seconds=was.seconds + now.seconds,
    )
    if has_begun:
        # an attempt that was lost may have done all before this one looked
        status = Status.CHANGED if now.status is Status.UNCHANGED else now.status
        done = was.done if now.facts is None else _done(was, now)
        outcome = outcome._replace(status=status, first_plan=was.first_plan, done=done)
    if now.facts is None:
        outcome = outcome._replace(facts=was.facts, plan=was.plan)
    return with_outcome(after, outcome)


def _done(was: Outcome, now: Outcome) -> tuple[int, ...]:
    """The steps of the first plan that this run made: in this attempt, or before its look in one that was lost."""
    numbered = enumerate(now.first_plan.steps)
    undone = {_key(change) for number, (change, _) in numbered if number not in now.done}
    return tuple(n for n, (change, _) in enumerate(was.first_plan.steps) if _key(change) not in undone)


def _key(change: Change) -> tuple[str, str]:
    return change.resource, change.target


def _lost(sent: _Sent, error: BaseException) -> HostError:
    words = "it was cancelled there, or its scheduler is gone"
    if not isinstance(error, CancelledError):
        words = f"{type(error).__name__}: {' '.join(str(error).split())[:300]}"
    what = "nothing was touched" if sent.phase is Phase.LOOK else "a change may have been under way"
    message = f"its step was lost by the engine ({words}); {what}"
    return HostError("step-lost", sent.name, message, hint="look at the workers' logs; run again")


def _interrupted(sent: _Sent) -> HostError:
    words = sent.heard.words if sent.heard is not None else "its step"
    hint = "run again; its worker ends by itself"
    return InterruptedRunError("interrupted", sent.name, f"interrupted during: {words}", hint=hint)
