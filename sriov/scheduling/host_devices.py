"""What one host offers to nova, from its facts: PCI devices, the whitelist as nova-compute reads it, who holds what.

Seen are ports that have a network interface, and their VFs; a physical function that a guest has as a whole is not.
"""

from __future__ import annotations

from dataclasses import dataclass

from sriov.errors import FormatError
from sriov.facts.model import Facts, Holder, Port, VirtualFunction
from sriov.formats.nova.edit import effective
from sriov.formats.nova.whitelist import Entry, entries_of
from sriov.resources.contract import Problem, Request
from sriov.resources.files.service_files import too_large
from sriov.resources.nova_options import COMPUTE, config_files, read_by, release_of
from sriov.scheduling import pci_rules
from sriov.scheduling.pci_rules import Device, Hardware, Kind


@dataclass(frozen=True, slots=True)
class Offer:
    """`refusal` says why nova-compute cannot read its whitelist; the entries are none then."""

    hardware: Hardware
    entries: tuple[Entry, ...] = ()
    refusal: str = ""

    def taken_by(self, address: str) -> Entry | None:
        """The entry that takes that device, None if none does."""
        device = self.hardware.device(address)
        number = None if device is None else pci_rules.first_match(self.hardware, self.entries, device)
        return None if number is None else self.entries[number]

    def serves(self, address: str, physnet: str) -> bool:
        return any(device.address == address for device in self.serving(physnet))

    def serving(self, physnet: str) -> tuple[Device, ...]:
        """The devices that nova may give to a direct port on that physical network, held or not."""
        return pci_rules.serving(self.hardware, self.entries, physnet)

    @property
    def physnets(self) -> tuple[str, ...]:
        """The physical networks that entries name, in their order."""
        names = (entry.get("physical_network") for entry in self.entries)
        return tuple(dict.fromkeys(name for name in names if isinstance(name, str)))


def offer_of(request: Request, facts: Facts) -> Offer:
    """The offer of a host that was probed with all its ports."""
    found = hardware_of(facts)
    release = release_of(request, facts)
    if isinstance(release, Problem):
        return Offer(found, refusal=release.message)
    for large in too_large("whitelist", facts, lambda path: read_by(COMPUTE, path)):
        return Offer(found, refusal=f"{large.target}: {large.message}")
    try:
        files = config_files(request, facts)
        values = effective(files, release, COMPUTE).whitelist
    except FormatError as error:
        return Offer(found, refusal=error.message)
    entries: list[Entry] = []
    for value in values:
        try:
            entries += entries_of(value, release, str)[1]
        except ValueError as error:
            return Offer(found, refusal=f"the whitelist holds {error}")
    return Offer(found, tuple(entries))


def hardware_of(facts: Facts) -> Hardware:
    devices: dict[str, Device] = {}
    for port in ports_of(facts):
        kind = Kind.PHYSICAL if port.total_vfs else Kind.PLAIN
        devices[port.pci_address] = Device(port.pci_address, port.vendor, port.device, kind)
        for vf in port.vfs:
            product = port.vf_device or port.device
            devices[vf.pci_address] = Device(vf.pci_address, port.vendor, product, Kind.VIRTUAL, port.pci_address)
    names = {port.interface: port.pci_address for port in facts.ports if port.pci_address in devices}
    return Hardware(tuple(devices.values()), names)


def ports_of(facts: Facts) -> tuple[Port, ...]:
    """The ports that are no VFs of others, each once."""
    return tuple({port.pci_address: port for port in facts.ports if not port.is_virtual_function}.values())


def holders_of(facts: Facts) -> dict[str, Holder]:
    """Address and holder of each VF in use."""
    return {vf.pci_address: vf.holder for port in ports_of(facts) for vf in port.vfs if vf.holder}


def is_left_behind(vf: VirtualFunction) -> bool:
    """Bound for a guest, and no guest there: nova or an operator did not give it back."""
    return vf.driver in ("vfio-pci", "pci-stub") and not vf.holder


def entry_label(entry: Entry) -> str:
    """`eth0`, `0000:01:10.*` or `8086:10ca`: what the entry is about."""
    named = entry.get("devname") or entry.get("address")
    if isinstance(named, str):
        return named
    if isinstance(named, dict):
        return ":".join(str(named.get(key, ".*")) for key in ("domain", "bus", "slot", "function"))
    return f"{entry.get('vendor_id', '*')}:{entry.get('product_id', '*')}"
