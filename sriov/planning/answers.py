"""What a host answers to the script of a change: why it was not made, or not to its end. Pure.

In the host's own words (`read`), or by what a second look shows (`unmet`).
"""

from __future__ import annotations

from sriov.errors import ApplyError, HostError, LockedError
from sriov.planning import host_failures
from sriov.planning.host_failures import HostFailure, Reach
from sriov.planning.plan import Plan

LOCK = "the lock"  # the step of a run that finds the host locked


def read(host: str, output: bytes, nonce: str, plan: Plan) -> HostError | None:
    """The error that the output of a change amounts to; None if every step was done. `plan` is what was sent."""
    failure = host_failures.read(output, nonce)
    return None if failure is None else _error(host, failure, plan)


def _error(host: str, failure: HostFailure, plan: Plan) -> HostError:
    if failure.reach is Reach.LOCK:
        return _locked(host, failure.words)
    where = _subject(plan, failure.step)
    if failure.reach is Reach.STAGING:
        return ApplyError(
            failure.id,
            host,
            f"before its first step: {where and where + ': '}{failure.words[:1500]}",
            hint="nothing was touched by this run; correct the cause and run again",
            step=where or LOCK,
        )
    return ApplyError(
        failure.id,
        host,
        f"{where}: {failure.words[:1500] or 'it failed and printed nothing'}",
        hint="what was done before stands; correct the cause and run again",
        step=where,
    )


def _locked(host: str, words: str) -> LockedError:
    error = LockedError(
        "host-locked",
        host,
        f"another run is changing this host: {words[:300]}",
        hint="wait for it to end; nothing was touched by this run. "
        "If its controller has lost its network, `kill` that process on the host",
        step=LOCK,
    )
    error.holder = words
    return error


def _subject(plan: Plan, number: int | None) -> str:
    """The change that this step of the plan belongs to."""
    if number is None:
        return ""
    change, _ = plan.steps[number]
    return f"{change.resource} {change.target}"


def unmet(host: str, plan: Plan) -> HostError | None:
    """What the plan that a second look makes says of the change before it; None if all but a reboot is as wanted."""
    left = (*plan.impossible, *plan.blocked)
    if left:
        return HostError(
            left[0].id,
            host,
            "; ".join(str(problem) for problem in left),
            hint="; ".join(dict.fromkeys(problem.hint for problem in left if problem.hint)),
        )
    if plan.changes:
        return ApplyError(
            "host-differs-again",
            host,
            "the change was made, but the host differs again: " + "; ".join(str(change) for change in plan.changes),
            hint="something else on the host undoes it; run `fab plan` to see",
        )
    return None
