"""The network interfaces of a host, and how /sys/class/net shows them."""

from __future__ import annotations

import errno
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from ..tree.nodes import Attribute, Directory, Link, failure
from .traffic import NAMES, Traffic


@dataclass(slots=True)
class Netdev:
    """A network interface; `master` is the bond or bridge it belongs to, `uppers` all that stand on it, `visible` False
    when another netns has it."""

    name: str
    mac: str
    pci: str
    index: int
    up: bool = False
    master: str = ""
    uppers: tuple[str, ...] = ()
    address: str = ""  # of IP, with its prefix
    visible: bool = True
    traffic: Traffic = field(default_factory=Traffic)


class Netdevs:
    """All interfaces of a host, `by_name`, drawn into `root`."""

    def __init__(self, root: Directory) -> None:
        self._root = root
        self.by_name: dict[str, Netdev] = {}
        self.add("lo", "00:00:00:00:00:00", "", up=True)

    def of(self, pci: str) -> list[Netdev]:
        """The interfaces of a device."""
        return [netdev for netdev in self.by_name.values() if netdev.pci == pci]

    def add(self, name: str, mac: str, pci: str, *, up: bool = False, traffic: Traffic | None = None) -> None:
        """A new interface of the device `pci`; '' is none, as for a bridge."""
        netdev = Netdev(name, mac, pci, len(self.by_name) + 1, up, traffic=traffic or Traffic())
        self.by_name[name] = netdev
        self.show(netdev)

    def remove(self, netdevs: Iterable[Netdev]) -> None:
        """These interfaces are gone."""
        for netdev in netdevs:
            del self.by_name[netdev.name]
            self.hide(netdev)

    def show(self, netdev: Netdev) -> None:
        """Draw (again) the folder and the class link of an interface."""
        place = f"devices/pci{netdev.pci[:7]}/{netdev.pci}/net" if netdev.pci else "devices/virtual/net"
        folder = self._root.make(f"{place}/{netdev.name}")
        folder.entries.clear()
        folder.text(address=netdev.mac, ifindex=netdev.index, mtu=1500, addr_len=6, type=1)
        folder.entries["flags"] = Attribute(lambda: "0x1003\n" if netdev.up else "0x1002\n")
        folder.entries["operstate"] = Attribute(lambda: f"{_operstate(netdev)}\n")
        folder.entries["carrier"] = Attribute(lambda: _carrier(netdev))
        for name, shown in _STATISTICS.items():
            folder.make("statistics").entries[name] = Attribute(_counter(netdev.traffic, shown))
        if netdev.pci:
            folder.entries["device"] = Link(f"../../../{netdev.pci}")
        if netdev.master:
            folder.entries["master"] = Link(f"../../../../virtual/net/{netdev.master}")
        for upper in netdev.uppers:
            folder.entries[f"upper_{upper}"] = Link(f"../../../../virtual/net/{upper}")
        self._root.make("class/net").entries[netdev.name] = Link(f"../../{place}/{netdev.name}")

    def hide(self, netdev: Netdev) -> None:
        """Take an interface out of sight: it is gone, or in another network namespace."""
        self._root.make("class/net").entries.pop(netdev.name, None)
        place = f"devices/pci{netdev.pci[:7]}/{netdev.pci}" if netdev.pci else "devices/virtual"
        parent = self._root.make(place)
        nets = parent.make("net")
        nets.entries.pop(netdev.name, None)
        # the folder stays for an interface that is in another namespace, and is seen empty from here
        if not nets.entries and netdev.name not in self.by_name:
            del parent.entries["net"]


# /sys/class/net/*/statistics: `multicast` is of received frames, and there is none of broadcasts
_STATISTICS = {name: name for name in NAMES if not name.endswith("cast")} | {"multicast": "rx_multicast"}


def _counter(traffic: Traffic, name: str) -> Callable[[], str]:
    return lambda: f"{traffic.of(name)}\n"


def _operstate(netdev: Netdev) -> str:
    if netdev.name == "lo":
        return "unknown"
    return "up" if netdev.up else "down"


def _carrier(netdev: Netdev) -> str:
    if not netdev.up:
        raise failure(errno.EINVAL)  # as the kernel answers for an interface that is down
    return "1\n"
