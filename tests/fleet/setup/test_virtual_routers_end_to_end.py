"""`env.contrail_api` and `env.contrail_register`: what the tasks make of Contrail's virtual routers."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, NamedTuple

import pytest
from cloud_stand_in import PASSWORD, StandIn, stand_in
from conftest import Operator, Visit
from contrail_stand_in import PROPERTY, ApiServer, api_server, pairs_of

from sriov.simulation import Fleet, HostSpec

pytestmark = pytest.mark.slow  # openstacksdk takes a second to start

SRIOV = {
    "compute1": [
        {"interface": "eth0", "VF": 4, "physnets": ["physnet1"]},
        {"interface": "eth1", "VF": 2, "physnets": ["physnet2"]},
    ],
    "compute2": [{"interface": "eth0", "VF": 4, "physnets": ["physnet1"]}],
    "compute3": [{"interface": "eth0", "VF": 4, "physnets": ["physnet1"]}],
}
FOREIGN = {"key": "physnet9", "value": "ünmanaged0"}
REGISTER = "env.contrail_register = True\n"


@pytest.fixture(scope="module")
def hosts() -> tuple[HostSpec, ...]:
    return *(HostSpec(f"compute{number}") for number in (1, 2, 3)), HostSpec("openstack1", roles=("openstack",))


class Clouds(NamedTuple):
    """An operator whose testbed names the api-server, and both stand-ins."""

    operator: Operator
    api: StandIn
    contrail: ApiServer

    def write(self, more: str = "") -> None:
        self.operator.write(SRIOV, f"env.contrail_api = {self.contrail.url!r}\n{more}")

    def fab(self, *words: str, **environment: Any) -> Visit:
        return self.operator.fab(*words, **{**self.api.environment(), **environment})

    def writes_during(self, *words: str) -> tuple[Visit, list[str]]:
        before = len(self.contrail.writes)
        visit = self.fab(*words)
        return visit, self.contrail.writes[before:]


@pytest.fixture(scope="module")
def clouds(operator: Operator) -> Iterator[Clouds]:
    with stand_in() as api, api_server() as contrail:
        for name in ("compute1", "compute2", "compute3"):
            api.store["services"].append(
                {"id": name, "binary": "nova-compute", "host": name, "status": "enabled", "state": "up",
                 "disabled_reason": None, "zone": "nova", "updated_at": "2026-01-01T00:00:00"}
            )  # fmt: skip
        wrong = {"key": "physnet2", "value": "eth5"}
        contrail.provision("compute1", **{PROPERTY: {"key_value_pair": [dict(FOREIGN), wrong]}})
        contrail.provision("compute2")
        contrail.provision("compute7")
        found = Clouds(operator, api, contrail)
        found.write(REGISTER)
        yield found


@pytest.fixture(scope="module")
def planned(clouds: Clouds) -> tuple[Visit, list[str]]:
    return clouds.writes_during("plan", "compute1,compute3")


@pytest.fixture(scope="module")
def first(clouds: Clouds, planned: tuple[Visit, list[str]], fleet: Fleet) -> tuple[Visit, list[str]]:
    """The first run, in which compute2 fails."""
    fleet["compute2"].fail(failing_units=("nova-compute.service",))
    found = clouds.writes_during("setup_all", "--json")
    fleet["compute2"].clear_faults()
    return found


@pytest.fixture(scope="module")
def second(clouds: Clouds, first: tuple[Visit, list[str]]) -> tuple[Visit, list[str]]:
    return clouds.writes_during("setup_all")


@pytest.fixture
def provisioned(clouds: Clouds, second: tuple[Visit, list[str]]) -> Iterator[Clouds]:
    """All is as wanted, the hosts and the pairs; what a test changes is put back."""
    kept = json.dumps(clouds.contrail.objects)
    yield clouds
    clouds.contrail.objects = json.loads(kept)
    clouds.contrail.refuse.clear()
    clouds.write(REGISTER)


def uuid_of(contrail: ApiServer, name: str) -> str:
    return next(uuid for uuid, each in contrail.objects.items() if each["name"] == name)


def test_plan_shows_what_would_be_registered_and_writes_nothing(planned: tuple[Visit, list[str]]) -> None:
    visit, writes = planned
    assert (visit.code, writes) == (3, [])
    said = " ".join(visit.out.split())
    assert "to register compute1" in said
    assert "virtual-router compute1: physnet1 on eth0, physnet2 on eth1 in place of eth5" in said
    assert "warning compute3" in said
    assert "[virtual-router-missing]" in said


def test_first_run_registers_the_hosts_whose_own_run_succeeded(
    clouds: Clouds, fleet: Fleet, first: tuple[Visit, list[str]]
) -> None:
    visit, writes = first
    assert visit.code == visit.document["exit_code"] == 1, visit.said
    assert writes == [f"PUT /virtual-router/{uuid_of(clouds.contrail, 'compute1')}"]
    found = visit.document["virtual_routers"]
    assert found["left_out"] == [fleet["compute2"].login]
    assert [warning["id"] for warning in found["warnings"]] == ["virtual-router-missing"]
    assert found["errors"] == []
    assert found["hosts"] == [
        {"host": fleet["compute1"].login, "name": "compute1", "done": True, "changes": [
            {"physical_network": "physnet1", "interface": "eth0", "found": None},
            {"physical_network": "physnet2", "interface": "eth1", "found": "eth5"},
        ]}
    ]  # fmt: skip


def test_only_the_one_property_is_sent_and_a_foreign_pair_comes_back_as_it_was(
    clouds: Clouds, first: tuple[Visit, list[str]]
) -> None:
    ours = {"key": "physnet2", "value": "eth1"}, {"key": "physnet1", "value": "eth0"}
    assert clouds.contrail.bodies[0] == {"virtual-router": {PROPERTY: {"key_value_pair": [FOREIGN, *ours]}}}


def test_next_run_registers_what_was_left_and_the_one_after_writes_nothing(
    clouds: Clouds, second: tuple[Visit, list[str]]
) -> None:
    visit, writes = second
    assert visit.code == 0, visit.said
    assert writes == [f"PUT /virtual-router/{uuid_of(clouds.contrail, 'compute2')}"]
    assert "registered compute2" in visit.out
    third, writes = clouds.writes_during("setup_all")
    assert (third.code, writes, third.touched) == (0, [], frozenset()), third.said
    assert pairs_of(clouds.contrail.objects[uuid_of(clouds.contrail, "compute2")]) == (("physnet1", "eth0"),)
    assert len(clouds.contrail.objects) == 3  # none made, none deleted


def test_verify_proves_the_pairs_too(provisioned: Clouds) -> None:
    provisioned.contrail.objects[uuid_of(provisioned.contrail, "compute2")].pop(PROPERTY)
    visit, writes = provisioned.writes_during("verify", "--json")
    assert (visit.code, writes) == (3, [])
    assert [each["done"] for each in visit.document["virtual_routers"]["hosts"]] == [False]


def test_other_side_of_a_node_registers_nothing(provisioned: Clouds, fleet: Fleet) -> None:
    provisioned.contrail.objects[uuid_of(provisioned.contrail, "compute2")].pop(PROPERTY)
    visit, writes = provisioned.writes_during(f"setup_openstack_node:{fleet['openstack1'].login}", "--json")
    assert (visit.code, writes) == (0, [])
    assert "virtual_routers" not in visit.document


def test_new_node_is_registered_as_well(provisioned: Clouds, fleet: Fleet) -> None:
    provisioned.contrail.objects[uuid_of(provisioned.contrail, "compute2")].pop(PROPERTY)
    visit, writes = provisioned.writes_during(f"add_vrouter_node:{fleet['compute2'].login}")
    assert (visit.code, len(writes)) == (0, 1), visit.said


def test_api_server_that_cannot_be_asked_is_told_before_anything_is_touched(provisioned: Clouds, fleet: Fleet) -> None:
    fleet["compute1"].run("rm /etc/systemd/system/sriov-vfs-eth0.service")
    provisioned.contrail.refuse["GET"] = (403, "no")
    visit, writes = provisioned.writes_during("setup_all")
    assert (visit.code, writes, visit.touched) == (1, [], frozenset())
    assert "[contrail-forbids]" in visit.err
    provisioned.contrail.refuse.clear()
    assert provisioned.fab("setup_all").code == 0


def test_write_that_is_refused_is_an_error_of_the_run_and_the_host_stays_done(provisioned: Clouds) -> None:
    provisioned.contrail.objects[uuid_of(provisioned.contrail, "compute2")].pop(PROPERTY)
    provisioned.contrail.refuse["PUT"] = (500, "disk full")
    visit = provisioned.fab("setup_all")
    assert visit.code == 1
    assert "[contrail-refused]" in visit.out
    assert "disk full" in visit.out
    assert "Traceback" not in visit.said


def test_without_credentials_nothing_is_touched(provisioned: Clouds) -> None:
    visit = provisioned.operator.fab("setup_all")
    assert (visit.code, visit.touched) == (2, frozenset())
    assert "[no-credentials]" in visit.err
    assert sum(visit.connections.values()) == 0


def test_capacity_names_each_difference_as_a_warning(provisioned: Clouds, fleet: Fleet) -> None:
    visit = provisioned.fab("capacity", "--json")
    assert visit.code == 0, visit.said
    side = visit.document["virtual_routers"]
    assert (side["asked"], side["reason"]) == (True, "")
    assert {(each["id"], each["host"]) for each in side["differences"]} == {
        ("virtual-router-pair-differs", fleet["compute1"].login),  # physnet9 is none of the testbed's
        ("virtual-router-missing", fleet["compute3"].login),
        ("virtual-router-without-host", "compute7"),
    }


def test_explain_has_the_pairs_of_its_network_alone_and_the_same_verdict(provisioned: Clouds, fleet: Fleet) -> None:
    provisioned.contrail.objects[uuid_of(provisioned.contrail, "compute2")][PROPERTY]["key_value_pair"][0]["value"] = (
        "e9"
    )
    visit = provisioned.fab("explain:physnet1", "--json")
    assert (visit.code, visit.document["verdict"]) == (0, "found"), visit.said
    differing = [each for each in visit.document["virtual_routers"]["differences"] if "pair" in each["id"]]
    assert [each["host"] for each in differing] == [fleet["compute2"].login]


def test_report_is_complete_where_the_api_server_fails(provisioned: Clouds) -> None:
    provisioned.contrail.refuse["GET"] = (401, "Authentication required")
    visit = provisioned.fab("capacity")
    assert visit.code == 1
    assert "error Contrail: " in visit.err
    assert "[contrail-forbids]" in visit.err
    assert "virtual routers were not asked" in visit.out
    assert "the cloud was not asked" not in visit.out


def test_login_that_fails_is_told_once(provisioned: Clouds) -> None:
    visit = provisioned.fab("capacity", OS_PASSWORD="wrong-" + PASSWORD)
    assert visit.code == 1
    assert visit.err.count("keystone refused the login") == 1


def test_testbed_without_the_key_asks_no_api_server(provisioned: Clouds) -> None:
    provisioned.operator.write(SRIOV)
    before = len(provisioned.contrail.requests)
    for task in ("explain:physnet1", "setup_all"):
        assert "virtual_routers" not in provisioned.fab(task, "--json").document
    assert len(provisioned.contrail.requests) == before
