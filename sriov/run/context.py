"""What all hosts of a run have in common: who it is, its bounds, and whom it tells. One a run; it never changes."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import NamedTuple

from sriov.errors import HostError, InterruptedRunError
from sriov.model import Host
from sriov.planning.reboots import RebootPolicy
from sriov.run.sessions import Sessions
from sriov.transport import Connect


class Event(NamedTuple):
    """What a host is at, in a few words; `is_rest`: nothing is under way there any more."""

    words: str
    is_rest: bool = False


class LogEntry(NamedTuple):
    """A change that was made; `line` is its line of JSON in the log."""

    resource: str
    target: str
    line: str


Watch = Callable[[str, Event], None]
"""Told of each host (its label) what it is at, from any thread."""
Log = Callable[[str, LogEntry], None]
"""Given each change that was made on a host (its host string)."""


class Limits(NamedTuple):
    """Bounds in seconds: silence of a probe, silence of a change, a reboot, and what comes up after it."""

    probe: float = 60.0
    apply: float = 400.0
    reboot: float = 900.0
    settle: float = 180.0
    pause: float = 1.0


class Settings(NamedTuple):
    """The part of a run's context that can be sent: what a phase needs, in this process or on a worker.

    `run`: its id; `who` stands in the locks of hosts. `connect` must be picklable where it is sent.
    `keeps_files`: outcomes hold the files that were read. `changes_hosts`: it is no mere look.
    """

    run: str
    connect: Connect
    limits: Limits = Limits()
    who: str = ""
    changes_hosts: bool = False
    keeps_files: bool = False
    reboots: RebootPolicy = RebootPolicy()


class RunContext(NamedTuple):
    """A run in this process. `stop` is set when the operator ends it; `sessions` are those that it has open here."""

    settings: Settings
    stop: threading.Event
    sessions: Sessions
    watch: Watch = lambda label, event: None
    log: Log = lambda host, entry: None

    @property
    def limits(self) -> Limits:
        return self.settings.limits

    def tell(self, host: Host, words: str, *, is_rest: bool = False) -> None:
        self.watch(host.label, Event(words, is_rest))

    def raise_if_interrupted(self, host: Host) -> None:
        """Raises InterruptedRunError once the operator has ended the run."""
        if self.stop.is_set():
            raise interrupted(host, "interrupted before its changes began")

    def pause(self, host: Host, awaited: str) -> None:
        """Between two looks; InterruptedRunError if the operator ends the run meanwhile."""
        if self.stop.wait(self.limits.pause):
            raise interrupted(host, f"interrupted while waiting for {awaited}")

    def explained(self, error: HostError) -> HostError:
        """The error as it is told: what goes wrong once the operator has ended the run comes of that."""
        if not self.stop.is_set() or isinstance(error, InterruptedRunError):
            return error
        message = f"interrupted: {error.message}"
        return InterruptedRunError("interrupted", error.host, message, hint="run again", step=error.step)


def begin(settings: Settings, watch: Watch, log: Log = lambda host, entry: None) -> RunContext:
    """A run that has no session open yet."""
    return RunContext(settings, threading.Event(), Sessions(), watch, log)


def before_reboot(host: Host) -> InterruptedRunError:
    """What becomes of a host that waits for its reboot when the operator ends the run."""
    return interrupted(host, "interrupted before its reboot; everything before it is done", "the reboot")


def interrupted(host: Host, words: str, step: str = "") -> InterruptedRunError:
    return InterruptedRunError("interrupted", host.name, words, hint="run again", step=step)
