"""A scheduler filter of the site's own: attached, left as it is, taken back; a name that nothing provides."""

from __future__ import annotations

import pytest
from conftest import Operator
from nova_files import SCHEDULER, nova_reads

from sriov.formats.nova.releases import ALL_FILTERS, PCI_FILTER, default_filters
from sriov.formats.oslo.options import ConfigFile
from sriov.simulation import Fleet, HostSpec, SimulatedHost

pytestmark = pytest.mark.slow

NOVA_CONF = "/etc/nova/nova.conf"
SRIOV = {"compute1": [{"interface": "eth0", "VF": 7, "physnets": ["physnet1"]}]}
RELEASES = {"old": 14, "middle": 23, "new": 34}


@pytest.fixture(scope="module")
def hosts() -> tuple[HostSpec, ...]:
    controllers = (HostSpec(name, roles=("openstack",), release=release) for name, release in RELEASES.items())
    return (HostSpec("compute1"), *controllers)


def exactly(*names: str) -> str:
    return f"env.scheduler_filters = {['ComputeFilter', PCI_FILTER, *names]!r}\n"


def call(operator: Operator, task: str) -> str:
    return f"{task}:{','.join(operator.fleet[name].login for name in RELEASES)}"


def reads(host: SimulatedHost) -> tuple[list[str], list[str]]:
    """Enabled and available filters."""
    file = ConfigFile(NOVA_CONF, host.path(NOVA_CONF).read_bytes(), frozenset((SCHEDULER,)))
    return nova_reads((file,), host.spec.release, SCHEDULER)[1:]


def test_filter_of_the_site_comes_and_goes(operator: Operator, fleet: Fleet) -> None:
    before = {name: fleet[name].path(NOVA_CONF).read_bytes() for name in RELEASES}
    operator.write(SRIOV, exactly("site_filters.HalfFull"))
    first = operator.fab(call(operator, "setup_openstack_node"))
    assert first.code == 0, first.said
    for name in RELEASES:
        listed = ["ComputeFilter", PCI_FILTER, "HalfFull"]
        assert reads(fleet[name]) == (listed, [ALL_FILTERS, "site_filters.HalfFull"])
        assert len(first.restarted[name]) == 1
    again = operator.fab(call(operator, "setup_openstack_node"))
    assert (again.code, again.touched, any(again.restarted.values())) == (0, frozenset(), False)

    operator.write(SRIOV)
    staying = operator.fab(call(operator, "setup_openstack_node"))
    assert (staying.code, staying.touched) == (3, frozenset()), staying.said
    without = operator.fab(call(operator, "setup_openstack_node"), "--remove")
    assert without.code == 0, without.said
    for name, release in RELEASES.items():
        assert reads(fleet[name]) == ([*default_filters(release), PCI_FILTER], [])
    back = operator.fab(call(operator, "rollback"))
    assert back.code == 0, back.said
    assert reads(fleet["new"])[1] == [ALL_FILTERS, "site_filters.HalfFull"]
    operator.write({})
    assert operator.fab(call(operator, "setup_openstack_node"), "--remove").code == 0
    assert {name: fleet[name].path(NOVA_CONF).read_bytes() for name in RELEASES} == before


def test_name_that_nothing_provides_touches_nothing(operator: Operator, fleet: Fleet) -> None:
    operator.write(SRIOV, exactly("HalfFull"))
    visit = operator.fab(call(operator, "setup_openstack_node"))
    assert visit.code == 2, visit.said
    assert "no available filter provides HalfFull" in visit.said
    assert visit.touched == frozenset()
    assert not any(visit.restarted.values())


def test_name_in_the_file_that_nothing_provides_touches_nothing(operator: Operator, fleet: Fleet) -> None:
    host = fleet["new"]
    before = host.path(NOVA_CONF).read_bytes()
    text = before.replace(b"[filter_scheduler]\n", b"[filter_scheduler]\nenabled_filters = ComputeFilter,HalfFull\n")
    host.path(NOVA_CONF).write_bytes(text)
    operator.write(SRIOV)
    try:
        visit = operator.fab(call(operator, "setup_openstack_node"))
    finally:
        host.path(NOVA_CONF).write_bytes(before)
    assert visit.code == 2, visit.said
    line = text.split(b"\n").index(b"enabled_filters = ComputeFilter,HalfFull") + 1
    assert (
        f"{NOVA_CONF}:{line}: [filter_scheduler] enabled_filters: no available filter provides HalfFull" in visit.said
    )
    assert visit.touched == frozenset()
    assert not any(visit.restarted.values())
