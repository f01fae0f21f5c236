"""Who has a VF: what a guest, a bond, a bridge or another network namespace leaves behind on its host."""

from __future__ import annotations

import asyncio
import contextlib
import shlex
import subprocess
from typing import TYPE_CHECKING

from ..errors import UsageError
from .sysfs import Netdev, Port, vf_address

if TYPE_CHECKING:
    from .host import Host

DOMAIN = """<!--
WARNING: THIS IS AN AUTO-GENERATED FILE. CHANGES TO IT ARE LIKELY TO BE
OVERWRITTEN AND LOST. Changes to this xml configuration should be made using:
  virsh edit {name}
or other application using the libvirt API.
-->

<domstatus state='running' reason='booted' pid='{pid}'>
  <taint flag='host-cpu'/>
  <monitor path='/var/lib/libvirt/qemu/domain-1-{name}/monitor.sock' type='unix'/>
  <devices>
    <device alias='hostdev0'/>
  </devices>
  <domain type='kvm' id='1'>
    <name>{name}</name>
    <uuid>6f1c2a34-5b7e-4d6c-9a40-1f2e3d4c5b6a</uuid>
    <memory unit='KiB'>524288</memory>
    <vcpu placement='static'>1</vcpu>
    <os>
      <type arch='x86_64' machine='pc-q35-7.2'>hvm</type>
    </os>
    <devices>
      <emulator>/usr/bin/qemu-system-x86_64</emulator>
      <interface type='hostdev' managed='yes'>
        <mac address='52:54:00:6d:90:02'/>
        <driver name='vfio'/>
        <source>
          <address type='pci' domain='0x{domain}' bus='0x{bus}' slot='0x{slot}' function='0x{function}'/>
        </source>
        <alias name='hostdev0'/>
        <address type='pci' domain='0x0000' bus='0x01' slot='0x00' function='0x0'/>
      </interface>
    </devices>
  </domain>
</domstatus>
"""
KINDS = ("libvirt", "vfio", "domain", "bond", "bridge", "ovs", "netns", "address")


class Holders:
    """Takes VFs on one host, and gives them back."""

    def __init__(self, host: Host) -> None:
        self._host = host
        self._processes: dict[tuple[str, int], asyncio.subprocess.Process] = {}

    def forget(self) -> None:
        """After a reboot nobody holds anything."""
        self._processes.clear()

    def _port(self, interface: str, index: int) -> Port:
        port = self._host.sysfs.ports.get(interface)
        if port is None or index >= port.count:
            raise UsageError(f"{self._host.spec.name} has no VF {index} of {interface}")
        return port

    async def hold(self, interface: str, index: int, kind: str, name: str) -> None:
        """`libvirt`: a guest, with its status XML and its process; `vfio`: the process alone; `domain`: the XML alone.

        `bond`, `bridge`: its netdev becomes a port of `name`; `ovs`: of Open vSwitch; `netns`: its netdev is out of
        sight; `address`: its netdev is up and has one.
        """
        port = self._port(interface, index)
        pci = vf_address(port.nic, index)
        if kind in ("libvirt", "vfio"):
            await self._open_group(port, interface, index, pci)
        if kind in ("libvirt", "domain"):
            self._write_domain(pci, name)
        if kind in ("bond", "bridge", "ovs", "netns", "address"):
            for netdev in list(self._host.sysfs.vf_netdevs(port, index)):
                self._take_netdev(netdev, kind, name)
        elif kind not in KINDS:
            raise UsageError(f"nobody holds a VF by {kind!r}", hint=f"one of {', '.join(KINDS)}")

    async def _open_group(self, port: Port, interface: str, index: int, pci: str) -> None:
        sysfs = self._host.sysfs
        for netdev in list(sysfs.vf_netdevs(port, index)):
            sysfs.remove_netdev(netdev.name)
        sysfs.bind(pci, "vfio-pci")
        port.held.add(index)
        path = f"/dev/vfio/{sysfs.iommu_group(pci) or 'noiommu-0'}"
        script = f": >{path}; echo open; exec /usr/local/lib/simulation/qemu-system-x86_64 1000000 9<>{path} >/dev/null"
        process = await asyncio.create_subprocess_exec(
            *self._host.enter(), "/bin/sh", "-c", script,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, start_new_session=True,
        )  # fmt: skip
        assert process.stdout is not None  # noqa: S101 - tells mypy what PIPE means
        await process.stdout.readline()
        self._processes[interface, index] = process

    def _write_domain(self, pci: str, name: str) -> None:
        domain, bus, rest = pci.split(":")
        slot, function = rest.split(".")
        path = self._host.disk(f"/run/libvirt/qemu/{name}.xml")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(DOMAIN.format(name=name, pid=4242, domain=domain, bus=bus, slot=slot, function=function))

    def _take_netdev(self, netdev: Netdev, kind: str, name: str) -> None:
        sysfs = self._host.sysfs
        if kind == "netns":
            netdev.visible = False
            sysfs.hide_netdev(netdev)
        elif kind == "address":
            netdev.up, netdev.address = True, "192.0.2.10/24"
        else:
            self._enslave(netdev, kind, "ovs-system" if kind == "ovs" else name)

    def _enslave(self, netdev: Netdev, kind: str, master: str) -> None:
        sysfs = self._host.sysfs
        if master not in sysfs.netdevs:
            sysfs.add_netdev(master, netdev.mac, "", up=True)
        netdev.master = master
        sysfs.show_netdev(netdev)
        signs = {"bond": ("bonding", "bonding_slave"), "bridge": ("bridge", "brport")}
        if kind in signs:
            of_master, of_port = signs[kind]
            sysfs.root.make(f"devices/virtual/net/{master}/{of_master}")
            sysfs.root.make(sysfs.resolve(f"class/net/{netdev.name}")).make(of_port)

    async def release(self, interface: str, index: int, name: str) -> None:
        """The guest ends, the netdev comes back; a write that slept for it takes effect."""
        sysfs = self._host.sysfs
        port = self._port(interface, index)
        process = self._processes.pop((interface, index), None)
        if process:
            await self._end(process)
        pci = vf_address(port.nic, index)
        self._host.disk(f"/run/libvirt/qemu/{name}.xml").unlink(missing_ok=True)
        for netdev in sysfs.vf_netdevs(port, index):
            netdev.master, netdev.visible, netdev.up, netdev.address = "", True, False, ""
            sysfs.show_netdev(netdev)
        if index in port.held:
            port.held.discard(index)
            if port.stuck is not None and not port.held and not port.hangs:
                sysfs.release(port)
            elif port.stuck is None:
                sysfs.bind(pci, port.nic.vf_driver)
                sysfs.add_netdev(f"{interface}v{index}", "02:00:00:00:00:01", pci)

    async def _end(self, process: asyncio.subprocess.Process) -> None:
        # nsenter is the process that we know; the guest is its child
        path = f"/proc/{process.pid}/task/{process.pid}/children"
        with contextlib.suppress(OSError):
            with open(path, encoding="ascii") as children:
                pids = children.read().split()
            await self._kill(pids)
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()

    @staticmethod
    async def _kill(pids: list[str]) -> None:
        process = await asyncio.create_subprocess_exec("/bin/sh", "-c", f"kill -9 {shlex.join(pids)}")
        await process.wait()
