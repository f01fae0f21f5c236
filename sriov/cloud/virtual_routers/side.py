"""The virtual routers as one more side of `capacity` and `explain`, which are complete without it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sriov.cloud import session
from sriov.cloud.virtual_routers import comparison, nova_hosts, objects
from sriov.cloud.virtual_routers.api_server import ApiServer
from sriov.errors import SriovError
from sriov.model import Testbed
from sriov.scheduling.capacity import Orphan, VirtualRouterSide

if TYPE_CHECKING:
    from openstack.connection import Connection


def look(
    testbed: Testbed, seen: comparison.Seen, cloud: Connection | SriovError, physnet: str = ""
) -> VirtualRouterSide | None:
    """None where the testbed names no api-server. `cloud`: a login, or why there is none."""
    if not testbed.contrail_api:
        return None

    def read(cloud: Connection, testbed: Testbed) -> tuple[Orphan, ...]:
        routers = objects.parse(ApiServer(testbed.contrail_api, cloud).virtual_routers())
        return comparison.differences(seen, routers, nova_hosts.read(cloud, testbed), physnet)

    found, error = session.ask(testbed, read, cloud)
    return VirtualRouterSide(found or (), error)
