"""nova-compute off and on again around a host's reboot, its instances live-migrated to other hosts in between.

The reason that nova keeps with a disabled service names us and the run. It is the only memory: a later run finds by
it what an earlier one left disabled, and no decision of others is ever undone.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sriov.cloud.session import cloud_errors
from sriov.errors import CloudError
from sriov.model import Host

if TYPE_CHECKING:
    from openstack.compute.v2.server import Server
    from openstack.compute.v2.service import Service
    from openstack.connection import Connection

REASON = "sriov-fab: reboot for SR-IOV, run "
_RUNNING = ("ACTIVE", "PAUSED", "MIGRATING")  # a guest that is shut off loses nothing by a reboot
_UNDER_WAY = ("", "accepted", "queued", "preparing", "running", "pre-migrating", "post-migrating")


@dataclass(frozen=True, slots=True)
class DrainWaits:
    """Seconds for one instance to leave, and between two looks."""

    migration: float = 1800.0
    pause: float = 2.0


@dataclass(frozen=True, slots=True)
class NovaDrain:
    """See `sriov.run.drain.Drain`; asks nova. `run_id` stands in the reason."""

    cloud: Connection
    run_id: str
    waits: DrainWaits = DrainWaits()

    def drain(self, host: Host, watch: Callable[[str], None], stop: threading.Event) -> tuple[str, ...]:
        """Disables nova-compute, then live-migrates each running instance, one after the other.

        An instance that nova does not migrate (a VF without support for it, no room on other hosts) stays.
        """
        service = self._service(host)
        if service.status != "disabled":
            with cloud_errors(f"disabling nova-compute on {service.host}"):
                self.cloud.compute.disable_service(
                    service, service.host, "nova-compute", disabled_reason=REASON + self.run_id
                )
        stay = []
        for server in self._running(service.host):
            if stop.is_set():
                raise CloudError("interrupted", "interrupted")
            watch(f"live-migrating {server.name}")
            try:
                self._migrate(server, service.host, stop)
            except CloudError as error:
                if stop.is_set():
                    raise
                stay.append(f"{server.name} ({error.message})")
        return tuple(stay)

    def undrain(self, host: Host) -> None:
        """Enables nova-compute if the reason says that we disabled it."""
        service = self._service(host)
        if service.status == "disabled" and str(service.disabled_reason or "").startswith(REASON):
            with cloud_errors(f"enabling nova-compute on {service.host}"):
                self.cloud.compute.enable_service(service, service.host, "nova-compute")

    def _service(self, host: Host) -> Service:
        """The nova-compute of a host, by its name or address in the testbed; else by the address nova has of it."""
        names = {host.hostname, host.address} - {""}
        with cloud_errors(f"looking for nova-compute of {host.label}"):
            services = list(self.cloud.compute.services(binary="nova-compute"))
            found = [service for service in services if names & {service.host, service.host.partition(".")[0]}]
            if not found:
                by_address = [
                    (each.service_details or {}).get("host") or each.name  # the name is libvirt's, often the long one
                    for each in self.cloud.compute.hypervisors(details=True)
                    if each.host_ip in names
                ]
                found = [service for service in services if service.host in by_address]
        if len(found) != 1:
            known = ", ".join(sorted(service.host for service in services)) or "none"
            raise CloudError(
                "compute-unknown-to-nova",
                f"nova has {len(found) or 'no'} nova-compute of the name {' or '.join(sorted(names))}; it has: {known}",
                hint="env.hostnames gives the hosts of a testbed the names that nova has for them",
            )
        return found[0]

    def _running(self, host: str) -> list[Server]:
        with cloud_errors(f"listing the instances on {host}"):
            servers = list(self.cloud.compute.servers(all_projects=True, compute_host=host))
        return [server for server in servers if server.status in _RUNNING]

    def _migrate(self, server: Server, host: str, stop: threading.Event) -> None:
        """Returns when the instance is on another host or gone; CloudError says why it stays."""
        if server.status != "MIGRATING":
            with cloud_errors("live migration"):
                self.cloud.compute.live_migrate_server(server, block_migration="auto")
        deadline = time.monotonic() + self.waits.migration
        while True:
            if stop.wait(self.waits.pause):
                raise CloudError("interrupted", f"interrupted while {server.name} was live-migrated")
            with cloud_errors("live migration"):
                now = self.cloud.compute.find_server(server.id, all_projects=True)
            if now is None or now.compute_host != host or now.status in ("SHUTOFF", "DELETED"):
                return
            if now.status != "MIGRATING" and not now.task_state and not self._is_under_way(server.id):
                raise CloudError("migration-failed", "nova could not migrate it")
            if time.monotonic() > deadline:
                raise CloudError("migration-failed", f"still migrating after {self.waits.migration:g} s")

    def _is_under_way(self, server_id: str) -> bool:
        with cloud_errors("live migration"):
            found = list(self.cloud.compute.migrations(instance_uuid=server_id, migration_type="live-migration"))
        latest = max(found, key=lambda each: str(each.created_at), default=None)
        return latest is not None and str(latest.status or "").lower() in _UNDER_WAY
