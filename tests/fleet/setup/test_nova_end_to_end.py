"""The testbed of the README on files as they are found: real oslo.config judges what `fab setup_all` made of each."""

from __future__ import annotations

import pytest
from conftest import Operator, Visit
from nova_files import (
    CASES,
    ENTRIES,
    RELEASES,
    filters,
    holds_as_original_but_ours,
    nova_reads,
    whitelist,
)

from sriov.formats.nova.releases import PCI_FILTER
from sriov.formats.oslo.options import ConfigFile
from sriov.simulation import Fleet, HostSpec, SimulatedHost

pytestmark = pytest.mark.slow

NOVA_CONF = "/etc/nova/nova.conf"
READERS = frozenset(("nova-compute", "nova-scheduler"))
SEVEN = [
    {"interface": "eth0", "VF": 7, "physnets": ["physnet1"]},
    {"interface": "eth1", "VF": 7, "physnets": ["physnet2"]},
]
KINDS = (*CASES, "debian_packaged")  # each on a host of its own, the releases in turn
HOSTS = {f"{kind.replace('_', '')}{RELEASES[n % 6]}": (kind, RELEASES[n % 6]) for n, kind in enumerate(KINDS)}


@pytest.fixture(scope="module")
def hosts() -> tuple[HostSpec, ...]:
    roles = ("compute", "openstack")
    return tuple(
        HostSpec(name, roles=roles, release=release, nova_conf=CASES.get(kind))
        for name, (kind, release) in HOSTS.items()
    )


@pytest.fixture(scope="module")
def before(fleet: Fleet) -> dict[str, bytes]:
    return {host.name: host.path(NOVA_CONF).read_bytes() for host in fleet.hosts}


@pytest.fixture(scope="module")
def first(operator: Operator, before: dict[str, bytes]) -> Visit:
    operator.write(dict.fromkeys(HOSTS, SEVEN))
    visit = operator.fab("setup_all", "--reboot", "never")
    assert visit.code == 0, visit.said
    return visit


def file_of(host: SimulatedHost) -> tuple[ConfigFile]:
    return (ConfigFile(NOVA_CONF, host.path(NOVA_CONF).read_bytes(), READERS),)


@pytest.mark.parametrize("name", HOSTS)
def test_oslo_config_reads_exactly_the_entries_wanted(fleet: Fleet, first: Visit, name: str) -> None:
    kind, release = HOSTS[name]
    others = [{"devname": "ens9"}] if kind == "wrapped" else []  # the admin's own, under a name that is still read
    found = whitelist(file_of(fleet[name]), release)
    assert sorted(found, key=str) == sorted([*ENTRIES, *others], key=str)


@pytest.mark.parametrize("name", HOSTS)
def test_scheduler_reads_our_filter_behind_those_in_force(fleet: Fleet, first: Visit, name: str) -> None:
    found = filters(file_of(fleet[name]), HOSTS[name][1])
    assert found[-1] == PCI_FILTER
    assert "ComputeFilter" in found[:-1]


@pytest.mark.parametrize("name", HOSTS)
def test_every_other_byte_stays(fleet: Fleet, before: dict[str, bytes], first: Visit, name: str) -> None:
    original = ConfigFile(NOVA_CONF, before[name], READERS)
    assert holds_as_original_but_ours(original, file_of(fleet[name])[0])


def test_second_run_finds_nothing_to_write(operator: Operator, first: Visit) -> None:
    again = operator.fab("setup_all", "--reboot", "never")
    assert not again.touched
    assert not any(again.restarted.values())
    assert set(again.reboots.values()) == {0}


def test_stanzas_taken_out_leave_the_bytes_of_before(
    operator: Operator, fleet: Fleet, before: dict[str, bytes], first: Visit
) -> None:
    operator.write({})
    visit = operator.fab("setup_all", "--reboot", "never", "--remove")
    assert visit.code == 0, visit.said
    for host in fleet.hosts:
        assert host.path(NOVA_CONF).read_bytes() == before[host.name], host.name
        assert nova_reads(file_of(host), host.spec.release, "nova-compute") is not None
