"""May this host be rebooted now? All that is asked before a reboot is decided here. Pure.

Two questions remain for the host itself, for only it knows at the moment: whether a guest has been started while it
waited for its turn, and whether the reboot can be noted (`templates/apply.sh.j2`).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from sriov.errors import counted
from sriov.facts.model import Facts
from sriov.planning.plan import Plan

_NAMED = 5  # instances that a message names before it leaves the rest out


class Note(NamedTuple):
    """What the operator has to know beside an error, such as why a reboot is left out. `id`: see `sriov.errors`.

    `is_pending`: something is left to do.
    """

    id: str
    message: str
    is_pending: bool = True


class RebootPolicy(NamedTuple):
    """What the operator allows. `drains`: instances are live-migrated before the reboot."""

    is_allowed: bool = True
    with_instances: bool = False
    drains: bool = False

    def reason_not_to_reboot(self, plan: Plan, facts: Facts) -> Note | None:
        """The reason against a reboot that the plan needs, for the operator; None where there is none."""
        if not self.is_allowed:
            return Note("reboot-not-allowed", "a reboot is needed and was not allowed")
        if facts.instances and not self.with_instances and not self.drains:
            words = f"a reboot is needed, but {_running(len(facts.instances))}: {_listed(facts.instances)} ({_OPTION})"
            return Note("instances-running", words)
        if plan.blocked and not self.with_instances:
            words = f"a reboot is needed, but a change is held back: {plan.blocked[0].target} ({_OPTION})"
            return Note("reboot-blocked", words)
        return None

    def reason_with_instances_left(self, instances: Sequence[str]) -> Note | None:
        """The same once the host was drained as far as it could be; `instances` could not leave."""
        if not instances or self.with_instances:
            return None
        count = counted(len(instances), "instance")
        words = f"not rebooted: {count} could not be live-migrated: {_listed(instances)} ({_OPTION})"
        return Note("instances-stayed", words)


_OPTION = "--reboot-with-instances"


def _running(count: int) -> str:
    return f"{counted(count, 'instance')} {'runs' if count == 1 else 'run'} here"


def caveat(facts: Facts | None) -> str:
    """What a plan adds to its announcement of a reboot."""
    count = len(facts.instances) if facts else 0
    return f"; {_running(count)}, so only with {_OPTION}" if count else ""


def _listed(instances: Sequence[str]) -> str:
    return ", ".join(instances[:_NAMED]) + (" ..." if len(instances) > _NAMED else "")
