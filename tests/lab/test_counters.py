"""Counters of VFs by a real kernel, with igb, whose driver gives the kernel none: measured, never shown as zeros."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from .guest import Guest
from .product import Fab, entry, single_host_testbed

pytestmark = pytest.mark.lab

PORTS = (entry("enp1s0", 2, "physnet1"), entry("enp2s0", 2, "physnet2"))
# Both ports are on one wire. One VF is the host's own, the other a tenant's in a network namespace. The host gives
# them address and VLAN, as it does for a guest; igbvf takes the address when it binds.
TWO_VFS = """
set -eu
for number in 1 2; do
    port=enp${number}s0
    ip link set "$port" up
    echo 2 >"/sys/class/net/$port/device/sriov_numvfs"
    until [ -e "/sys/class/net/${port}v1" ] && [ -e /sys/bus/pci/drivers/igbvf/unbind ]; do sleep 0.5; done
    ip link set "$port" vf 0 mac "02:00:00:00:0$number:00" vlan 100
    vf=$(basename "$(readlink "/sys/class/net/$port/device/virtfn0")")
    echo "$vf" >/sys/bus/pci/drivers/igbvf/unbind
    echo "$vf" >/sys/bus/pci/drivers/igbvf/bind
done
udevadm settle
ip addr add 10.9.0.1/24 dev enp1s0v0
ip link set enp1s0v0 up
ip netns add tenant
ip link set enp2s0v0 netns tenant
ip -n tenant addr add 10.9.0.2/24 dev enp2s0v0
ip -n tenant link set enp2s0v0 up
for attempt in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
    ! ping -c 1 -W 3 10.9.0.2 || exit 0
done
exit 1
"""
PINGS = 100
# igbvf renews what its interface shows every two seconds
PING = f"ping -q -c {PINGS} -i 0.05 -W 10 10.9.0.2 && sleep 5"


def counted(fab: Fab, testbed: Path, *words: str) -> dict[tuple[str, int], dict[str, Any]]:
    """(interface of the port, index) -> the VF in the document of `fab stats`."""
    answer = fab("stats", "--json", *words, testbed=testbed)
    assert answer.returncode == 0
    [host] = json.loads(answer.stdout)["hosts"]
    for port in host["ports"]:
        assert any("igb gives no counters" in note for note in port["notes"])
    return {(port["interface"], vf["index"]): vf for port in host["ports"] for vf in port["vfs"]}


def test_vf_of_the_host_is_counted_and_one_in_a_namespace_is_named(
    guest: Guest, fab: Fab, proved: Callable[[str], None]
) -> None:
    testbed = single_host_testbed(guest, *PORTS)
    guest.sh(TWO_VFS)
    before = counted(fab, testbed)
    guest.sh(PING)
    after = counted(fab, testbed)
    fab("stats", testbed=testbed)

    mine, old = after["enp1s0", 0], before["enp1s0", 0]
    assert (mine["source"], mine["interface"]) == ("netdev", "enp1s0v0")
    received = mine["receive"]["packets"] - old["receive"]["packets"]
    assert received >= PINGS
    assert mine["transmit"]["packets"] - old["transmit"]["packets"] >= PINGS
    assert mine["transmit"]["bytes"] - old["transmit"]["bytes"] >= PINGS * 84  # 56 bytes, ICMP and IP headers

    tenants = after["enp2s0", 0]
    assert (tenants["source"], tenants["receive"], tenants["transmit"]) == ("none", None, None)
    assert tenants["reason"] == "its network device is in another network namespace"
    assert tenants["holder"] == "another network namespace"

    zeros = json.loads(guest.out("ip -s -j link show dev enp2s0"))[0]["vfinfo_list"][0]["stats"]
    assert {number for way in zeros.values() for number in way.values()} == {0}
    proved(
        f"{PINGS} pings over a VF of the host: its interface received {received} packets more; "
        "the VF in a namespace is named, and the kernel's zeros for igb are not shown"
    )


def test_two_readings_give_the_rate_of_a_ping(guest: Guest, fab: Fab, proved: Callable[[str], None]) -> None:
    testbed = single_host_testbed(guest, *PORTS)
    guest.sh(TWO_VFS)
    guest.sh("ping -q -i 0.5 10.9.0.2 >/dev/null 2>&1 </dev/null &")
    rates = counted(fab, testbed, "--interval", "20")["enp1s0", 0]["per_second"]
    assert 20 <= rates["seconds"] < 60
    assert not rates["reset"]
    assert 0.5 < rates["receive"]["packets"] < 10
    proved(f"two pings a second: {rates['receive']['packets']} packets received in each of {rates['seconds']} s")
