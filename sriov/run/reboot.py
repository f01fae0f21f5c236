"""The third phase of a host: its reboot, another boot, and everything as wanted after it, each with a bound."""

from __future__ import annotations

import contextlib
import time

from sriov.errors import HostError, RebootError, UnreachableError
from sriov.facts.parser import sections
from sriov.planning.reboots import Note
from sriov.resources.contract import Problem, Request
from sriov.run.apply import apply, conclude, defer_reboot
from sriov.run.context import RunContext, before_reboot
from sriov.run.look import Seen, failed, log_in, look, looked, probe
from sriov.run.outcome import AwaitingReboot, Looked, Outcome, outcome_of
from sriov.run.sessions import Waiting

_ATTEMPTS = 3  # at a change on a host that an earlier attempt of this phase has on its way down
_GOES_DOWN = 60.0  # seconds for a host to say that it reboots, and to end the connection


def reboot(awaiting: AwaitingReboot, ctx: RunContext) -> Outcome:
    """Reboots the host that waits for it, and proves it. Where no execution waits in this process, as on a worker, it
    is brought to that point again first, or to its end if an earlier attempt has rebooted it."""
    outcome = awaiting.outcome
    try:
        if ctx.stop.is_set():
            raise before_reboot(outcome.request.host)
        waiting = ctx.sessions.take_waiting(outcome.name)
        if waiting is None:
            regained = _waiting_again(awaiting, ctx)
            if isinstance(regained, Outcome):
                return regained
            awaiting, outcome, waiting = regained, regained.outcome, ctx.sessions.take_waiting(outcome.name)
        if waiting is None:
            raise UnreachableError("connection-lost", outcome.name, "its session was closed", hint="run again")
        return _reboot(awaiting, waiting, ctx)
    except HostError as error:
        return failed(outcome, error, ctx)


def _reboot(awaiting: AwaitingReboot, waiting: Waiting, ctx: RunContext) -> Outcome:
    outcome = awaiting.outcome
    if ctx.stop.is_set():
        raise before_reboot(outcome.request.host)
    ctx.tell(outcome.request.host, "rebooting")
    waiting.execution.answer(f"reboot {awaiting.boot_mark}\n".encode())
    answer = b""
    with contextlib.suppress(HostError):  # a host that goes down may not have the time to say so
        answer = waiting.execution.read(f"\n@{waiting.nonce} rebooting\n".encode(), _GOES_DOWN)
    said = {name: words for name, words, _ in sections(answer, waiting.nonce)}
    if "unmarked" in said:
        raise HostError(
            "reboot-not-recorded",
            outcome.name,
            "not rebooted: /var/lib/sriov/rebooted cannot be written, so a reboot in vain would be repeated",
            hint="is the disk full or read-only? Correct it and run again",
            step="the reboot",
        )
    if "instance" in said:
        words = f"not rebooted, because an instance was started meanwhile: {said['instance']}"
        return defer_reboot(outcome, Note("instances-running", words))
    session = ctx.sessions.of(outcome.name)
    if session is not None:
        session.wait_closed(_GOES_DOWN)
    ctx.sessions.close(outcome.name)
    unheard = min(ctx.limits.settle, ctx.limits.reboot) / 2
    seen = _reconnect(outcome.request, ctx, awaiting.boot_id, None if "rebooting" in said else unheard)
    if seen is None:
        words = "not rebooted, because its connection was lost while it waited for its turn; run again"
        return defer_reboot(outcome, Note("connection-lost", words))
    return _come_back(outcome, seen, awaiting.boot_id, ctx)


def _waiting_again(awaiting: AwaitingReboot, ctx: RunContext) -> AwaitingReboot | Outcome:
    """The same host, with an execution in this process that waits for the reboot; or its end."""
    state = _attempt(awaiting, ctx)
    for _ in range(_ATTEMPTS - 1):
        if not isinstance(state, Outcome) or not isinstance(state.error, UnreachableError):
            break  # else an earlier attempt has it on its way down
        state = _attempt(awaiting, ctx)
    return state


def _attempt(awaiting: AwaitingReboot, ctx: RunContext) -> AwaitingReboot | Outcome:
    state = _look_when_up(awaiting.outcome.request, ctx)
    found = outcome_of(state)
    if found.facts is not None and found.facts.boot_id != awaiting.boot_id:
        return _come_back(found, Seen(found.request, found.facts, found.plan), awaiting.boot_id, ctx)
    return state if isinstance(state, Outcome) else apply(state._replace(may_reboot=True), ctx)


def _look_when_up(request: Request, ctx: RunContext) -> Looked | Outcome:
    """As look(), at a host that may be in a reboot which an earlier attempt at this phase began."""
    state = look(request, ctx)
    if not isinstance(state, Outcome) or state.error is None:
        return state
    ctx.tell(request.host, "waiting for it to come up")
    seen = _reconnect(request, ctx, "")
    return looked(request, ctx, seen) if seen is not None else state


def _come_back(outcome: Outcome, seen: Seen, old_boot: str, ctx: RunContext) -> Outcome:
    """It runs another boot than the old one: waits until it is as wanted, with a bound, and proves it."""
    outcome = outcome._replace(rebooted=True, facts=seen.facts, plan=seen.plan)
    try:
        seen = _settled(outcome.request, ctx, seen, old_boot)
    except HostError as error:
        return failed(outcome, error, ctx)
    outcome = outcome._replace(facts=seen.facts, plan=seen.plan)
    if seen.plan.is_reboot_due or seen.plan.blocked:
        return failed(outcome, _in_vain(outcome.name, seen.plan.blocked), ctx)
    return conclude(outcome, ctx)


def _in_vain(host: str, blocked: tuple[Problem, ...]) -> RebootError:
    if not blocked:
        words = "rebooted, but the kernel still lacks its arguments"
        return RebootError("reboot-futile", host, words, hint="run `fab plan` to see which")
    words = "; ".join(str(problem) for problem in blocked)
    hint = "; ".join(dict.fromkeys(problem.hint for problem in blocked))
    return RebootError(blocked[0].id, host, f"rebooted, but {words}", hint=hint)


def _reconnect(request: Request, ctx: RunContext, old_boot: str, patience: float | None = None) -> Seen | None:
    """Until it runs another boot than this; None if it is up with the old one for so many seconds."""
    begun = time.monotonic()
    while True:
        ctx.pause(request.host, "its reboot")  # a host on its way down may still take a connection
        try:
            log_in(request, ctx)
            seen = probe(request, ctx)
            if seen.facts.boot_id != old_boot:
                return seen
            ctx.sessions.close(request.host.name)
            reason = "it still runs the old boot"
            if patience is not None and time.monotonic() > begun + patience:
                return None
        except HostError as error:
            ctx.sessions.close(request.host.name)
            reason = error.message  # also a refused login: pam_nologin(8) refuses until the boot is over
        if time.monotonic() > begun + ctx.limits.reboot:
            raise RebootError(
                "reboot-timeout",
                request.host.name,
                f"did not come back within {ctx.limits.reboot:g} s of its reboot: {reason}",
                hint="look at its console; the next run goes on from what it finds",
            )


def _settled(request: Request, ctx: RunContext, seen: Seen, old_boot: str) -> Seen:
    """sshd is up before nova-compute and slow network drivers: looks again, with a bound."""
    deadline = time.monotonic() + ctx.limits.settle
    while not seen.plan.is_converged and not seen.plan.is_reboot_futile and time.monotonic() < deadline:
        ctx.tell(request.host, "coming up")
        ctx.pause(request.host, "its reboot")
        try:
            seen = probe(request, ctx)
        except HostError:  # the network may go down and up again while the host boots
            ctx.sessions.close(request.host.name)
            seen = _reconnect(request, ctx, old_boot) or seen
    return seen
