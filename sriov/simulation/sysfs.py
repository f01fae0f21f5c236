"""The /sys of one simulated host, as a tree of plain objects that answers as the kernel does.

Pure: no FUSE, no clock of its own. Writes raise OSError with the kernel's errno, or `BlockedError` where the kernel
would put the writer to sleep; whoever serves the tree waits for the port's `wakeups` and asks again.
Source of the answers: `sriov_numvfs_store` and `sriov_numvfs_show` in drivers/pci/iov.c.
"""

from __future__ import annotations

import errno
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from .spec import Cpu, Nic
from .tree import Attribute, Directory, Link, failure


class BlockedError(Exception):
    """The caller sleeps, uninterruptibly, until `port` is released.

    `finishes`: it is the write that sleeps, and when it wakes it has succeeded; else the call is to be made again.
    """

    def __init__(self, port: Port, *, finishes: bool = False) -> None:
        super().__init__(port.nic.interface)
        self.port = port
        self.finishes = finishes


def parse_u16(data: bytes) -> int:
    """kstrtou16(buf, 0): `7`, `007` (octal), `0x3`, `+3`, one final newline; else OSError EINVAL.

    Too big a number is EINVAL as well: sriov_numvfs_store turns every failure of kstrtou16 into it.
    """
    text = data.split(b"\0")[0].decode("latin-1")
    text = text.removesuffix("\n").removeprefix("+")
    base = 16 if text[:2].lower() == "0x" else 8 if text.startswith("0") else 10
    digits = text[2:] if base == 16 else text
    if not digits or not all(
        character in "0123456789abcdefABCDEF"[: 22 if base == 16 else base] for character in digits
    ):
        raise failure(errno.EINVAL)
    value = int(digits, base)
    if value > 0xFFFF:
        raise failure(errno.EINVAL)
    return value


def vf_address(nic: Nic, index: int) -> str:
    """PCI address of a VF: the routing id of its PF + offset + index * stride."""
    domain, bus, rest = nic.pci.split(":")
    device, function = rest.split(".")
    routing = (int(bus, 16) << 8 | int(device, 16) << 3 | int(function)) + nic.offset + index * nic.stride
    return f"{domain}:{routing >> 8:02x}:{routing >> 3 & 31:02x}.{routing & 7}"


@dataclass(slots=True)
class Netdev:
    """A network interface; `master` is the bond or bridge it belongs to, `visible` False when another netns has it."""

    name: str
    mac: str
    pci: str
    index: int
    up: bool = False
    master: str = ""
    address: str = ""  # of IP, with its prefix
    visible: bool = True


@dataclass(slots=True)
class Port:
    """The state of one PF: `held` are the indexes of VFs that a guest has open, `stuck` a write that sleeps."""

    nic: Nic
    count: int = 0
    autoprobe: int = 1
    held: set[int] = field(default_factory=set)
    hangs: bool = False
    stuck: int | None = None
    wakeups: list[Callable[[], None]] = field(default_factory=list)


class Sysfs:
    """The tree `root` and the verbs that change it. `later(seconds, act)` runs what the hardware does afterwards."""

    def __init__(
        self,
        nics: tuple[Nic, ...],
        cpu: Cpu = "intel",
        *,
        iommu: bool = True,
        passthrough: bool = False,
        later: Callable[[float, Callable[[], None]], None] = lambda _seconds, act: act(),
    ) -> None:
        self.root = Directory()
        self.netdevs: dict[str, Netdev] = {}
        self.ports: dict[str, Port] = {nic.interface: Port(nic) for nic in nics}
        self._iommu = iommu
        self._domain_type = "identity" if passthrough else "DMA-FQ"
        self._later = later
        self._groups = 0
        for path in ("class/net", "bus/pci/devices", "bus/pci/drivers", "kernel/iommu_groups", "firmware/acpi/tables"):
            self.root.make(path)
        table = {"intel": "DMAR", "amd": "IVRS", "arm": "IORT"}[cpu]
        if iommu:
            self.root.make("firmware/acpi/tables").text(**{table: table})
        self.add_netdev("lo", "00:00:00:00:00:00", "", up=True)
        for nic in nics:
            self._add_device(nic.pci, nic.vendor, nic.device, nic.driver, nic.numa_node)
            if nic.sriov:
                self._add_capability(self.ports[nic.interface])

    def plug(self) -> None:
        """The drivers have found their cards: the netdevs of the PFs appear (early in a boot they are not there)."""
        for nic in (port.nic for port in self.ports.values()):
            self.add_netdev(nic.interface, nic.mac, nic.pci, up=nic.up)

    # --- reading and writing by path ---

    def read(self, path: str) -> str:
        """Text of a file below /sys, links followed. Raises OSError, BlockedError."""
        node = self.root.find(self.resolve(path))
        if not isinstance(node, Attribute):
            raise failure(errno.EISDIR)
        return node.show()

    def write(self, path: str, data: bytes) -> None:
        """One write(2) to a file below /sys, links followed. Raises OSError, BlockedError."""
        node = self.root.find(self.resolve(path))
        if not isinstance(node, Attribute) or node.store is None:
            raise failure(errno.EACCES)
        node.store(data)

    def resolve(self, path: str) -> str:
        """`path` with all symbolic links followed, without a leading slash."""
        pending = [name for name in path.split("/") if name][::-1]
        done: list[str] = []
        while pending:
            name = pending.pop()
            if name == "..":
                done = done[:-1]
                continue
            node = self.root.find("/".join([*done, name]))
            if isinstance(node, Link):
                pending += [part for part in node.target.split("/") if part][::-1]
            else:
                done.append(name)
        return "/".join(done)

    # --- devices ---

    def _device(self, pci: str) -> Directory:
        return self.root.make(f"devices/pci{pci[:7]}/{pci}")

    def _add_device(self, pci: str, vendor: str, device: str, driver: str, numa: int) -> Directory:
        folder = self._device(pci)
        folder.text(vendor=vendor, device=device, numa_node=numa, enable=1, **{"class": "0x020000"})
        folder.entries["subsystem"] = Link("../../../bus/pci")
        self.root.make("bus/pci/devices").entries[pci] = Link(f"../../../devices/pci{pci[:7]}/{pci}")
        if self._iommu:
            group = str(self._groups)
            self._groups += 1
            folder.entries["iommu_group"] = Link(f"../../../kernel/iommu_groups/{group}")
            entry = self.root.make(f"kernel/iommu_groups/{group}")
            entry.text(type=self._domain_type)
            entry.make("devices").entries[pci] = Link(f"../../../../devices/pci{pci[:7]}/{pci}")
        self.bind(pci, driver)
        return folder

    def bind(self, pci: str, driver: str) -> None:
        """Bind a device to a driver; an empty name unbinds it."""
        folder = self._device(pci)
        old = folder.entries.pop("driver", None)
        if isinstance(old, Link):
            self.root.make(f"bus/pci/drivers/{old.target.rsplit('/', 1)[1]}").entries.pop(pci, None)
        if driver:
            folder.entries["driver"] = Link(f"../../../bus/pci/drivers/{driver}")
            drivers = self.root.make(f"bus/pci/drivers/{driver}")
            drivers.entries[pci] = Link(f"../../../../devices/pci{pci[:7]}/{pci}")

    def driver(self, pci: str) -> str:
        """Name of the driver that a device is bound to, or ''."""
        link = self._device(pci).entries.get("driver")
        return link.target.rsplit("/", 1)[1] if isinstance(link, Link) else ""

    def iommu_group(self, pci: str) -> str:
        link = self._device(pci).entries.get("iommu_group")
        return link.target.rsplit("/", 1)[1] if isinstance(link, Link) else ""

    def _remove_device(self, pci: str) -> None:
        for netdev in [item for item in self.netdevs.values() if item.pci == pci]:
            self.remove_netdev(netdev.name)
        self.bind(pci, "")
        group = self.iommu_group(pci)
        if group:
            del self.root.make("kernel/iommu_groups").entries[group]
        del self.root.make("bus/pci/devices").entries[pci]
        del self.root.make(f"devices/pci{pci[:7]}").entries[pci]

    # --- network interfaces ---

    def add_netdev(self, name: str, mac: str, pci: str, *, up: bool = False) -> None:
        netdev = Netdev(name, mac, pci, len(self.netdevs) + 1, up)
        self.netdevs[name] = netdev
        self.show_netdev(netdev)

    def show_netdev(self, netdev: Netdev) -> None:
        """Draw (again) the folder and the class link of an interface."""
        place = f"devices/pci{netdev.pci[:7]}/{netdev.pci}/net" if netdev.pci else "devices/virtual/net"
        folder = self.root.make(f"{place}/{netdev.name}")
        folder.entries.clear()
        folder.text(address=netdev.mac, ifindex=netdev.index, mtu=1500, addr_len=6, type=1)
        folder.entries["flags"] = Attribute(lambda: "0x1003\n" if netdev.up else "0x1002\n")
        state = "unknown" if netdev.name == "lo" else ""
        folder.entries["operstate"] = Attribute(lambda: (state or ("up" if netdev.up else "down")) + "\n")
        folder.entries["carrier"] = Attribute(lambda: self._carrier(netdev))
        if netdev.pci:
            folder.entries["device"] = Link(f"../../../{netdev.pci}")
        if netdev.master:
            folder.entries["master"] = Link(f"../../../../virtual/net/{netdev.master}")
        self.root.make("class/net").entries[netdev.name] = Link(f"../../{place}/{netdev.name}")

    @staticmethod
    def _carrier(netdev: Netdev) -> str:
        if not netdev.up:
            raise failure(errno.EINVAL)  # as the kernel answers for an interface that is down
        return "1\n"

    def remove_netdev(self, name: str) -> None:
        netdev = self.netdevs.pop(name)
        self.hide_netdev(netdev)

    def hide_netdev(self, netdev: Netdev) -> None:
        """Take an interface out of sight: it is gone, or in another network namespace."""
        self.root.make("class/net").entries.pop(netdev.name, None)
        place = f"devices/pci{netdev.pci[:7]}/{netdev.pci}" if netdev.pci else "devices/virtual"
        parent = self.root.make(place)
        nets = parent.make("net")
        nets.entries.pop(netdev.name, None)
        # the folder stays for an interface that is in another namespace, and is seen empty from here
        if not nets.entries and netdev.name not in self.netdevs:
            del parent.entries["net"]

    # --- SR-IOV ---

    def _add_capability(self, port: Port) -> None:
        nic = port.nic
        folder = self._device(nic.pci)
        folder.text(
            sriov_totalvfs=nic.total_vfs,
            sriov_offset=nic.offset,
            sriov_stride=nic.stride,
            sriov_vf_device=nic.vf_device.removeprefix("0x"),
            sriov_vf_total_msix=0,
        )
        folder.entries["sriov_drivers_autoprobe"] = Attribute(
            lambda: f"{port.autoprobe}\n", lambda data: self._store_autoprobe(port, data)
        )
        folder.entries["sriov_numvfs"] = Attribute(
            lambda: self._show_numvfs(port), lambda data: self.store_numvfs(port, data)
        )

    @staticmethod
    def _store_autoprobe(port: Port, data: bytes) -> None:
        if data.strip() not in (b"0", b"1"):
            raise failure(errno.EINVAL)
        port.autoprobe = int(data)

    @staticmethod
    def _show_numvfs(port: Port) -> str:
        if port.stuck is not None:
            raise BlockedError(port)  # sriov_numvfs_show takes the device lock, which the sleeping writer holds
        return f"{port.count}\n"

    def store_numvfs(self, port: Port, data: bytes) -> None:
        """A write to sriov_numvfs. Raises OSError EINVAL, ERANGE, ENOENT, EBUSY, the driver's own; BlockedError."""
        wanted = parse_u16(data)
        if wanted > port.nic.total_vfs:
            raise failure(errno.ERANGE)
        if port.stuck is not None:
            raise BlockedError(port)
        if wanted == port.count:
            return
        if not port.nic.configurable or not self.driver(port.nic.pci):
            raise failure(errno.ENOENT)
        if wanted and port.count:
            raise failure(errno.EBUSY)
        if wanted and port.nic.enable_errno:
            raise failure(getattr(errno, port.nic.enable_errno))
        held = port.held and not port.nic.hot_unplugs
        if port.hangs or (wanted == 0 and held):
            port.stuck = wanted
            for index in port.held:
                self.bind(vf_address(port.nic, index), "")
            raise BlockedError(port, finishes=True)
        if port.nic.write_seconds:
            port.stuck = wanted
            self._later(port.nic.write_seconds, lambda: self.release(port))
            if port.stuck is not None:
                raise BlockedError(port, finishes=True)
            return
        self.enable(port, wanted)

    def release(self, port: Port) -> None:
        """What a write slept for is over: it takes effect, and all sleepers wake."""
        if port.stuck is not None:
            wanted, port.stuck = port.stuck, None
            self.enable(port, wanted)
        self.wake(port)

    @staticmethod
    def wake(port: Port) -> None:
        wakeups, port.wakeups = port.wakeups, []
        for wakeup in wakeups:
            wakeup()

    def enable(self, port: Port, wanted: int) -> None:
        """The driver's sriov_configure: `wanted` VFs, or as many as it can."""
        for index in range(port.count):
            self._remove_vf(port, index)
        port.held.clear()
        port.count = wanted if port.nic.driver_limit is None else min(wanted, port.nic.driver_limit)
        count = port.count
        if count:
            self._later(port.nic.link_delay, lambda: self._add_vfs(port, count))

    def _add_vfs(self, port: Port, count: int) -> None:
        if port.count != count:
            return  # taken away before they appeared
        for index in range(count):
            self._add_vf(port, index)
        if port.autoprobe:
            self._later(port.nic.netdev_delay, lambda: self._add_vf_netdevs(port, count))

    def _add_vf(self, port: Port, index: int) -> None:
        nic = port.nic
        pci = vf_address(nic, index)
        folder = self._add_device(
            pci, nic.vendor, nic.vf_device, nic.vf_driver if port.autoprobe else "", nic.numa_node
        )
        folder.entries["physfn"] = Link(f"../{nic.pci}")
        self._device(nic.pci).entries[f"virtfn{index}"] = Link(f"../{pci}")

    def _add_vf_netdevs(self, port: Port, count: int) -> None:
        for index in range(count if port.count == count else 0):
            pci = vf_address(port.nic, index)
            if self.driver(pci) == port.nic.vf_driver:
                tail = f"{int(port.nic.mac[-5:-3], 16):02x}:{index:02x}"
                self.add_netdev(
                    f"{port.nic.interface}v{index}", f"02:00:{port.nic.mac[9:11]}:{port.nic.mac[-2:]}:{tail}", pci
                )

    def _remove_vf(self, port: Port, index: int) -> None:
        if self._device(port.nic.pci).entries.pop(f"virtfn{index}", None):
            self._remove_device(vf_address(port.nic, index))

    def vf_netdevs(self, port: Port, index: int) -> Iterator[Netdev]:
        pci = vf_address(port.nic, index)
        return (netdev for netdev in self.netdevs.values() if netdev.pci == pci)
