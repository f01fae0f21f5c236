"""The first phase of a host: log in, probe, compare. And the look again, which the other phases take."""

from __future__ import annotations

import secrets
import time
from typing import NamedTuple

from sriov.errors import HostError, UnreachableError
from sriov.facts import parser
from sriov.facts.bound import with_bound
from sriov.facts.model import Facts
from sriov.planning import plan, rollback
from sriov.planning.plan import Plan
from sriov.planning.probe import asks_holders, probe_script
from sriov.resources.contract import Request
from sriov.run import lock_owner
from sriov.run.context import RunContext
from sriov.run.outcome import Looked, Outcome, Status
from sriov.transport import Session


class Seen(NamedTuple):
    """One look at a host by this request, and what it needs by that."""

    request: Request
    facts: Facts
    plan: Plan


def look(request: Request, ctx: RunContext) -> Looked | Outcome:
    """Connects, probes, plans. A host that is as wanted, or fails, has its outcome."""
    try:
        ctx.tell(request.host, "connecting")
        log_in(request, ctx)
        ctx.tell(request.host, "probing")
        seen = probe(request, ctx)
        if ctx.settings.changes_hosts:
            seen = _wait_for_lost_run(request, ctx, seen)
    except HostError as error:
        return failed(Outcome(request, Status.FAILED), error, ctx)
    return looked(seen.request, ctx, seen)


def looked(request: Request, ctx: RunContext, seen: Seen) -> Looked | Outcome:
    """What a look comes to."""
    if request.rollback is not None:
        # the change is a run of its own: from here on it must not be taken for the last one
        request = request._replace(rollback=seen.facts.run_id)
    outcome = Outcome(request, Status.DIFFERS, seen.facts, first_plan=seen.plan, plan=seen.plan)
    return outcome._replace(status=Status.UNCHANGED) if seen.plan.is_converged else Looked(outcome, seen.facts)


def log_in(request: Request, ctx: RunContext) -> None:
    """The session is kept until the host is done; HostError if there is none."""
    ctx.sessions.close(request.host.name)
    session = ctx.settings.connect(request.host)
    ctx.sessions.keep(request.host.name, session)
    ctx.raise_if_interrupted(request.host)  # which closes sessions, but not one that was not there yet


def session_of(request: Request, ctx: RunContext) -> Session:
    """The open session; UnreachableError if it was closed, as an interruption does."""
    session = ctx.sessions.of(request.host.name)
    if session is None:
        raise UnreachableError("connection-lost", request.host.name, "its session was closed", hint="run again")
    return session


def probe(request: Request, ctx: RunContext) -> Seen:
    """A look; and another one that asks who holds each VF, where something is to change on a host that has VFs."""
    seen = _probe(request, ctx)
    if asks_holders(request) or not seen.plan.changes or not any(port.vfs for port in seen.facts.ports):
        return seen
    return _probe(request._replace(ask_holders=True), ctx)


def _probe(request: Request, ctx: RunContext) -> Seen:
    nonce = secrets.token_hex(16)
    execution = session_of(request, ctx).start(probe_script(request, nonce))
    return learn(request, execution.read(f"\n@{nonce} end\n".encode(), ctx.limits.probe), nonce)


def learn(request: Request, output: bytes, nonce: str) -> Seen:
    """The facts in a probe's output, and the plan that they lead to; HostError if it makes no sense."""
    try:
        facts = parser.parse(output, nonce, request.host.name)
        if asks_holders(request):
            facts = with_bound(facts, request.bound)
        make = plan.make if request.rollback is None else rollback.make
        return Seen(request, facts, make(request, facts))
    except HostError:
        raise
    except Exception as error:
        raise unexpected_answer(request.host.name, error) from error


def _wait_for_lost_run(request: Request, ctx: RunContext, seen: Seen) -> Seen:
    """What a killed controller began here ends by itself; planned on is what it leaves."""
    deadline = time.monotonic() + ctx.limits.apply
    while time.monotonic() < deadline:
        owner = lock_owner.parse(seen.facts.lock)
        if owner is None or not owner.ends_by_itself(ctx.settings.run):
            break
        ctx.tell(request.host, "waiting for the end of a run that was cut off")
        ctx.pause(request.host, "a run that was cut off")
        seen = probe(request, ctx)
    return seen


def failed(outcome: Outcome, error: HostError, ctx: RunContext) -> Outcome:
    """The host fails by this error."""
    return outcome._replace(status=Status.FAILED, error=ctx.explained(error))


def unexpected_answer(host: str, error: Exception) -> HostError:
    """An answer that was not foreseen is its host's trouble, not that of the others."""
    return HostError(
        "unexpected-answer",
        host,
        f"its answer makes no sense to this program ({type(error).__name__})",
        hint="run again; if it stays, tell the authors what --debug shows",
    )


_WORDS = {Status.UNCHANGED: "as wanted", Status.CHANGED: "as wanted", Status.PENDING: "reboot pending"}


def ended(outcome: Outcome, ctx: RunContext) -> Outcome:
    """Nothing more is done to this host: its session is closed, and the operator told."""
    ctx.sessions.close(outcome.name)
    ctx.tell(outcome.request.host, _WORDS.get(outcome.status, "failed"), is_rest=True)
    return outcome
