"""What programs read of `capacity` and `explain`, one JSON document each. See docs/json.md; keys only get added."""

from __future__ import annotations

from dataclasses import asdict
from typing import TypedDict

from sriov.report.heading import Heading, heading
from sriov.report.virtual_routers import side_document
from sriov.scheduling.capacity import Capacity, Row, VirtualRouterSide
from sriov.scheduling.explain import Explained, Explanation


class RowDocument(TypedDict):
    host: str
    hostname: str
    interface: str
    pci_address: str
    wanted: int
    present: int
    in_use: list[dict[str, str | int]]
    free: int
    whitelisted: int
    bound: list[dict[str, str | int]] | None


class NetworkDocument(TypedDict):
    physical_network: str
    free: int
    most_on_one_host: int
    hosts: list[RowDocument]


class VirtualRouterDocument(TypedDict, total=False):
    """A key of its own where the testbed names an api-server of Contrail."""

    virtual_routers: dict[str, object]


class CapacityDocument(Heading, VirtualRouterDocument):
    task: str
    testbed: str
    exit_code: int
    physical_networks: list[NetworkDocument]
    orphans: list[dict[str, str]]
    silent: list[str]
    cloud: dict[str, object]


def capacity_document(testbed: str, exit_code: int, found: Capacity) -> CapacityDocument:
    return CapacityDocument(
        **heading(),
        task="capacity",
        testbed=testbed,
        exit_code=exit_code,
        physical_networks=[_network(found, physnet) for physnet in found.physnets],
        orphans=[
            {"id": o.id, "host": o.host.name, "target": o.target, "message": o.message, "hint": o.hint}
            for o in found.orphans
        ],
        silent=[host.name for host in found.silent],
        cloud={"asked": not found.unasked, "reason": found.unasked},
        **_virtual_routers(found.virtual_routers),
    )


def _network(found: Capacity, physnet: str) -> NetworkDocument:
    free = found.free(physnet)
    return NetworkDocument(
        physical_network=physnet,
        free=sum(free.values()),
        most_on_one_host=max(free.values(), default=0),
        hosts=[_row(row) for row in found.rows if row.physnet == physnet],
    )


def _row(row: Row) -> RowDocument:
    return RowDocument(
        host=row.host.name,
        hostname=row.host.hostname,
        interface=row.interface,
        pci_address=row.pci_address,
        wanted=row.wanted,
        present=row.present,
        in_use=[{"index": h.index, "pci_address": h.pci_address, "holder": h.holder} for h in row.in_use],
        free=row.free,
        whitelisted=row.whitelisted,
        bound=None if row.bound is None else [asdict(bound) for bound in row.bound],
    )


def explanation_document(testbed: str, exit_code: int, found: Explanation) -> dict[str, object]:
    """One JSON document; keys only get added."""
    return {
        **heading(),
        "task": "explain",
        "testbed": testbed,
        "exit_code": exit_code,
        "physical_network": found.physnet,
        "count": found.count,
        "verdict": found.verdict.name.lower(),
        "hosts": [host.host.name for host in found.hosts],
        "compute": [_explained(host) for host in found.computes],
        "scheduler": [_explained(host) for host in found.schedulers],
        "cloud": {"asked": not found.unasked, "reason": found.unasked},
        **_virtual_routers(found.virtual_routers),
    }


def _virtual_routers(side: VirtualRouterSide | None) -> VirtualRouterDocument:
    return {} if side is None else {"virtual_routers": side_document(side)}


def _explained(host: Explained) -> dict[str, object]:
    return {
        "host": host.host.name,
        "hostname": host.host.hostname,
        "free": host.free,
        "failing": host.failing.name if host.failing else None,
        "steps": [
            {"id": step.id, "name": step.name, "mark": step.mark.value, "found": step.found, "remedy": step.remedy}
            for step in host.steps
        ],
    }
