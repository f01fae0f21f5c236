"""A run over an executor is interrupted: no step begins any more, and each host is told of once."""

from __future__ import annotations

import threading
import time
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from typing import Any

import pytest

from sriov.model import Host, Testbed
from sriov.planning.plan import Plan
from sriov.resources.contract import Request
from sriov.run import engine_step
from sriov.run.elsewhere import Elsewhere
from sriov.run.engine import Phase
from sriov.run.engine_step import Outcome, Step, carry_out
from sriov.run.host_run import HostRun, Limits, Status


class Manual(Executor):
    """Steps end when the test says so."""

    def __init__(self) -> None:
        self.given: list[Future[Any]] = []

    def submit(self, fn: Any, /, *args: Any, **kwargs: Any) -> Future[Any]:
        future: Future[Any] = Future()
        self.given.append(future)
        return future


def a_run(name: str = "compute1") -> HostRun:
    host = Host(name, name)
    return HostRun(Request(host, Testbed("", (host,)), frozenset()), connect, lambda *words: None, Limits())


def connect(host: Host) -> Any:
    raise NotImplementedError


def place(executor: Executor) -> Elsewhere:
    return Elsewhere(executor, connect, Limits(), lambda *words: None, "run1", False)


def outcome() -> Outcome:
    return Outcome(Status.CHANGED, None, Plan(), Plan(), None, (), (), True, False, None, 1.0, (), ())


def test_no_step_begins_once_the_run_is_interrupted() -> None:
    executor = Manual()
    there = place(executor)
    there.interrupt()
    run = a_run()
    began = time.monotonic()
    there.now(run, Phase.APPLY)
    assert executor.given == []
    assert not run.has_begun
    assert time.monotonic() - began < 60  # it came back at all


def test_step_that_had_not_begun_is_taken_back_and_whoever_waits_for_it_goes_on() -> None:
    executor = Manual()
    there = place(executor)
    run = a_run()
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(there.now, run, Phase.APPLY)
        while not executor.given:
            time.sleep(0.01)
        there.interrupt()
        waiting.result(30)
    assert executor.given[0].cancelled()
    assert not run.has_begun
    assert run.error is None


@pytest.mark.parametrize("number", range(30))
def test_step_that_ends_as_the_run_is_interrupted_is_told_of_once(number: int) -> None:
    executor = Manual()
    there = place(executor)
    runs = [a_run(f"compute{each}") for each in range(8)]
    with ThreadPoolExecutor(10) as pool:
        waiting = [pool.submit(there.now, run, Phase.REBOOT) for run in runs]
        while len(executor.given) < len(runs):
            time.sleep(0.001)
        for future in executor.given:
            future.set_running_or_notify_cancel()
        together = threading.Barrier(2)

        def end_all() -> None:
            together.wait()
            for future in executor.given:
                future.set_result(outcome())

        ending = pool.submit(end_all)
        together.wait()
        there.interrupt()
        for future in (ending, *waiting):
            future.result(30)
    assert [(run.status, run.error) for run in runs] == [(Status.CHANGED, None)] * len(runs)


def _step(connect: Any, run: str, phase: Phase) -> Step:
    host = Host("compute1", "compute1")
    return Step(Request(host, Testbed("", (host,)), frozenset()), connect, Limits(), phase, run, True, "me", True)


class Untouched:
    """A session on which nothing may be done."""

    def __init__(self) -> None:
        self.is_closed = False

    def start(self, script: Any) -> Any:
        raise AssertionError("the host was touched")

    def wait_closed(self, seconds: float) -> None: ...

    def close(self) -> None:
        self.is_closed = True


@pytest.mark.parametrize("phase", [Phase.APPLY, Phase.LOOK])
def test_step_that_is_interrupted_while_it_logs_in_touches_nothing(phase: Phase) -> None:
    session = Untouched()
    run = f"interrupted-in-login-{phase.value}"

    def connect(host: Host) -> Untouched:
        engine_step.interrupt(run)
        return session

    found = carry_out(_step(connect, run, phase))
    assert found.error is not None
    assert "interrupted before" in found.error[1]
    assert session.is_closed


def test_step_that_reaches_its_worker_after_the_interruption_touches_nothing() -> None:
    session = Untouched()
    engine_step.interrupt("interrupted-before")
    found = carry_out(_step(lambda host: session, "interrupted-before", Phase.REBOOT))
    assert found.error is not None
    assert "interrupted" in found.error[1]
    assert session.is_closed
