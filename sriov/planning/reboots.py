"""May this host be rebooted now? All that is asked before a reboot is decided here. Pure.

Two questions remain for the host itself, for only it knows at the moment: whether a guest has been started while it
waited for its turn, and whether the reboot can be noted (`templates/apply.sh.j2`).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from sriov.facts.model import Facts
from sriov.planning.plan import Plan

_NAMED = 5  # instances that a message names before it leaves the rest out


class RebootPolicy(NamedTuple):
    """What the operator allows. `drains`: instances are led away before the reboot."""

    is_allowed: bool = True
    with_instances: bool = False
    drains: bool = False

    def reason_not_to_reboot(self, plan: Plan, facts: Facts) -> str:
        """The reason against a reboot that the plan needs, for the operator; empty where there is none."""
        if not self.is_allowed:
            return "a reboot is needed and was not allowed"
        if facts.instances and not self.with_instances and not self.drains:
            return f"a reboot is needed, but instances run here: {_listed(facts.instances)} ({_OPTION})"
        if plan.blocked and not self.with_instances:
            return f"a reboot is needed, but somebody uses a VF here ({_OPTION})"
        return ""

    def reason_with_instances_left(self, instances: Sequence[str]) -> str:
        """The same once the host was emptied as far as it could be; `instances` could not leave."""
        if not instances or self.with_instances:
            return ""
        return f"not rebooted, for instances could not leave: {_listed(instances)} ({_OPTION})"


_OPTION = "--reboot-with-instances"


def caveat(facts: Facts | None) -> str:
    """What a plan adds to its announcement of a reboot."""
    count = len(facts.instances) if facts else 0
    return f"; {count} instances run here, so only with {_OPTION}" if count else ""


def _listed(instances: Sequence[str]) -> str:
    return ", ".join(instances[:_NAMED]) + (" ..." if len(instances) > _NAMED else "")
