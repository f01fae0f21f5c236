"""Counters of VFs: what of a host's answer is believed, what is left out, and what comes of two readings.

The answers in golden/facts/counters are those of iproute2 6.1.0 (Debian 12) to netlink messages that were made for it:
there is no card of these drivers at hand. So their format is the real one, their numbers are not.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sriov.errors import HostError
from sriov.facts import counters_parser
from sriov.facts.counters import PortCounters, Reading, Source, Traffic, VfCounters
from sriov.facts.parser import parse

GOLDEN = Path(__file__).parents[2] / "golden/facts"
NONCE = "0123456789abcdef0123456789abcdef"
PCI = "0000:01:00.0"
KERNEL = "6.1.0-28-amd64"
OLD_IPROUTE2 = b'Option "-j" is unknown, try "ip -help".\n'
Section = tuple[str, str, bytes]


def answer(driver: str) -> bytes:
    return (GOLDEN / f"counters/{driver}.json").read_bytes()


def reading(link: bytes, lines: str = "", uptime: float = 100.0, interface: str = "eth0") -> list[Section]:
    counted = f"pci={PCI}\n{lines}".encode()
    return [("counted", f"{uptime} {interface}", counted), ("link", f"{uptime + 0.5} {interface}", link)]


def read(driver: str, *sections: Iterable[Section], kernel: str = KERNEL) -> PortCounters:
    found = [("kernel", kernel, b""), *(each for some in sections for each in some), ("host", "", b"")]
    [port] = counters_parser.parse(found, {PCI: driver})
    return port


def entry(rx: object, tx: object = None, index: object = 0) -> dict[str, object]:
    return {"vf": index, "stats": {"rx": rx, "tx": tx or {}}}


def link(*vfs: object) -> bytes:
    return json.dumps([{"ifname": "eth0", "vfinfo_list": vfs}]).encode()


EXPECTED = {
    "mlx5_core": (Traffic((1 << 53) + 1, 6622, 2, None, 17, 3), Traffic(812345, 6500, 1)),
    "ice": (Traffic(18000, 120, 1, None, 12, 8), Traffic(14850, 99, 0)),
    "i40e": (Traffic((1 << 40) + 1, (1 << 32) + 5, 3, None, 1, 2), Traffic(1 << 41, 1 << 33, 4)),
    "ixgbe": (Traffic(64000, 1000, None, None, None, 30), Traffic(57600, 900, None)),
}


@pytest.mark.parametrize("driver", EXPECTED)
def test_driver_that_counts_is_believed_also_for_an_idle_vf(driver: str) -> None:
    found = read(driver, reading(answer(driver)))
    received, transmitted = EXPECTED[driver]
    assert found.vfs[0] == VfCounters(0, Source.PORT, (Reading(100.5, received, transmitted),))
    assert found.notes == ()
    if driver != "ice":
        assert found.vfs[1].last is not None
        assert found.vfs[1].last.received.bytes == 0


def test_zeros_of_igb_are_no_count() -> None:
    """Seven VFs, and the kernel's zeros for each; an interface on the host counts by itself."""
    lines = "netdev=0 enp1s0v0 rx_bytes 98 rx_packets 1 multicast 1 tx_bytes 0\naway=1\n"
    found = read("igb", reading(answer("igb"), lines))
    assert [vf.source for vf in found.vfs] == [Source.NETDEV, *[Source.NONE] * 6]
    assert found.vfs[0].interface == "enp1s0v0"
    assert found.vfs[0].readings == (Reading(100.0, Traffic(98, 1, multicast=1), Traffic(0)),)
    assert [vf.is_away for vf in found.vfs] == [False, True, *[False] * 5]
    assert found.notes == ("the driver igb gives no counters of its VFs (the kernel answers zeros in their place)",)


@pytest.mark.parametrize(("driver", "kernel"), [("new_nic", KERNEL), ("ixgbe", "4.18.0-553.el8"), ("mlx5_core", "?")])
def test_driver_or_kernel_that_is_not_known_is_believed_once_it_has_counted(driver: str, kernel: str) -> None:
    idle = read(driver, reading(link(entry({"bytes": 0}), entry({"bytes": 0}, index=1))), kernel=kernel)
    assert [vf.source for vf in idle.vfs] == [Source.NONE, Source.NONE]
    assert driver in idle.notes[0]
    busy = read(driver, reading(link(entry({"bytes": 7}), entry({"bytes": 0}, index=1))), kernel=kernel)
    assert [vf.source for vf in busy.vfs] == [Source.PORT, Source.PORT]
    assert busy.notes == ()


def test_zeros_of_an_unknown_driver_beside_its_counts_are_left_out() -> None:
    rx = {"bytes": 7, "packets": 0, "multicast": 0, "broadcast": 1, "dropped": 0}
    [vf] = read("new_nic", reading(link(entry(rx)))).vfs
    assert vf.last is not None
    assert vf.last.received == Traffic(bytes=7, packets=0, broadcast=1)


def test_transmit_counters_bear_the_names_of_either_iproute2() -> None:
    """Up to 6.1 at least they are `tx_bytes` and `tx_packets`, beside `bytes` and `packets` of `rx`."""
    for tx in ({"tx_bytes": 5, "tx_packets": 1}, {"bytes": 5, "packets": 1}):
        [vf] = read("ice", reading(link(entry({"bytes": 1}, tx)))).vfs
        assert vf.last is not None
        assert vf.last.transmitted == Traffic(5, 1)


@pytest.mark.parametrize(
    ("status", "said", "note"),
    [
        ("255", OLD_IPROUTE2, "its `ip` does not know -j"),
        ("1", b"BusyBox v1.35.0 (Debian) multi-call binary.\n", "its `ip` does not know -j"),
        ("127", b"sh: 1: ip: not found\n", "the host has no `ip`"),
        ("1", b'Device "eth0" does not exist.\n', '`ip` failed with status 1: Device "eth0" does not exist.'),
        ("1", b"", "`ip` failed with status 1: it said nothing"),
    ],
)
def test_ip_that_cannot_answer_is_named_and_other_sources_are_read(status: str, said: bytes, note: str) -> None:
    lines = "sysfs=0 rx_bytes 5\nsysfs=1 tx_packets : 6\nnetdev=2 eth0v2 rx_bytes 7\n"
    found = read("mlx5_core", [*reading(b"", lines), ("silent", status, said)])
    assert [vf.source for vf in found.vfs] == [Source.SYSFS, Source.SYSFS, Source.NETDEV]
    assert found.vfs[1].readings == (Reading(100.0, Traffic(), Traffic(packets=6)),)
    [text] = found.notes
    assert text.startswith(note)


@pytest.mark.parametrize(
    ("content", "note"),
    [
        (b"2: eth0: <BROADCAST> mtu 1500\n    vf 0 link/ether 00:00:00:00:00:00\n", "`ip` answered no JSON"),
        (b"", "`ip` answered no JSON"),
        (b"[" * 100_000, "`ip` answered no JSON"),
        (b'[{"n":' + b"9" * 5000 + b"}]", "`ip` answered no JSON"),
        (b"\xff\xfe\x00", "`ip` answered no JSON"),
        (b"{}", "`ip` names no VFs"),
        (b"[]", "`ip` names no VFs"),
        (b'[{"vfinfo_list":3}]', "`ip` names no VFs"),
        (b'[{"vfinfo_list":[{"vf":0}]}]', "`ip` gives no counters of VFs"),
        (b'[{"vfinfo_list":[{"vf":0,"stats":[]}]}]', "`ip` gives no counters of VFs"),
    ],
)
def test_answer_that_is_none_is_named(content: bytes, note: str) -> None:
    found = read("mlx5_core", reading(content, "away=0\n"))
    assert [vf.source for vf in found.vfs] == [Source.NONE]
    assert found.notes[0].startswith(note)


def test_numbers_and_vfs_that_make_no_sense_are_left_out_with_a_note() -> None:
    wrong: list[object] = [-1, 1 << 64, 1.5, "7", None, True, [1]]
    vfs = [entry({"bytes": value, "packets": 1}, index=index) for index, value in enumerate(wrong)]
    vfs += [entry({"bytes": 5}, index=0), entry({"bytes": 5}, index=-1), entry({"bytes": 5}, index="8"), entry(3)]
    found = read("ice", reading(link(*vfs)))
    assert [vf.index for vf in found.vfs] == list(range(7))
    assert all(vf.last and vf.last.received == Traffic(packets=1) for vf in found.vfs)
    assert found.notes == ("7 counters made no sense and 2 VFs were named twice: left out",)
    odd = read("ice", reading(answer("ice"), "sysfs=0 rx_bytes -5\nsysfs=99999 rx_bytes 1\nsysfs\nnetdev=\naway=x\n"))
    assert odd.notes == ("1 counter made no sense: left out",)


def test_two_readings_give_rates_by_their_own_times() -> None:
    found = read(
        "ice",
        reading(link(entry({"bytes": 1000, "packets": 10})), uptime=100.0),
        reading(link(entry({"bytes": 4000, "packets": 20})), uptime=102.0),
    )
    rates = found.vfs[0].rates
    assert rates is not None
    assert (rates.seconds, rates.received, rates.is_reset) == (2.0, Traffic(1500, 5), False)


def test_counters_that_go_backwards_are_reset_not_negative() -> None:
    found = read(
        "ice",
        reading(link(entry({"bytes": (1 << 32) - 5, "packets": 10})), uptime=100.0),
        reading(link(entry({"bytes": 5, "packets": 12})), uptime=102.0),
    )
    rates = found.vfs[0].rates
    assert rates is not None
    assert rates.is_reset
    assert rates.received == rates.transmitted == Traffic()


def test_driver_counts_if_either_reading_does() -> None:
    found = read("new_nic", reading(link(entry({"bytes": 0}))), reading(link(entry({"bytes": 9})), uptime=101.0))
    assert found.vfs[0].rates is not None
    assert found.vfs[0].rates.received.bytes == 9


def test_vf_that_appeared_between_the_readings_has_counters_and_no_rates() -> None:
    found = read(
        "ice",
        reading(link(entry({"bytes": 1}))),
        reading(link(entry({"bytes": 2}), entry({"bytes": 3}, index=1)), uptime=101.0),
    )
    assert found.vfs[1].rates is None
    assert len(found.vfs[1].readings) == 1


def test_clock_that_stands_still_gives_no_rates() -> None:
    same = reading(link(entry({"bytes": 1})))
    assert read("ice", same, same).vfs[0].rates is None


def test_interface_that_represents_a_vf_does_not_hide_its_port() -> None:
    found = read(
        "mlx5_core",
        reading(answer("mlx5_core"), interface="eth0"),
        reading(b'[{"ifname":"eth0_0"}]', interface="eth0_0"),
    )
    assert (found.interface, found.vfs[0].source) == ("eth0", Source.PORT)


def test_head_that_makes_no_sense_is_the_error_of_its_host() -> None:
    probe = (GOLDEN / "compute.probe").read_bytes().replace(b"NONCE", NONCE.encode())
    head = f"\n@{NONCE} kernel 6.1\n@{NONCE} counted soon eth0\npci={PCI}\n".encode()
    with pytest.raises(HostError, match="makes no sense"):
        parse(head + probe, NONCE, "root@a")


def test_counters_stand_among_the_facts_of_a_probe() -> None:
    probe = (GOLDEN / "compute.probe").read_bytes().replace(b"NONCE", NONCE.encode())
    found = [("kernel", KERNEL, b""), *reading(answer("igb"))]
    text = b"".join(f"\n@{NONCE} {name} {argument}\n".encode() + content for name, argument, content in found)
    [port] = parse(text + probe, NONCE, "root@a").counters
    assert (port.pci_address, port.interface, len(port.vfs)) == (PCI, "eth0", 7)
    assert "igb" in port.notes[0]
    assert parse(probe, NONCE, "root@a").counters == ()


NUMBERS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=3)
NAMES = st.sampled_from(("vfinfo_list", "vf", "stats", "rx", "tx", "bytes"))
JSON = st.recursive(
    NUMBERS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=4),
    max_leaves=20,
)


@given(JSON, st.text(max_size=80))
def test_nothing_that_a_host_says_of_its_vfs_ends_in_another_error(said: object, lines: str) -> None:
    for content in (json.dumps(said).encode(), json.dumps([{"vfinfo_list": [said]}]).encode(), lines.encode()):
        for vf in read("ice", reading(content, lines.replace("pci=", ""))).vfs:
            assert all(0 <= number < 1 << 64 for each in vf.readings for number in each.numbers)
