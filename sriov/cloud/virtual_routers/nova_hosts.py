"""Nova's names of the hosts (`binding:host_id`), which the virtual-router objects must have to be found."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

from sriov.cloud import claims
from sriov.cloud.drift import Service
from sriov.model import Host, Role, Testbed

if TYPE_CHECKING:
    from openstack.connection import Connection


class NovaHosts(NamedTuple):
    """`names`: of every nova-compute. `by_host`: host string -> nova's names of it; one where that is certain."""

    names: frozenset[str]
    by_host: Mapping[str, tuple[str, ...]]

    def of(self, host: Host) -> tuple[str, ...]:
        return self.by_host.get(host.name, ())


def read(cloud: Connection, testbed: Testbed) -> NovaHosts:
    """Raises CloudError where nova does not list its nova-computes."""
    services = claims.computes(cloud)
    known = claims.known_hosts(cloud, testbed, dict.fromkeys(service.host_id for service in services))
    return named(services, known, testbed)


def named(services: Sequence[Service], known: Mapping[str, Host], testbed: Testbed) -> NovaHosts:
    """A record that is not up counts only where none of the host is: a renamed host leaves its old one behind.

    A nova without any nova-compute has no names yet; those of the testbed count then.
    """
    if not services:
        own = {host.name: (host.hostname or host.address,) for host in testbed.hosts if Role.COMPUTE in host.roles}
        return NovaHosts(frozenset(name for names in own.values() for name in names), own)
    of_host: dict[str, list[Service]] = {}
    for service in services:
        if service.host_id in known:
            of_host.setdefault(known[service.host_id].name, []).append(service)
    by_host = {
        name: tuple(dict.fromkeys(each.host_id for each in [s for s in mine if s.state == "up"] or mine))
        for name, mine in of_host.items()
    }
    return NovaHosts(frozenset(service.host_id for service in services), by_host)
