"""nova-compute off and on: which one, by whose decision, and what becomes of instances that do not move."""

from __future__ import annotations

import threading
from types import SimpleNamespace as Thing
from typing import Any

import pytest

from sriov.cloud.nova_drain import REASON, DrainWaits, NovaDrain
from sriov.errors import CloudError
from sriov.model import Host

HOST = Host("root@10.0.0.2", "10.0.0.2", hostname="compute1")


class Compute:
    """nova's API as openstacksdk shows it, with one host of the cloud in memory."""

    def __init__(self, status: str = "enabled", reason: str = "", servers: tuple[str, ...] = (), moves: bool = True):
        self.service = Thing(host="compute1.example.org", status=status, disabled_reason=reason)
        self.list = [
            Thing(id=n, name=n, status="ACTIVE", task_state=None, compute_host=self.service.host) for n in servers
        ]
        self.moves = moves

    def services(self, **query: object) -> list[Any]:
        return [self.service, Thing(host="compute2", status="enabled", disabled_reason=None)]

    def hypervisors(self, **query: object) -> list[Any]:
        return []

    def disable_service(self, service: Any, host: str, binary: str, disabled_reason: str) -> None:
        service.status, service.disabled_reason = "disabled", disabled_reason

    def enable_service(self, service: Any, host: str, binary: str) -> None:
        service.status, service.disabled_reason = "enabled", None

    def servers(self, **query: object) -> list[Any]:
        return [server for server in self.list if server.compute_host == query["compute_host"]]

    def live_migrate_server(self, server: Any, **how: object) -> None:
        if self.moves:
            server.compute_host = "compute2"

    def find_server(self, number: str, **query: object) -> Any:
        return next(server for server in self.list if server.id == number)

    def migrations(self, **query: object) -> list[Any]:
        return [Thing(created_at="2030-01-01", status="error")]


def drain(compute: Compute) -> NovaDrain:
    return NovaDrain(Thing(compute=compute), "run7", DrainWaits(migration=5, pause=0))  # type: ignore[arg-type]


def test_empty_disables_with_the_run_in_the_reason_and_moves_all() -> None:
    compute = Compute(servers=("vm1", "vm2"))
    assert drain(compute).drain(HOST, lambda words: None, threading.Event()) == ()
    assert (compute.service.status, compute.service.disabled_reason) == ("disabled", REASON + "run7")
    assert {server.compute_host for server in compute.list} == {"compute2"}


def test_empty_names_the_instance_that_nova_does_not_move() -> None:
    assert drain(Compute(servers=("vm1",), moves=False)).drain(HOST, lambda words: None, threading.Event()) == (
        "vm1 (nova could not migrate it)",
    )


def test_interruption_ends_the_wait_for_an_instance_that_does_not_move() -> None:
    stop = threading.Event()
    compute = Compute(servers=("vm1", "vm2"), moves=False)
    compute.migrations = lambda **query: [Thing(created_at="2030-01-01", status="running")]  # type: ignore[method-assign]
    patient = NovaDrain(Thing(compute=compute), "run7", DrainWaits(migration=600, pause=600))  # type: ignore[arg-type]
    told = []

    def watch(words: str) -> None:
        told.append(words)
        threading.Timer(0.2, stop.set).start()

    with pytest.raises(CloudError, match="interrupted while vm1 was live-migrated"):
        patient.drain(HOST, watch, stop)
    assert told == ["live-migrating vm1"]


def test_refill_enables_what_an_earlier_run_of_ours_disabled() -> None:
    compute = Compute("disabled", REASON + "run1")
    drain(compute).undrain(HOST)
    assert compute.service.status == "enabled"


@pytest.mark.parametrize("reason", ["disk is being replaced", ""])
def test_what_somebody_else_disabled_stays_so_with_his_reason(reason: str) -> None:
    compute = Compute("disabled", reason)
    drain(compute).drain(HOST, lambda words: None, threading.Event())
    drain(compute).undrain(HOST)
    assert (compute.service.status, compute.service.disabled_reason) == ("disabled", reason)


def test_host_that_nova_does_not_know_is_told_with_those_that_it_knows() -> None:
    stranger = Host("root@10.0.0.9", "10.0.0.9", hostname="other")
    with pytest.raises(CloudError, match=r"no nova-compute of the name 10\.0\.0\.9 or other; it has: .*compute1"):
        drain(Compute()).undrain(stranger)


def test_host_is_found_by_its_address_under_the_name_that_its_service_has() -> None:
    """A hypervisor's own name is libvirt's, which is the long one."""
    compute = Compute()
    compute.service.host = "node7"
    long = Thing(name="node7.example.org", host_ip="10.0.0.7", service_details={"host": "node7"})
    compute.hypervisors = lambda **query: [long]  # type: ignore[method-assign]
    drain(compute).drain(Host("root@10.0.0.7", "10.0.0.7"), lambda words: None, threading.Event())
    assert compute.service.status == "disabled"
