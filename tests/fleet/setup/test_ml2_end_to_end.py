"""`env.network_backend = 'ml2'` on simulated hosts: what neutron reads, what is restarted, what goes back."""

from __future__ import annotations

import pytest
from conftest import Operator, Visit, starts
from neutron_files import AGENT, ML2, NEUTRON_CONF, reads

from sriov import testbed
from sriov.planning.probe import probe_script
from sriov.resources.contract import Request
from sriov.simulation import Fleet, HostSpec, SimulatedHost

pytestmark = pytest.mark.slow

ETH0 = {"interface": "eth0", "VF": 7, "physnets": ["physnet1"]}
ETH1 = {"interface": "eth1", "VF": 7, "physnets": ["physnet2", "physnet3"], "exclude_vfs": [0]}
SRIOV = {"compute1": [ETH0, ETH1], "red1": [ETH0], "both": [ETH0]}
LINES = "env.network_backend = 'ml2'\nenv.vlan_ranges = {'physnet1': '100:199', 'physnet2': ['10:19', '30:39']}\n"
AGENTS = {"compute1": "neutron-sriov-agent", "red1": "neutron-sriov-nic-agent", "both": "neutron-sriov-agent"}


@pytest.fixture(scope="module")
def hosts() -> tuple[HostSpec, ...]:
    return (
        HostSpec("openstack1", roles=("openstack",)),
        HostSpec("compute1"),
        HostSpec("red1", family="rhel", release=18),
        HostSpec("both", roles=("compute", "openstack"), release=34),
    )


@pytest.fixture(scope="module")
def originals(fleet: Fleet) -> dict[tuple[str, str], bytes]:
    return {
        (host.name, path): host.path(path).read_bytes()
        for host in fleet.hosts
        for path in (NEUTRON_CONF, ML2, AGENT)
        if host.path(path).exists()
    }


@pytest.fixture(scope="module")
def contrail(operator: Operator, originals: dict[tuple[str, str], bytes]) -> Visit:
    """The hosts brought up without a word of the network side."""
    operator.write(SRIOV)
    return operator.fab("setup_all")


@pytest.fixture
def requests(operator: Operator) -> tuple[Request, Request]:
    """The all-in-one host as asked for under Contrail, and under ML2."""
    found = []
    for more in ("", LINES):
        operator.write(SRIOV, more)
        bed = testbed.load(operator.bed)
        host = next(host for host in bed.hosts if len(host.roles) == 2)
        found.append(Request(host, bed, host.roles))
    return found[0], found[1]  # the testbed on disk is that for ML2 again


@pytest.fixture(scope="module")
def first(operator: Operator, contrail: Visit) -> Visit:
    operator.fleet["compute1"].run("systemctl disable neutron-sriov-agent")
    operator.write(SRIOV, LINES)
    return operator.fab("setup_all")


def neutron(host: SimulatedHost, path: str) -> dict[str, list[str]]:
    return reads(host.path(NEUTRON_CONF).read_bytes(), host.path(path).read_bytes())


def test_contrail_leaves_neutron_alone(
    contrail: Visit, originals: dict[tuple[str, str], bytes], operator: Operator
) -> None:
    assert contrail.code == 0, contrail.said
    found = {(name, path): operator.fleet[name].path(path).read_bytes() for name, path in originals}
    assert found == originals


def test_services_of_neutron_are_asked_for_under_ml2_only(requests: tuple[Request, Request]) -> None:
    """The files are read under Contrail too, in the same processes: lines of ours may be left over in them."""
    contrail, ml2 = (probe_script(request, "nonce").text.decode() for request in requests)
    assert "neutron-server.service" not in contrail
    assert "neutron-sriov-agent.service" not in contrail
    assert len(ml2) - 200 < len(contrail) < len(ml2)
    assert all(text in ml2 for text in (NEUTRON_CONF, ML2, AGENT, "neutron-server.service"))


def test_server_knows_driver_and_ranges(first: Visit, fleet: Fleet) -> None:
    assert first.code == 0, first.said
    for name in ("openstack1", "both"):
        read = neutron(fleet[name], ML2)
        assert read["drivers"] == ["openvswitch", "sriovnicswitch"]
        assert read["ranges"] == ["physnet1:100:199", "physnet2:10:19", "physnet2:30:39", "physnet3"]


def test_agent_knows_devices_and_vfs_that_the_host_keeps(first: Visit, fleet: Fleet) -> None:
    read = neutron(fleet["compute1"], AGENT)
    assert read["mappings"] == ["physnet1:eth0", "physnet2:eth1", "physnet3:eth1"]
    assert read["excluded"] == ["eth1:0000:01:10.1"]
    assert neutron(fleet["red1"], AGENT)["mappings"] == ["physnet1:eth0"]


def test_services_run_with_what_was_written(first: Visit, fleet: Fleet) -> None:
    wanted = [("openstack1", "neutron-server", ML2), ("both", "neutron-server", ML2)]
    wanted += [(name, agent, AGENT) for name, agent in AGENTS.items()]
    for name, unit, path in wanted:
        service = fleet[name].services[f"{unit}.service"]
        assert service["active"] == "active"
        digest = fleet[name].run(f"sha256sum {path}").stdout.decode().split()[0]
        assert service["read"][path] == digest
        assert unit in first.restarted[name]


def test_agent_starts_at_boot_again(first: Visit, fleet: Fleet) -> None:
    assert fleet["compute1"].run("systemctl is-enabled neutron-sriov-agent").stdout == b"enabled\n"


def test_second_run_changes_nothing(first: Visit, operator: Operator) -> None:
    again = operator.fab("setup_all")
    assert again.code == 0, again.said
    assert again.touched == frozenset()
    assert set(again.executions.values()) == {1}
    assert not any(again.restarted.values())


def test_agent_that_missed_its_file_is_restarted(first: Visit, operator: Operator) -> None:
    host = operator.fleet["red1"]
    host.run(f"sleep 0.01; touch {AGENT}")
    again = operator.fab("setup_all")
    assert again.code == 0, again.said
    assert again.restarted["red1"] == ("neutron-sriov-nic-agent",)
    assert again.restarted["compute1"] == ()


def test_host_without_agent_is_refused_before_anything_is_touched(first: Visit, operator: Operator) -> None:
    host = operator.fleet["compute1"]
    kept = host.path(AGENT).read_bytes()
    host.path(AGENT).unlink()
    try:
        visit = operator.fab("setup_all")
    finally:
        host.path(AGENT).write_bytes(kept)
        host.run("systemctl restart neutron-sriov-agent")
    assert visit.code == 2
    assert f"{AGENT}: no such file" in visit.said
    assert visit.touched == frozenset()


def test_rollback_restarts_who_reads_what_came_back(first: Visit, operator: Operator) -> None:
    """The last run under ML2 wrote neutron's files alone."""
    for name, service in {**AGENTS, "openstack1": "neutron-server"}.items():
        host = operator.fleet[name]
        before = starts(host)[service]
        visit = operator.fab(f"rollback:{host.login}")
        assert visit.code == 0, visit.said
        assert starts(host)[service] == before + 1, name
    assert operator.fab("setup_all").code == 0


def test_files_are_byte_for_byte_as_before_when_sriov_is_gone(
    first: Visit, operator: Operator, originals: dict[tuple[str, str], bytes]
) -> None:
    """Runs last: without entries in env.sriov all that is ours goes."""
    operator.write({}, LINES)
    kept = operator.fab("setup_all")
    assert (kept.code, kept.touched) == (3, frozenset()), kept.said
    visit = operator.fab("setup_all", "--remove")
    assert visit.code == 0, visit.said
    found = {(name, path): operator.fleet[name].path(path).read_bytes() for name, path in originals}
    assert found == originals
