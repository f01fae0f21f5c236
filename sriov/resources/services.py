"""Owner of running services: each has begun after its files became what they are, and after the VFs did.

A restart follows from this comparison alone, so one that was due is still due after a crash.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from sriov.facts.model import Facts, Unit, checksum
from sriov.resources.contract import (
    Capability,
    Change,
    Command,
    Effect,
    FreshService,
    Item,
    Loads,
    Problem,
    Request,
    Severity,
    WriteFile,
    is_restart_due,
)
from sriov.resources.vf_unit import PREFIX, touches_vfs

_NAME = "services"
# seconds: /proc/uptime has hundredths and a file's time the kernel's last tick, so their difference is no finer; a
# service that began this little before its file changed reads the new one, for Python alone takes longer to load
_CLOCK_GRAIN = 0.02


def _changes(
    request: Request, facts: Facts, items: tuple[Item, ...], earlier: tuple[Change, ...]
) -> Iterator[Change | Problem]:
    for item in items:
        if isinstance(item, FreshService):
            yield from _one(facts, item, earlier, request.start_services)


def restarts(facts: Facts, items: Iterable[FreshService], earlier: tuple[Change, ...]) -> Iterator[Change]:
    """The same without problems: for the way back, which no service that is missing may stop."""
    answers = (answer for item in items for answer in _one(facts, item, earlier, False))
    return (answer for answer in answers if isinstance(answer, Change))


def unit_of(facts: Facts, names: Iterable[str]) -> Unit | None:
    """The unit under whichever of its names the host knows it; one that is not masked comes first."""
    found = [unit for name in names if (unit := facts.unit(name))]
    return next((unit for unit in found if not unit.is_masked), found[0] if found else None)


def _one(
    facts: Facts, item: FreshService, earlier: tuple[Change, ...], starts_stopped: bool
) -> Iterator[Change | Problem]:
    unit = unit_of(facts, item.names)
    if item.only_running and (unit is None or not unit.is_active):
        return
    if unit is None:
        yield Problem(
            "service-missing",
            _NAME,
            item.names[0],
            "there is no such service on this host",
            f"install {item.names[0]}, or remove this host from the role",
        )
        return
    if unit.is_put_away and not starts_stopped and not is_restart_due(facts, item.names):
        yield _left_stopped(unit)
        return
    if unit.is_masked:
        message = "the service is masked, so it cannot be started"
        yield Problem("service-masked", _NAME, unit.name, message, f"systemctl unmask {unit.name}")
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
            steps=(Command(("restart", unit.name)), *_times_kept(item, earlier)),
            effect=Effect.RESTART,
            loads=Loads(item.program, item.reads) if item.program else None,
        )


def _left_stopped(unit: Unit) -> Problem:
    """It may have been replaced by another one, such as a container's: two would speak for one host."""
    if unit.is_masked:
        message, start = "it is stopped and masked", f"systemctl unmask {unit.name}; systemctl enable --now {unit.name}"
    else:
        message = f"it is {unit.active_state or 'stopped'} and disabled"
        start = f"systemctl enable --now {unit.name}, or --start-services"
    return Problem(
        "service-disabled",
        _NAME,
        unit.name,
        f"{message}, and is not started: someone has put it away. Its files are cared for",
        f"if it shall run: {start}",
        Severity.WARNING,
    )


def _times_kept(item: FreshService, earlier: tuple[Change, ...]) -> Iterator[Command]:
    """A file that another service of the host reads too becomes as old as before, once this one has read it: else the
    next call would restart the other for lines that do not concern it."""
    for step in (step for change in earlier for step in change.steps):
        if isinstance(step, WriteFile) and step.path in item.shared:
            yield Command(("keep_time", step.path, checksum(step.content)))


def reason_to_restart(facts: Facts, item: FreshService, unit: Unit, earlier: tuple[Change, ...]) -> str:
    """Why a running service must be restarted; empty if it need not be."""
    if not unit.is_active or unit.started_at is None:
        return f"it is {unit.active_state or 'not running'}"
    targets = {change.target for change in earlier}
    for path in item.reads:
        if path in targets:
            return f"it has not read the new {path}"
        if facts.changed.get(path, 0.0) > unit.started_at + _CLOCK_GRAIN:
            return f"{path} is newer than the running service"
    if item.watches_vfs:
        if any(map(touches_vfs, earlier)):
            return "it has not seen the new VFs"
        for other in facts.units:
            if other.name.startswith(PREFIX) and (other.started_at or 0.0) > unit.started_at:
                return f"the VFs of {other.name} are newer than the running service"
    return ""


CAPABILITY = Capability(_NAME, changes=_changes)
