"""Which hosts of a run are registered at Contrail, and what exit code comes of it."""

from __future__ import annotations

from typing import Any

import pytest

from fabfile import registration
from sriov.api import Outcome, Request, Status
from sriov.cloud.virtual_routers.objects import VirtualRouter
from sriov.cloud.virtual_routers.registration import HostPairs, Registration
from sriov.errors import CloudError, InterruptedRunError
from sriov.model import Host, PhysicalFunction, Role, Testbed

BED = Testbed("t", (), contrail_api="http://c", contrail_register=True)
ERROR = (None, CloudError("contrail-silent", "no answer"))


def request(name: str, vfs: int = 4, role: Role = Role.COMPUTE) -> Request:
    functions = (PhysicalFunction(vfs, ("physnet1",), "eth0"),)
    return Request(Host(name, name, physical_functions=functions), BED, frozenset({role}))


class Registrar:
    """Notes which hosts it was asked to register."""

    def __init__(self) -> None:
        self.names: list[str] = []

    def register(self, seen: Any) -> Registration:
        self.names = [one.host.name for one, _ in seen]
        return Registration()


@pytest.mark.parametrize("status", list(Status))
def test_only_a_host_whose_own_run_succeeded_is_registered(status: Status) -> None:
    registrar: Any = Registrar()
    outcomes = (Outcome(request("a"), status), Outcome(request("b"), Status.UNCHANGED))
    found = registration.registered(registrar, outcomes)
    succeeded = status in (Status.UNCHANGED, Status.CHANGED)
    assert registrar.names == (["a", "b"] if succeeded else ["b"])
    assert found is not None
    assert [host.name for host in found.left_out] == ([] if succeeded else ["a"])


def test_run_that_was_interrupted_registers_nothing() -> None:
    registrar: Any = Registrar()
    error = InterruptedRunError("interrupted", "a", "interrupted")
    outcomes = (Outcome(request("a"), Status.FAILED, error=error), Outcome(request("b"), Status.CHANGED))
    found = registration.registered(registrar, outcomes)
    assert registrar.names == []
    assert found is not None
    assert [host.name for host in found.left_out] == ["a", "b"]


@pytest.mark.parametrize(
    ("bed", "one"),
    [
        (BED._replace(contrail_register=False), request("a")),
        (BED, request("a", role=Role.OPENSTACK)),
        (BED, request("a", vfs=0)),
        (BED, request("a")._replace(rollback="")),
    ],
)
def test_no_login_is_asked_for_where_nothing_can_be_registered(bed: Testbed, one: Request) -> None:
    assert registration.open_registrar(bed, (one,)) is None


def pairs(*, is_written: bool) -> HostPairs:
    return HostPairs(Host("a", "a"), VirtualRouter("u", "a"), (), (), is_written)


@pytest.mark.parametrize(
    ("code", "found", "expected"),
    [
        (0, None, 0),
        (3, None, 3),
        (0, Registration(), 0),
        (0, Registration(hosts=(pairs(is_written=True),)), 0),
        (0, Registration(hosts=(pairs(is_written=False),)), 3),
        (1, Registration(hosts=(pairs(is_written=False),)), 1),
        (0, Registration(errors=(ERROR,)), 1),
        (3, Registration(errors=(ERROR,)), 1),
        (2, Registration(errors=(ERROR,)), 2),
    ],
)
def test_exit_code_is_the_hosts_own_and_worse_by_what_failed(code: int, found: Any, expected: int) -> None:
    assert registration.exit_code(code, found) == expected
