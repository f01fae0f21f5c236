"""Signs of BIOS settings: ASPM is shown and judged by no one; a card that nothing isolates is named with ACS."""

from __future__ import annotations

import pytest
from conftest import Operator, Visit

from sriov.simulation import Fleet, HostSpec, Nic

ARGUMENTS = "intel_iommu=on iommu=pt"
ETH0 = [{"interface": "eth0", "VF": 7, "physnets": ["physnet1"]}]


@pytest.fixture(scope="module")
def hosts() -> tuple[HostSpec, ...]:
    return (
        HostSpec("plain", cmdline=ARGUMENTS),
        HostSpec("fast", cmdline=f"{ARGUMENTS} pcie_aspm.policy=performance"),
        HostSpec("dark", roles=("openstack",), iommu=False),
        HostSpec("off", cmdline=f"{ARGUMENTS} pcie_aspm=off", nics=(Nic(acs=False),)),
    )


@pytest.fixture(scope="module")
def made(operator: Operator, fleet: Fleet) -> Visit:
    operator.write(dict.fromkeys(("plain", "fast", "off"), ETH0))
    return operator.fab("setup_all", "--json")


def test_status_shows_the_policy_of_aspm(operator: Operator, made: Visit) -> None:
    visit = operator.fab("status", NO_COLOR="1")
    assert (visit.code, visit.touched) == (0, frozenset())
    header, *rows = [line for line in visit.out.splitlines() if "  " in line]
    column = header.index("ASPM")
    assert [row[column:].split()[0] for row in rows[:4]] == ["default", "default", "performance", "default"]
    document = operator.fab("status", "--json").document
    assert [host["aspm"] for host in document["hosts"]] == ["default", "default", "performance", "default"]


def test_discover_shows_the_policy_beside_the_ports(operator: Operator, fleet: Fleet, made: Visit) -> None:
    visit = operator.fab(f"discover:{fleet['fast'].login}")
    assert f"    {fleet['fast'].login!r}: [  # IOMMU: on, ASPM: performance" in visit.out
    assert "[  # IOMMU: none found, ASPM: default" in operator.fab(f"discover:{fleet['dark'].login}").out


def test_call_that_only_works_does_not_ask_for_aspm(operator: Operator, made: Visit) -> None:
    assert {host["aspm"] for host in operator.fab("plan", "--json").document["hosts"]} == {""}


def test_vfs_in_the_group_of_their_port_are_a_fault_of_their_host_alone(operator: Operator, made: Visit) -> None:
    assert made.code == 1, made.said
    found = {host["hostname"]: [problem["id"] for problem in host["problems"]] for host in made.document["hosts"]}
    assert found == {"plain": [], "fast": [], "dark": [], "off": ["shared-iommu-group"]}
    explained = operator.fab("explain:physnet1")
    assert "eth0 and its VFs are in one IOMMU group" in explained.out
