"""Who may be rebooted, and when nobody may any more; with hosts and a cloud that are played."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import pytest

from sriov.errors import CloudError, HostError
from sriov.model import Host, Role, Testbed
from sriov.resources.contract import Request
from sriov.run import drain
from sriov.run.engine import Phase
from sriov.run.host_run import HostRun, Limits, Status
from sriov.run.waves import Waves

COMPUTE = frozenset({Role.COMPUTE})


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(16) as running:
        yield running


def waiting(*names: str) -> tuple[HostRun, ...]:
    stop = threading.Event()

    def run(name: str) -> HostRun:
        host = Host(name, name, hostname=name, roles=COMPUTE)
        request = Request(host, Testbed("", (host,)), COMPUTE)
        made = HostRun(request, connect=no_session, watch=lambda *words: None, limits=Limits(), stop=stop)
        made.status, made.waits_for_reboot = Status.DIFFERS, True
        return made

    return tuple(run(name) for name in names)


def no_session(host: Host) -> Any:
    raise HostError(host.name, "there is no such host")


class Yard:
    """Plays the place: each host ends as `ends` says, else as wanted. Counts how many are down at once."""

    width = 16

    def __init__(self, **ends: Callable[[HostRun], None]) -> None:
        self.ends = ends
        self.down = 0
        self.counts: list[int] = []
        self.rebooted: list[str] = []
        self._lock = threading.Lock()

    def start(self, run: HostRun, phase: Phase) -> Future[Any]:
        raise NotImplementedError

    def finish(self, run: HostRun, future: Future[Any]) -> None:
        raise NotImplementedError

    def interrupt(self) -> None: ...

    def now(self, run: HostRun, phase: Phase) -> None:
        with self._lock:
            self.down += 1
            self.counts.append(self.down)
            self.rebooted.append(run.name)
        time.sleep(0.05)
        with self._lock:
            self.down -= 1
        run.waits_for_reboot = False
        self.ends.get(run.name, well)(run)


def well(run: HostRun) -> None:
    run.rebooted, run.status = True, Status.CHANGED


def stays(run: HostRun) -> None:
    run.hold_back("an instance was started meanwhile")


def fails(run: HostRun) -> None:
    raise HostError(run.name, "did not come back")


class Cloud:
    """Plays the cloud; `emptying(name, stop)` is what it does before a host is empty."""

    def __init__(self, emptying: Callable[[str, threading.Event], None] = lambda name, stop: None) -> None:
        self.emptying = emptying
        self.refilled: list[str] = []

    def empty(self, host: Host, watch: Callable[[str], None], stop: threading.Event) -> tuple[str, ...]:
        self.emptying(host.name, stop)
        return ()

    def refill(self, host: Host) -> None:
        self.refilled.append(host.name)


def waves(yard: Yard, pool: ThreadPoolExecutor, cloud: drain.Drain | None = None) -> Waves:
    return Waves(yard, pool, 8, cloud, with_instances=False)


def test_hosts_go_one_at_a_time_until_one_has_come_back(pool: ThreadPoolExecutor) -> None:
    yard = Yard(a=stays, b=stays)
    runs = waiting("a", "b", "c", "d", "e", "f")
    waves(yard, pool).run(runs)
    assert yard.rebooted[:3] == ["a", "b", "c"]
    assert yard.counts[:3] == [1, 1, 1]
    assert max(yard.counts) > 1  # then side by side
    assert [run.status for run in runs] == [Status.PENDING] * 2 + [Status.CHANGED] * 4


def test_first_to_be_rebooted_that_fails_is_the_only_one(pool: ThreadPoolExecutor) -> None:
    yard = Yard(a=stays, b=fails)
    runs = waiting("a", "b", "c", "d")
    waves(yard, pool).run(runs)
    assert yard.rebooted == ["a", "b"]
    assert [run.status for run in runs] == [Status.PENDING, Status.FAILED, Status.PENDING, Status.PENDING]


def test_host_that_was_being_emptied_when_another_failed_stays_up_and_is_refilled(pool: ThreadPoolExecutor) -> None:
    has_failed = threading.Event()

    def fail(run: HostRun) -> None:
        threading.Timer(0.2, has_failed.set).start()
        fails(run)

    def emptying(name: str, stop: threading.Event) -> None:
        if name == "c":
            assert has_failed.wait(10)

    cloud = Cloud(emptying)
    yard = Yard(b=fail)
    runs = waiting("a", "b", "c")
    waves(yard, pool, cloud).run(runs)
    assert yard.rebooted == ["a", "b"]
    assert runs[2].status is Status.PENDING
    assert "another host did not come back" in runs[2].notes[0]
    assert cloud.refilled == ["a", "c"]


def test_host_that_stays_up_after_it_was_emptied_is_refilled(pool: ThreadPoolExecutor) -> None:
    cloud = Cloud()
    waves(Yard(a=stays), pool, cloud).run(waiting("a"))
    assert cloud.refilled == ["a"]


@pytest.mark.parametrize("refuses", [True, False])
def test_interruption_while_a_host_is_emptied_reboots_nobody(pool: ThreadPoolExecutor, refuses: bool) -> None:
    def interrupted(name: str, stop: threading.Event) -> None:
        stop.set()
        if refuses:
            raise CloudError("interrupted")

    cloud, yard = Cloud(interrupted), Yard()
    runs = waiting("a", "b", "c")
    waves(yard, pool, cloud).run(runs)
    assert yard.rebooted == []
    assert cloud.refilled == ["a"]
    for run in runs:
        run.interrupt()
    assert ["interrupted before its reboot" in str(run.error) for run in runs] == [True] * 3
