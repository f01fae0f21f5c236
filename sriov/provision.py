"""The imperative shell: hosts side by side, from probe to proof; reboots in waves, decided in one place.

Phases: probe all -> stop if anything is impossible anywhere -> apply side by side -> reboots -> verify.
What is done to one host stands in `sriov/host_run.py`; this module only says who, when and how many at once.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from concurrent.futures import Executor, ThreadPoolExecutor, as_completed
from dataclasses import dataclass, field

from sriov import drain
from sriov.errors import HostError, UsageError
from sriov.host_run import Connect, HostRun, Limits, Log, Status, Watch
from sriov.resource import Request


@dataclass(frozen=True, slots=True)
class Options:
    """What the operator allows. `max_unavailable`: `2` or `10%` of the hosts to be rebooted, at least one."""

    may_reboot: bool = True
    max_unavailable: str = "1"
    reboot_with_instances: bool = False
    jobs: int = 0
    drain: drain.Drain | None = None
    limits: Limits = field(default_factory=Limits)

    def waves(self, hosts: int) -> int:
        """How many hosts may be down at once; UsageError if `max_unavailable` is neither a number nor a percentage."""
        number = self.max_unavailable.removesuffix("%")
        if not number.isascii() or not number.isdigit() or int(number) == 0:
            raise UsageError(
                f"--max-unavailable {self.max_unavailable!r}: wanted a number from 1 or a percentage such as 10%"
            )
        share = hosts * int(number) // 100 if self.max_unavailable.endswith("%") else int(number)
        return max(1, share)


def pool_size(jobs: int, hosts: int) -> int:
    """Sessions at once: what was asked for, else all up to 64 (each costs the controller a thread and a socket)."""
    return max(1, min(jobs or 64, hosts))


def look(requests: Iterable[Request], connect: Connect, options: Options, watch: Watch) -> tuple[HostRun, ...]:
    """Probes and plans; touches nothing. The sessions are closed."""
    stop = threading.Event()
    runs = tuple(HostRun(request, connect, watch, options.limits, stop=stop) for request in requests)
    _until_interrupted(runs, options, lambda pool: _each(pool, runs, HostRun.look))
    return runs


def converge(
    requests: Iterable[Request],
    connect: Connect,
    options: Options,
    watch: Watch,
    run_id: str,
    who: str,
    log: Log = lambda line: None,
) -> tuple[HostRun, ...]:
    """Brings every host to what the testbed says, or says why not. Each run holds its outcome.

    An interruption (KeyboardInterrupt) ends it early: each host finishes the change that it is at, no more.
    """
    options.waves(1)  # a wrong value is told before anything is touched
    stop = threading.Event()
    runs = tuple(
        HostRun(request, connect, watch, options.limits, log, stop, changes_hosts=True) for request in requests
    )
    _until_interrupted(runs, options, lambda pool: _converge(pool, runs, options, run_id, who))
    return runs


def _until_interrupted(runs: tuple[HostRun, ...], options: Options, work: Callable[[Executor], None]) -> None:
    pool = ThreadPoolExecutor(pool_size(options.jobs, len(runs)), thread_name_prefix="host")
    try:
        work(pool)
    except KeyboardInterrupt:
        for run in runs:
            run.stop.set()
        pool.shutdown(wait=False, cancel_futures=True)
        _close(runs)  # whoever waits for a host's answer wakes up
        pool.shutdown()
        for run in runs:
            run.interrupt()
    finally:
        pool.shutdown()
        _close(runs)


def _converge(pool: Executor, runs: tuple[HostRun, ...], options: Options, run_id: str, who: str) -> None:
    _each(pool, runs, HostRun.look)
    if any(run.stops_all for run in runs):
        for run in runs:
            run.stand_back()
        return
    for run in runs:
        run.allow_reboot(options.may_reboot, options.reboot_with_instances, drains=options.drain is not None)
    busy = tuple(run for run in runs if run.has_work)
    _each(pool, busy, lambda run: run.apply(run_id, who))
    _each(pool, tuple(run for run in runs if run not in busy), HostRun.rest)
    waiting = tuple(run for run in busy if run.waits_for_reboot)
    _each(pool, tuple(run for run in runs if run not in waiting), lambda run: drain.refill(options.drain, run))
    _reboot(pool, waiting, options)


def _each(pool: Executor, runs: tuple[HostRun, ...], act: Callable[[HostRun], None]) -> None:
    """One act on each host; a failure is its host's alone."""
    for future in as_completed([pool.submit(_guarded, run, act) for run in runs]):
        future.result()


def _guarded(run: HostRun, act: Callable[[HostRun], None]) -> None:
    try:
        act(run)
    except HostError as error:
        run.fail(error)
    except Exception as error:  # an answer that nobody foresaw is its host's trouble, not that of the others
        unforeseen = HostError(
            run.name,
            f"its answer makes no sense to this program ({type(error).__name__})",
            hint="run again; if it stays, tell the authors what --debug shows",
        )
        unforeseen.__cause__ = error
        run.fail(unforeseen)


def _reboot(pool: Executor, waiting: tuple[HostRun, ...], options: Options) -> None:
    """One host first; if it comes back as wanted, the others, so many at once. The first failure stops the rest."""
    failed = threading.Event()
    slots = threading.Semaphore(options.waves(len(waiting)))

    def in_turn(run: HostRun) -> None:
        with slots:
            if failed.is_set():
                run.hold_back("not rebooted, for another host did not come back as wanted")
                return
            _guarded(run, lambda run: _drain_and_reboot(run, options))
            if run.status is Status.FAILED:
                failed.set()

    for some in (waiting[:1], waiting[1:]):
        _each(pool, some, in_turn)


def _drain_and_reboot(run: HostRun, options: Options) -> None:
    if drain.empty(options.drain, run, options.reboot_with_instances):
        run.reboot()
        drain.refill(options.drain, run)


def _close(runs: tuple[HostRun, ...]) -> None:
    for run in runs:
        run.close()
