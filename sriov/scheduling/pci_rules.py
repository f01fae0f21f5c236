"""What nova's pools hold for ports of vnic_type direct. Pure.

Which entry takes a device is told by `sriov.formats.nova.devices`. The rules here are those of `nova/pci/stats.py`
(what is in the pools and which pool serves a request) and `nova/network/neutron.py` (what a port asks for), as nova 34
has them; the tests hold them against nova's own code.
"""

from __future__ import annotations

from collections.abc import Sequence

from sriov.formats.nova.devices import (
    Device,
    Hardware,
    Kind,
    first_match,
    is_set,
    matches,
    serves,
    suits_direct_port,
)
from sriov.formats.nova.whitelist import Entry

__all__ = ["Device", "Hardware", "Kind", "first_match", "is_set", "matches", "serves", "serving"]


def serving(hardware: Hardware, entries: Sequence[Entry], physnet: str) -> tuple[Device, ...]:
    """The devices that nova's pools hold for direct ports on that physical network, used or not: VFs, as a rule."""
    return tuple(
        device
        for device in hardware.devices
        if (number := first_match(hardware, entries, device)) is not None
        and serves(entries[number], physnet)
        and suits_direct_port(entries[number], device.kind)
    )
