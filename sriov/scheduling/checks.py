"""The steps by which nova comes to a host for direct ports, each judged from the host's facts. Pure.

The rules of entries and pools stand in `sriov.scheduling.pci_rules`; here is what stands around them: services, files
that a running service has not read yet, who holds which VF.
"""

from __future__ import annotations

import enum
from collections.abc import Callable
from dataclasses import dataclass

from sriov.errors import FormatError, counted
from sriov.facts.model import Facts, Holder, HolderKind, Unit
from sriov.formats.nova import filter_classes, releases
from sriov.formats.nova.edit import Effective, effective
from sriov.formats.nova.whitelist import Entry
from sriov.model import Role
from sriov.resources import nova_options, services
from sriov.resources.contract import FreshService, Problem, Request
from sriov.resources.held.vf_users import host_use
from sriov.scheduling import pci_rules
from sriov.scheduling.host_devices import Offer, entry_label, holders_of, offer_of, ports_of
from sriov.scheduling.pci_rules import Device, Kind

ANSWERS = "the host answers"
_COMPUTE_UNITS, _SCHEDULER_UNITS = nova_options.UNITS[Role.COMPUTE], nova_options.UNITS[Role.OPENSTACK]


class Mark(enum.Enum):
    HOLDS = "holds"
    FAILS = "fails"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Judgement:
    """`name` says what must hold, `found` what was found, `remedy` the next act where it fails.

    `id` names what is wrong (see `sriov.errors`); it is empty where the step holds.
    """

    id: str
    name: str
    mark: Mark
    found: str
    remedy: str = ""


@dataclass(frozen=True, slots=True)
class Asked:
    """One host, and what a VM wants of it."""

    request: Request
    facts: Facts
    offer: Offer
    physnet: str
    count: int
    serving: tuple[Device, ...]
    holders: dict[str, Holder]

    @classmethod
    def of(cls, request: Request, facts: Facts, physnet: str, count: int) -> Asked:
        offer = offer_of(request, facts)
        return cls(request, facts, offer, physnet, count, offer.serving(physnet), holders_of(facts))

    @property
    def unallocated(self) -> tuple[Device, ...]:
        """What nova believes to be free: all but what its guests have."""
        return tuple(d for d in self.serving if (h := self.holders.get(d.address)) is None or not h.is_guest)

    @property
    def free(self) -> tuple[Device, ...]:
        return tuple(device for device in self.serving if device.address not in self.holders)

    @property
    def entries(self) -> tuple[Entry, ...]:
        """The whitelist entries for the physical network."""
        return tuple(entry for entry in self.offer.entries if pci_rules.serves(entry, self.physnet))

    @property
    def devices(self) -> tuple[Device, ...]:
        """Every device that one of those entries matches, whether or not another entry takes it."""
        hardware = self.offer.hardware
        return tuple(d for d in hardware.devices if any(pci_rules.matches(hardware, e, d) for e in self.entries))

    @property
    def taken(self) -> tuple[Device, ...]:
        """Those of them that the first matching entry gives to the physical network."""
        found = ((device, self.offer.taken_by(device.address)) for device in self.devices)
        return tuple(device for device, entry in found if entry and pci_rules.serves(entry, self.physnet))


def _step(id: str, name: str, holds: bool, found: str, remedy: str) -> Judgement:
    return holding(name, found) if holds else Judgement(id, name, Mark.FAILS, found, remedy)


def holding(name: str, found: str = "", mark: Mark = Mark.HOLDS) -> Judgement:
    id = ""  # nothing to look up
    return Judgement(id, name, mark, found)


def _unit(asked: Asked, names: tuple[str, ...]) -> Unit | None:
    return services.unit_of(asked.facts, names)


def _service(asked: Asked, names: tuple[str, ...]) -> Judgement:
    unit = _unit(asked, names)
    if unit is None:
        remedy = f"install {names[0]} on this host"
        return Judgement("service-missing", f"{names[0]} runs", Mark.FAILS, "there is no such service", remedy)
    name, found = f"{names[0]} runs", f"{unit.name} is {unit.active_state}"
    if unit.is_put_away:
        remedy = f"if it shall run here: systemctl {'unmask' if unit.is_masked else 'enable --now'} {unit.name}"
        return Judgement("service-disabled", name, Mark.FAILS, f"{found} and {unit.file_state}", remedy)
    remedy = f"journalctl -u {unit.name} says why; then systemctl restart {unit.name}"
    return _step("service-not-running", name, unit.is_active, found, remedy)


def compute_service(asked: Asked) -> Judgement:
    return _service(asked, _COMPUTE_UNITS)


def scheduler_service(asked: Asked) -> Judgement:
    return _service(asked, _SCHEDULER_UNITS)


def whitelist_readable(asked: Asked) -> Judgement:
    refusal = asked.offer.refusal
    found = refusal or counted(len(asked.offer.entries), "entry", "entries")
    remedy = "correct this; `fab plan` names file and line"
    return _step("nova-files-unreadable", "nova-compute can read its whitelist", not refusal, found, remedy)


def network_whitelisted(asked: Asked) -> Judgement:
    labels = [entry_label(entry) for entry in asked.entries]
    known = ", ".join(asked.offer.physnets) or "none"
    found = f"no entry names it; named are: {known}"
    if labels:
        found = f"{'an entry' if len(labels) == 1 else 'entries'} for {', '.join(labels)}"
    remedy = f"give an interface of this host {asked.physnet!r} in env.sriov, then fab add_vrouter_node"
    return _step("network-not-whitelisted", f"the whitelist names {asked.physnet}", bool(labels), found, remedy)


def whitelist_read_by_service(asked: Asked) -> Judgement:
    return _fresh(asked, "nova-compute has read it", _COMPUTE_UNITS, nova_options.COMPUTE)


def filter_read_by_service(asked: Asked) -> Judgement:
    return _fresh(asked, "nova-scheduler has read it", _SCHEDULER_UNITS, nova_options.SCHEDULER)


def _fresh(asked: Asked, name: str, names: tuple[str, ...], reader: str, watches_vfs: bool = False) -> Judgement:
    """Whether the files, or the VFs, are older than the running service."""
    unit = _unit(asked, names)
    if unit is None or unit.started_at is None:
        return holding(name, "it is not known when the service started", Mark.UNKNOWN)
    paths = () if watches_vfs else tuple(path for path in asked.facts.files if nova_options.read_by(reader, path))
    reason = services.reason_to_restart(asked.facts, FreshService(names, paths, watches_vfs), unit, ())
    remedy = f"systemctl restart {unit.name}"
    if watches_vfs:
        return _step("service-not-restarted", name, not reason, reason or "the service started after the VFs", remedy)
    return _step("service-not-restarted", name, not reason, reason or "its files are older than the service", remedy)


def entry_matches_device(asked: Asked) -> Judgement:
    labels = [entry_label(entry) for entry in asked.entries]
    found = ", ".join(device.address for device in asked.devices[:3]) or f"no device here is {' or '.join(labels)}"
    remedy = (
        "correct the name in env.sriov: `fab discover` shows the interfaces; those of a driver that is not loaded are "
        "missing"
    )
    return _step("entry-without-device", "an entry for it matches a device", bool(asked.devices), found, remedy)


def entry_comes_first(asked: Asked) -> Judgement:
    """nova takes the first entry that matches; VFs count here, or the port where there are none yet."""
    kinds = {Kind.VIRTUAL} if any(d.kind is Kind.VIRTUAL for d in asked.devices) else set(Kind)
    won = [device for device in asked.taken if device.kind in kinds]
    lost = [device for device in asked.devices if device.kind in kinds and device not in won]
    winner = asked.offer.taken_by(lost[0].address) if lost and not won else None
    found = "no other entry comes before it"
    if winner is not None:
        network = winner.get("physical_network") or "no physical network"
        found = f"the entry for {entry_label(winner)} ({network}) comes first and takes {lost[0].address}"
    remedy = "remove that entry, or name VFs by address: two physnets of one entry of env.sriov divide its VFs"
    return _step("entry-shadowed", "no other entry takes its devices", bool(won), found, remedy)


def vfs_present(asked: Asked) -> Judgement:
    found = counted(len(asked.serving), "VF")
    if not asked.serving:
        found = "; ".join(_why_not_taken(asked, device) for device in asked.taken)
    remedy = "fab add_vrouter_node makes the VFs, now and at every boot"
    return _step("no-vfs", f"VFs for {asked.physnet} exist", bool(asked.serving), found, remedy)


def _why_not_taken(asked: Asked, device: Device) -> str:
    port = asked.facts.port(pci=device.address)
    name = port.interface if port else device.address
    if device.kind is Kind.PLAIN:
        return f"{name} offers no SR-IOV"
    return f"{name} has {counted(port.num_vfs if port else 0, 'VF')}"


def vfs_seen_by_service(asked: Asked) -> Judgement:
    """A compute service that saw the port without VFs keeps stale pools (nova bug 1892361)."""
    return _fresh(asked, "nova-compute has seen these VFs", _COMPUTE_UNITS, nova_options.COMPUTE, True)


def vfs_free(asked: Asked) -> Judgement:
    guests = sorted({_guest(holder) for holder in asked.holders.values() if holder.is_guest})
    left, total = len(asked.unallocated), len(asked.serving)
    found = f"{left} of {total} free" + (f"; guests with VFs here: {', '.join(guests[:5])}" if left < total else "")
    remedy = "free a VF (end or migrate a guest), or raise 'VF' of this host"
    return _step("too-few-free-vfs", f"{asked.count} of them not given to guests", left >= asked.count, found, remedy)


def _guest(holder: Holder) -> str:
    return holder.name if holder.kind is HolderKind.GUEST else str(holder)


def vfs_not_in_use(asked: Asked) -> Judgement:
    """nova does not know of other users: it would give their VFs away, and the guest would not start.

    One that the host itself uses it takes from the host. Whether that is the one for this VM cannot be told.
    """
    name, remedy = "no other program holds them", _LEAVE_OUT
    others = [f"{d.address} by {asked.holders[d.address]}" for d in asked.unallocated if d.address in asked.holders]
    found = f"held: {'; '.join(others[:3])}" if others else "all VFs that nova counts as free are free"
    if len(asked.free) < asked.count:
        return Judgement("vf-held-by-another-program", name, Mark.FAILS, found, remedy)
    uses = {vf.pci_address: host_use(vf) for port in ports_of(asked.facts) for vf in port.vfs}
    used = [f"{d.address} by {use}" for d in asked.unallocated if (use := uses.get(d.address))]
    if not used:
        return holding(name, found)
    found = f"nova may give this VM what the host itself uses: {'; '.join(used[:3])}"
    return Judgement("vf-used-by-host", name, Mark.UNKNOWN, found, remedy)


_LEAVE_OUT = "name these VFs in 'exclude_vfs' of env.sriov, or free them; nova gives them to guests otherwise"


def iommu_on(asked: Asked) -> Judgement:
    parents = {device.parent for device in asked.serving}
    ports = [port for port in ports_of(asked.facts) if port.pci_address in parents]
    ungrouped = [port.interface for port in ports if not port.has_iommu_group]
    found = f"no IOMMU group has {', '.join(ungrouped)}" if ungrouped else "the ports are in IOMMU groups"
    remedy = "fab add_vrouter_node sets the kernel arguments (a reboot follows); check VT-d or AMD-Vi in the BIOS setup"
    for port in () if ungrouped else (port for port in ports if port.shared_group):
        found = f"{port.interface} and its VFs are in one IOMMU group ({port.shared_group})"
        remedy = "switch on ACS in the BIOS setup of this host, or put the card into another slot"
        return _step("shared-iommu-group", "the IOMMU is on", False, found, remedy)
    return _step("no-iommu-group", "the IOMMU is on", not ungrouped, found, remedy)


def _effective(asked: Asked) -> Effective | str:
    release = nova_options.release_of(asked.request, asked.facts)
    if isinstance(release, Problem):
        return release.message
    try:
        files = nova_options.config_files(asked.request, asked.facts)
        return effective(files, release, nova_options.SCHEDULER)
    except FormatError as error:
        return error.message


def scheduler_readable(asked: Asked) -> Judgement:
    read = _effective(asked)
    name, remedy = "nova-scheduler can read its files", "correct this line; `fab plan` names it too"
    found = read if isinstance(read, str) else _in_force(len(read.filters))
    return _step("nova-files-unreadable", name, not isinstance(read, str), found, remedy)


def _in_force(filters: int) -> str:
    return "1 filter is in force" if filters == 1 else f"{filters} filters are in force"


def filters_have_classes(asked: Asked) -> Judgement:
    """One name without a class keeps nova-scheduler from its next start. What a site's function returns is unknown."""
    read, release = _effective(asked), nova_options.release_of(asked.request, asked.facts)
    name = "each filter in force has a class"
    if isinstance(read, str) or isinstance(release, Problem):
        return holding(name, "this cannot be told", Mark.UNKNOWN)
    lacking = filter_classes.lacking(read.filters, read.available, release)
    refused = [reason for value in read.available if (reason := filter_classes.refusal(value, release))]
    functions = filter_classes.functions(read.available, release)
    if not refused and lacking and functions:
        return holding(name, f"{functions[0]} may have {', '.join(lacking)}: this cannot be told", Mark.UNKNOWN)
    found = refused[0] if refused else f"no available filter provides {', '.join(lacking)}"
    remedy = "correct the line, or give the path of the class in env.scheduler_filters; `fab plan` names file and line"
    is_whole = not refused and not lacking
    return _step("filter-without-class", name, is_whole, "each of them is found" if is_whole else found, remedy)


def filter_enabled(asked: Asked) -> Judgement:
    read = _effective(asked)
    filters = () if isinstance(read, str) else read.filters
    found = f"in force are: {', '.join(filters)}"
    remedy = "fab setup_openstack_node; until then a VM may land where no VF is, and fail late"
    is_enabled = releases.PCI_FILTER in filters
    return _step("filter-not-enabled", f"{releases.PCI_FILTER} is enabled", is_enabled, found, remedy)


Judge = Callable[[Asked], Judgement]
"""One step; what it says where an earlier one fails is not asked."""
ON_COMPUTE: tuple[Judge, ...] = (
    compute_service,
    whitelist_readable,
    network_whitelisted,
    whitelist_read_by_service,
    entry_matches_device,
    entry_comes_first,
    vfs_present,
    vfs_seen_by_service,
    vfs_free,
    vfs_not_in_use,
    iommu_on,
)
ON_OPENSTACK: tuple[Judge, ...] = (
    scheduler_service,
    scheduler_readable,
    filters_have_classes,
    filter_enabled,
    filter_read_by_service,
)
