"""A run over an executor is interrupted: no job begins any more, and each host is told of once."""

from __future__ import annotations

import pickle
import threading
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from typing import Any

import pytest

from sriov.errors import ConnectError, UsageError
from sriov.facts.model import Facts
from sriov.model import Host, Role, Secret, Testbed
from sriov.planning.reboots import RebootPolicy
from sriov.resources.contract import Request
from sriov.run import converge
from sriov.run.backends import worker
from sriov.run.backends.remote import RemoteBackend
from sriov.run.backends.worker import Answer, Job, carry_out, job
from sriov.run.context import Settings, begin
from sriov.run.converge import RunOptions
from sriov.run.outcome import AwaitingReboot, Looked, Outcome, State, Status, outcome_of
from sriov.run.phases import Phase

ROLES = frozenset({Role.OPENSTACK})


class Manual(Executor):
    """Jobs end when the test says so."""

    def __init__(self) -> None:
        self.given: list[Future[Any]] = []

    def submit(self, fn: Any, /, *args: Any, **kwargs: Any) -> Future[Any]:
        future: Future[Any] = Future()
        self.given.append(future)
        return future


def connect(host: Host) -> Any:
    raise NotImplementedError


def backend(executor: Executor) -> RemoteBackend:
    return RemoteBackend(executor, begin(Settings("run1", connect), lambda label, event: None))


def request(name: str = "compute1") -> Request:
    host = Host(name, name)
    return Request(host, Testbed("", (host,)), frozenset())


def looked(name: str = "compute1") -> Looked:
    return Looked(Outcome(request(name), Status.DIFFERS), Facts("boot", ""))


def awaiting(name: str = "compute1") -> AwaitingReboot:
    return AwaitingReboot(Outcome(request(name), Status.PENDING, has_begun=True), "boot", "mark")


def test_no_job_begins_once_the_run_is_interrupted() -> None:
    executor = Manual()
    there = backend(executor)
    there.interrupt()
    assert there.submit(Phase.APPLY, looked()).cancelled()
    assert executor.given == []


def test_job_that_had_not_begun_is_taken_back_and_who_waits_for_it_goes_on() -> None:
    executor = Manual()
    there = backend(executor)
    settled: list[State] = []
    waiting = there.submit(Phase.APPLY, looked(), settled.append)
    there.interrupt()
    assert executor.given[0].cancelled()
    assert waiting.cancelled()
    assert settled == []


@pytest.mark.parametrize("number", range(30))
def test_job_that_ends_as_the_run_is_interrupted_is_told_of_once(number: int) -> None:
    executor = Manual()
    there = backend(executor)
    names = [f"compute{each}" for each in range(8)]
    settled: list[State] = []
    waiting = [there.submit(Phase.REBOOT, awaiting(name), settled.append) for name in names]
    for future in executor.given:
        future.set_running_or_notify_cancel()
    together = threading.Barrier(2)

    def end_all() -> None:
        together.wait(30)
        for name, future in zip(names, executor.given, strict=True):
            future.set_result(Answer(Outcome(request(name), Status.CHANGED, rebooted=True), (), ()))

    with ThreadPoolExecutor(1) as pool:
        ending = pool.submit(end_all)
        together.wait(30)
        there.interrupt()
        ending.result(30)
        states = [future.result(30) for future in waiting]
    assert [(outcome_of(state).status, outcome_of(state).error) for state in states] == [(Status.CHANGED, None)] * 8
    assert sorted(outcome_of(state).name for state in settled) == names


def _job(connect: Any, run: str, phase: Phase) -> Job:
    states: dict[Phase, State] = {Phase.LOOK: request(), Phase.APPLY: looked(), Phase.REBOOT: awaiting()}
    return Job(phase, states[phase], Settings(run, connect, who="me", changes_hosts=True, reboots=RebootPolicy()))


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
def test_job_that_is_interrupted_while_it_logs_in_touches_nothing(phase: Phase) -> None:
    session = Untouched()
    run = f"interrupted-in-login-{phase.value}"

    def connect(host: Host) -> Untouched:
        worker.interrupt(run)
        return session

    error = outcome_of(carry_out(_job(connect, run, phase)).state).error
    assert error is not None
    assert "interrupted before" in error.message
    assert session.is_closed


def test_job_that_reaches_its_worker_after_the_interruption_touches_nothing() -> None:
    session = Untouched()
    worker.interrupt("interrupted-before")
    error = outcome_of(carry_out(_job(lambda host: session, "interrupted-before", Phase.REBOOT)).state).error
    assert error is not None
    assert "interrupted" in error.message


@pytest.mark.parametrize("error", [KeyboardInterrupt(), RuntimeError("it fell over"), SystemExit(1)])
def test_job_that_its_worker_lets_go_in_whatever_way_is_lost_and_ends(error: BaseException) -> None:
    """A Ctrl-C in the terminal reaches the workers of a process pool, too."""
    executor = Manual()
    waiting = backend(executor).submit(Phase.APPLY, looked())
    executor.given[0].set_exception(error)
    outcome = outcome_of(waiting.result(10))
    assert outcome.status is Status.FAILED
    assert "its step was lost by the engine" in str(outcome.error)
    assert "a change may have been under way" in str(outcome.error)


def test_answer_of_a_worker_holds_no_password_and_no_other_host() -> None:
    hosts = tuple(Host(f"root@{name}", name, password=Secret(f"pw-{name}"), roles=ROLES) for name in ("one", "other"))
    asked = Request(hosts[0], Testbed("bed.py", hosts), ROLES)

    def refuse(host: Host) -> Any:
        raise ConnectError("login-refused", host.name, "refused")

    sent = pickle.dumps(carry_out(job(Phase.LOOK, asked, Settings("r", refuse))))
    assert b"refused" in sent
    assert b"pw-" not in sent
    assert b"root@other" not in sent


def test_host_that_is_asked_for_twice_is_refused_before_anything_is_touched() -> None:
    with pytest.raises(UsageError, match="compute1 is named twice"):
        converge.look([request(), request()], connect, RunOptions(), lambda label, event: None)
