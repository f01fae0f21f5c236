"""`fab stats`: the counters of VFs on simulated hosts, where the driver counts and where it does not."""

from __future__ import annotations

import re
from typing import Any

import pytest
from conftest import CHECKOUT, Operator, Visit

from sriov.model import Host, Testbed
from sriov.planning.probe import counters, functions
from sriov.resources.contract import Request
from sriov.simulation import HostSpec, Nic

pytestmark = pytest.mark.slow

READY = "intel_iommu=on iommu=pt"
SRIOV = {
    "compute1": [{"interface": "ens1f0", "VF": 3, "physnets": ["physnet1", "physnet2"]}],
    "compute2": [{"interface": "eth0", "VF": 4, "physnets": ["physnet3"]}],
}
MLX5 = Nic(
    "ens1f0", "0000:3b:00.0", total_vfs=4, driver="mlx5_core", vf_driver="mlx5_core", vendor="0x15b3",
    device="0x101d", vf_device="0x101e", offset=2, stride=1, up=True, numvfs=3,
)  # fmt: skip
BIG = (1 << 53) + 1  # which a floating-point number cannot hold


@pytest.fixture(scope="module")
def hosts() -> tuple[HostSpec, ...]:
    return (
        HostSpec("compute1", nics=(MLX5,), cmdline=READY),
        HostSpec("compute2", nics=(Nic(up=True, numvfs=4), Nic("eth1", "0000:01:00.1")), cmdline=READY),
        HostSpec("openstack1", roles=("openstack",)),
    )


@pytest.fixture(scope="module")
def busy(operator: Operator) -> Operator:
    """A guest on a card that counts; an interface, a guest and a namespace on one that does not."""
    operator.write(SRIOV)
    mellanox, igb = operator.fleet["compute1"], operator.fleet["compute2"]
    mellanox.hold_vf("ens1f0", 1)
    mellanox.count("ens1f0", 1, {"rx_bytes": 1000000, "rx_packets": 1000}, rx_bytes=BIG, rx_packets=9, rx_multicast=3)
    igb.count("eth0", 0, rx_bytes=9800, rx_packets=100, tx_bytes=9842, tx_packets=101)
    igb.hold_vf("eth0", 1, name="instance-00000002")
    igb.hold_vf("eth0", 2, kind="netns")
    return operator


@pytest.fixture(scope="module")
def counted(busy: Operator) -> Visit:
    return busy.fab("stats", "--json")


def vfs(visit: Visit, host: str, interface: str) -> list[dict[str, Any]]:
    [found] = [each for each in visit.document["hosts"] if each["hostname"] == host]
    [port] = [port for port in found["ports"] if port["interface"] == interface]
    listed: list[dict[str, Any]] = port["vfs"]
    return listed


def test_counters_of_a_guest_come_from_the_port(counted: Visit) -> None:
    assert counted.code == 0, counted.said
    free, held, _ = vfs(counted, "compute1", "ens1f0")
    assert (held["source"], held["holder"]) == ("pf", "libvirt domain instance-00000001")
    assert held["receive"]["bytes"] >= BIG
    assert (held["receive"]["multicast"], held["receive"]["errors"], held["transmit"]["multicast"]) == (3, None, None)
    assert (free["source"], free["receive"]["bytes"], free["holder"]) == ("pf", 0, "")
    assert [vf["physical_networks"] for vf in (free, held)] == [["physnet1"], ["physnet1"]]
    assert held["ports"] is None
    assert counted.document["cloud"]["asked"] is False


def test_driver_that_does_not_count_is_never_shown_as_zeros(counted: Visit) -> None:
    mine, guests, away, idle = vfs(counted, "compute2", "eth0")
    assert (mine["source"], mine["interface"]) == ("netdev", "eth0v0")
    assert (mine["receive"]["packets"], mine["transmit"]["bytes"]) == (100, 9842)
    assert (guests["source"], guests["receive"], guests["transmit"]) == ("none", None, None)
    assert guests["reason"] == "vfio-pci has it, so only its user can count"
    assert away["reason"] == "its network device is in another network namespace"
    assert (idle["source"], idle["receive"]["packets"]) == ("netdev", 0)
    [port] = next(each for each in counted.document["hosts"] if each["hostname"] == "compute2")["ports"]
    assert port["notes"] == ["the driver igb gives no counters of its VFs (the kernel answers zeros in their place)"]


def test_document_has_the_keys_that_its_page_promises(counted: Visit) -> None:
    page = (CHECKOUT / "docs/json.md").read_text().partition("## stats")[2]
    [vf, *_] = vfs(counted, "compute1", "ens1f0")
    for key in (*counted.document, *counted.document["hosts"][0], *vf, *vf["receive"]):
        assert f"`{key}`" in page, key


def test_look_costs_one_execution_and_touches_nothing(counted: Visit) -> None:
    assert counted.executions == {"compute1": 1, "compute2": 1, "openstack1": 1}
    assert counted.touched == frozenset()


def test_two_readings_give_rates_by_the_clock_of_the_host(busy: Operator) -> None:
    visit = busy.fab("stats", "--interval", "1", "--json")
    assert (visit.code, visit.document["interval"]) == (0, 1), visit.said
    assert visit.executions["compute1"] == 1
    held = vfs(visit, "compute1", "ens1f0")[1]["per_second"]
    assert 0.9 < held["seconds"] < 5
    assert held["receive"]["bytes"] == pytest.approx(1000000, rel=0.2)
    assert (held["reset"], held["transmit"]["packets"], held["receive"]["errors"]) == (False, 0, None)
    assert vfs(visit, "compute2", "eth0")[1]["per_second"] is None


def test_screen_has_two_lines_a_vf_and_says_what_is_missing(busy: Operator) -> None:
    visit = busy.fab("stats")
    assert visit.code == 0, visit.said
    lines = visit.out.splitlines()
    row = next(line for line in lines if line.startswith("0   0000:01:10.0"))
    assert row.split() == ["0", "0000:01:10.0", "physnet3", "eth0v0", "rx", "9,800", "100", "0", "0", "-", "0", "-"]
    assert lines[lines.index(row) + 1].split() == ["tx", "9,842", "101", "0", "0", "-", "-"]
    guest = next(line for line in lines if line.startswith("1   0000:01:10.2"))
    assert guest.split()[3:] == [*"--------", "libvirt", "domain", "instance-00000002"]
    assert "note eth0: no counters of VF 2: its network device is in another network namespace" in lines
    assert any(line.startswith("openstack1 (") and line.endswith("  no VFs") for line in lines)
    assert sum(line.startswith("the cloud was not asked") for line in lines) == 1


def test_write_that_hangs_does_not_keep_the_counters_back(busy: Operator) -> None:
    host = busy.fleet["compute2"]
    host.fail(hang_numvfs=("eth0",))
    host.run("(echo 0 >/sys/class/net/eth0/device/sriov_numvfs) >/dev/null 2>&1 & sleep 0.3")
    assert host.stuck == ["eth0"]
    visit = busy.fab("stats", host.login, "--json")
    assert visit.code == 0, visit.said
    assert len(vfs(visit, "compute2", "eth0")) == 4
    host.clear_faults()


def test_host_that_is_down_has_its_error_and_the_others_their_numbers(busy: Operator) -> None:
    busy.fleet["openstack1"].fail(silent=True)
    visit = busy.fab("stats", "--timeout", "1", "--json")
    assert visit.code == 1
    errors = {each["hostname"]: each["error"] for each in visit.document["hosts"]}
    assert (errors["compute1"], errors["openstack1"]["kind"]) == (None, "UnreachableError")
    shown = busy.fab("stats", "--timeout", "1")
    login = busy.fleet["openstack1"].login
    assert f"openstack1 ({login})  no answer" in shown.out
    assert f"error openstack1 ({login}): " in shown.out
    busy.fleet["openstack1"].clear_faults()


def test_interval_that_makes_no_sense_is_refused(busy: Operator) -> None:
    assert busy.fab("stats", "--interval", "3601").code == 2
    assert busy.fab("stats", "--interval", "0").code == 2


@pytest.mark.parametrize("shell", ["bash", "mksh", "busybox sh"])
def test_other_shells_read_the_same(busy: Operator, shell: str) -> None:
    host = busy.fleet["compute2"]
    asked = Request(Host("root@a", "a"), Testbed("", ()), frozenset(), counter_interval=0)
    host.path("/root/read.sh").write_text(f"nonce=n\n{functions(asked)}{counters(asked)}section end\n")
    read, usual = (host.run(f"{program} /root/read.sh") for program in (shell, "dash"))
    times = re.compile(rb"^@n (counted|link) [0-9.]+", re.MULTILINE)
    assert (read.stderr, usual.stderr) == (b"", b"")
    assert times.sub(b"", read.stdout) == times.sub(b"", usual.stdout)
    assert b"netdev=0 eth0v0 rx_bytes 9800" in read.stdout
