"""From facts to a plan: what differs on one host, how it is mended, what cannot be. Pure; empty = converged."""

from __future__ import annotations

from typing import NamedTuple

from sriov.facts.model import Facts
from sriov.resources import iommu, kernel_arguments, ml2_options, nova_options, services, virtual_functions
from sriov.resources.contract import Change, Effect, Item, Owner, Problem, Request, Severity, Wish
from sriov.resources.kernel_arguments import RebootState

_WISHES: tuple[Wish, ...] = (
    iommu.wishes,
    virtual_functions.wishes,
    nova_options.wishes,
    ml2_options.wishes,
    services.wishes,
)
# in the order in which a host is changed: see "Order on a compute host" in docs/architecture.md
_OWNERS: tuple[Owner, ...] = (
    kernel_arguments.changes,
    virtual_functions.changes,
    nova_options.changes,
    ml2_options.changes,
    services.changes,
)

# what the change of a host is made with (templates/apply.sh.j2), beside the shell and what every system has
TOOLS = ("cp", "flock", "head", "mv", "readlink", "setsid", "sha256sum", "stat", "sync", "tail", "timeout", "wc")


class Plan(NamedTuple):
    """What one host needs. `reboot` says whether one is due *now*; `reboots` whether the changes will make it so."""

    changes: tuple[Change, ...] = ()
    problems: tuple[Problem, ...] = ()
    reboot: RebootState = RebootState.NOT_NEEDED
    boot_mark: str = ""

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
    """The plan of one host."""
    items: list[Item] = []
    problems: list[Problem] = []
    for wish in _WISHES:
        for said in wish(request, facts):
            (problems if isinstance(said, Problem) else items).append(said)  # type: ignore[arg-type]
    wanted = tuple(items)
    changes: list[Change] = []
    for owner in _OWNERS:
        for answer in owner(request, facts, wanted, tuple(changes)):
            (problems if isinstance(answer, Problem) else changes).append(answer)  # type: ignore[arg-type]
    if changes:
        problems += missing_tools(facts)
    reboot = kernel_arguments.reboot_state(facts, wanted)
    if reboot is RebootState.FUTILE:
        problems.append(kernel_arguments.futile_reboot(facts, wanted))
    return Plan(tuple(changes), tuple(problems), reboot, kernel_arguments.boot_entry_mark(facts))


def missing_tools(facts: Facts) -> tuple[Problem, ...]:
    """A program that a change needs and the host lacks is told before anything is touched."""
    if not facts.missing_tools:
        return ()
    return (
        Problem(
            "host",
            "programs",
            f"what a change is made with is missing: {', '.join(facts.missing_tools)}",
            "install them (packages coreutils and util-linux)",
        ),
    )
