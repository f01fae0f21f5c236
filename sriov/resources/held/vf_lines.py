"""What of nova's and neutron's files rests on virtual functions that guests hold: it does not change under them.

Lines and VFs of one port change together or wait together. Where the number of VFs stays, nothing but these lines tells
that a guest is in the way.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable, Iterator
from typing import NamedTuple

from sriov.facts.model import Facts, Port, VirtualFunction
from sriov.formats.nova import releases
from sriov.formats.nova.devices import Device, Hardware, Kind, matches, may_match
from sriov.formats.nova.edit import COMPUTE, effective
from sriov.formats.nova.whitelist import Entry, entries_of
from sriov.formats.oslo.options import ConfigFile
from sriov.resources.contract import Change, Problem, RemoveFile, Request, Severity
from sriov.resources.held import vf_users

Reading = Callable[[Port, VirtualFunction], object]
"""What a service reads for a VF of a port; None for nothing."""

_FINDERS = ("devname", "address", "vendor_id", "product_id")
_LISTS = ("physical_device_mappings", "exclude_devices")
# the lines that the probe shows of files that a rollback would bring back (templates/probe.sh)
_OPTION = re.compile(
    rf"^[ \t]*(pci_passthrough_whitelist|passthrough_whitelist|device_spec|{'|'.join(_LISTS)})[ \t]*[=:](.*)$", re.M
)


class _Item(NamedTuple):
    option: str
    text: str


def whitelist(facts: Facts, files: tuple[ConfigFile, ...], release: int) -> Reading:
    """What nova-compute reads for a VF: the tags of the entry that takes it, less the words by which it finds it. More
    than one where it cannot be told which takes it. A value that nova refuses gives nothing."""
    hardware = _hardware(facts)
    entries: list[Entry] = []
    for value in effective(files, release, COMPUTE).whitelist:
        with contextlib.suppress(ValueError):
            entries += entries_of(value, release, str)[1]

    def given(port: Port, vf: VirtualFunction) -> list[Entry] | None:
        device = hardware.device(vf.pci_address)
        found: list[Entry] = []
        for entry in entries:
            if device and may_match(hardware, entry, device, release):
                tags = {key: tag for key, tag in entry.items() if key not in _FINDERS}
                found += [tags] if tags not in found else []
                if matches(hardware, entry, device, release):
                    break
        return found or None

    return given


def _hardware(facts: Facts) -> Hardware:
    """The ports and their VFs, with all names by which an entry may call one."""
    devices: list[Device] = []
    names: dict[str, str] = {}
    for port in facts.ports:
        if not port.is_virtual_function:
            vendor = port.vendor.lower()
            devices.append(Device(port.pci_address, vendor, port.device.lower(), Kind.PHYSICAL))
            product = port.vf_device.lower()
            devices += (Device(vf.pci_address, vendor, product, Kind.VIRTUAL, port.pci_address) for vf in port.vfs)
            names |= dict(port.netdevs)
    return Hardware(tuple(devices), names)


def has_guests(facts: Facts) -> bool:
    return any(vf_users.guests(port) for port in facts.ports)


def held_by_guests(request: Request, facts: Facts, resource: str, now: Reading, then: Reading) -> Iterator[Problem]:
    """Ports that the testbed asks for, of which a guest holds a VF that would be given something else.

    A port whose number of VFs changes too is no matter of this: its owner says so.
    """
    if request.force_vf_reset:
        return
    for pf in request.physical_functions:
        port = facts.port(interface=pf.interface, pci=pf.pci, mac=pf.mac)
        if port is None or port.num_vfs != pf.num_vfs:
            continue
        moved = tuple(
            user
            for user in vf_users.guests(port)
            if (present := now(port, user.vf)) is not None and present != then(port, user.vf)
        )
        if moved:
            what = "its lines cannot change, because they give these VFs to guests"
            yield vf_users.refusal(port, f"{what}: {vf_users.in_words(moved)}", moved, "change", resource)


def around_rollback(request: Request, facts: Facts, resource: str, back: Change) -> Change | Problem:
    """A file that comes back whole, unless that changes lines of a port that a guest holds, or that waits."""
    if request.force_vf_reset:
        return back
    kept = next((file.kept for file in facts.replaced if file.path == back.target), "")
    before = set() if isinstance(back.steps[0], RemoveFile) else set(_items(kept))
    changed = before ^ set(_items(facts.text(back.target)))
    hardware = _hardware(facts)
    touched = [port for port in facts.ports if port.vfs and any(_concerns(item, port, hardware) for item in changed)]
    holding = [port for port in touched if port.interface in request.held or vf_users.guests(port)]
    if not holding:
        return back
    users = [user for port in holding for user in vf_users.guests(port)]
    words = vf_users.in_words(users) or f"{', '.join(port.interface for port in holding)} waits"
    # one port after the other is held, for what belongs together waits together (see `sriov.planning.rollback`)
    waits = next((port.interface for port in touched if port.interface not in request.held), "")
    message = f"it stays, because its lines for {', '.join(port.interface for port in touched)} would change: {words}"
    hint = f"{vf_users.remedy(users)} and run again, or pass --force-vf-reset"
    return Problem("waits-for-vfs", resource, back.target, message, hint, Severity.BLOCKED, holds=waits)


def waiting(resource: str, target: str, interface: str) -> Problem:
    """What rests on a port that waits, and waits with it."""
    message = f"it stays, because lines for {interface} wait for a guest: what belongs together changes together"
    return Problem("waits-for-vfs", resource, target, message, "free these VFs and run again", Severity.BLOCKED)


def _items(text: str) -> Iterator[_Item]:
    for option, value in _OPTION.findall(text):
        parts = value.split(",") if option in _LISTS else [value]
        yield from (_Item(option, part.strip()) for part in parts)


def _concerns(item: _Item, port: Port, hardware: Hardware) -> bool:
    names = (port.interface, port.pci_address, *(vf.pci_address for vf in port.vfs))
    if any(re.search(rf"(?<![\w.-]){re.escape(name)}(?![\w.-])", item.text) for name in names):
        return True
    return item.option not in _LISTS and _takes_any(item.text, port, hardware)


def _takes_any(text: str, port: Port, hardware: Hardware) -> bool:
    """Whether an entry takes a VF of the port, in whichever release."""
    try:
        entries = entries_of(text, releases.NEWEST)[1]
    except ValueError:
        return False
    devices = [device for vf in port.vfs if (device := hardware.device(vf.pci_address))]
    return any(may_match(hardware, entry, device, releases.OLDEST) for entry in entries for device in devices)
