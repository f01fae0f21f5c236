"""What is left out of a testbed, and how to take all of ours off a host, as an operator sees it."""

from __future__ import annotations

import pytest
from conftest import Operator

from sriov.simulation import Fleet, HostSpec, Nic

pytestmark = pytest.mark.slow
NICS = (Nic("eth0", "0000:01:00.0", up=True), Nic("eth1", "0000:02:00.0", up=True))
PORTS = [{"interface": name, "VF": 4, "physnets": ["physnet1"]} for name in ("eth0", "eth1")]
OURS = ("/etc/default/grub.d/zz-sriov.cfg", "/etc/systemd/system/sriov-vfs.sh")
NOVA_CONF = "/etc/nova/nova.conf"
STATE = "/var/lib/sriov"


@pytest.fixture(scope="module")
def hosts() -> tuple[HostSpec, ...]:
    return (HostSpec("compute1", nics=NICS), HostSpec("compute2", nics=NICS))


@pytest.fixture(scope="module")
def before(operator: Operator, fleet: Fleet) -> bytes:
    """nova.conf of compute1 as it was; both hosts are set up then."""
    original = fleet["compute1"].path(NOVA_CONF).read_bytes()
    operator.write({"compute1": PORTS, "compute2": PORTS})
    visit = operator.fab("setup_all", "--max-unavailable", "2")
    assert visit.code == 0, visit.said
    return original


def test_mistyped_stanza_touches_nothing(operator: Operator, before: bytes) -> None:
    text = operator.bed.read_text()
    operator.bed.write_text(text.replace("env.sriov", "env.sirov"))
    visit = operator.fab("setup_all")
    assert (visit.code, visit.touched, visit.connections["compute1"]) == (2, frozenset(), 0)
    assert "env.sirov: unknown key" in visit.err
    assert "did you mean 'sriov'?" in visit.err
    operator.bed.write_text(text)


def test_testbed_without_a_stanza_takes_nothing_away_and_says_so(operator: Operator, before: bytes) -> None:
    operator.write({})
    visit = operator.fab("setup_all")
    assert (visit.code, visit.touched) == (3, frozenset()), visit.said
    assert not any(visit.restarted.values())
    for place in (visit.err, visit.out):
        assert "2 hosts would lose virtual-functions eth0 (4 VFs -> no VFs, no unit): compute1 (" in place
    assert "as wanted, leftovers" in visit.out
    assert "--remove takes it away" in visit.out


@pytest.mark.parametrize("task", ["plan", "verify"])
def test_leftovers_are_shown_as_such(operator: Operator, before: bytes, task: str) -> None:
    operator.write({"compute1": PORTS[:1], "compute2": PORTS})
    visit = operator.fab(task)
    assert (visit.code, visit.touched) == (3, frozenset()), visit.said
    assert "  left over: virtual-functions eth1: 4 VFs -> no VFs, no unit  [VF reset]" in visit.out
    document = operator.fab(task, "--json").document
    one, other = document["hosts"]
    assert (document["exit_code"], one["status"], one["changes"], other["leftovers"]) == (3, "unchanged", [], [])
    assert [(left["resource"], left["target"]) for left in one["leftovers"]] == [
        ("virtual-functions", "eth1"),
        ("nova-options", NOVA_CONF),
    ]


def test_plan_with_removal_shows_the_run_with_it(operator: Operator, before: bytes) -> None:
    operator.write({"compute1": PORTS[:1], "compute2": PORTS})
    visit = operator.fab("plan", "--remove")
    assert (visit.code, visit.touched) == (3, frozenset()), visit.said
    assert "  virtual-functions eth1: 4 VFs -> no VFs, no unit  [VF reset]  [left over]" in visit.out
    changes = operator.fab("plan", "--remove", "--json").document["hosts"][0]["changes"]
    assert [(change["target"], change["left_over"]) for change in changes][:2] == [("eth1", True), (NOVA_CONF, True)]


def test_removal_is_shown_first_and_takes_everything_and_rollback_puts_it_back(
    operator: Operator, fleet: Fleet, before: bytes
) -> None:
    host = fleet["compute1"]
    operator.write({"compute2": PORTS})
    shown = operator.fab(f"remove:{host.login}", "--plan")
    assert (shown.code, shown.touched) == (3, frozenset()), shown.said
    assert "virtual-functions eth0: 4 VFs -> no VFs, no unit" in shown.out
    visit = operator.fab(f"remove:{host.login}")
    assert visit.code == 0, visit.said
    assert visit.touched == {"compute1"}
    assert (host.numvfs("eth0"), host.numvfs("eth1")) == (0, 0)
    assert host.path(NOVA_CONF).read_bytes() == before
    assert not [path for path in OURS if host.path(path).exists()]
    assert not list(host.path("/etc/systemd/system").rglob("sriov-vfs*"))
    assert operator.fab(f"remove:{host.login}", "--plan").code == 0
    back = operator.fab(f"rollback:{host.login}")
    assert back.code == 0, back.said
    assert (host.numvfs("eth0"), host.numvfs("eth1")) == (4, 4)
    assert b"sriov-fab" in host.path(NOVA_CONF).read_bytes()


def test_host_that_no_testbed_names_is_cleared_with_its_copies(operator: Operator, fleet: Fleet, before: bytes) -> None:
    host = fleet["compute1"]
    operator.write({"compute2": PORTS})
    operator.bed.write_text(operator.bed.read_text().replace(host.login, "root@192.0.2.1"))
    visit = operator.fab(f"remove:{host.login},purge=yes")
    assert visit.code == 0, visit.said
    assert host.path(NOVA_CONF).read_bytes() == before
    assert not host.path(STATE).exists()
    again = operator.fab(f"remove:{host.login},purge=yes")
    assert (again.code, again.touched) == (0, frozenset()), again.said


def test_vf_that_a_guest_has_keeps_its_port(operator: Operator, fleet: Fleet, before: bytes) -> None:
    host = fleet["compute2"]
    host.hold_vf("eth0", 1, kind="libvirt", name="instance-00000001")
    visit = operator.fab(f"remove:{host.login}")
    assert visit.code == 1, visit.said
    assert "VF 1" in visit.out
    assert "is in use by libvirt domain instance-00000001" in visit.out
    assert (host.numvfs("eth0"), host.numvfs("eth1")) == (4, 0)
    assert b'"eth0"' in host.path(NOVA_CONF).read_bytes()
    assert host.path(OURS[0]).exists()
