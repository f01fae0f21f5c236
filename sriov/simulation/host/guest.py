"""A libvirt guest that has a VF, as its host sees it: its status XML under /run, and its process with the VF open."""

from __future__ import annotations

import asyncio
import contextlib
import shlex
import subprocess
from pathlib import Path

from ..machine.machine import Machine

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
STATUS = "/run/libvirt/qemu/{name}.xml"
DEFINED = "/etc/libvirt/qemu/{name}.xml"
POOL = "/etc/libvirt/qemu/networks/{name}.xml"
FROM_POOL = """<domain type='kvm'>
  <name>{name}</name>
  <devices>
    <interface type='network'>
      <mac address='52:54:00:6d:90:03'/>
      <source network='{name}-pool'/>
    </interface>
  </devices>
</domain>
"""
NETWORK = """<network>
  <name>{name}-pool</name>
  <forward mode='hostdev' managed='yes'>
    <pf dev='{interface}'/>
  </forward>
</network>
"""
QEMU = "/usr/local/lib/simulation/qemu-system-x86_64"


def write_status(machine: Machine, name: str, pci: str) -> None:
    """The status XML of a guest that has the device `pci`."""
    _write(machine.disk(STATUS.format(name=name)), _domain(name, pci))


def define(machine: Machine, name: str, pci: str) -> None:
    """The configuration of a guest that has the device `pci`: libvirt keeps it while the guest is shut off."""
    status = _domain(name, pci)
    domain = status[status.index("  <domain ") : status.index("</domstatus>")]
    _write(machine.disk(DEFINED.format(name=name)), domain.replace(" id='1'", ""))


def define_with_pool(machine: Machine, name: str, interface: str) -> None:
    """A guest that gets some VF of the port each time it starts, and the network that offers them."""
    _write(machine.disk(POOL.format(name=f"{name}-pool")), NETWORK.format(name=name, interface=interface))
    _write(machine.disk(DEFINED.format(name=name)), FROM_POOL.format(name=name))


def _domain(name: str, pci: str) -> str:
    domain, bus, rest = pci.split(":")
    slot, function = rest.split(".")
    return DOMAIN.format(name=name, pid=4242, domain=domain, bus=bus, slot=slot, function=function)


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def remove(machine: Machine, name: str) -> None:
    """The guest is gone, and its configuration with it."""
    for path in (STATUS, DEFINED, POOL.replace("{name}", "{name}-pool")):
        machine.disk(path.format(name=name)).unlink(missing_ok=True)


async def open_group(machine: Machine, group: str) -> asyncio.subprocess.Process:
    """A process like QEMU's that has /dev/vfio/`group` open."""
    path = f"/dev/vfio/{group}"
    script = f": >{path}; echo open; exec {QEMU} 1000000 9<>{path} >/dev/null"
    process = await asyncio.create_subprocess_exec(
        *machine.enter(), "/bin/sh", "-c", script,
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, start_new_session=True,
    )  # fmt: skip
    assert process.stdout is not None  # noqa: S101 - tells mypy what PIPE means
    await process.stdout.readline()
    return process


async def end(process: asyncio.subprocess.Process) -> None:
    """The guest's process ends."""
    # nsenter is the process that we know; the guest is its child
    path = f"/proc/{process.pid}/task/{process.pid}/children"
    with contextlib.suppress(OSError):
        with open(path, encoding="ascii") as children:
            pids = children.read().split()
        killing = await asyncio.create_subprocess_exec("/bin/sh", "-c", f"kill -9 {shlex.join(pids)}")
        await killing.wait()
    with contextlib.suppress(ProcessLookupError):
        process.kill()
    await process.wait()
