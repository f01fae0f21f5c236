"""The way back: what a run replaced comes back, each file only if it is still as that run left it.

The same comparison as everywhere else: a plan from facts, here from the manifest that the run left on the host.
"""

from __future__ import annotations

from collections.abc import Iterator

from sriov.facts.model import ABSENT, Facts, Replaced, checksum
from sriov.planning.plan import Plan, missing_tools
from sriov.resources import kernel_arguments, ml2_options, services, virtual_functions
from sriov.resources.contract import Change, Command, Effect, Problem, RemoveFile, Request, RestoreFile, Severity, Step

_NAME = "rollback"


def make(request: Request, facts: Facts) -> Plan:
    """What takes the run back; empty once it is done."""
    if not facts.replaced:
        known = f"run {facts.run_id} replaced nothing" if facts.run_id else "no run has replaced anything here"
        return Plan(problems=(Problem(_NAME, "/var/lib/sriov/runs", known, "there is nothing to take back"),))
    changes: list[Change] = []
    problems: list[Problem] = []
    for replaced in reversed(facts.replaced):
        for answer in _one(request, facts, replaced):
            if isinstance(answer, Problem):
                problems.append(answer)
            else:
                changes.append(answer)
    touched = frozenset(change.target for change in changes)
    wishes = (*services.wishes(request, facts, touched), *ml2_options.readers(request, facts, touched))
    items = tuple(item for item in wishes if not isinstance(item, Problem))
    restarts = services.changes(request, facts, items, tuple(changes))
    changes += [restart for restart in restarts if isinstance(restart, Change)]
    if changes:
        problems += missing_tools(facts)
    return Plan(tuple(changes), tuple(problems))


def _one(request: Request, facts: Facts, replaced: Replaced) -> Iterator[Change | Problem]:
    present = checksum(facts.files.get(replaced.path))
    if present == replaced.before:
        return
    if present != replaced.after:
        yield Problem(
            _NAME,
            replaced.path,
            f"it was changed after run {facts.run_id}, and is left as it is",
            f"the old file is /var/lib/sriov/runs/{facts.run_id}/{replaced.number} on the host",
            Severity.BLOCKED,
        )
        return
    restore: RemoveFile | RestoreFile = (
        RemoveFile(replaced.path, replaced.after)
        if replaced.before == ABSENT
        else RestoreFile(replaced.path, replaced.after, replaced.before, facts.run_id, replaced.number)
    )
    interface = virtual_functions.interface_of(replaced.path, facts)
    if interface:
        yield from _unit(request, facts, replaced, interface, restore)
        return
    yield Change(
        _NAME,
        replaced.path,
        wanted="removed" if replaced.before == ABSENT else "as before the run",
        found=f"as run {facts.run_id} left it",
        steps=(restore, *kernel_arguments.after_rollback(replaced, facts)),
    )


def _unit(
    request: Request, facts: Facts, replaced: Replaced, interface: str, restore: RemoveFile | RestoreFile
) -> Iterator[Change | Problem]:
    """The unit of a port: its VFs go with it, or become as many as the old unit says."""
    port = facts.port(interface=interface)
    unit = virtual_functions.unit_name(interface)
    clear: tuple[Command, ...] = ()
    if port and port.num_vfs:
        blocked = virtual_functions.blocked(request, port, "as before")
        if blocked:
            yield blocked
            return
        clear = (virtual_functions.clear_command(request, port),)
    steps: tuple[Step, ...] = (*clear, restore)
    if port is not None:  # a card that is gone has nothing to start; its unit waits for it
        steps += (Command(("start_unit", unit, interface)),)
    if replaced.before == ABSENT:
        steps = (Command(("stop_unit", unit)), *clear, restore, virtual_functions.RELOAD)
    yield Change(
        _NAME,
        replaced.path,
        wanted="removed, with its VFs" if replaced.before == ABSENT else "as before the run",
        found=f"as run {facts.run_id} left it",
        steps=steps,
        effect=Effect.VF_RESET if clear else Effect.NONE,
    )
