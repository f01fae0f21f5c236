"""Whether a host that needs a reboot may be rebooted now: never under a guest that nobody has given up. Pure."""

from __future__ import annotations

from sriov.facts.model import Facts
from sriov.planning.plan import Plan


def objection(plan: Plan, facts: Facts, allowed: bool, with_instances: bool, drains: bool) -> str:
    """The reason against, for the operator; empty where there is none. `drains`: instances are led away before."""
    if not allowed:
        return "a reboot is needed and was not allowed"
    if facts.instances and not with_instances and not drains:
        names = ", ".join(facts.instances[:5]) + (" ..." if len(facts.instances) > 5 else "")
        return f"a reboot is needed, but instances run here: {names} (--reboot-with-instances)"
    if plan.blocked and not with_instances:
        return "a reboot is needed, but somebody uses a VF here (--reboot-with-instances)"
    return ""
