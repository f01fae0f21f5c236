"""Owner of running services: each has begun after its files became what they are, and after the VFs did.

A restart follows from this comparison alone, so one that was due is still due after a crash.
"""

from __future__ import annotations

from collections.abc import Iterator

from sriov.facts.model import Facts, Unit
from sriov.model import Role
from sriov.resources import nova_options
from sriov.resources.contract import Change, Command, Effect, FreshService, Item, Problem, Request, restart_is_due
from sriov.resources.virtual_functions import UNIT_PREFIX

_NAME = "services"
# Debian's name, RDO's name
COMPUTE_UNITS = ("nova-compute", "openstack-nova-compute")
SCHEDULER_UNITS = ("nova-scheduler", "openstack-nova-scheduler")
# seconds: /proc/uptime has hundredths and a file's time the kernel's last tick, so their difference is no finer; a
# service that began this little before its file changed reads the new one, for Python alone takes longer to load
_CLOCK_GRAIN = 0.02


def unit_names(roles: frozenset[Role]) -> tuple[str, ...]:
    return (*(COMPUTE_UNITS if Role.COMPUTE in roles else ()), *(SCHEDULER_UNITS if Role.OPENSTACK in roles else ()))


def wishes(request: Request, facts: Facts, touched: frozenset[str] = frozenset()) -> Iterator[Item | Problem]:
    """`touched`: files that become others, whoever it is for; who reads them has to begin anew."""
    for role, names, reader in (
        (Role.COMPUTE, COMPUTE_UNITS, nova_options.COMPUTE),
        (Role.OPENSTACK, SCHEDULER_UNITS, nova_options.SCHEDULER),
    ):
        if role not in request.roles:
            continue
        reads = tuple(path for path in (*facts.files, *touched) if nova_options.read_by(reader, path))
        if nova_options.is_concerned(request, facts, role) or restart_is_due(facts, names) or touched & {*reads}:
            yield FreshService(names, reads, watches_vfs=role is Role.COMPUTE)


def changes(
    request: Request, facts: Facts, items: tuple[Item, ...], earlier: tuple[Change, ...]
) -> Iterator[Change | Problem]:
    for item in items:
        if isinstance(item, FreshService):
            yield from _one(facts, item, earlier)


def _one(facts: Facts, item: FreshService, earlier: tuple[Change, ...]) -> Iterator[Change | Problem]:
    found = [unit for name in item.names if (unit := facts.unit(name))]
    unit = next((unit for unit in found if unit.file_state != "masked"), found[0] if found else None)
    if unit is None:
        yield Problem(
            _NAME,
            item.names[0],
            "there is no such service on this host",
            f"install {item.names[0]}, or take this host out of the role",
        )
        return
    if unit.file_state == "masked":
        yield Problem(_NAME, unit.name, "the service is masked", f"systemctl unmask {unit.name}")
        return
    if item.at_boot and unit.file_state == "disabled":
        enable = Command(("systemctl", "enable", "-q", unit.name))
        yield Change(_NAME, unit.name, wanted="started at boot", found="it is disabled", steps=(enable,))
    reason = reason_to_restart(facts, item, unit, earlier)
    if reason:
        yield Change(
            _NAME,
            unit.name,
            wanted="restarted",
            found=reason,
            steps=(Command(("restart", unit.name)),),
            effect=Effect.RESTART,
        )


def reason_to_restart(facts: Facts, item: FreshService, unit: Unit, earlier: tuple[Change, ...]) -> str:
    """Why a running service must begin anew, in words; empty where it need not."""
    if not unit.is_active or unit.started_at is None:
        return f"it is {unit.active_state or 'not running'}"
    targets = {change.target for change in earlier}
    for path in item.reads:
        if path in targets:
            return f"it has not read the new {path}"
        if facts.changed.get(path, 0.0) > unit.started_at + _CLOCK_GRAIN:
            return f"{path} is newer than the running service"
    if item.watches_vfs:
        if any(change.resource == "virtual-functions" or UNIT_PREFIX in change.target for change in earlier):
            return "it has not seen the new VFs"
        for other in facts.units:
            if other.name.startswith(UNIT_PREFIX) and (other.started_at or 0.0) > unit.started_at:
                return f"the VFs of {other.name} are newer than the running service"
    return ""
