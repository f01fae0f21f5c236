"""What VFs have received and sent, as values. Directions are those of the VF's user, a guest or the host itself.

So they are in the kernel, too: `rx_packets` of `struct ifla_vf_stats` counts what the VF received (ixgbe fills it from
the VF's register PVFGPRC, i40e and ice from the receive counters of the VF's own VSI, mlx5 from the frames that the
VF's vport received).
"""

from __future__ import annotations

import enum
from typing import NamedTuple


class Source(enum.Enum):
    """Where counters were read, from best to worst."""

    PORT = "pf"  # the kernel's answer about the PF (IFLA_VF_STATS)
    SYSFS = "sysfs"  # device/sriov/N/stats of an out-of-tree driver
    NETDEV = "netdev"  # the VF's own interface, while the host has it
    NONE = "none"


class Traffic(NamedTuple):
    """One direction; None where the source does not give it. Numbers since the VF was made, or per second."""

    bytes: float | None = None
    packets: float | None = None
    dropped: float | None = None
    errors: float | None = None
    broadcast: float | None = None
    multicast: float | None = None


class Reading(NamedTuple):
    """Both directions at one moment, `uptime` seconds after the host's boot."""

    uptime: float
    received: Traffic
    transmitted: Traffic

    @property
    def numbers(self) -> tuple[float, ...]:
        return tuple(number for number in (*self.received, *self.transmitted) if number is not None)


class Rates(NamedTuple):
    """What was counted in each of `seconds`. Both directions are empty where the counters went backwards (`is_reset`):
    the VF was made again, its user reset it, or a counter of 32 bits wrapped."""

    seconds: float
    received: Traffic = Traffic()
    transmitted: Traffic = Traffic()
    is_reset: bool = False


class VfCounters(NamedTuple):
    """Of the VF `index`. `readings`: one or two, the last one last; none where the source is `NONE`.

    `interface` is the VF's network device that the host has, `is_away` says that another network namespace has it.
    """

    index: int  # type: ignore[assignment] # hides the method of tuples
    source: Source = Source.NONE
    readings: tuple[Reading, ...] = ()
    interface: str = ""
    is_away: bool = False

    @property
    def last(self) -> Reading | None:
        return self.readings[-1] if self.readings else None

    @property
    def rates(self) -> Rates | None:
        """Between two readings; None if there is one only, or the host's clock stood still."""
        if len(self.readings) < 2 or self.readings[0].uptime >= self.readings[-1].uptime:
            return None
        return _rates(self.readings[0], self.readings[-1])


class PortCounters(NamedTuple):
    """Of all VFs of a PF, by index. `notes`: what could not be read, and why."""

    pci_address: str
    interface: str
    vfs: tuple[VfCounters, ...] = ()
    notes: tuple[str, ...] = ()


def _rates(before: Reading, after: Reading) -> Rates:
    seconds = after.uptime - before.uptime
    pairs = zip((*before.received, *before.transmitted), (*after.received, *after.transmitted), strict=True)
    if any(old is not None and new is not None and new < old for old, new in pairs):
        return Rates(seconds, is_reset=True)
    return Rates(
        seconds,
        _per_second(before.received, after.received, seconds),
        _per_second(before.transmitted, after.transmitted, seconds),
    )


def _per_second(before: Traffic, after: Traffic, seconds: float) -> Traffic:
    pairs = zip(before, after, strict=True)
    return Traffic(*(None if old is None or new is None else (new - old) / seconds for old, new in pairs))
