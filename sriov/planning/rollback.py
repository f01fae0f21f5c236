"""The way back: what a run replaced comes back, each file only if it is still as that run left it.

The same comparison as everywhere else: a plan from facts, here from the manifest that the run left on the host.
"""

from __future__ import annotations

from sriov.facts.model import ABSENT, Facts, Replaced, checksum
from sriov.planning import host_version
from sriov.planning.plan import Plan, missing_tools
from sriov.resources.contract import Change, Problem, RemoveFile, Request, RestoreFile, Severity
from sriov.resources.registry import CAPABILITIES

_NAME = "rollback"


def make(request: Request, facts: Facts) -> Plan:
    """What takes the run back; empty once it is done.

    As in a plan, a port whose VFs or lines must stay is held, and another pass lets all wait that rests on it.
    """
    made = _made(request, facts)
    held = frozenset(problem.holds for problem in made.problems if problem.holds)
    return made if held <= request.held else make(request._replace(held=request.held | held), facts)


def _made(request: Request, facts: Facts) -> Plan:
    if not facts.replaced:
        known = f"run {facts.run_id} replaced nothing" if facts.run_id else "no run has replaced anything here"
        hint = "there is nothing to roll back"
        return Plan(problems=(Problem("nothing-to-roll-back", _NAME, "/var/lib/sriov/runs", known, hint),))
    request = request.with_lost_roles()
    changes: list[Change] = []
    problems = list(host_version.problems(request, facts))
    for replaced in reversed(facts.replaced):
        answer = _one(request, facts, replaced)
        if isinstance(answer, Problem):
            problems.append(answer)
        elif answer is not None:
            changes.append(answer)
    for capability in reversed(CAPABILITIES):
        changes += capability.after_rollback(request, facts, tuple(changes))
    if changes:
        problems += missing_tools(facts)
    return Plan(tuple(changes), tuple(problems), version=host_version.mark_due(facts))


def _one(request: Request, facts: Facts, replaced: Replaced) -> Change | Problem | None:
    """None: the file is as it was already."""
    present = checksum(facts.files.get(replaced.path))
    if present == replaced.before:
        return None
    if present != replaced.after:
        return Problem(
            "changed-since-run",
            _NAME,
            replaced.path,
            f"it was changed after run {facts.run_id}, and is left as it is",
            f"the old file is /var/lib/sriov/runs/{facts.run_id}/{replaced.number} on the host",
            Severity.BLOCKED,
        )
    back = Change(
        _NAME,
        replaced.path,
        wanted="removed" if replaced.before == ABSENT else "as before the run",
        found=f"as run {facts.run_id} left it",
        steps=(_restored(facts, replaced),),
    )
    for capability in CAPABILITIES:
        answer = capability.around_rollback(request, facts, back)
        if isinstance(answer, Problem):
            return answer
        back = answer
    return back


def _restored(facts: Facts, replaced: Replaced) -> RemoveFile | RestoreFile:
    if replaced.before == ABSENT:
        return RemoveFile(replaced.path, replaced.after)
    return RestoreFile(replaced.path, replaced.after, replaced.before, facts.run_id, replaced.number)
