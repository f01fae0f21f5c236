"""Where hosts, nova's whitelist and the cloud disagree about VFs: each side's claims held against the others. Pure.

neutron says which VF each port has (`binding:profile` pci_slot, on `binding:host_id`), nova where the VMs are and
which nova-compute takes some. Placement is not asked: nova reports no device to it whose whitelist entry names a
physical network (nova 34, compute/pci_placement_translator.py).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from sriov.errors import counted
from sriov.facts.model import Facts
from sriov.model import Host
from sriov.resources.contract import Request
from sriov.scheduling import pci_rules
from sriov.scheduling.capacity import Orphan
from sriov.scheduling.host_devices import Offer, offer_of, ports_of
from sriov.scheduling.pci_rules import Kind
from sriov.scheduling.traffic import Tenant

_NAMED = 5  # ports that a message names before it counts the rest


@dataclass(frozen=True, slots=True)
class Claim:
    """A port that has a VF, as neutron says it. `server_id` is empty where no VM has the port."""

    host_id: str
    pci_address: str
    port: str
    physnet: str
    server_id: str = ""


@dataclass(frozen=True, slots=True)
class Server:
    """A VM as nova says it. `instance` is its name in libvirt; it `moves` while a task of nova's is at it."""

    name: str
    host: str
    instance: str = ""
    moves: bool = False


@dataclass(frozen=True, slots=True)
class Service:
    """The nova-compute of a host. `state` is `up` or `down`; `reason` why it is disabled."""

    host_id: str
    is_enabled: bool
    state: str
    reason: str = ""


@dataclass(frozen=True, slots=True)
class CloudView:
    """What the cloud says. `servers` by id; `known`: its name of a host -> the host of the testbed."""

    claims: tuple[Claim, ...] = ()
    servers: Mapping[str, Server] = field(default_factory=dict)
    services: tuple[Service, ...] = ()
    known: Mapping[str, Host] = field(default_factory=dict)

    def names_of(self, host: Host) -> frozenset[str]:
        return frozenset(name for name, found in self.known.items() if found.name == host.name)

    def on(self, host: Host) -> tuple[Claim, ...]:
        names = self.names_of(host)
        return tuple(claim for claim in self.claims if claim.host_id in names)

    def bound(self, hosts: Sequence[Host]) -> dict[str, dict[str, str]]:
        """Host string -> PCI address -> the ports that claim this VF, for every host."""
        found: dict[str, dict[str, str]] = {host.name: {} for host in hosts}
        for host in hosts:
            for claim in self.on(host):
                ports = found[host.name]
                ports[claim.pci_address] = ", ".join(filter(None, (ports.get(claim.pci_address), claim.port)))
        return found

    def tenants(self, hosts: Sequence[Host]) -> dict[str, dict[str, tuple[Tenant, ...]]]:
        """Host string -> PCI address -> the ports that claim this VF with their VMs, for every host."""
        found: dict[str, dict[str, tuple[Tenant, ...]]] = {host.name: {} for host in hosts}
        for host in hosts:
            for claim in self.on(host):
                server = self.servers.get(claim.server_id)
                tenant = Tenant(claim.port, server.name if server else "")
                mine = found[host.name]
                mine[claim.pci_address] = (*mine.get(claim.pci_address, ()), tenant)
        return found


def orphans(seen: Sequence[tuple[Request, Facts | None]], view: CloudView) -> tuple[Orphan, ...]:
    """What one side says and another does not, host by host; of hosts that did not answer only what nova says."""
    found: list[Orphan] = []
    for request, facts in seen:
        if request.host.physical_functions:
            found += _service(request.host, view)
        if facts is not None:
            offer = offer_of(request, facts)
            claims = view.on(request.host)
            found += _bindings(request.host, offer, claims, view)
            found += _unclaimed(request.host, facts, offer, claims, view)
    return (*found, *_strangers(view))


def _service(host: Host, view: CloudView) -> Iterator[Orphan]:
    names = view.names_of(host)
    mine = [service for service in view.services if service.host_id in names]
    if not mine:
        others = ", ".join(sorted(service.host_id for service in view.services)) or "none"
        message = f"nova has no nova-compute of this host; it has: {others}"
        hint = "env.hostnames gives hosts the names that nova has for them"
        yield Orphan("compute-unknown-to-nova", host, "nova-compute", message, hint)
    for service in mine:
        if not service.is_enabled:
            why = f" ({service.reason})" if service.reason else ""
            hint = f"openstack compute service set --enable {service.host_id} nova-compute"
            message = f"disabled in nova{why}: no new VM gets a VF of this host"
            yield Orphan("compute-disabled", host, "nova-compute", message, hint)
        elif service.state != "up":
            message = f"{service.state} for nova: no new VM gets a VF of this host"
            hint = "does it run, and does it reach the message bus?"
            yield Orphan("compute-down", host, "nova-compute", message, hint)


def _bindings(host: Host, offer: Offer, claims: tuple[Claim, ...], view: CloudView) -> Iterator[Orphan]:
    for address in dict.fromkeys(claim.pci_address for claim in claims):
        rivals = [claim for claim in claims if claim.pci_address == address]
        if len(rivals) > 1:
            names = " and ".join(claim.port for claim in rivals)
            message = f"claimed by {counted(len(rivals), 'port')}: {names}"
            yield Orphan("vf-claimed-twice", host, address, message, _DOUBLED)
        for claim in rivals:
            fault = _without_vf(host, claim, offer) or _without_vm(host, claim, view)
            if fault:
                yield fault


_DOUBLED = "only one guest can have it: delete the port whose VM is gone, or launch one of the VMs again"
_RELAUNCH = "its VM cannot start again: fab setup_all corrects the host; else delete VM and port and launch it again"


def _without_vf(host: Host, claim: Claim, offer: Offer) -> Orphan | None:
    target = f"port {claim.port}"
    device = offer.hardware.device(claim.pci_address)
    if device is None or device.kind is not Kind.VIRTUAL:
        what = "not a device" if device is None else "not a VF"
        message = f"bound to {claim.pci_address}, which is {what} of this host"
        return Orphan("port-without-vf", host, target, message, _RELAUNCH)
    if offer.refusal:
        return None  # one line says so for all of them
    entry = offer.taken_by(claim.pci_address)
    if entry is None:
        message = f"bound to {claim.pci_address}, which no whitelist entry gives to guests"
        return Orphan("port-without-vf", host, target, message, _RELAUNCH)
    if claim.physnet and not pci_rules.serves(entry, claim.physnet):
        network = entry.get("physical_network") or "no physical network"
        words = f"bound to {claim.pci_address} for {claim.physnet}, which the whitelist gives to {network}"
        hint = "the VF may be in the wrong network: look at env.sriov, and launch the VM again"
        return Orphan("port-in-wrong-network", host, target, words, hint)
    return None


def _without_vm(host: Host, claim: Claim, view: CloudView) -> Orphan | None:
    target = f"port {claim.port}"
    server = view.servers.get(claim.server_id)
    if server is None:
        whose = f"for a VM that nova does not have ({claim.server_id})" if claim.server_id else "though no VM has it"
        message, hint = f"bound to {claim.pci_address} {whose}", f"openstack port delete {claim.port}"
        return Orphan("port-without-vm", host, target, message, hint)
    if not server.moves and server.host != claim.host_id:
        where = f"on {server.host}" if server.host else "on no host"
        message = f"bound to {claim.pci_address} here, but nova has its VM {server.name} {where}"
        return Orphan("port-left-behind", host, target, message, _LEFT)
    return None


_LEFT = "a migration or an evacuation left it: openstack port show tells; rebuild the VM or delete the port"


def _unclaimed(host: Host, facts: Facts, offer: Offer, claims: tuple[Claim, ...], view: CloudView) -> Iterator[Orphan]:
    """VFs held on the host, given to a physical network and so neutron's to bind, that no port claims."""
    claimed = {claim.pci_address for claim in claims}
    instances = {server.instance: server.name for server in view.servers.values() if server.instance}
    for port in ports_of(facts):
        for vf in port.vfs:
            entry = offer.taken_by(vf.pci_address)
            if not vf.holder or not vf.holder.is_known or vf.pci_address in claimed:
                continue
            if entry is None or not entry.get("physical_network"):
                continue
            name = instances.get(vf.holder.name) if vf.holder.is_guest else None
            who = f"{vf.holder} (nova's VM {name})" if name else str(vf.holder)
            hint = "nova will give it to a guest as well: name it in 'exclude_vfs', or free it"
            if vf.holder.is_guest:
                hint = (
                    "neutron has lost its port, or nova did not start this guest: nova may give the VF to another guest"
                )
            target = f"{port.interface} VF {vf.index} ({vf.pci_address})"
            message = f"held by {who}, but no port of neutron claims it"
            yield Orphan("vf-held-but-not-bound", host, target, message, hint)


def _strangers(view: CloudView) -> Iterator[Orphan]:
    """One line for each host of the cloud that the testbed does not have, however many ports are bound there."""
    foreign = dict.fromkeys(claim.host_id for claim in view.claims if claim.host_id not in view.known)
    for host_id in foreign:
        ports = [claim.port for claim in view.claims if claim.host_id == host_id]
        more = f" and {len(ports) - _NAMED} more" if len(ports) > _NAMED else ""
        names = f"port{'s' if len(ports) > 1 else ''} {', '.join(ports[:_NAMED])}{more}"
        hint = "add the host to env.roledefs, or its name to env.hostnames; if it is gone for good, delete the ports"
        message = "bound to a host that the testbed does not have"
        yield Orphan("port-on-unknown-host", Host(host_id, host_id), names, message, hint)
