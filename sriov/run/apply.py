"""The second phase of a host: the change, and the proof of it by a second look in the same execution."""

from __future__ import annotations

import contextlib
import secrets

from sriov.errors import HostError, LockedError, UnreachableError
from sriov.planning import answers, nova_checks, script
from sriov.planning.progress import ChangeProgress
from sriov.planning.reboots import Note
from sriov.resources.contract import Change
from sriov.run import lock_owner
from sriov.run.context import LogEntry, RunContext, interrupted
from sriov.run.look import Seen, failed, learn, look, session_of, unexpected_answer
from sriov.run.outcome import AwaitingReboot, Looked, Outcome, Status
from sriov.run.sessions import Waiting

_ATTEMPTS = 3  # at a change whose lock an earlier attempt of the same run turns out to hold
_RUN_AGAIN = "run again: what is left will be done"


def apply(looked: Looked, ctx: RunContext) -> AwaitingReboot | Outcome:
    """Makes the changes that are due. Where no session is open here, as on a worker, it looks again first: what a lost
    attempt at this phase has done is not done twice."""
    state = _attempt(looked, ctx)
    for _ in range(_ATTEMPTS - 1):
        if not _is_locked_by_this_run(state, ctx):
            break
        ctx.sessions.close(looked.outcome.name)
        state = _attempt(looked, ctx)
    return state


def _attempt(looked: Looked, ctx: RunContext) -> AwaitingReboot | Outcome:
    if ctx.sessions.of(looked.outcome.name) is None:
        found = look(looked.outcome.request, ctx)
        if isinstance(found, Outcome):
            return found
        looked = found._replace(may_reboot=looked.may_reboot)
        if looked.outcome.plan.impossible or not looked.has_work:
            return rest(looked, ctx)
    return _change(looked, ctx)


def rest(looked: Looked, ctx: RunContext) -> Outcome:
    """A host that differs and to which nothing may be done: its outcome."""
    return conclude(looked.outcome, ctx)


def conclude(outcome: Outcome, ctx: RunContext) -> Outcome:
    """Compares what is with what was wanted; nothing counts as done that was not read back."""
    unmet = answers.unmet(outcome.name, outcome.plan)
    if unmet is not None:
        return failed(outcome, unmet, ctx)
    if outcome.plan.is_reboot_due:
        return defer_reboot(outcome, None)
    return outcome._replace(status=Status.CHANGED)


def defer_reboot(outcome: Outcome, note: Note | None) -> Outcome:
    """The reboot is left for another run."""
    return outcome.noting(note)._replace(status=Status.PENDING)


def _is_locked_by_this_run(state: AwaitingReboot | Outcome, ctx: RunContext) -> bool:
    if not isinstance(state, Outcome) or not isinstance(state.error, LockedError):
        return False
    owner = lock_owner.parse(state.error.holder)
    return owner is not None and owner.run == ctx.settings.run


def _change(looked: Looked, ctx: RunContext) -> AwaitingReboot | Outcome:
    """Execution 2: the steps, then the probe again, then perhaps the wait for a reboot."""
    host, plan = looked.outcome.request.host, looked.outcome.plan
    try:
        ctx.raise_if_interrupted(host)
    except HostError as error:
        return failed(looked.outcome, error, ctx)
    outcome = looked.outcome._replace(has_begun=True)
    for warning in plan.warnings:
        ctx.tell(host, str(warning))
    nonce = secrets.token_hex(16)
    progress = ChangeProgress(
        plan.steps,
        nonce,
        lambda words: ctx.tell(host, words),
        lambda change: ctx.log(host.name, entry_of(outcome, change, ctx)),
    )
    try:
        waiting, output = _execute(looked, nonce, progress, ctx)
    except HostError as error:
        outcome = outcome._replace(done=progress.done)
        return failed(outcome, _in_the_middle(error, progress.current, outcome, ctx), ctx)
    except Exception as error:  # a report of steps that are none
        return failed(outcome._replace(done=progress.done), unexpected_answer(host.name, error), ctx)
    outcome = outcome._replace(done=progress.done)
    return _judged(looked, outcome, output, waiting, progress.current, ctx)


def _execute(looked: Looked, nonce: str, progress: ChangeProgress, ctx: RunContext) -> tuple[Waiting, bytes]:
    request = looked.outcome.request
    work = script.apply(
        request,
        looked.outcome.plan,
        nonce,
        run_id=ctx.settings.run,
        who=ctx.settings.who,
        may_reboot=looked.may_reboot,
        with_instances=ctx.settings.reboots.with_instances,
    )
    last = f"\n@{nonce} {'ready' if looked.may_reboot else 'end'}\n"
    execution = session_of(request, ctx).start(work)
    output = execution.read(last.encode(), ctx.limits.apply, progress.feed)
    return Waiting(execution, nonce), output


def _judged(
    looked: Looked, outcome: Outcome, output: bytes, waiting: Waiting, step: str, ctx: RunContext
) -> AwaitingReboot | Outcome:
    request, nonce = outcome.request, waiting.nonce
    for note in nova_checks.unasked(output, nonce):
        outcome = outcome.noting(note)
    refused = answers.read(outcome.name, output, nonce, outcome.first_plan)
    if refused is not None:
        with contextlib.suppress(HostError):
            outcome = _seen(outcome, learn(request, output, nonce))
        return failed(outcome, refused, ctx)
    if f"\n@{nonce} end\n".encode() not in output:
        cut_off = UnreachableError("connection-lost", outcome.name, "the session ended in the middle of the change")
        return failed(outcome, _in_the_middle(cut_off, step, outcome, ctx), ctx)
    try:
        seen = learn(request, output, nonce)
    except HostError as error:
        return failed(outcome, error, ctx)
    outcome = _seen(outcome, seen)
    if looked.may_reboot and seen.plan.is_reboot_due:
        ctx.sessions.keep_waiting(outcome.name, waiting)
        ctx.tell(request.host, "waiting for its reboot")
        return AwaitingReboot(outcome._replace(status=Status.PENDING), seen.facts.boot_id, seen.plan.boot_mark)
    waiting.execution.answer(b"")
    return conclude(outcome, ctx)


def _seen(outcome: Outcome, seen: Seen) -> Outcome:
    return outcome._replace(facts=seen.facts, plan=seen.plan)


def _in_the_middle(error: HostError, step: str, outcome: Outcome, ctx: RunContext) -> HostError:
    if ctx.stop.is_set():
        return interrupted(outcome.request.host, f"interrupted during: {step or 'its login'}", step)
    return error.during(step, _RUN_AGAIN)


def entry_of(outcome: Outcome, change: Change, ctx: RunContext) -> LogEntry:
    """The line of the operator's log for a change that was made."""
    line = script.log_line(outcome.request, change, ctx.settings.run, ctx.settings.who)
    return LogEntry(change.resource, change.target, line)
