"""The VFs of a host's ports: the files of the SR-IOV capability, and what a write to `sriov_numvfs` does.

Source of the answers: `sriov_numvfs_store` and `sriov_numvfs_show` in drivers/pci/iov.c.
"""

from __future__ import annotations

import errno
from collections.abc import Callable

from ..tree.nodes import Attribute, BlockedError, Link, failure
from .netdevs import Netdev, Netdevs
from .pci_bus import PciBus
from .port import Port, vf_address
from .traffic import Traffic

Later = Callable[[float, Callable[[], None]], None]


def parse_u16(data: bytes) -> int:
    """kstrtou16(buf, 0): `7`, `007` (octal), `0x3`, `+3`, one final newline; else OSError EINVAL.

    Too big a number is EINVAL as well: sriov_numvfs_store turns every failure of kstrtou16 into it.
    """
    text = data.split(b"\0")[0].decode("latin-1")
    text = text.removesuffix("\n").removeprefix("+")
    base = 16 if text[:2].lower() == "0x" else 8 if text.startswith("0") else 10
    digits = text[2:] if base == 16 else text
    allowed = "0123456789abcdefABCDEF"[: 22 if base == 16 else base]
    if not digits or not all(character in allowed for character in digits):
        raise failure(errno.EINVAL)
    value = int(digits, base)
    if value > 0xFFFF:
        raise failure(errno.EINVAL)
    return value


class Vfs:
    """Makes and removes VFs on `bus`. `later(seconds, act)` runs what the hardware does after a write."""

    def __init__(self, bus: PciBus, netdevs: Netdevs, later: Later) -> None:
        self._bus = bus
        self._netdevs = netdevs
        self._later = later

    def add_capability(self, port: Port) -> None:
        """The `sriov_*` files of a port."""
        nic = port.nic
        folder = self._bus.device(nic.pci)
        folder.text(
            sriov_totalvfs=nic.total_vfs,
            sriov_offset=nic.offset,
            sriov_stride=nic.stride,
            sriov_vf_device=nic.vf_device.removeprefix("0x"),
            sriov_vf_total_msix=0,
        )
        folder.entries["sriov_drivers_autoprobe"] = Attribute(
            lambda: f"{port.autoprobe}\n", lambda data: _store_autoprobe(port, data)
        )
        folder.entries["sriov_numvfs"] = Attribute(lambda: _show_numvfs(port), lambda data: self._store(port, data))

    def netdevs(self, port: Port, index: int) -> list[Netdev]:
        """The interfaces of a VF."""
        return self._netdevs.of(vf_address(port.nic, index))

    # --- a write to sriov_numvfs ---

    def _store(self, port: Port, data: bytes) -> None:
        """Raises OSError EINVAL, ERANGE, ENOENT, EBUSY, the driver's own; BlockedError."""
        wanted = parse_u16(data)
        if wanted > port.nic.total_vfs:
            raise failure(errno.ERANGE)
        if port.stuck is not None:
            raise BlockedError(port.wakeups)
        if wanted == port.count:
            return
        if not port.nic.configurable or not self._bus.driver(port.nic.pci):
            raise failure(errno.ENOENT)
        if wanted and port.count:
            raise failure(errno.EBUSY)
        if wanted > port.nic.refuses_above and port.nic.enable_errno:
            raise failure(getattr(errno, port.nic.enable_errno))
        self._configure(port, wanted)

    def _configure(self, port: Port, wanted: int) -> None:
        """The driver's sriov_configure, called by the write: it may sleep for a guest, or take its time."""
        held = port.held and not port.nic.hot_unplugs
        if port.hangs or (wanted == 0 and held):
            port.stuck = wanted
            for index in port.held:
                self._bus.bind(vf_address(port.nic, index), "")
            raise BlockedError(port.wakeups, finishes=True)
        if port.nic.write_seconds:
            port.stuck = wanted
            self._later(port.nic.write_seconds, lambda: self.release(port))
            if port.stuck is not None:
                raise BlockedError(port.wakeups, finishes=True)
            return
        self.enable(port, wanted)

    def release(self, port: Port) -> None:
        """What a write slept for is over: it takes effect, and all sleepers wake."""
        if port.stuck is not None:
            wanted, port.stuck = port.stuck, None
            self.enable(port, wanted)
        port.wake()

    # --- the VFs themselves ---

    def enable(self, port: Port, wanted: int) -> None:
        """Make `wanted` VFs, or as many as the driver can, in place of those that exist."""
        for index in range(port.count):
            self._remove(port, index)
        port.held.clear()
        port.traffic.clear()
        port.count = wanted if port.nic.driver_limit is None else min(wanted, port.nic.driver_limit)
        count = port.count
        if count:
            self._later(port.nic.link_delay, lambda: self._add(port, count))

    def _add(self, port: Port, count: int) -> None:
        if port.count != count:
            return  # taken away before they appeared
        nic = port.nic
        driver = nic.vf_driver if port.autoprobe else ""
        for index in range(count):
            port.traffic[index] = Traffic()
            pci = vf_address(nic, index)
            folder = self._bus.add(
                pci,
                vendor=nic.vendor,
                device=nic.vf_device,
                driver=driver,
                numa_node=nic.numa_node,
                group="" if nic.acs else self._bus.iommu_group(nic.pci),
            )
            folder.entries["physfn"] = Link(f"../{nic.pci}")
            self._bus.device(nic.pci).entries[f"virtfn{index}"] = Link(f"../{pci}")
        if port.autoprobe:
            self._later(nic.netdev_delay, lambda: self._add_netdevs(port, count))

    def _add_netdevs(self, port: Port, count: int) -> None:
        nic = port.nic
        for index in range(count if port.count == count else 0):
            pci = vf_address(nic, index)
            if self._bus.driver(pci) == nic.vf_driver:
                traffic = port.traffic[index]
                tail = f"{int(nic.mac[-5:-3], 16):02x}:{index:02x}"
                self._netdevs.add(
                    f"{nic.interface}v{index}", f"02:00:{nic.mac[9:11]}:{nic.mac[-2:]}:{tail}", pci, traffic=traffic
                )

    def _remove(self, port: Port, index: int) -> None:
        if self._bus.device(port.nic.pci).entries.pop(f"virtfn{index}", None):
            pci = vf_address(port.nic, index)
            self._netdevs.remove(self._netdevs.of(pci))
            self._bus.remove(pci)


def _store_autoprobe(port: Port, data: bytes) -> None:
    if data.strip() not in (b"0", b"1"):
        raise failure(errno.EINVAL)
    port.autoprobe = int(data)


def _show_numvfs(port: Port) -> str:
    if port.stuck is not None:
        raise BlockedError(port.wakeups)  # sriov_numvfs_show takes the device lock, which the sleeping writer holds
    return f"{port.count}\n"
