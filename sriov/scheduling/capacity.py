"""How many VFs each physical network has on each host: wanted, present, whitelisted, held, bound, free. Pure.

A VF counts as free for a physical network if it is there, nobody holds it, nova's whitelist, as nova-compute reads it,
gives it to that network, and neutron, where it was asked, has bound no port to it. What nobody can use, or what stands
for nothing, is named as an orphan. `sriov.cloud.drift` adds those that only the cloud shows.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

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
    """Something that serves nobody: a VF or an entry, and what is odd about it."""

    host: Host
    target: str
    message: str
    hint: str


@dataclass(frozen=True, slots=True)
class Capacity:
    """`rows` by physical network, then in the order of the hosts. `silent`: hosts that did not answer.

    `unasked` says why the cloud is not among the sides that were compared; empty: it is.
    """

    rows: tuple[Row, ...] = ()
    orphans: tuple[Orphan, ...] = ()
    silent: tuple[Host, ...] = ()
    unasked: str = "nobody asked it"

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
        yield Orphan(host, "whitelist", offer.refusal, "nova-compute offers nothing until this is mended")
    for number, entry in enumerate(offer.entries):
        label = entry_label(entry)
        devices = [d for d in offer.hardware.devices if pci_rules.matches(offer.hardware, entry, d)]
        if not devices:
            what = "an interface" if entry.get("devname") else "a device"
            yield Orphan(host, label, f"a whitelist entry for {what} that is not there", _ENTRY_HINT)
        elif all((pci_rules.first_match(offer.hardware, offer.entries, d) or 0) < number for d in devices):
            yield Orphan(host, label, _SHADOWED, _ENTRY_HINT)


_SHADOWED = "a whitelist entry that is never used: earlier ones take its devices"
_ENTRY_HINT = "take the entry out of nova's files, or mend the name"


def _orphan_vfs(request: Request, facts: Facts, offer: Offer, claimed: Mapping[str, str]) -> Iterator[Orphan]:
    """What neutron has bound is not judged here: `sriov.cloud.drift` does, which knows the port."""
    for port in ports_of(facts):
        pf = _entry_of(request, facts, port)
        kept = pf.exclude_vfs if pf else ()
        for vf in port.vfs:
            found = _mismatch(vf, offer)
            if found and vf.index not in kept and vf.pci_address not in claimed:
                yield Orphan(request.host, f"{port.interface} VF {vf.index} ({vf.pci_address})", *found)


def _mismatch(vf: VirtualFunction, offer: Offer) -> tuple[str, str] | None:
    entry = offer.taken_by(vf.pci_address)
    if is_left_behind(vf):
        return (
            f"bound to {vf.driver}, but used by nobody known",
            "look for a guest that ended badly",
        )
    if entry is None and vf.holder and vf.holder.is_guest:
        return f"used by {vf.holder}, though no whitelist entry gives it away", "nova did not place this guest here"
    if entry is None and not vf.holder:
        return "used by nobody and given to no physical network", "add its port to env.sriov, or make fewer VFs"
    return None
