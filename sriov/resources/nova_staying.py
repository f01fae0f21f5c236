"""Entries of ours in nova's whitelist that stay as they are, because their port does (see `Request.stays`)."""

from __future__ import annotations

from sriov.errors import FormatError
from sriov.facts.model import Facts, Port
from sriov.formats.nova import ours
from sriov.formats.nova.ours import OurEntry
from sriov.formats.nova.whitelist import DeviceSpec, written
from sriov.formats.oslo.options import ConfigFile
from sriov.formats.oslo.order import in_place
from sriov.resources.contract import Request


def our_entries(files: tuple[ConfigFile, ...]) -> tuple[OurEntry, ...]:
    """Those of these files; none where a block is damaged, for `changes` says which line is broken."""
    try:
        return ours.entries(files)
    except FormatError:
        return ()


def with_staying(
    request: Request, facts: Facts, present: tuple[OurEntry, ...], asked: tuple[DeviceSpec, ...]
) -> tuple[DeviceSpec, ...]:
    """What the whitelist has to hold: `asked` without the ports that are held, and what stays, in its place."""
    ports = request.asked_ports(facts)
    staying = {entry.written: _spec(entry, facts) for entry in present if request.stays(_port(entry, facts), ports)}
    moving = {written(spec): spec for spec in asked if spec.interface not in request.held}
    order = in_place(tuple(moving), tuple(staying), tuple(entry.written for entry in present))
    return tuple((moving | staying)[text] for text in order)


def _port(entry: OurEntry, facts: Facts) -> str:
    """The interface that an entry is for; the entry's own name of it where the host has no such port."""
    found = _seen(entry, facts)
    return found.interface if found else entry.devname or entry.address


def _seen(entry: OurEntry, facts: Facts) -> Port | None:
    ports = (port for port in facts.ports if not port.is_virtual_function)
    return next((port for port in ports if entry.devname == port.interface or _has(port, entry.address)), None)


def _has(port: Port, address: str) -> bool:
    count = max(port.total_vfs or 0, port.num_vfs)
    return bool(address) and address in (port.pci_address, *(port.vf_address(index) for index in range(count)))


def _spec(entry: OurEntry, facts: Facts) -> DeviceSpec:
    """As what it was written by; so what it had taken the place of stays replaced."""
    port = _seen(entry, facts)
    spec = DeviceSpec(entry.physical_network, entry.devname, entry.address, written=entry.written)
    if port is None:
        return spec
    return spec._replace(
        covers=(port.pci_address, *(vf.pci_address for vf in port.vfs)),
        interface=port.interface,
        ids=(f"{port.vendor}:{port.device}", f"{port.vendor}:{port.vf_device}"),
    )
