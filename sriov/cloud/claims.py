"""Which VFs the cloud has given away, and where its VMs and its nova-computes are: read, not judged."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING

from sriov.cloud.drift import Claim, CloudView, Server, Service
from sriov.cloud.session import cloud_errors
from sriov.errors import CloudError, SriovError, printable
from sriov.facts.bound import Bound
from sriov.model import Host, Testbed
from sriov.resources.contract import Request

if TYPE_CHECKING:
    from openstack.connection import Connection
    from openstack.network.v2.port import Port

_WHOLE_CARD = "direct-physical"  # its port has the physical function itself


def view(cloud: Connection, testbed: Testbed) -> CloudView:
    """All that `drift` holds against the hosts. Raises CloudError: it takes an administrator, of every project."""
    services = computes(cloud)
    with cloud_errors("listing the VMs"):
        servers = {str(each.id): _server(each) for each in cloud.compute.servers(all_projects=True)}
    claims = read(cloud)
    names = dict.fromkeys([service.host_id for service in services] + [claim.host_id for claim in claims])
    return CloudView(claims, servers, services, known_hosts(cloud, testbed, names))


def computes(cloud: Connection) -> tuple[Service, ...]:
    """Every nova-compute of the cloud. Raises CloudError."""
    with cloud_errors("listing the nova-computes"):
        listed = list(cloud.compute.services(binary="nova-compute"))
    return tuple(
        Service(
            str(each.host), each.status == "enabled", str(each.state or ""), printable(str(each.disabled_reason or ""))
        )
        for each in listed
    )


def bound(cloud: Connection, testbed: Testbed) -> Mapping[str, Mapping[str, str]]:
    """Host string -> PCI address -> name of the port that has this VF. Raises CloudError."""
    claims = read(cloud)
    known = known_hosts(cloud, testbed, dict.fromkeys(claim.host_id for claim in claims))
    return CloudView(claims, known=known).bound(testbed.hosts)


def told(cloud: Connection, testbed: Testbed, asked: Sequence[Request]) -> tuple[Request, ...]:
    """The requests with what neutron has given to VMs.

    A cloud that does not say so is no error: a run that leaves VFs alone goes on, any other has users that are unknown.
    """
    hosts = {host.name: host for host in (*testbed.hosts, *(request.host for request in asked))}
    bed = testbed._replace(hosts=tuple(hosts.values()))
    try:
        claims = tuple(claim for claim in read(cloud) if claim.server_id)
        known = known_hosts(cloud, bed, dict.fromkeys(claim.host_id for claim in claims))
    except SriovError as error:
        return tuple(request._replace(bound=Bound(unseen=error.message)) for request in asked)
    found = CloudView(claims, known=known).bound(bed.hosts)
    return tuple(request._replace(bound=Bound(tuple(found[request.host.name].items()))) for request in asked)


def read(cloud: Connection) -> tuple[Claim, ...]:
    """Every port that has a VF, of all projects. Raises CloudError if these credentials see no bindings."""
    with cloud_errors("listing the ports that are bound"):
        ports = list(cloud.network.ports())
    # both: Contrail shows host_id null for a port that is not bound
    if ports and all(port.binding_host_id is None and port.binding_vif_type is None for port in ports):
        raise CloudError(
            "cloud-forbids",
            "neutron does not show these credentials which ports are bound",
            hint="use those of an administrator",
        )
    return tuple(claim for port in ports if (claim := _claim(port)) is not None)


def _claim(port: Port) -> Claim | None:
    profile = port.binding_profile if isinstance(port.binding_profile, Mapping) else {}
    slot, host = str(profile.get("pci_slot") or ""), str(port.binding_host_id or "")
    if not slot or not host or port.binding_vnic_type == _WHOLE_CARD:
        return None
    name, physnet = printable(str(port.name or port.id)), printable(str(profile.get("physical_network") or ""))
    return Claim(host, printable(slot), name, physnet, str(port.device_id or ""))


def _server(found: object) -> Server:
    """`compute_host` is shown to administrators only."""
    values = (getattr(found, key) or "" for key in ("name", "compute_host", "instance_name"))
    name, host, instance = (printable(str(value)) for value in values)
    status, task = (str(getattr(found, key) or "") for key in ("status", "task_state"))
    moves = bool(task) or status in ("MIGRATING", "RESIZE", "VERIFY_RESIZE")
    return Server(name, host, instance, moves)


def known_hosts(cloud: Connection, testbed: Testbed, names: Collection[str]) -> dict[str, Host]:
    """The cloud's name of a host -> the host of the testbed: by its name there, or its address, also as nova has it."""
    found = {name: host for name in names if (host := named(testbed, name)) is not None}
    if len(found) == len(names):
        return found
    try:
        with cloud_errors("listing the hypervisors"):
            hypervisors = list(cloud.compute.hypervisors(details=True))
    except CloudError:
        return found  # names and addresses of the testbed must be enough
    for each in hypervisors:
        name = str((each.service_details or {}).get("host") or each.name)
        hosts = [host for host in testbed.hosts if host.address == each.host_ip]
        if name in names and name not in found and len(hosts) == 1:
            found[name] = hosts[0]
    return found


def named(testbed: Testbed, name: str) -> Host | None:
    """The host of a testbed that nova and neutron call so: by its name there, or its address."""
    short = name.partition(".")[0]
    return next((host for host in testbed.hosts if {host.hostname, host.address} & {name, short} - {""}), None)
