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
QEMU = "/usr/local/lib/simulation/qemu-system-x86_64"


def write_status(machine: Machine, name: str, pci: str) -> None:
    """The status XML of a guest that has the device `pci`."""
    domain, bus, rest = pci.split(":")
    slot, function = rest.split(".")
    path = _status(machine, name)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(DOMAIN.format(name=name, pid=4242, domain=domain, bus=bus, slot=slot, function=function))


def remove_status(machine: Machine, name: str) -> None:
    _status(machine, name).unlink(missing_ok=True)


def _status(machine: Machine, name: str) -> Path:
    return machine.disk(STATUS.format(name=name))


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
