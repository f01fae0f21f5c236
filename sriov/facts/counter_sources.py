"""Which of several counters of a VF are to be believed.

The kernel answers zeros for a driver that does not count: `rtnl_fill_vfinfo` in net/core/rtnetlink.c clears
`struct ifla_vf_stats` and asks the driver only if it has `ndo_get_vf_stats`. Such zeros are no traffic. So an answer
about a PF counts if its driver is known to fill it, or if any number in it is not zero.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from sriov.facts.counters import PortCounters, Reading, Source, VfCounters

# By the symbols of the modules of Debian 12's kernel, 6.1.176: these have a function for ndo_get_vf_stats. Kernels
# before may lack it for one of them (ixgbe has it since 2022, i40e and ice since 2019): there a number must tell.
_COUNTING = frozenset({"mlx5_core", "mlx4_core", "ice", "i40e", "ixgbe", "LiquidIO"})
_COUNTING_SINCE = (6, 1)
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
