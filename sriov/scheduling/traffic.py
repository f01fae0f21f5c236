"""What each VF of each host has received and sent, which physical network it serves, and who has it. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from sriov.facts.counters import PortCounters, Source, VfCounters
from sriov.facts.model import Facts, VirtualFunction
from sriov.model import Host
from sriov.resources.contract import Request
from sriov.scheduling.capacity import wanted_shares
from sriov.scheduling.host_devices import offer_of, ports_of


class Tenant(NamedTuple):
    """A port of neutron that has a VF, and the name of its VM; empty where nova has none."""

    port: str
    server: str = ""

    def __str__(self) -> str:
        return f"port {self.port} of VM {self.server}" if self.server else f"port {self.port}"


class VfTraffic(NamedTuple):
    """A VF. `holder` in words, as the probe found it, empty where no one has it; `tenants` None: no cloud was asked.

    `reason` says why there are no counters; empty: there are.
    """

    pci_address: str
    driver: str
    physnets: tuple[str, ...]
    holder: str
    tenants: tuple[Tenant, ...] | None
    counters: VfCounters
    reason: str = ""

    @property
    def users(self) -> tuple[str, ...]:
        """Who has it, in words: on the host, and in the cloud."""
        return (*filter(None, (self.holder,)), *map(str, self.tenants or ()))


class PortTraffic(NamedTuple):
    """A port with VFs, which stand in the order of their indexes. `notes`: what could not be read, and why."""

    interface: str
    pci_address: str
    driver: str
    vfs: tuple[VfTraffic, ...]
    notes: tuple[str, ...] = ()


class HostTraffic(NamedTuple):
    """A host and its ports with VFs, by interface; `is_silent`: it did not answer, so there are none."""

    host: Host
    ports: tuple[PortTraffic, ...] = ()
    is_silent: bool = False


class Statistics(NamedTuple):
    """All hosts, in the order in which they were asked. `interval`: seconds between two readings; 0: there was one.

    `unasked` says why the cloud was not asked; empty: it was.
    """

    hosts: tuple[HostTraffic, ...] = ()
    interval: int = 0
    unasked: str = "no one asked it"


def join(
    seen: Sequence[tuple[Request, Facts | None]],
    interval: int = 0,
    tenants: Mapping[str, Mapping[str, tuple[Tenant, ...]]] | None = None,
) -> Statistics:
    """The counters of hosts that were probed for them, with all their ports and all holders.

    `tenants`: by host string, PCI address -> the ports that have this VF; None: the cloud was not asked.
    """
    hosts = []
    for request, facts in seen:
        claimed = None if tenants is None else tenants.get(request.host.name, {})
        if facts is None:
            hosts.append(HostTraffic(request.host, is_silent=True))
        else:
            hosts.append(HostTraffic(request.host, _ports(request, facts, claimed)))
    return Statistics(tuple(hosts), interval)


def _ports(request: Request, facts: Facts, claimed: Mapping[str, tuple[Tenant, ...]] | None) -> tuple[PortTraffic, ...]:
    offer = offer_of(request, facts)
    offered = {physnet: {device.address for device in offer.serving(physnet)} for physnet in offer.physnets}
    counted = {counters.pci_address: counters for counters in facts.counters}
    found = []
    for port in ports_of(facts):
        if not port.vfs:
            continue
        counters = counted.get(port.pci_address, PortCounters(port.pci_address, port.interface, notes=(_UNREAD,)))
        by_index = {vf.index: vf for vf in counters.vfs}
        shares = wanted_shares(request, facts, port)
        vfs = []
        for vf in port.vfs:
            physnets = [physnet for physnet, indexes in shares.items() if vf.index in indexes]
            physnets += [physnet for physnet, addresses in offered.items() if vf.pci_address in addresses]
            mine = by_index.get(vf.index, VfCounters(vf.index))
            vfs.append(_vf(vf, mine, tuple(dict.fromkeys(physnets)), claimed))
        found.append(PortTraffic(counters.interface, port.pci_address, port.driver, tuple(vfs), counters.notes))
    return tuple(sorted(found, key=lambda port: (port.interface, port.pci_address)))


_UNREAD = "its VFs appeared while the host was read: ask again"


def _vf(
    vf: VirtualFunction,
    counters: VfCounters,
    physnets: tuple[str, ...],
    claimed: Mapping[str, tuple[Tenant, ...]] | None,
) -> VfTraffic:
    holder = str(vf.holder) if vf.holder else ""
    tenants = None if claimed is None else claimed.get(vf.pci_address, ())
    return VfTraffic(vf.pci_address, vf.driver, physnets, holder, tenants, counters, _reason(vf, counters))


def _reason(vf: VirtualFunction, counters: VfCounters) -> str:
    """Why its own network device gives a VF no counters where its port gives none; empty if it has some."""
    if counters.source is not Source.NONE:
        return ""
    if counters.is_away:
        return "its network device is in another network namespace"
    if counters.interface:
        return f"{counters.interface} gives none either"
    if not vf.driver:
        return "it has no driver"
    if vf.driver in ("vfio-pci", "pci-stub"):
        return f"{vf.driver} has it, so only its user can count"
    return f"the host has no network device of it (driver {vf.driver})"
