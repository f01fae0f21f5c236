"""Which host may be rebooted, and when no other may any more; with hosts and a cloud that are played."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import pytest

from sriov.errors import CloudError, HostError
from sriov.model import Host, Role, Testbed
from sriov.planning.reboots import Note
from sriov.resources.contract import Request
from sriov.run.apply import defer_reboot
from sriov.run.backends.protocol import Settled
from sriov.run.context import RunContext, Settings, begin
from sriov.run.drain import Drain
from sriov.run.look import failed
from sriov.run.outcome import AwaitingReboot, Outcome, State, Status, outcome_of
from sriov.run.phases import Phase
from sriov.run.waves import Waves

COMPUTE = frozenset({Role.COMPUTE})
End = Callable[[Outcome, RunContext], Outcome]


def no_session(host: Host) -> Any:
    raise HostError("unreachable", host.name, "there is no such host")


@pytest.fixture
def ctx() -> RunContext:
    return begin(Settings("run1", no_session), lambda label, event: None)


def waiting(*names: str) -> dict[int, AwaitingReboot]:
    def one(name: str) -> AwaitingReboot:
        host = Host(name, name, hostname=name, roles=COMPUTE)
        return AwaitingReboot(Outcome(Request(host, Testbed("", (host,)), COMPUTE), Status.PENDING), "boot", "mark")

    return {number: one(name) for number, name in enumerate(names)}


class Yard:
    """Plays the backend: each host ends as `ends` says, else as wanted. Counts how many are down at once."""

    width = 16

    def __init__(self, ctx: RunContext, **ends: End) -> None:
        self.ctx = ctx
        self.ends = ends
        self.down = 0
        self.counts: list[int] = []
        self.rebooted: list[str] = []
        self._lock = threading.Lock()
        self._pool = ThreadPoolExecutor(16)

    def submit(self, phase: Phase, state: State, settled: Settled = lambda state: None) -> Future[State]:
        return self._pool.submit(self._reboot, outcome_of(state))

    def interrupt(self) -> None: ...

    def close(self) -> None:
        self._pool.shutdown()

    def _reboot(self, outcome: Outcome) -> State:
        with self._lock:
            self.down += 1
            self.counts.append(self.down)
            self.rebooted.append(outcome.name)
        time.sleep(0.05)
        with self._lock:
            self.down -= 1
        return self.ends.get(outcome.name, well)(outcome, self.ctx)


def well(outcome: Outcome, ctx: RunContext) -> Outcome:
    return outcome._replace(rebooted=True, status=Status.CHANGED)


def stays(outcome: Outcome, ctx: RunContext) -> Outcome:
    return defer_reboot(outcome, Note("instances-running", "an instance was started meanwhile"))


def fails(outcome: Outcome, ctx: RunContext) -> Outcome:
    return failed(outcome, HostError("reboot-timeout", outcome.name, "did not come back"), ctx)


class Cloud:
    """Plays the cloud; `emptying(name, stop)` is what it does before a host is empty."""

    def __init__(self, emptying: Callable[[str, threading.Event], None] = lambda name, stop: None) -> None:
        self.emptying = emptying
        self.refilled: list[str] = []

    def drain(self, host: Host, watch: Callable[[str], None], stop: threading.Event) -> tuple[str, ...]:
        self.emptying(host.name, stop)
        return ()

    def undrain(self, host: Host) -> None:
        self.refilled.append(host.name)


Play = Callable[[Yard, dict[int, AwaitingReboot], Drain | None], list[State]]


@pytest.fixture
def play(ctx: RunContext) -> Iterator[Play]:
    """The waves over these hosts, up to eight at once, and what becomes of each."""
    made: list[Waves] = []

    def run(yard: Yard, hosts: dict[int, AwaitingReboot], cloud: Drain | None = None) -> list[State]:
        states: dict[int, State] = dict(hosts)
        made.append(Waves(yard, ctx, cloud, 16))
        made[-1].run(hosts, 8, states.__setitem__)
        yard.close()
        return [states[number] for number in sorted(states)]

    yield run
    for waves in made:
        waves.close()


def statuses(states: list[State]) -> list[Status]:
    return [outcome_of(state).status for state in states]


def test_hosts_go_one_at_a_time_until_one_has_come_back(ctx: RunContext, play: Play) -> None:
    yard = Yard(ctx, a=stays, b=stays)
    states = play(yard, waiting("a", "b", "c", "d", "e", "f"), None)
    assert yard.rebooted[:3] == ["a", "b", "c"]
    assert yard.counts[:3] == [1, 1, 1]
    assert max(yard.counts) > 1  # then side by side
    assert statuses(states) == [Status.PENDING] * 2 + [Status.CHANGED] * 4


def test_first_to_be_rebooted_that_fails_is_the_only_one(ctx: RunContext, play: Play) -> None:
    yard = Yard(ctx, a=stays, b=fails)
    states = play(yard, waiting("a", "b", "c", "d"), None)
    assert yard.rebooted == ["a", "b"]
    assert statuses(states) == [Status.PENDING, Status.FAILED, Status.PENDING, Status.PENDING]


def test_host_that_was_being_emptied_when_another_failed_stays_up_and_is_refilled(ctx: RunContext, play: Play) -> None:
    has_failed = threading.Event()

    def fail(outcome: Outcome, ctx: RunContext) -> Outcome:
        threading.Timer(0.2, has_failed.set).start()
        return fails(outcome, ctx)

    def emptying(name: str, stop: threading.Event) -> None:
        if name == "c":
            assert has_failed.wait(10)

    cloud = Cloud(emptying)
    yard = Yard(ctx, b=fail)
    states = play(yard, waiting("a", "b", "c"), cloud)
    assert yard.rebooted == ["a", "b"]
    assert statuses(states)[2] is Status.PENDING
    assert "another host did not come back" in outcome_of(states[2]).notes[0].message
    assert cloud.refilled == ["a", "c"]


def test_host_that_stays_up_after_it_was_emptied_is_refilled(ctx: RunContext, play: Play) -> None:
    cloud = Cloud()
    play(Yard(ctx, a=stays), waiting("a"), cloud)
    assert cloud.refilled == ["a"]


def test_cloud_that_fails_in_words_of_its_own_is_its_host_s_failure_alone(ctx: RunContext, play: Play) -> None:
    def emptying(name: str, stop: threading.Event) -> None:
        if name == "b":
            raise KeyError("nova")

    states = play(Yard(ctx), waiting("a", "b"), Cloud(emptying))
    assert statuses(states) == [Status.CHANGED, Status.FAILED]
    assert "its turn failed (KeyError)" in str(outcome_of(states[1]).error)


@pytest.mark.parametrize("refuses", [True, False])
def test_interruption_while_a_host_is_emptied_reboots_none(ctx: RunContext, play: Play, refuses: bool) -> None:
    def interrupted(name: str, stop: threading.Event) -> None:
        stop.set()
        if refuses:
            raise CloudError("interrupted", "interrupted")

    cloud, yard = Cloud(interrupted), Yard(ctx)
    hosts = waiting("a", "b", "c")
    assert play(yard, hosts, cloud) == list(hosts.values())  # as they were: the run says that it was interrupted
    assert yard.rebooted == []
    assert cloud.refilled == ["a"]
