"""Owner of the virtual functions of each port, and of the unit and the script that make them at every boot.

The kernel takes a new count only from 0 (`sriov_numvfs_store`, drivers/pci/pci-sysfs.c), and 0 takes every VF
from its user: so a change of a port whose VFs are in use is left out, unless the operator forces it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from sriov.errors import counted
from sriov.facts.model import Facts, Port, checksum
from sriov.model import PhysicalFunction, Role
from sriov.resources import vf_script, vf_unit
from sriov.resources.contract import (
    Capability,
    Change,
    Command,
    Effect,
    Item,
    Problem,
    Reads,
    RemoveFile,
    Request,
    Severity,
    Step,
    WriteFile,
)
from sriov.resources.held import vf_lines, vf_users

_NAME = "virtual-functions"
_MAKE_SECONDS = 150  # 65 for 125 VFs of an i40e; twice that, and a removal, stay below the silence that a run bears
_RELOAD = Command(("systemctl", "daemon-reload"))  # `enable` does it as well (systemctl(1))


class VfCount(NamedTuple):
    """A port that must have exactly so many VFs, now and after each boot. 0: none, and no unit of ours.

    `is_leftover`: the testbed does not ask for the port, which has a unit of ours.
    """

    interface: str
    num_vfs: int
    is_leftover: bool = False


def _reads(request: Request) -> Reads:
    if Role.COMPUTE not in request.roles:
        return Reads()
    return Reads(files=(vf_unit.FILES, vf_script.PATH), units=(f"{vf_unit.PREFIX}*",))


def _desired(request: Request, facts: Facts) -> Iterator[Item | Problem]:
    """The testbed's ports; and none for a port that has a unit of ours and is not in the testbed any more.

    The unit of a port's old name comes first: while the new one has none, it can be told from what is left over."""
    if Role.COMPUTE not in request.roles:
        return
    units = tuple(dict.fromkeys(name for path in facts.files if (name := vf_unit.interface_of(path, facts))))
    present = {port.interface for port in facts.ports}
    asked = request.asked_ports(facts, units)
    yield from (VfCount(name, 0) for name in units if name in asked and name not in present)
    named = set()
    for pf in request.physical_functions:
        port = facts.port(interface=pf.interface, pci=pf.pci, mac=pf.mac)
        problem = _ambiguous(pf, facts) or _impossible(pf, port)
        if problem:
            yield problem
        elif port:
            if port.interface in named:
                message = "two entries of the testbed mean this port"
                yield Problem("duplicate-port", _NAME, port.interface, message, "keep one of them")
            named.add(port.interface)
            yield VfCount(port.interface, pf.num_vfs)
            yield from vf_users.used_by_host(pf, facts, _NAME)
    yield from (VfCount(name, 0, is_leftover=True) for name in units if name not in named and name not in asked)
    for path in facts.other_setters:
        if path:
            yield Problem(
                "second-master",
                _NAME,
                path,
                "this file also sets the number of VFs",
                "remove it there: two programs that set one number end in EBUSY",
                Severity.WARNING,
            )


def _ambiguous(pf: PhysicalFunction, facts: Facts) -> Problem | None:
    """The ports of a bond have one address, that of the first: nothing tells which of them is meant."""
    ports = (port for port in facts.ports if pf.mac and port.mac == pf.mac and not port.is_virtual_function)
    same = list(dict.fromkeys(port.interface for port in ports))  # the probe tells of a port once for each reason
    if len(same) < 2:
        return None
    return Problem(
        "ambiguous-mac",
        _NAME,
        pf.label,
        f"{counted(len(same), 'port')} have this address: {', '.join(same)} (are they in a bond?)",
        "name the port by 'interface' or 'pci'",
    )


def _impossible(pf: PhysicalFunction, port: Port | None) -> Problem | None:
    if port is None:
        return Problem(
            "unknown-interface",
            _NAME,
            pf.label,
            "no such interface",
            "`ip link` on the host shows the names; `fab discover` prints a stanza with them",
        )
    if port.is_virtual_function:
        message = f"{port.pci_address} is itself a virtual function"
        return Problem("interface-is-a-vf", _NAME, pf.label, message, "name its physical function")
    if not port.total_vfs:
        if pf.num_vfs == 0:
            return None
        return Problem(
            "no-sriov-support",
            _NAME,
            pf.label,
            f"{port.pci_address} (driver {port.driver or 'none'}) offers no SR-IOV",
            "switch on SR-IOV in the BIOS setup and in the card's firmware; some cards have none",
        )
    if pf.num_vfs > port.total_vfs:
        return Problem(
            "vf-limit",
            _NAME,
            pf.label,
            f"wanted {counted(pf.num_vfs, 'VF')}, the card's limit (sriov_totalvfs) is {port.total_vfs}",
            f"set 'VF' to {port.total_vfs} or less",
        )
    return None


def _changes(
    request: Request, facts: Facts, items: tuple[Item, ...], earlier: tuple[Change, ...]
) -> Iterator[Change | Problem]:
    """The script comes before the units that call it, and goes after them."""
    if Role.COMPUTE not in request.roles:
        return
    answers = [answer for item in items if isinstance(item, VfCount) for answer in _port_changes(request, facts, item)]
    units = {path: facts.text(path) for path in facts.files if vf_unit.interface_of(path, facts)}
    for answer in answers:
        if isinstance(answer, Change) and (request.removes or not answer.is_leftover):
            units |= _units_after(answer)
    is_called = any(map(vf_unit.calls_script, units.values()))
    if is_called:
        yield from vf_script.put(_NAME, facts)
    yield from answers
    if not is_called:
        yield from vf_script.take_away(_NAME, facts)


def _units_after(change: Change) -> Iterator[tuple[str, str]]:
    """The texts of unit files as the change leaves them; empty for one that goes."""
    for step in change.steps:
        if isinstance(step, WriteFile):
            yield step.path, step.content.decode()
        elif isinstance(step, RemoveFile):
            yield step.path, ""


def _port_changes(request: Request, facts: Facts, item: VfCount) -> Iterator[Change | Problem]:
    port = facts.port(interface=item.interface)
    present = port.num_vfs if port else 0
    path, unit = vf_unit.path_of(item.interface), vf_unit.name_of(item.interface)
    before = facts.files.get(path)
    after = vf_unit.text_of(item.interface, item.num_vfs) if item.num_vfs else None
    seen = facts.unit(unit)
    has_run = seen is not None and seen.file_state == "enabled" and seen.is_active
    is_read = seen is not None and not seen.needs_reload
    is_as_wanted = present == item.num_vfs and not (port and port.hung_writer)
    if is_as_wanted and before == after and (after is None or (has_run and is_read)):
        return
    steps: list[Step] = []
    effect = Effect.NONE
    only_told = item.is_leftover and not request.removes
    if port and (present not in (0, item.num_vfs) or port.hung_writer):
        blocked_by = None if only_told else _blocked(request, port, counted(item.num_vfs, "VF"))
        if blocked_by:
            yield blocked_by
            return
        for user in () if only_told else vf_users.users(request, port):
            whose = user.words if user.is_known else user.vf.holder
            message = f"VF {user.vf.index} ({user.vf.pci_address}) will be taken from {whose}"
            hint = "--force-vf-reset was given"
            yield Problem("vf-taken", _NAME, port.interface, message, hint, Severity.WARNING)
        effect = Effect.VF_RESET
        steps.append(_clear_command(request, port))
        if item.num_vfs:
            steps.append(_make_command(port, item.num_vfs, facts))
    if after is None:
        if before is not None:
            steps += [Command(("stop_unit", unit)), RemoveFile(path, checksum(before)), _RELOAD]
    else:
        if after != before:
            steps.append(WriteFile(path, checksum(before), after))
        is_only_text = is_as_wanted and has_run and vf_unit.num_vfs_of(facts.text(path)) == present
        steps.append(Command(("enable_unit", unit) if is_only_text else ("start_unit", unit, item.interface)))
    yield Change(
        _NAME,
        item.interface,
        wanted=f"{counted(item.num_vfs, 'VF')}, at every boot" if after else "no VFs, no unit",
        found=counted(present, "VF") + _unit_found(before, after, is_as_wanted),
        steps=tuple(steps),
        effect=effect,
        diff=vf_unit.diff(path, before, after),
        is_leftover=item.is_leftover,
    )


def _unit_found(before: bytes | None, after: bytes | None, is_as_wanted: bool) -> str:
    if before is None:
        return ", no unit"
    return ", another text of the unit" if is_as_wanted and after and before != after else ""


def _clear_command(request: Request, port: Port) -> Command:
    """Takes all VFs of a port away, if they are still as many as were seen and, unless forced, still free."""
    force = "force" if request.force_vf_reset else "free"
    return Command(("clear_vfs", port.interface, str(port.num_vfs), str(request.clear_seconds), force))


def _make_command(port: Port, num_vfs: int, facts: Facts) -> Command:
    """Makes so many VFs on a port that has just lost its own; if the driver refuses, as many as before, by their unit
    where there is one."""
    unit, text = vf_unit.name_of(port.interface), facts.text(vf_unit.path_of(port.interface))
    by_unit = facts.unit(unit) is not None and vf_unit.num_vfs_of(text) == port.num_vfs
    made_before = str(port.num_vfs), unit if by_unit else "-"
    return Command(("make_vfs", port.interface, str(num_vfs), str(_MAKE_SECONDS), *made_before))


def _blocked(request: Request, port: Port, wanted: str) -> Problem | None:
    """Why the VFs of this port must not be taken away; None if they may be."""
    if port.hung_writer:
        return Problem(
            "vf-removal-hangs",
            _NAME,
            port.interface,
            f"the kernel has not answered an earlier write of 0 to sriov_numvfs (pid {port.hung_writer}): "
            "a guest still holds a VF; the file is not touched",
            "shut the guest down (the write then takes effect) and run again",
            Severity.BLOCKED,
            holds=port.interface,
        )
    what = f"{counted(port.num_vfs, 'VF')} cannot become {wanted}, because the kernel removes all of them first"
    return vf_users.holding(request, port, what, _NAME)


def _around_rollback(request: Request, facts: Facts, back: Change) -> Change | Problem:
    """The unit of a port: its VFs go with it, or become as many as the old unit says."""
    if back.target == vf_script.PATH and isinstance(back.steps[0], RemoveFile):
        return _script_back(request, facts, back)
    interface = vf_unit.interface_of(back.target, facts)
    if not interface:
        return back
    unit = vf_unit.name_of(interface)
    if _is_only_text(facts, back.target):
        return back._replace(steps=(*back.steps, Command(("enable_unit", unit))))
    clear = _cleared(request, facts, interface)
    if isinstance(clear, Problem):
        return clear
    if interface in request.held:
        return vf_lines.waiting(_NAME, back.target, interface)
    effect = Effect.VF_RESET if clear else Effect.NONE
    if isinstance(back.steps[0], RemoveFile):
        steps: tuple[Step, ...] = (Command(("stop_unit", unit)), *clear, *back.steps, _RELOAD)
        return back._replace(wanted="removed, with its VFs", steps=steps, effect=effect)
    port = facts.port(interface=interface)
    # a card that is gone has nothing to start; its unit waits for it
    start = () if port is None else (Command(("start_unit", unit, interface)),)
    kept = _kept_count(facts, back.target)
    make = (_make_command(port, kept, facts),) if port and clear and kept and vf_script.PATH in facts.files else ()
    return back._replace(steps=(*clear, *make, *back.steps, *start), effect=effect)


def _kept_count(facts: Facts, path: str) -> int | None:
    """How many VFs the unit makes that comes back."""
    return next((vf_unit.num_vfs_of(file.kept) for file in facts.replaced if file.path == path), None)


def _is_only_text(facts: Facts, path: str) -> bool:
    """Whether the unit that comes back makes as many VFs as the present one, and these stand."""
    interface = vf_unit.interface_of(path, facts)
    port, unit = facts.port(interface=interface), facts.unit(vf_unit.name_of(interface))
    kept = _kept_count(facts, path)
    has_run = unit is not None and unit.is_active and unit.file_state == "enabled"
    return port is not None and not port.hung_writer and has_run and port.num_vfs == kept != 0


def _cleared(request: Request, facts: Facts, interface: str) -> tuple[Command, ...] | Problem:
    port = facts.port(interface=interface)
    if port is None or not port.num_vfs:
        return ()
    return _blocked(request, port, "what they were before") or (_clear_command(request, port),)


def _script_back(request: Request, facts: Facts, back: Change) -> Change | Problem:
    """A run brought the script; it stays where a unit will call it once the run is taken back."""
    replaced = {file.path: file for file in facts.replaced}
    for path in sorted({*facts.files, *replaced}):
        interface = vf_unit.interface_of(path, facts)
        if not interface:
            continue
        text, file = facts.text(path), replaced.get(path)
        waits = interface in request.held or isinstance(_cleared(request, facts, interface), Problem)
        is_free = _is_only_text(facts, path) or not waits
        if file and file.after == checksum(facts.files.get(path)) and is_free:
            text = file.kept
        if vf_unit.calls_script(text):
            message = f"it stays, because {vf_unit.name_of(interface)} calls it"
            hint = "it goes with the last unit that calls it"
            return Problem("script-in-use", _NAME, back.target, message, hint, Severity.WARNING)
    return back


CAPABILITY = Capability(_NAME, _reads, _desired, _changes, _around_rollback)
