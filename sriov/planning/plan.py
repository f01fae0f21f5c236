"""From facts to a plan: what differs on one host, how it is put right, what cannot be. Pure; empty = converged."""

from __future__ import annotations

from typing import NamedTuple

from sriov.facts.model import Facts
from sriov.planning import host_version, own_state
from sriov.resources.contract import Change, Effect, Item, Problem, Reboot, RebootState, Request, Severity, Step
from sriov.resources.registry import CAPABILITIES

# what the change of a host is made with (templates/lib/), beside the shell and what every system has
TOOLS = ("cp", "flock", "head", "mv", "readlink", "setsid", "sha256sum", "stat", "sync", "tail", "timeout", "wc")


class Plan(NamedTuple):
    """What one host needs. `reboot`: whether one is due *now*; `will_reboot`: whether the changes will make it so.

    `version`: what a change marks the host with; empty: its mark stays.
    `leftovers`: what would go beside `changes` if the call removed what the testbed does not ask for any more."""

    changes: tuple[Change, ...] = ()
    problems: tuple[Problem, ...] = ()
    reboot: RebootState = RebootState.NOT_NEEDED
    boot_mark: str = ""
    version: str = ""
    leftovers: tuple[Change, ...] = ()

    @property
    def impossible(self) -> tuple[Problem, ...]:
        return self._of(Severity.IMPOSSIBLE)

    @property
    def blocked(self) -> tuple[Problem, ...]:
        return self._of(Severity.BLOCKED)

    @property
    def warnings(self) -> tuple[Problem, ...]:
        return self._of(Severity.WARNING)

    @property
    def steps(self) -> tuple[tuple[Change, Step], ...]:
        """The steps by number, as the host's report counts them, each with its change."""
        return tuple((change, step) for change in self.changes for step in change.steps)

    @property
    def will_reboot(self) -> bool:
        return self.is_reboot_due or any(change.effect is Effect.REBOOT for change in self.changes)

    @property
    def is_reboot_due(self) -> bool:
        return self.reboot is RebootState.DUE

    @property
    def is_reboot_futile(self) -> bool:
        """One was made for just this, in vain: no other will be."""
        return self.reboot is RebootState.FUTILE

    @property
    def is_converged(self) -> bool:
        return not self.changes and not self.impossible and not self.blocked and self.reboot is RebootState.NOT_NEEDED

    def _of(self, severity: Severity) -> tuple[Problem, ...]:
        return tuple(problem for problem in self.problems if problem.severity is severity)


def make(request: Request, facts: Facts) -> Plan:
    """The plan of one host.

    What belongs together happens together: a port whose VFs must stay (`Problem.holds`) is held, and a second pass lets
    each owner keep what rests on it (`Request.stays`). So no owner has to know why another one waits.
    """
    made = _made(request, facts)
    held = frozenset(problem.holds for problem in made.problems if problem.holds)
    return made if held <= request.held else make(request._replace(held=request.held | held), facts)


def _made(request: Request, facts: Facts) -> Plan:
    request = request.with_lost_roles()
    items: list[Item] = []
    problems = list(host_version.problems(request, facts))
    for capability in CAPABILITIES:
        for said in capability.desired(request, facts):
            if isinstance(said, Problem):
                problems.append(said)
            else:
                items.append(said)
    wanted = tuple(items)
    changes: list[Change] = []
    leftovers: list[Change] = []
    reboot = Reboot(RebootState.NOT_NEEDED, "")
    for capability in CAPABILITIES:
        for answer in capability.changes(request, facts, wanted, tuple(changes)):
            if isinstance(answer, Change) and answer.is_leftover and not request.removes:
                leftovers.append(answer._replace(steps=()))
            elif isinstance(answer, Change):
                changes.append(answer)
            elif isinstance(answer, Problem):
                problems.append(answer)
            else:
                reboot = answer
    changes += own_state.removal(request, facts, tuple(changes))
    if changes:
        problems += missing_tools(facts)
    version = host_version.mark_due(facts)
    return Plan(tuple(changes), tuple(problems), reboot.state, reboot.mark, version, tuple(leftovers))


def missing_tools(facts: Facts) -> tuple[Problem, ...]:
    """A program that a change needs and the host lacks is told before anything is touched."""
    if not facts.missing_tools:
        return ()
    return (
        Problem(
            "missing-tool",
            "host",
            "programs",
            f"programs that every change needs are missing: {', '.join(facts.missing_tools)}",
            "install them (packages coreutils and util-linux)",
        ),
    )
