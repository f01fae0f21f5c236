"""Which of several counters of a VF are to be believed.

The kernel answers zeros for a driver that does not count: `rtnl_fill_vfinfo` in net/core/rtnetlink.c clears
`struct ifla_vf_stats` and asks the driver only if it has `ndo_get_vf_stats`, which may fill a part of it. Such zeros
are no traffic. So an answer about a PF counts if its driver is known to give one, or if any number in it is not zero,
and of its numbers those that the driver is known to fill, or that are not zero for some VF.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from sriov.facts.counters import PortCounters, Reading, Source, Traffic, VfCounters

# By the symbols of the modules of Debian 12's kernel, 6.1.176: these have a function for ndo_get_vf_stats. Kernels
# before may lack it for one of them (ixgbe has it since 2022, i40e and ice since 2019): there a number must tell.
# With each, what that function leaves alone: mlx5_eswitch_get_vport_stats, i40e_get_vf_stats, ice_get_vf_stats,
# ixgbe_ndo_get_vf_stats, mlx4_get_vf_stats, liquidio_get_vf_stats.
_COUNTING = {
    "mlx5_core": (),
    "i40e": (),
    "ice": (),
    "ixgbe": ("rx_broadcast", "rx_dropped", "tx_dropped"),
    "mlx4_core": ("rx_broadcast", "rx_multicast", "rx_dropped", "tx_dropped"),
    "LiquidIO": ("rx_dropped", "tx_dropped"),
}
_COUNTING_SINCE = (6, 1)
_ALWAYS = ("rx_bytes", "rx_packets", "tx_bytes", "tx_packets")
_FIELDS = tuple(f"{way}_{kind}" for way in ("rx", "tx") for kind in Traffic._fields)  # of a reading, in their order
# By the same symbols, these have none. A release of theirs that has one shows it by its numbers.
_SILENT = frozenset({"igb", "bnxt_en", "bnx2x", "be2net", "qede", "nfp", "cxgb4", "hinic", "sfc", "qlcnic"})


class PortReading(NamedTuple):
    """All that one reading of a port found, by VF. `trouble`: why `link`, the answer about the PF, is empty.

    `names`: VF -> its network device; `away`: VFs whose network device is in another network namespace.
    """

    pci_address: str
    interface: str
    sysfs: Mapping[int, Reading] = {}
    netdevs: Mapping[int, Reading] = {}
    names: Mapping[int, str] = {}
    away: frozenset[int] = frozenset()
    link: Mapping[int, Reading] = {}
    trouble: str = ""
    notes: tuple[str, ...] = ()

    @property
    def indexes(self) -> frozenset[int]:
        return frozenset({*self.sysfs, *self.netdevs, *self.link, *self.away, *self.names})


def choose(driver: str, kernel: str, readings: Sequence[PortReading]) -> PortCounters:
    """The best source of each VF of a port that was read once or twice. `kernel`: `6.1.0-28-amd64`."""
    last = readings[-1]
    doubt = last.trouble or _doubt(driver, kernel, readings)
    notes = dict.fromkeys(note for note in (doubt, *(note for each in readings for note in each.notes)) if note)
    if not doubt:
        filled = _filled(driver, readings)
        readings = [
            each._replace(link={index: _without_gaps(one, filled) for index, one in each.link.items()})
            for each in readings
        ]
    vfs = (_vf(index, readings, is_link_believed=not doubt) for index in sorted(last.indexes))
    return PortCounters(last.pci_address, last.interface, tuple(vfs), tuple(notes))


def _doubt(driver: str, kernel: str, readings: Sequence[PortReading]) -> str:
    """Why the kernel's answer about the PF is no count; empty if it is one."""
    answers = [reading for each in readings for reading in each.link.values()]
    if any(number for answer in answers for number in answer.numbers):
        return ""
    if driver in _COUNTING and _release(kernel) >= _COUNTING_SINCE:
        return ""
    if driver in _SILENT:
        return f"the driver {driver} gives no counters of its VFs (the kernel answers zeros in their place)"
    what = f"the driver {driver} on kernel {kernel or '?'}" if driver in _COUNTING else f"the driver {driver or '?'}"
    return f"the kernel answers zeros for all VFs: either {what} does not count, or they have sent and received nothing"


def _filled(driver: str, readings: Sequence[PortReading]) -> frozenset[str]:
    """The numbers that a driver fills, of those that the kernel answers about a PF."""
    counted = [number for each in readings for reading in each.link.values() for number in _named(reading)]
    known = frozenset(_FIELDS).difference(_COUNTING[driver]) if driver in _COUNTING else frozenset(_ALWAYS)
    return known | {name for name, number in counted if number}


def _named(reading: Reading) -> Iterator[tuple[str, float | None]]:
    yield from zip(_FIELDS, (*reading.received, *reading.transmitted), strict=True)


def _without_gaps(reading: Reading, filled: frozenset[str]) -> Reading:
    """The same without the zeros of what was not counted."""
    numbers = [number if name in filled else None for name, number in _named(reading)]
    half = len(Traffic._fields)
    return Reading(reading.uptime, Traffic(*numbers[:half]), Traffic(*numbers[half:]))


def _release(kernel: str) -> tuple[int, int]:
    found = re.match(r"([0-9]{1,4})\.([0-9]{1,4})", kernel)
    return (int(found[1]), int(found[2])) if found else (0, 0)


def _vf(index: int, readings: Sequence[PortReading], *, is_link_believed: bool) -> VfCounters:
    name, is_away = readings[-1].names.get(index, ""), index in readings[-1].away
    sources = {
        Source.PORT: [each.link for each in readings] if is_link_believed else [],
        Source.SYSFS: [each.sysfs for each in readings],
        Source.NETDEV: [each.netdevs for each in readings],
    }
    for source, found in sources.items():
        if found and index in found[-1]:
            return VfCounters(index, source, tuple(each[index] for each in found if index in each), name, is_away)
    return VfCounters(index, interface=name, is_away=is_away)
