"""A host's reboot, word by word: what it answers, what is made of no answer, and a request to stop at each moment."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from sriov.errors import RebootError, UnreachableError
from sriov.facts.parser import parse
from sriov.model import Host, Testbed
from sriov.planning import plan
from sriov.resources.contract import Request
from sriov.run.context import Event, Limits, RunContext, Settings, begin
from sriov.run.outcome import AwaitingReboot, Outcome, Status
from sriov.run.reboot import reboot
from sriov.run.sessions import Waiting
from sriov.transport import Script

NONCE = "0123456789abcdef0123456789abcdef"
PROBE = (Path(__file__).parents[2] / "golden/facts/compute.probe").read_bytes()
OLD = parse(PROBE.replace(b"NONCE", NONCE.encode()), NONCE, "root@a").boot_id
NEW = "99999999-2222-3333-4444-555555555555"
HOST = Host("root@a", "a", "root")
REQUEST = Request(HOST, Testbed("testbed.py", (HOST,)), HOST.roles)
LIMITS = Limits(probe=1, apply=1, reboot=0.2, settle=0.1, pause=0.01)


class Told:
    """An execution that waits for the word to reboot, and answers with these sections; None: it goes in silence."""

    def __init__(self, *sections: str, silent: bool = False, then: Callable[[], None] = lambda: None) -> None:
        self.sections, self.silent, self.then = sections, silent, then
        self.heard: list[bytes] = []

    def read(self, stop: bytes, idle: float, on_data: object = None) -> bytes:
        self.then()
        if self.silent:
            raise UnreachableError("connection-lost", "root@a", "the connection broke")
        return "".join(f"\n@{NONCE} {section}\n" for section in self.sections).encode()

    def answer(self, text: bytes) -> None:
        self.heard.append(text)


class Probed:
    """An execution of the probe on a host that runs that boot."""

    def __init__(self, script: Script, boot: str) -> None:
        found = re.search(rb"[0-9a-f]{32}", script.text)
        assert found is not None
        self.output = PROBE.replace(b"NONCE", found[0]).replace(OLD.encode(), boot.encode())

    def read(self, stop: bytes, idle: float, on_data: object = None) -> bytes:
        return self.output

    def answer(self, text: bytes) -> None: ...


class There:
    """A host: `boots` are what it runs at each login, one after the other; the last one stays. Empty: it refuses."""

    def __init__(self, *boots: str) -> None:
        self.boots = list(boots)
        self.boot = ""
        self.logins = 0

    def __call__(self, host: Host) -> There:
        self.logins += 1
        self.boot = self.boots.pop(0) if len(self.boots) > 1 else self.boots[0]
        if not self.boot:
            raise UnreachableError("no-ssh", host.name, "no SSH with a:22: Connection refused")
        return self

    def start(self, script: Script) -> Probed:
        return Probed(script, self.boot)

    def wait_closed(self, seconds: float) -> None: ...

    def close(self) -> None: ...


def story(there: There, told: Told | None, before: Callable[[RunContext], None] = lambda ctx: None) -> Outcome:
    """The third phase of a host that waits for its reboot by `told`, if it does in this process."""
    events: list[str] = []

    def watch(label: str, event: Event) -> None:
        events.append(event.words)

    ctx = begin(Settings("run1", there, LIMITS), watch)
    if told is not None:
        ctx.sessions.keep("root@a", there)
        ctx.sessions.keep_waiting("root@a", Waiting(told, NONCE))
    before(ctx)
    return reboot(AwaitingReboot(Outcome(REQUEST, Status.PENDING, has_begun=True), OLD, "mark"), ctx)


def error_of(outcome: Outcome) -> str:
    assert outcome.error is not None
    assert outcome.status is Status.FAILED
    return outcome.error.message


def test_the_host_of_this_story_needs_nothing() -> None:
    facts = parse(PROBE.replace(b"NONCE", NONCE.encode()), NONCE, "root@a")
    assert plan.make(REQUEST, facts).is_converged


def test_host_that_comes_back_is_proven() -> None:
    told, there = Told("rebooting"), There("", OLD, "", NEW)
    outcome = story(there, told)
    assert (outcome.error, outcome.rebooted) == (None, True)
    assert told.heard == [b"reboot mark\n"]
    assert there.logins == 4


def test_request_to_stop_that_comes_before_the_word_leaves_the_host_up() -> None:
    told, there = Told("rebooting"), There(NEW)
    outcome = story(there, told, lambda ctx: ctx.stop.set())
    assert error_of(outcome) == "interrupted before its reboot; everything before it is done"
    assert (told.heard, there.logins) == ([], 0)


def test_request_to_stop_that_comes_before_the_answer_ends_the_wait() -> None:
    found: list[RunContext] = []
    told, there = Told(silent=True, then=lambda: found[0].stop.set()), There(NEW)
    outcome = story(there, told, found.append)
    assert error_of(outcome) == "interrupted while waiting for its reboot"
    assert told.heard == [b"reboot mark\n"]
    assert there.logins == 0


@pytest.mark.parametrize(
    ("section", "status", "words"),
    [
        ("unmarked", Status.FAILED, "not rebooted: /var/lib/sriov/rebooted cannot be written"),
        ("instance instance-0000002a", Status.PENDING, "an instance was started meanwhile: instance-0000002a"),
    ],
)
def test_host_that_says_no_is_left_up(section: str, status: Status, words: str) -> None:
    there = There(OLD)
    outcome = story(there, Told(section))
    assert outcome.status is status
    assert words in (outcome.error.message if outcome.error else " ".join(note.message for note in outcome.notes))
    assert there.logins == 0


def test_host_whose_word_was_lost_is_pending() -> None:
    outcome = story(There(OLD), Told(silent=True))
    assert outcome.status is Status.PENDING
    assert "its connection was lost while it waited for its turn" in " ".join(note.message for note in outcome.notes)


@pytest.mark.parametrize(("boot", "reason"), [("", "Connection refused"), (OLD, "it still runs the old boot")])
def test_host_that_does_not_come_back_is_told_with_the_reason(boot: str, reason: str) -> None:
    outcome = story(There(boot), Told("rebooting"))
    assert isinstance(outcome.error, RebootError)
    assert "did not come back within 0.2 s of its reboot" in error_of(outcome)
    assert reason in error_of(outcome)


def test_host_that_an_earlier_attempt_rebooted_is_not_rebooted_again() -> None:
    there = There("", "", NEW)
    outcome = story(there, None)
    assert (outcome.error, outcome.rebooted) == (None, True)
