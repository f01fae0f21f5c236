"""What a host answers to the script of a change: why it was not made, or not to its end. Pure.

In the host's own words (`read`), or by what a second look shows (`unmet`).
"""

from __future__ import annotations

from sriov.errors import ApplyError, HostError, LockedError, printable
from sriov.facts.parser import sections
from sriov.planning.plan import Plan

LOCK = "the lock"  # the step of a run that finds the host locked


def read(host: str, output: bytes, nonce: str, plan: Plan) -> HostError | None:
    """The error that the output of a change amounts to; None if every step was done. `plan` is what was sent."""
    for name, argument, content in sections(output, nonce):
        words = " ".join(printable(content.decode(errors="replace")).split())
        if name == "locked":
            return _locked(host, words)
        if name == "stopped":
            where = _subject(plan, argument) if argument else ""
            return ApplyError(
                "change-not-begun",
                host,
                f"before its first step: {where and where + ': '}{words[:1500]}",
                hint="nothing was touched by this run; correct the cause and run again",
                step=where or LOCK,
            )
        if name == "failed":
            where = _subject(plan, argument)
            return ApplyError(
                "step-failed",
                host,
                f"{where}: {words[:1500] or 'it failed and printed nothing'}",
                hint="what was done before stands; correct the cause and run again",
                step=where,
            )
    return None


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


def _subject(plan: Plan, number: str) -> str:
    """The change that this step of the plan belongs to."""
    change, _ = plan.steps[int(number)]
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
