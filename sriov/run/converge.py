"""The imperative shell: hosts side by side, from probe to proof; reboots in waves.

Phases: look at all -> stop if anything is impossible anywhere -> apply side by side -> reboots -> proof. What is done
to one host stands in look, apply and reboot, where it is done in backend and remote, the reboots in waves; this
module only says who and when.
"""

from __future__ import annotations

import contextlib
import functools
import secrets
from collections.abc import Callable, Iterable
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from queue import SimpleQueue
from typing import TYPE_CHECKING, NamedTuple

from sriov.errors import UsageError
from sriov.planning.reboots import RebootPolicy
from sriov.resources.contract import Request
from sriov.run.backends.local import LocalBackend
from sriov.run.backends.protocol import Backend
from sriov.run.context import (
    Event,
    Limits,
    Log,
    RunContext,
    Settings,
    Watch,
    before_reboot,
    begin,
    interrupted,
)
from sriov.run.look import ended, failed
from sriov.run.outcome import AwaitingReboot, Looked, Outcome, State, Status, outcome_of
from sriov.run.phases import Phase
from sriov.signals import shielded_from_signals
from sriov.transport import Connect

if TYPE_CHECKING:
    from sriov.run.drain import Drain
    from sriov.run.waves import Waves


Announce = Callable[[tuple[Outcome, ...]], None]


class RunOptions(NamedTuple):
    """What the operator allows. `max_unavailable`: `2` or `10%` of the hosts to be rebooted, at least one.

    `engine`: whatever carries out the phases of hosts in place of threads of this process; what a job is made of,
    `connect` above all, must then be picklable.
    """

    may_reboot: bool = True
    max_unavailable: str = "1"
    reboot_with_instances: bool = False
    jobs: int = 0
    drain: Drain | None = None
    engine: Executor | None = None
    limits: Limits = Limits()

    @property
    def reboots(self) -> RebootPolicy:
        return RebootPolicy(self.may_reboot, self.reboot_with_instances, self.drain is not None)

    def waves(self, hosts: int) -> int:
        """How many hosts may be down at once; UsageError if `max_unavailable` is neither a number nor a percentage."""
        number = self.max_unavailable.removesuffix("%")
        if not number.isascii() or not number.isdigit() or int(number) == 0:
            raise UsageError(
                "invalid-argument",
                f"--max-unavailable {self.max_unavailable!r}: wanted a number from 1 or a percentage such as 10%",
                hint="for example --max-unavailable 2",
            )
        share = hosts * int(number) // 100 if self.max_unavailable.endswith("%") else int(number)
        return max(1, share)


def pool_size(jobs: int, hosts: int) -> int:
    """Sessions at once: what was asked for, else all up to 64 (each costs the controller a thread and a socket)."""
    return max(1, min(jobs or 64, hosts))


def look(
    requests: Iterable[Request], connect: Connect, options: RunOptions, watch: Watch, *, keeps_files: bool = True
) -> tuple[Outcome, ...]:
    """Probes and plans; touches nothing. `keeps_files`: the outcomes hold the files that were read."""
    settings = Settings(f"look-{secrets.token_hex(4)}", connect, options.limits, keeps_files=keeps_files)
    run = _Run(requests, begin(settings, _safely(watch)), options)
    run.carry_out(run.look)
    return run.outcomes()


def converge(
    requests: Iterable[Request],
    connect: Connect,
    options: RunOptions,
    watch: Watch,
    run_id: str,
    who: str,
    log: Log = lambda host, entry: None,
    announce: Announce = lambda outcomes: None,
) -> tuple[Outcome, ...]:
    """Brings every host to what the testbed says, or says why not: one outcome a host, in the order of `requests`.

    `announce` is given what the looks have found, before the first change on any host.
    An interruption (KeyboardInterrupt) ends it early: each host finishes the change that it is at, no more.
    """
    options.waves(1)  # a wrong value is told before anything is touched
    settings = Settings(run_id, connect, options.limits, who, changes_hosts=True, reboots=options.reboots)
    run = _Run(requests, begin(settings, _safely(watch), log), options, announce)
    run.carry_out(run.converge)
    return run.outcomes()


class _Run:
    """The hosts of a run by number, and the state that each is in."""

    def __init__(
        self,
        requests: Iterable[Request],
        ctx: RunContext,
        options: RunOptions,
        announce: Announce = lambda outcomes: None,
    ) -> None:
        self._states: list[State] = list(requests)
        names = [outcome_of(state).name for state in self._states]
        if twice := sorted({name for name in names if names.count(name) > 1} if len({*names}) < len(names) else ()):
            raise UsageError("invalid-argument", f"{twice[0]} is named twice in the call", hint="name each host once")
        self._ctx = ctx
        self._options = options
        self._announce = announce
        self._threads = pool_size(options.jobs, len(self._states))
        self._waves: list[Waves] = []  # that have begun: one at most

    def carry_out(self, work: Callable[[Backend], None]) -> None:
        if not self._states:
            return
        backend = self._backend()
        try:
            work(backend)
        except KeyboardInterrupt:
            with shielded_from_signals():
                self._ctx.stop.set()  # no turn of a wave goes on from here
                backend.interrupt()
                self._close_waves()
                self._states = [self._interrupted(state) for state in self._states]
        finally:
            backend.close()
            self._close_waves()

    def _close_waves(self) -> None:
        for waves in self._waves:
            waves.close()

    def _backend(self) -> Backend:
        if self._options.engine is None:
            return LocalBackend(self._ctx, self._threads)
        from sriov.run.backends.remote import RemoteBackend  # late: few runs need it

        return RemoteBackend(self._options.engine, self._ctx, self._options.jobs)

    def outcomes(self) -> tuple[Outcome, ...]:
        return tuple(self._final(outcome_of(state)) for state in self._states)

    def _final(self, outcome: Outcome) -> Outcome:
        held_back = outcome.status is Status.PENDING and self._options.may_reboot
        outcome = outcome._replace(was_held_back=held_back)
        return outcome if self._ctx.settings.keeps_files else outcome.without_contents().without_files()

    def look(self, backend: Backend) -> None:
        self._side_by_side(backend, Phase.LOOK, range(len(self._states)))

    def converge(self, backend: Backend) -> None:
        self.look(backend)
        if any(outcome_of(state).stops_all for state in self._states):
            self._states = [self._stood_back(state) for state in self._states]
            return
        self._announce(tuple(outcome_of(state) for state in self._states))
        self._states = [self._permitted(state) for state in self._states]
        busy = [n for n, state in enumerate(self._states) if isinstance(state, Looked) and state.has_work]
        self._side_by_side(backend, Phase.APPLY, busy)
        self._states = [self._rested(state) for state in self._states]
        waiting = {n: state for n, state in enumerate(self._states) if isinstance(state, AwaitingReboot)}
        if self._options.drain is not None:
            self._refill([n for n in range(len(self._states)) if n not in waiting])
        if waiting:
            self._reboot(backend, waiting)

    def _rested(self, state: State) -> State:
        """A host that differs and to which nothing may be done has its outcome."""
        if not isinstance(state, Looked):
            return state
        from sriov.run.apply import rest

        return ended(rest(state, self._ctx), self._ctx)

    def _reboot(self, backend: Backend, waiting: dict[int, AwaitingReboot]) -> None:
        from sriov.run.waves import Waves

        waves = Waves(backend, self._ctx, self._options.drain, self._threads)
        self._waves.append(waves)
        waves.run(waiting, self._options.waves(len(waiting)), self._settle)

    def _side_by_side(self, backend: Backend, phase: Phase, numbers: Iterable[int]) -> None:
        """One phase of each host, as many under way as the backend takes; a failure is its host's alone."""
        finished: SimpleQueue[Future[State]] = SimpleQueue()
        under_way = 0
        for number in numbers:
            if under_way == backend.width:
                _check(finished.get())
                under_way -= 1
            future = backend.submit(phase, self._states[number], functools.partial(self._settle, number))
            future.add_done_callback(finished.put)
            under_way += 1
        for _ in range(under_way):
            _check(finished.get())

    def _settle(self, number: int, state: State) -> None:
        self._states[number] = state

    def _stood_back(self, state: State) -> State:
        """The run ends before the first change on any host."""
        if not isinstance(state, Looked):
            return state
        status = Status.FAILED if state.outcome.plan.impossible else Status.UNTOUCHED
        self._ctx.sessions.close(state.outcome.name)
        return state.outcome._replace(status=status)

    def _permitted(self, state: State) -> State:
        """Whether this host may be rebooted in this run; a note where one is needed and may not be made."""
        if not isinstance(state, Looked) or not state.outcome.plan.will_reboot:
            return state
        reason_not_to_reboot = self._options.reboots.reason_not_to_reboot(state.outcome.plan, state.facts)
        outcome = state.outcome.noting(reason_not_to_reboot)
        return state._replace(may_reboot=reason_not_to_reboot is None, outcome=outcome)

    def _refill(self, numbers: list[int]) -> None:
        from sriov.run.drain import undrain_host

        pool = ThreadPoolExecutor(self._threads, thread_name_prefix="undrain")
        try:
            states = pool.map(lambda number: undrain_host(self._options.drain, self._states[number]), numbers)
            for number, state in zip(numbers, states, strict=True):
                self._states[number] = state
        finally:
            pool.shutdown(wait=False, cancel_futures=True)

    def _interrupted(self, state: State) -> State:
        """What this host had not reached yet is left as it was."""
        if isinstance(state, Outcome):
            return state
        outcome = outcome_of(state)
        if isinstance(state, AwaitingReboot):
            return ended(failed(outcome, before_reboot(outcome.request.host), self._ctx), self._ctx)
        error = interrupted(outcome.request.host, "interrupted before its changes began")
        return ended(failed(outcome, error, self._ctx), self._ctx)


def _check(future: Future[State]) -> None:
    """Raises what a backend lets out, which is a fault of this program; a phase that was not begun is none."""
    if not future.cancelled():
        future.result()


def _safely(watch: Watch) -> Watch:
    """No host is lost if the output is closed, as behind `| head`."""

    def tell(label: str, event: Event) -> None:
        with contextlib.suppress(Exception):
            watch(label, event)

    return tell
