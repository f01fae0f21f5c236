"""The state of one port of a card (a PF): its VFs, who sleeps for it, and where its VFs stand on the bus."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from ..spec import Nic
from .traffic import Traffic


@dataclass(slots=True)
class Port:
    """`held` are the indexes of VFs that a guest has open, `stuck` the count that a sleeping write wants.

    `traffic` is that of each VF, by index.
    """

    nic: Nic
    count: int = 0
    autoprobe: int = 1
    held: set[int] = field(default_factory=set)
    hangs: bool = False
    stuck: int | None = None
    wakeups: list[Callable[[], None]] = field(default_factory=list)
    traffic: dict[int, Traffic] = field(default_factory=dict)

    def wake(self) -> None:
        """All calls that sleep for this port go on."""
        wakeups, self.wakeups = self.wakeups, []
        for wakeup in wakeups:
            wakeup()


def vf_address(nic: Nic, index: int) -> str:
    """PCI address of a VF: the routing id of its PF + offset + index * stride."""
    domain, bus, rest = nic.pci.split(":")
    device, function = rest.split(".")
    routing = (int(bus, 16) << 8 | int(device, 16) << 3 | int(function)) + nic.offset + index * nic.stride
    return f"{domain}:{routing >> 8:02x}:{routing >> 3 & 31:02x}.{routing & 7}"
