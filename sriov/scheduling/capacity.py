"""How many VFs each physical network has on each host: wanted, present, whitelisted, held, bound, free. Pure.

A VF counts as free for a physical network if it is there, it is not held, nova's whitelist, as nova-compute reads it,
gives it to that network, and neutron, where it was asked, has bound no port to it. What no VM can use, or what
means nothing, is named as an orphan. `sriov.cloud.drift` adds those that only the cloud shows.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from sriov.errors import SriovError
from sriov.facts.model import Facts, Port, VirtualFunction
from sriov.model import Host, PhysicalFunction
from sriov.resources.contract import Request
from sriov.scheduling import pci_rules
from sriov.scheduling.host_devices import Offer, entry_label, is_left_behind, offer_of, ports_of


@dataclass(frozen=True, slots=True)
class HeldVf:
    """A VF in use; `holder` in words, as the probe found it."""

    index: int
    pci_address: str
    holder: str


@dataclass(frozen=True, slots=True)
class BoundVf:
    """A VF that ports of neutron claim, by their names: `port1`, or `port1, port2` where two do."""

    index: int
    pci_address: str
    ports: str


@dataclass(frozen=True, slots=True)
class Row:
    """One port of one host for one physical network. `wanted` is 0 where only the whitelist names it.

    `bound` is None where neutron was not asked.
    """

    physnet: str
    host: Host
    interface: str
    pci_address: str
    wanted: int
    present: int
    whitelisted: int
    in_use: tuple[HeldVf, ...]
    bound: tuple[BoundVf, ...] | None
    free: int


@dataclass(frozen=True, slots=True)
class Orphan:
    """Something of no use: a VF or an entry, and what is odd about it. `id`: see `sriov.errors`."""

    id: str
    host: Host
    target: str
    message: str
    hint: str


@dataclass(frozen=True, slots=True)
class VirtualRouterSide:
    """Where Contrail's virtual-router objects differ from hosts and testbed; `error`: why they were not asked."""

    differences: tuple[Orphan, ...] = ()
    error: SriovError | None = None


@dataclass(frozen=True, slots=True)
class Capacity:
    """`rows` by physical network, then in the order of the hosts. `silent`: hosts that did not answer.

    `unasked` says why the cloud is not among the sides that were compared; empty: it is. `virtual_routers` is None
    where the testbed names no api-server of Contrail.
    """

    rows: tuple[Row, ...] = ()
    orphans: tuple[Orphan, ...] = ()
    silent: tuple[Host, ...] = ()
    unasked: str = "no one asked it"
    virtual_routers: VirtualRouterSide | None = None

    @property
    def physnets(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(row.physnet for row in self.rows))

    def free(self, physnet: str) -> dict[Host, int]:
        """Host -> free VFs of that physical network, hosts with none left out, most first."""
        found: dict[Host, int] = {}
        for row in self.rows:
            if row.physnet == physnet and row.free:
                found[row.host] = found.get(row.host, 0) + row.free
        return dict(sorted(found.items(), key=lambda item: -item[1]))


def measure(
    seen: Sequence[tuple[Request, Facts | None]], bound: Mapping[str, Mapping[str, str]] | None = None
) -> Capacity:
    """The capacity of hosts that were probed with all their ports and all holders.

    `bound`: by host string, PCI address -> names of the ports that neutron has bound to it; None: it was not asked.
    """
    rows: list[Row] = []
    orphans: list[Orphan] = []
    silent: list[Host] = []
    for request, facts in seen:
        if facts is None:
            silent.append(request.host)
            continue
        offer = offer_of(request, facts)
        claimed = None if bound is None else bound.get(request.host.name, {})
        for port in ports_of(facts):
            rows += _port_rows(request, facts, offer, port, claimed)
        orphans += _orphan_entries(request, offer)
        orphans += _orphan_vfs(request, facts, offer, claimed or {})
    order = list(dict.fromkeys(row.physnet for row in rows))
    return Capacity(tuple(sorted(rows, key=lambda row: order.index(row.physnet))), tuple(orphans), tuple(silent))


def _port_rows(
    request: Request, facts: Facts, offer: Offer, port: Port, claimed: Mapping[str, str] | None
) -> Iterator[Row]:
    wanted = wanted_shares(request, facts, port)
    for physnet in dict.fromkeys((*wanted, *offer.physnets)):
        indexes = wanted.get(physnet, ())
        given = {device.address for device in offer.serving(physnet)}
        left = given - set(claimed or ())
        mine = [vf for vf in port.vfs if vf.index in indexes or vf.pci_address in given]
        if not indexes and not mine:
            continue
        yield Row(
            physnet,
            request.host,
            port.interface,
            port.pci_address,
            wanted=len(indexes),
            present=len(mine),
            whitelisted=sum(vf.pci_address in given for vf in mine),
            in_use=tuple(HeldVf(vf.index, vf.pci_address, str(vf.holder)) for vf in mine if vf.holder),
            bound=None if claimed is None else _bound(mine, claimed),
            free=sum(vf.pci_address in left and not vf.holder for vf in mine),
        )


def _bound(vfs: Sequence[VirtualFunction], claimed: Mapping[str, str]) -> tuple[BoundVf, ...]:
    return tuple(BoundVf(vf.index, vf.pci_address, claimed[vf.pci_address]) for vf in vfs if vf.pci_address in claimed)


def wanted_shares(request: Request, facts: Facts, port: Port) -> dict[str, tuple[int, ...]]:
    """Physical network -> indexes of the VFs that the testbed gives it on this port."""
    pf = _entry_of(request, facts, port)
    return dict(pf.shares()) if pf and pf.num_vfs else {}


def _entry_of(request: Request, facts: Facts, port: Port) -> PhysicalFunction | None:
    for pf in request.physical_functions:
        named = facts.port(interface=pf.interface, pci=pf.pci, mac=pf.mac)
        if named is not None and named.pci_address == port.pci_address:
            return pf
    return None


def _orphan_entries(request: Request, offer: Offer) -> Iterator[Orphan]:
    host = request.host
    if offer.refusal:
        hint = "nova-compute offers nothing until this is corrected"
        yield Orphan("nova-files-unreadable", host, "whitelist", offer.refusal, hint)
    for number, entry in enumerate(offer.entries):
        label = entry_label(entry)
        devices = [d for d in offer.hardware.devices if pci_rules.matches(offer.hardware, entry, d)]
        if not devices:
            what = "an interface" if entry.get("devname") else "a device"
            message = f"a whitelist entry for {what} that is not there"
            yield Orphan("entry-without-device", host, label, message, _ENTRY_HINT)
        elif all((pci_rules.first_match(offer.hardware, offer.entries, d) or 0) < number for d in devices):
            yield Orphan("entry-shadowed", host, label, _SHADOWED, _ENTRY_HINT)


_SHADOWED = "a whitelist entry that is never used: earlier ones take its devices"
_ENTRY_HINT = "remove the entry from nova's files, or correct the name"


def _orphan_vfs(request: Request, facts: Facts, offer: Offer, claimed: Mapping[str, str]) -> Iterator[Orphan]:
    """What neutron has bound is not judged here: `sriov.cloud.drift` does, which knows the port."""
    for port in ports_of(facts):
        pf = _entry_of(request, facts, port)
        kept = pf.exclude_vfs if pf else ()
        for vf in port.vfs:
            target = f"{port.interface} VF {vf.index} ({vf.pci_address})"
            found = _mismatch(request.host, target, vf, offer)
            if found and vf.index not in kept and vf.pci_address not in claimed:
                yield found


def _mismatch(host: Host, target: str, vf: VirtualFunction, offer: Offer) -> Orphan | None:
    entry = offer.taken_by(vf.pci_address)
    if is_left_behind(vf):
        message = f"bound to {vf.driver}, but no known guest uses it"
        return Orphan("vf-left-behind", host, target, message, "look for a guest that ended badly")
    if entry is None and vf.holder and vf.holder.is_guest:
        message = f"used by {vf.holder}, though no whitelist entry gives it to guests"
        return Orphan("vf-used-outside-whitelist", host, target, message, "nova did not place this guest here")
    if entry is None and not vf.holder:
        message = "not used, and given to no physical network"
        return Orphan("vf-without-network", host, target, message, "add its port to env.sriov, or make fewer VFs")
    return None
