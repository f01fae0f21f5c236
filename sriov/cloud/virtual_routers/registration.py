"""The pairs of the testbed written into virtual-router objects that exist: one property, merged with what it holds.

No object is created or deleted, and no pair is taken away. Nothing is written where the pairs are as wanted.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

from sriov.cloud.virtual_routers import comparison, nova_hosts, objects, pairs
from sriov.cloud.virtual_routers.api_server import ApiServer, shown
from sriov.cloud.virtual_routers.nova_hosts import NovaHosts
from sriov.cloud.virtual_routers.objects import VirtualRouter
from sriov.cloud.virtual_routers.pairs import PairChange, WantedPair
from sriov.errors import CloudError, SriovError, counted
from sriov.model import Host, Testbed
from sriov.scheduling.capacity import Orphan

if TYPE_CHECKING:
    from openstack.connection import Connection

_OF_ONE_OBJECT = "contrail-refused"  # other errors of a write would come for each further object
Failures = tuple[tuple[Host | None, SriovError], ...]
"""By host, what failed; the host is None where it was not one object alone."""


class HostPairs(NamedTuple):
    """What is to be registered of one host, or was; `router` as it was read."""

    host: Host
    router: VirtualRouter
    wanted: tuple[WantedPair, ...]
    changes: tuple[PairChange, ...]
    is_written: bool = False

    def __str__(self) -> str:
        return f"{shown(self.router.name)}: {', '.join(shown(str(change), 200) for change in self.changes)}"


class Registration(NamedTuple):
    """`hosts`: those whose pairs differ. `warnings` say what cannot be registered, and why.

    `left_out`: hosts whose own run did not succeed, or has a reboot to come.
    """

    hosts: tuple[HostPairs, ...] = ()
    warnings: tuple[Orphan, ...] = ()
    left_out: tuple[Host, ...] = ()
    errors: Failures = ()

    @property
    def is_pending(self) -> bool:
        return any(not each.is_written for each in self.hosts)


class Registrar(NamedTuple):
    """Contrail's api-server and nova, as a login reaches them."""

    cloud: Connection
    testbed: Testbed

    def look(self, seen: comparison.Seen) -> Registration:
        """What `register` would do. Raises CloudError where one of the two does not answer."""
        server = ApiServer(self.testbed.contrail_api, self.cloud)
        nova = nova_hosts.read(self.cloud, self.testbed)
        return compare(seen, objects.parse(server.virtual_routers()), nova)

    def register(self, seen: comparison.Seen) -> Registration:
        """Written and read back. What fails is in the errors, and ends it unless it is one object's alone."""
        try:
            found = self.look(seen)
        except SriovError as error:
            return Registration(errors=((None, error),))
        except KeyboardInterrupt:
            return Registration(errors=((None, _interrupted("before anything was written")),))
        server = ApiServer(self.testbed.contrail_api, self.cloud)
        written, errors = write(found.hosts, server)
        if any(each.is_written for each in written):
            try:
                errors = (*errors, *_lost(written, objects.parse(server.virtual_routers())))
            except SriovError as error:
                errors = (*errors, (None, error))
            except KeyboardInterrupt:
                errors = (*errors, (None, _interrupted("while what was written was read back")))
        return found._replace(hosts=written, errors=errors)


def compare(seen: comparison.Seen, routers: Mapping[str, VirtualRouter], nova: NovaHosts) -> Registration:
    """Pure: what is to be written, and what cannot be."""
    hosts: list[HostPairs] = []
    warnings: list[Orphan] = []
    for request, facts in seen:
        wanted = pairs.wanted(request, facts)
        if not wanted:
            continue
        router, problem = comparison.of_host(request.host, routers, nova)
        if router is None:
            warnings += [problem] if problem else []
            continue
        there, doubled = pairs.standing(router.items or ()), [pair for pair in wanted if len(pair.interfaces) > 1]
        warnings += [comparison.doubled(request.host, pair, there.get(pair.physnet)) for pair in doubled]
        changes = pairs.merge(router.items or (), wanted)[1]
        if changes:
            hosts.append(HostPairs(request.host, router, wanted, changes))
    return Registration(tuple(hosts), tuple(warnings))


def write(hosts: Sequence[HostPairs], server: ApiServer) -> tuple[tuple[HostPairs, ...], Failures]:
    """One object after the other; the hosts as they are then, and what failed."""
    done: list[HostPairs] = []
    errors: list[tuple[Host | None, SriovError]] = []
    for number, each in enumerate(hosts):
        items = pairs.merge(each.router.items or (), each.wanted)[0]
        try:
            server.update(each.router.uuid, each.router.with_items(items), shown(each.router.name))
        except CloudError as error:
            errors.append((each.host, error))
            if error.id != _OF_ONE_OBJECT:
                return (*done, *hosts[number:]), tuple(errors)
            done.append(each)
        except KeyboardInterrupt:
            errors.append((each.host, _interrupted(f"while {shown(each.router.name)} was written")))
            return (*done, *hosts[number:]), tuple(errors)
        else:
            done.append(each._replace(is_written=True))
    return tuple(done), tuple(errors)


def _interrupted(when: str) -> CloudError:
    return CloudError("interrupted", f"the registration was interrupted {when}", hint="run again")


def _lost(written: Sequence[HostPairs], routers: Mapping[str, VirtualRouter]) -> Failures:
    """Hosts whose pairs were taken and are not there: Contrail before September 2020 drops the property silently."""
    found: list[tuple[Host | None, SriovError]] = []
    for each in written:
        router = routers.get(each.router.name)
        left = pairs.merge(router.items or (), each.wanted)[1] if router else each.changes
        if each.is_written and left:
            name, number = shown(each.router.name), counted(len(left), "pair")
            message = f"Contrail took {number} of the virtual router {name} and does not show them"
            hint = "a Contrail from before R2011 does not know this property; leave out env.contrail_register"
            found.append((each.host, CloudError("virtual-router-not-kept", message, hint=hint)))
    return tuple(found)
