"""The imperative shell: hosts side by side, from probe to proof; reboots in waves, decided in one place.

Phases: probe all -> stop if anything is impossible anywhere -> apply side by side -> reboots -> verify.
What is done to one host stands in `sriov/host_run.py`, where it is done in `sriov/engine.py`, and the reboots in
`sriov/waves.py`; this module only says who and when.
"""

from __future__ import annotations

import contextlib
import secrets
import threading
from collections.abc import Callable, Iterable
from concurrent.futures import Executor, ThreadPoolExecutor
from typing import NamedTuple

from sriov.errors import UsageError
from sriov.resources.contract import Request
from sriov.run import drain
from sriov.run.engine import Here, Phase, Place, side_by_side
from sriov.run.host_run import HostRun, Limits, Log, Watch
from sriov.run.signals import undisturbed
from sriov.run.waves import Waves, each
from sriov.transport import Connect


class Options(NamedTuple):
    """What the operator allows. `max_unavailable`: `2` or `10%` of the hosts to be rebooted, at least one.

    `engine`: whatever carries out the steps of hosts in place of threads of this process; what a step is made of,
    `connect` above all, must then be picklable.
    """

    may_reboot: bool = True
    max_unavailable: str = "1"
    reboot_with_instances: bool = False
    jobs: int = 0
    drain: drain.Drain | None = None
    engine: Executor | None = None
    limits: Limits = Limits()

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


def look(
    requests: Iterable[Request], connect: Connect, options: Options, watch: Watch, *, keeps_files: bool = True
) -> tuple[HostRun, ...]:
    """Probes and plans; touches nothing. The sessions are closed. `keeps_files`: facts hold the files that were read
    also where they come from elsewhere."""
    stop = threading.Event()
    runs = tuple(HostRun(request, connect, _safely(watch), options.limits, stop=stop) for request in requests)
    run_id = f"look-{secrets.token_hex(4)}"
    _work(runs, options, run_id, keeps_files, lambda place, pool: side_by_side(place, runs, Phase.LOOK))
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
        HostRun(request, connect, _safely(watch), options.limits, log, stop, changes_hosts=True, run_id=run_id, who=who)
        for request in requests
    )
    _work(runs, options, run_id, False, lambda place, pool: _converge(place, pool, runs, options))
    return runs


def _work(
    runs: tuple[HostRun, ...],
    options: Options,
    run_id: str,
    keeps_files: bool,
    work: Callable[[Place, Executor], None],
) -> None:
    if not runs:
        return
    size = pool_size(options.jobs, len(runs))
    pool = ThreadPoolExecutor(size, thread_name_prefix="host")
    first = runs[0]
    place: Place
    if options.engine is None:
        place = Here(pool, 4 * size, keeps_files)
    else:
        from sriov.run.elsewhere import Elsewhere

        place = Elsewhere(options.engine, first.connect, options.limits, first.watch, run_id, keeps_files, options.jobs)
    try:
        work(place, pool)
    except KeyboardInterrupt:
        with undisturbed():
            for run in runs:
                run.stop.set()
            pool.shutdown(wait=False, cancel_futures=True)
            _close(runs)  # whoever waits for a host's answer wakes up
            place.interrupt()
            pool.shutdown()
            for run in runs:
                run.interrupt()
    finally:
        pool.shutdown()
        _close(runs)


def _converge(place: Place, pool: Executor, runs: tuple[HostRun, ...], options: Options) -> None:
    side_by_side(place, runs, Phase.LOOK)
    if any(run.stops_all for run in runs):
        for run in runs:
            run.stand_back()
        return
    for run in runs:
        run.allow_reboot(options.may_reboot, options.reboot_with_instances, drains=options.drain is not None)
    busy = tuple(run for run in runs if run.has_work)
    side_by_side(place, busy, Phase.APPLY)
    for run in runs:
        if not run.has_begun:
            run.attempt(HostRun.rest)
    waiting = tuple(run for run in busy if run.waits_for_reboot)
    if options.drain is not None:
        each(pool, (run for run in runs if not run.waits_for_reboot), lambda run: drain.refill(options.drain, run))
    width = options.waves(len(waiting))
    Waves(place, pool, width, options.drain, options.reboot_with_instances).run(waiting)


def _safely(watch: Watch) -> Watch:
    """Nothing is lost where nobody can be told any more, as behind `| head`."""

    def tell(label: str, words: str) -> None:
        with contextlib.suppress(OSError, ValueError):
            watch(label, words)

    return tell


def _close(runs: tuple[HostRun, ...]) -> None:
    for run in runs:
        run.close()
