"""Who has a VF: what a guest, a bond, a bridge or another network namespace leaves behind on its host."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from ...errors import UsageError
from ..machine.machine import Machine
from ..sysfs import Port, vf_address
from ..sysfs.netdevs import Netdev
from . import guest

KINDS = ("libvirt", "vfio", "domain", "shut-off", "pool", "bond", "bridge", "ovs", "vlan", "netns", "address")
GUESTS = ("libvirt", "vfio", "domain", "shut-off", "pool")
# what /sys shows of a master and of an interface that belongs to it
SIGNS = {"bond": ("bonding", "bonding_slave"), "bridge": ("bridge", "brport")}


class Holders:
    """Takes VFs on one host, and gives them back."""

    def __init__(self, machine: Machine) -> None:
        self._machine = machine
        self._processes: dict[tuple[str, int], asyncio.subprocess.Process] = {}

    def forget(self) -> None:
        """A reboot ends every holder."""
        self._processes.clear()

    def _port(self, interface: str, index: int) -> Port:
        port = self._machine.sysfs.ports.get(interface)
        if port is None or index >= port.count:
            raise UsageError("simulation-call", f"{self._machine.spec.name} has no VF {index} of {interface}")
        return port

    def count(self, interface: str, index: int, counted: Mapping[str, int], per_second: Mapping[str, int]) -> None:
        """A VF has received and sent so much. Raises UsageError for no such VF."""
        self._port(interface, index).traffic[index].set(counted, per_second)

    async def hold(self, interface: str, index: int, kind: str, name: str) -> None:
        """`libvirt`: a guest, with its status XML and its process; `vfio`: the process alone; `domain`: the XML alone.

        `bond`, `bridge`: its netdev becomes a port of `name`; `ovs`: of Open vSwitch; `netns`: its netdev is out of
        sight; `address`: its netdev is up and has one. Raises UsageError for no such VF or kind.
        """
        port = self._port(interface, index)
        if kind not in KINDS:
            raise UsageError(
                "simulation-call", f"a VF cannot be held by {kind!r}", hint=f"write one of {', '.join(KINDS)}"
            )
        if kind in ("libvirt", "vfio"):
            await self._open_group(port, index)
        if kind in ("libvirt", "domain"):
            guest.write_status(self._machine, name, vf_address(port.nic, index))
        if kind == "shut-off":
            guest.define(self._machine, name, vf_address(port.nic, index))
        if kind == "pool":
            guest.define_with_pool(self._machine, name, interface)
        if kind not in GUESTS:
            for netdev in self._machine.sysfs.vfs.netdevs(port, index):
                self._take_netdev(netdev, kind, name)

    async def _open_group(self, port: Port, index: int) -> None:
        sysfs, pci = self._machine.sysfs, vf_address(port.nic, index)
        sysfs.netdevs.remove(sysfs.vfs.netdevs(port, index))
        sysfs.bus.bind(pci, "vfio-pci")
        port.held.add(index)
        group = sysfs.bus.iommu_group(pci) or "noiommu-0"
        self._processes[port.nic.interface, index] = await guest.open_group(self._machine, group)

    def _take_netdev(self, netdev: Netdev, kind: str, name: str) -> None:
        if kind == "netns":
            netdev.visible = False
            self._machine.sysfs.netdevs.hide(netdev)
        elif kind == "address":
            netdev.up, netdev.address = True, "192.0.2.10/24"
        elif kind == "vlan":
            self._machine.sysfs.netdevs.add(name, netdev.mac, "", up=True)
            netdev.uppers, netdev.up = (name,), True
            self._machine.sysfs.netdevs.show(netdev)
        else:
            self._enslave(netdev, kind, "ovs-system" if kind == "ovs" else name)

    def _enslave(self, netdev: Netdev, kind: str, master: str) -> None:
        sysfs = self._machine.sysfs
        if master not in sysfs.netdevs.by_name:
            sysfs.netdevs.add(master, netdev.mac, "", up=True)
        netdev.master, netdev.uppers, netdev.up = master, (master,), True
        sysfs.netdevs.show(netdev)
        if kind in SIGNS:
            of_master, of_port = SIGNS[kind]
            sysfs.root.make(f"devices/virtual/net/{master}/{of_master}")
            sysfs.root.make(sysfs.root.resolve(f"class/net/{netdev.name}")).make(of_port)

    async def release(self, interface: str, index: int, name: str) -> None:
        """The guest ends, the netdev comes back; a write that slept for it takes effect."""
        sysfs = self._machine.sysfs
        port = self._port(interface, index)
        process = self._processes.pop((interface, index), None)
        if process:
            await guest.end(process)
        guest.remove(self._machine, name)
        for netdev in sysfs.vfs.netdevs(port, index):
            netdev.master, netdev.uppers, netdev.visible, netdev.up, netdev.address = "", (), True, False, ""
            sysfs.netdevs.show(netdev)
        if index in port.held:
            port.held.discard(index)
            self._give_back(port, index)

    def _give_back(self, port: Port, index: int) -> None:
        """A VF that a guest had: to the write that sleeps for it, or else to its own driver."""
        sysfs = self._machine.sysfs
        if port.stuck is not None:
            if not port.held and not port.hangs:
                sysfs.vfs.release(port)
            return
        pci = vf_address(port.nic, index)
        sysfs.bus.bind(pci, port.nic.vf_driver)
        name = f"{port.nic.interface}v{index}"
        sysfs.netdevs.add(name, "02:00:00:00:00:01", pci, traffic=port.traffic[index])
