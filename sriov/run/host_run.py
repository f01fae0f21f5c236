"""One host's way through a run: what was seen, what was done, and how it ended."""

from __future__ import annotations

import contextlib
import enum
import secrets
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NamedTuple

from sriov.errors import ConnectError, HostError, RebootError, UnreachableError
from sriov.facts import parser
from sriov.facts.model import Facts
from sriov.model import Host
from sriov.planning import answers as refusal
from sriov.planning import plan as planning
from sriov.planning import reboots as reboot_rule
from sriov.planning import rollback, script
from sriov.planning.plan import Plan
from sriov.planning.progress import StepProgress
from sriov.resources.contract import Change, RebootState, Request, Severity
from sriov.run import lock_owner as controller
from sriov.transport import Execution, Session

Connect = Callable[[Host], Session]
Watch = Callable[[str, str], None]
"""Told of each host (its name) what it is at, in a few words."""
Log = Callable[[str], None]
"""Given one line of JSON for each change that was made."""


class Status(enum.Enum):
    """How a host ended, from best to worst."""

    UNCHANGED = "unchanged"  # it was as wanted
    CHANGED = "changed"  # it is as wanted now
    DIFFERS = "differs"  # plan and verify: something is to be done
    PENDING = "pending"  # all is done but a reboot that was not made
    UNTOUCHED = "untouched"  # the run stopped before it
    FAILED = "failed"


class Limits(NamedTuple):
    """Bounds in seconds: silence of a probe, silence of a change, a reboot, and what comes up after it."""

    probe: float = 60.0
    apply: float = 400.0
    reboot: float = 900.0
    settle: float = 180.0
    pause: float = 1.0


@dataclass(eq=False, repr=False)
class HostRun:
    """The state of one host. Only one thread works on it at a time."""

    request: Request
    connect: Connect
    watch: Watch
    limits: Limits
    log: Log = lambda line: None
    stop: threading.Event = field(default_factory=threading.Event)
    changes_hosts: bool = False
    run_id: str = ""
    who: str = ""
    status: Status = Status.UNCHANGED
    facts: Facts | None = None
    first_plan: Plan = field(default_factory=Plan)  # what was to be done
    plan: Plan = field(default_factory=Plan)  # what is still to be done
    error: HostError | None = None
    notes: tuple[str, ...] = ()
    rebooted: bool = False
    done: tuple[int, ...] = ()  # steps of first_plan that were done
    seconds: float = 0.0
    may_reboot: bool = False
    with_instances: bool = False
    has_begun: bool = False  # its change was sent
    waits_for_reboot: bool = False
    _reboots_allowed: bool = True
    _nonce: str = ""  # of the execution that waits for the reboot
    _session: Session | None = None
    _execution: Execution | None = None
    _has_ended: bool = False
    _begun: float = field(default_factory=time.monotonic)

    def attempt(self, act: Callable[[HostRun], None]) -> None:
        """One act on this host; whatever goes wrong in it is its outcome."""
        try:
            act(self)
        except HostError as error:
            self.fail(error)
        except Exception as error:  # an answer that nobody foresaw is its host's trouble, not that of the others
            unforeseen = HostError(
                self.name,
                f"its answer makes no sense to this program ({type(error).__name__})",
                hint="run again; if it stays, tell the authors what --debug shows",
            )
            unforeseen.__cause__ = error
            self.fail(unforeseen)

    @property
    def name(self) -> str:
        return self.request.host.name

    @property
    def label(self) -> str:
        return self.request.host.label

    @property
    def stops_all(self) -> bool:
        """A login refused or a state out of reach is for the operator to mend before anything is changed anywhere;
        a host that is down is not. What turns up once the changes have begun stops nobody else."""
        refused = isinstance(self.error, ConnectError) and not isinstance(self.error, UnreachableError)
        return not self.has_begun and (refused or bool(self.plan.impossible))

    @property
    def has_work(self) -> bool:
        return self.status is Status.DIFFERS and (bool(self.plan.changes) or self._wants_reboot)

    @property
    def _wants_reboot(self) -> bool:
        return self.plan.reboot is RebootState.DUE and self.may_reboot

    def look(self) -> None:
        """Connects, probes, plans."""
        self._begun = time.monotonic()
        self.watch(self.label, "connecting")
        self._log_in()
        self.watch(self.label, "probing")
        self._probe()
        self._judge_first_look()

    def _log_in(self) -> None:
        self._session = self.connect(self.request.host)
        self._heed_interruption("its changes began")  # which closes sessions, but not one that was not there yet

    def _heed_interruption(self, what_was_next: str) -> None:
        if self.stop.is_set():
            raise HostError(self.name, f"interrupted before {what_was_next}", hint="run again")

    def look_when_up(self) -> None:
        """As look(), at a host that may be in a reboot which an earlier attempt at this step began."""
        try:
            self.look()
        except HostError:
            self.close()
            self.watch(self.label, "waiting for it to come up")
            self._reconnect("")
            self._judge_first_look()

    def _judge_first_look(self) -> None:
        if self.changes_hosts:
            self._outwait()
        if self.request.rollback is not None and self.facts is not None:
            # the change is a run of its own: from here on it must not be taken for the last one
            self.request = self.request._replace(rollback=self.facts.run_id)
        self.first_plan = self.plan
        self.status = Status.UNCHANGED if self.plan.is_converged else Status.DIFFERS
        if self.plan.is_converged:
            self.close()
        self._end("as wanted" if self.plan.is_converged else "differs")

    def _probe(self) -> None:
        assert self._session is not None  # noqa: S101 - every caller has just connected
        nonce = secrets.token_hex(16)
        execution = self._session.start(script.probe(self.request, nonce))
        self._learn(execution.read(f"\n@{nonce} end\n".encode(), self.limits.probe), nonce)

    def _outwait(self) -> None:
        """What a killed controller began here ends by itself; planned on is what it leaves."""
        deadline = time.monotonic() + self.limits.apply
        while self._is_left_locked() and time.monotonic() < deadline:
            self.watch(self.label, "waiting for the end of a run that was cut off")
            self._pause("a run that was cut off")
            self._probe()

    def _is_left_locked(self) -> bool:
        return self.facts is not None and controller.ends_by_itself(self.facts.lock, self.run_id)

    def _learn(self, output: bytes, nonce: str) -> None:
        self.facts = parser.parse(output, nonce, self.name)
        make = planning.make if self.request.rollback is None else rollback.make
        self.plan = make(self.request, self.facts)

    def allow_reboot(self, allowed: bool, with_instances: bool, drains: bool = False) -> None:
        """Whether this host may be rebooted in this run; a note where one is needed and may not be made.

        `drains`: its instances are led away before.
        """
        self._reboots_allowed, self.with_instances = allowed, with_instances
        if not self.plan.will_reboot or self.facts is None:
            return
        reason = reboot_rule.objection(self.plan, self.facts, allowed, with_instances, drains)
        self.may_reboot = not reason
        if reason:
            self.notes += (reason,)

    def rest(self) -> None:
        """A host that differs and on which nothing may be done: its outcome."""
        if self.status is Status.DIFFERS:
            self._conclude()

    @property
    def was_held_back(self) -> bool:
        """Pending although the operator allowed reboots."""
        return self.status is Status.PENDING and self._reboots_allowed

    def apply(self) -> None:
        """Execution 2: the steps, then the probe again, then perhaps the wait for a reboot."""
        self._heed_interruption("its changes began")
        assert self._session is not None  # noqa: S101 - look() has connected
        self.has_begun = True
        for warning in self.plan.warnings:
            self.watch(self.label, str(warning))
        nonce = secrets.token_hex(16)
        work = script.apply(
            self.request,
            self.plan,
            nonce,
            run_id=self.run_id,
            who=self.who,
            may_reboot=self.may_reboot,
            with_instances=self.with_instances,
        )
        progress = StepProgress(
            script.steps(self.plan),
            nonce,
            lambda words: self.watch(self.label, words),
            lambda change: self.log(script.log_line(self.request, change, self.run_id, self.who)),
        )
        stop = f"\n@{nonce} ready\n" if self.may_reboot else f"\n@{nonce} end\n"
        try:
            execution = self._session.start(work)
            output = execution.read(stop.encode(), self.limits.apply, progress.feed)
        except HostError as error:
            self.done = progress.done
            raise self._with_step(error, progress.current) from None
        self.done = progress.done
        self._judge(output, nonce, progress)
        if self.may_reboot and self.plan.reboot is RebootState.DUE:
            self._execution, self._nonce, self.waits_for_reboot = execution, nonce, True
            self.watch(self.label, "waiting for its reboot")
            return
        execution.answer(b"")
        self._conclude()

    def _judge(self, output: bytes, nonce: str, progress: StepProgress) -> None:
        refused = refusal.read(self.name, output, nonce, self.first_plan)
        if refused is not None:
            with contextlib.suppress(HostError):
                self._learn(output, nonce)
            raise refused
        if f"\n@{nonce} end\n".encode() not in output:
            raise self._with_step(
                UnreachableError(self.name, "the session ended in the middle of the change"), progress.current
            )
        self._learn(output, nonce)

    def _with_step(self, error: HostError, step: str) -> HostError:
        if self.stop.is_set():
            return HostError(self.name, f"interrupted during: {step or 'its login'}", hint="run again", step=step)
        where = f" during: {step}" if step else ""
        return type(error)(
            self.name, f"{error.message}{where}", hint=error.hint or "run again: what is left will be done", step=step
        )

    def _conclude(self) -> None:
        """Compares what is with what was wanted; nothing counts as done that was not read back."""
        unmet = refusal.unmet(self.name, self.plan)
        if unmet is not None:
            self.fail(unmet)
        elif self.plan.reboot is RebootState.DUE:
            self.hold_back("")
        else:
            self.status = Status.CHANGED
            self._end("as wanted")

    def hold_back(self, note: str) -> None:
        """The reboot is left for another run."""
        if note:
            self.notes += (note,)
        self.put_off_reboot()
        self.waits_for_reboot = False
        self.status = Status.PENDING
        self._end("reboot pending")

    def put_off_reboot(self) -> None:
        """Ends the session that waits for its reboot, which stays due in this run."""
        if self._execution is not None:
            self._execution.answer(b"")
            self._execution = None
        self.close()

    def reboot(self) -> None:
        """Reboots, waits for another boot_id, then for everything to be as wanted, each with a bound."""
        assert self.facts is not None  # noqa: S101 - apply() has set both
        assert self._execution is not None  # noqa: S101
        if self.stop.is_set():
            return
        old = self.facts.boot_id
        execution, self._execution, self.waits_for_reboot = self._execution, None, False
        self.watch(self.label, "rebooting")
        execution.answer(f"reboot {self.plan.boot_mark}\n".encode())
        answer = b""
        with contextlib.suppress(HostError):  # a host that goes down may not have the time to say so
            answer = execution.read(f"\n@{self._nonce} rebooting\n".encode(), 60)
        said = {name: words for name, words, _ in parser.sections(answer, self._nonce)}
        if "unmarked" in said:
            raise HostError(
                self.name,
                "not rebooted: /var/lib/sriov/rebooted cannot be written, by which a reboot in vain is known",
                hint="is the disk full or read-only?",
                step="the reboot",
            )
        if "instance" in said:
            self.hold_back(f"not rebooted, for an instance was started meanwhile: {said['instance']}")
            return
        if self._session is not None:
            self._session.wait_closed(60)
        self.close()
        unheard = min(self.limits.settle, self.limits.reboot) / 2
        if self._reconnect(old, None if "rebooting" in said else unheard):
            self.come_back(old)
        else:
            self.hold_back("not rebooted, for its connection was lost while it waited for its turn")

    def come_back(self, old: str) -> None:
        """It runs another boot than `old`: waits until it is as wanted, with a bound, and proves it."""
        self.rebooted = True
        self._settle(old)
        if self.plan.reboot is not RebootState.NOT_NEEDED or any(
            p.severity is Severity.BLOCKED for p in self.plan.problems
        ):
            words = "; ".join(str(p) for p in self.plan.blocked) or "the kernel still lacks its arguments"
            raise RebootError(
                self.name, f"rebooted, but {words}", hint="; ".join(dict.fromkeys(p.hint for p in self.plan.blocked))
            )
        self._conclude()

    def _reconnect(self, old_boot: str, patience: float | None = None) -> bool:
        """Until it runs another boot than this; False if it is up with the old one for so many seconds."""
        begun = time.monotonic()
        while True:
            self._pause()  # a host on its way down may still take a connection
            try:
                self._log_in()
                self._probe()
                if self.facts is not None and self.facts.boot_id != old_boot:
                    return True
                self.close()
                reason = "it still runs the old boot"
                if patience is not None and time.monotonic() > begun + patience:
                    return False
            except HostError as error:
                self.close()
                reason = error.message  # also a refused login: pam_nologin(8) refuses until the boot is over
            if time.monotonic() > begun + self.limits.reboot:
                raise RebootError(
                    self.name,
                    f"did not come back within {self.limits.reboot:g} s of its reboot: {reason}",
                    hint="look at its console; the next run goes on from what it finds",
                )

    def _settle(self, old_boot: str) -> None:
        """sshd is up before nova-compute and slow network drivers: looks again, with a bound."""
        deadline = time.monotonic() + self.limits.settle
        while not self.plan.is_converged and self.plan.reboot is not RebootState.FUTILE and time.monotonic() < deadline:
            self.watch(self.label, "coming up")
            self._pause()
            try:
                self._probe()
            except HostError:  # the network may come up anew while the host does
                self.close()
                self._reconnect(old_boot)

    def _pause(self, awaited: str = "its reboot") -> None:
        if self.stop.wait(self.limits.pause):
            raise HostError(self.name, f"interrupted while {awaited} was waited for", hint="run again")

    def interrupt(self) -> None:
        """The operator ended the run; what this host had not reached yet is left as it was."""
        if self.waits_for_reboot:
            words = "interrupted before its reboot; all that comes before it is done"
            self.fail(HostError(self.name, words, hint="run again", step="the reboot"))
        elif not self._has_ended:
            self.fail(HostError(self.name, "interrupted before its changes began", hint="run again"))

    def stand_back(self) -> None:
        """The run ends before the first change on any host."""
        if self.error is None and self.status is not Status.UNCHANGED:
            self.status = Status.FAILED if self.plan.impossible else Status.UNTOUCHED
        self.close()

    def fail(self, error: HostError) -> None:
        if self.stop.is_set() and not error.message.startswith("interrupted"):
            error = HostError(self.name, f"interrupted: {error.message}", hint="run again", step=error.step)
        self.error = error
        self.status = Status.FAILED
        self._execution, self.waits_for_reboot = None, False
        self.close()
        self._end("failed")

    def end_as(self, status: Status, seconds: float, error: HostError | None) -> None:
        """As somebody elsewhere has left it at the end of a phase."""
        self.status, self.error = status, error
        self.seconds += seconds
        self._has_ended = status is not Status.DIFFERS

    def close(self) -> None:
        session, self._session = self._session, None  # also whoever interrupts the run closes it
        if session is not None:
            session.close()

    def _end(self, words: str) -> None:
        self.seconds = time.monotonic() - self._begun
        self._has_ended = words != "differs"
        self.watch(self.label, words)

    def has_done(self, change: Change) -> bool:
        """Whether every step of a change of the first plan was carried out."""
        numbers = [number for number, (owner, _) in enumerate(script.steps(self.first_plan)) if owner is change]
        return all(number in self.done for number in numbers)
