"""The face for programs: what a program gets that sets up hosts, and what it is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from sriov import api
from sriov.errors import TestbedError, UsageError
from sriov.model import Role
from sriov.run.outcome import Status
from sriov.scheduling.explain import Verdict
from sriov.simulation import Fleet, HostSpec, Nic

FOUR = [{"interface": "eth0", "VF": 4, "physnets": ["physnet1"]}]
READY = "intel_iommu=on iommu=pt"


@pytest.fixture(scope="module")
def hosts() -> tuple[HostSpec, ...]:
    return (
        HostSpec("control", roles=("openstack",)),
        HostSpec("compute1", nics=(Nic(up=True),), cmdline=READY),
    )


@pytest.fixture
def bed(fleet: Fleet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("SRIOV_KNOWN_HOSTS", str(fleet.known_hosts_path))
    path = tmp_path / "testbed.py"
    path.write_text(fleet.testbed({"compute1": FOUR}))
    return path


def test_program_looks_changes_proves_and_takes_back(fleet: Fleet, bed: Path) -> None:
    told: list[tuple[str, str]] = []
    logged: list[tuple[str, str]] = []
    testbed = api.load(bed)
    asked = api.requests(testbed)
    before = {outcome.name: outcome for outcome in api.look(asked)}
    assert {outcome.status for outcome in before.values()} == {Status.DIFFERS}
    assert fleet["compute1"].numvfs("eth0") == 0

    run = api.converge(
        asked,
        watch=lambda label, event: told.append((label, event.words)),
        log=lambda host, entry: logged.append((host, entry.resource)),
    )
    assert {outcome.status for outcome in run.outcomes} == {Status.CHANGED}
    assert fleet["compute1"].numvfs("eth0") == 4
    assert (fleet["compute1"].login, "virtual-functions") in logged
    assert {words for _, words in told} >= {"connecting", "probing", "verifying", "as wanted"}
    assert {outcome.status for outcome in api.look(asked)} == {Status.UNCHANGED}

    capacity = api.capacity(asked)[0]
    assert [(row.physnet, row.free) for row in capacity.rows] == [("physnet1", 4)]
    assert api.explain(asked, "physnet1", 2)[0].verdict is Verdict.FOUND
    assert api.explain(asked, "physnet1", 5)[0].verdict is Verdict.NONE

    back = api.rollback(asked, run.id)
    assert {outcome.status for outcome in api.converge(back).outcomes} == {Status.CHANGED}
    assert fleet["compute1"].numvfs("eth0") == 0


def test_requests_are_for_the_hosts_and_roles_of_the_testbed(fleet: Fleet, bed: Path) -> None:
    testbed = api.load(bed)
    (request,) = api.requests(testbed, [fleet["compute1"].login], Role.COMPUTE)
    assert (request.host.name, request.roles) == (fleet["compute1"].login, frozenset({Role.COMPUTE}))
    with pytest.raises(UsageError, match="is not in"):
        api.requests(testbed, ["root@127.0.0.9"])
    with pytest.raises(UsageError, match="has no compute role"):
        api.requests(testbed, [fleet["control"].login], Role.COMPUTE)
    with pytest.raises(TestbedError, match="there is no such file"):
        api.load(bed.with_name("none.py"))


def test_stranger_is_looked_at_with_all_its_ports(fleet: Fleet, bed: Path) -> None:
    (outcome,) = api.look(api.unlisted_requests(api.load(bed), [fleet["compute1"].login]))
    assert outcome.facts is not None
    assert [port.interface for port in outcome.facts.ports] == ["eth0"]
    with pytest.raises(UsageError, match="is not a host"):
        api.unlisted_requests(api.load(bed), ["root@"])


def test_nothing_asked_is_nothing_done() -> None:
    assert api.look([]) == ()
    assert api.converge([]).outcomes == ()
