"""VMs inside a guest: each gets a virtual function of the guest's card, and says on its console what it sees of it.

The emulated host emulates in turn: a nested VM takes minutes to tell what it has to.
"""

from __future__ import annotations

import time
import uuid
from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from pathlib import Path

from sriov.cloud import host_checks
from sriov.cloud.host_checks import Expected

from .guest import Guest, GuestError

HERE = Path(__file__).parent
FOLDER = "/var/lib/libvirt/images"
KERNEL = f"{FOLDER}/vmlinux"  # build-image.sh puts it there
INITRD = f"{FOLDER}/nested.initrd"
CONSOLES = "/var/log/libvirt/qemu"
MEMORY_MIB = 128
# The nested processor's own clock: so many instructions are a second. By the real clock a busy machine would let its
# 250 timer interrupts a second take all of its time.
CLOCK = "shift=3"
REPORT_SECONDS = 1800
PEERS = ("10.9.0.2", "10.9.0.3")
OTHER_VLAN = 4000  # of the second peer

# The other port of the guest as the switch's far side: 10.9.0.2 on the VMs' VLAN, 10.9.0.3 on another. Each in a
# namespace of its own, for a host answers for all of its addresses on each of its ports.
MAKE_PEERS = """
set -eu
ip link set enp2s0 up
for peer in {peers}; do
    name=vlan${{peer%%:*}}
    ip netns add "$name"
    ip link add link enp2s0 name "$name" type vlan id "${{peer%%:*}}"
    ip link set "$name" netns "$name"
    ip -n "$name" addr add "${{peer#*:}}/24" dev "$name"
    ip -n "$name" link set "$name" up
done
"""


def prepare(guest: Guest, vlan: int) -> None:
    """Put into the guest what nested VMs boot from, and peers that answer (`PEERS`): one on `vlan`, one on another."""
    guest.sh("mkdir -p /root/nested")
    for name in ("nested-init.sh", "nested-initrd.sh"):
        guest.write(f"/root/nested/{name}", (HERE / name).read_bytes())
    guest.write("/root/nested/smoke.sh", host_checks.GUEST_SCRIPT.encode())
    guest.sh(f"sh /root/nested/nested-initrd.sh {INITRD}")
    guest.sh(MAKE_PEERS.format(peers=f"{vlan}:{PEERS[0]} {OTHER_VLAN}:{PEERS[1]}"))


@dataclass(frozen=True, slots=True)
class Report:
    """What a nested VM said: PCI devices as `0x8086 0x10ca igbvf`, packets that came back from each peer."""

    console: str
    pci: tuple[str, ...]
    answers: dict[str, int]

    @classmethod
    def parse(cls, console: str) -> Report:
        lines = [line.strip().partition(" ")[2] for line in console.splitlines() if line.startswith("nested ")]
        words = [line.split() for line in lines]
        return cls(
            console,
            tuple(" ".join(some[1:]) for some in words if some[0] == "pci"),
            {some[1]: int(some[2]) if some[2:] else 0 for some in words if some[0] == "ping"},
        )


@dataclass
class NestedVM(ABC):
    """A VM that is given VF `index` of the guest's port enp1s0, at `pci`; `address` is its own, in IP."""

    guest: Guest
    name: str
    index: int
    pci: str
    mac: str
    vlan: int
    address: str
    uuid: str = field(default_factory=lambda: str(uuid.uuid4()))

    @abstractmethod
    def start(self) -> None:
        """Give it the virtual function and switch it on."""

    @abstractmethod
    def end(self) -> None:
        """Switch it off, and wait until its process is gone."""

    @property
    def console(self) -> str:
        return f"{CONSOLES}/{self.name}-console.log"

    @property
    def arguments(self) -> str:
        """Of the nested kernel. Unknown ones become the first process's environment."""
        return f"console=ttyS0 mitigations=off no_timer_check address={self.address} peers={','.join(PEERS)}"

    @property
    def expected(self) -> Expected:
        """What `smoke` would look for, had nova made this VM."""
        return Expected(self.uuid, self.name, self.pci, "8086:10ca", self.mac, self.vlan)

    def report(self) -> Report:
        """What it said, once it has said all."""
        deadline = time.monotonic() + REPORT_SECONDS
        while time.monotonic() < deadline:
            console = self.guest.sh(f"cat {self.console}", check=False).stdout
            if host_checks.END_MARK in console:
                return Report.parse(console)
            time.sleep(2)
        raise GuestError(f"the VM {self.name} has not told what it sees within {REPORT_SECONDS} s:\n{console[-2000:]}")


class PlainVM(NestedVM):
    """QEMU started by hand, its virtual function bound to vfio-pci by hand."""

    @property
    def pid_file(self) -> str:
        return f"/run/{self.name}.pid"

    def start(self) -> None:
        self.guest.sh(f"""set -eu
            ip link set enp1s0 vf {self.index} mac {self.mac} vlan {self.vlan}
            modprobe vfio-pci
            device=/sys/bus/pci/devices/{self.pci}
            echo vfio-pci > $device/driver_override
            echo {self.pci} > $device/driver/unbind
            echo {self.pci} > /sys/bus/pci/drivers_probe
            setsid qemu-system-x86_64 -machine q35 -accel tcg -cpu Nehalem-v1 -icount {CLOCK} -m {MEMORY_MIB} \\
                -nodefaults -display none -serial file:{self.console} -kernel {KERNEL} -initrd {INITRD} \\
                -append '{self.arguments}' \\
                -device vfio-pci,host={self.pci} -pidfile {self.pid_file} </dev/null >/root/{self.name}.log 2>&1 &
            until [ -s {self.pid_file} ]; do sleep 0.2; kill -0 $! || {{ cat /root/{self.name}.log; exit 1; }}; done
        """)

    @property
    def pid(self) -> str:
        return self.guest.out(f"cat {self.pid_file}")

    def end(self) -> None:
        self.guest.sh(f"pid=$(cat {self.pid_file}); kill $pid; while kill -0 $pid 2>/dev/null; do sleep 0.2; done")


class LibvirtVM(NestedVM):
    """A libvirt domain as nova defines it for a port of vnic_type direct (nova/virt/libvirt/vif.py, hw_veb)."""

    def xml(self) -> str:
        domain, bus, slot_function = self.pci.split(":")
        slot, function = slot_function.split(".")
        return f"""<domain type='qemu' xmlns:qemu='http://libvirt.org/schemas/domain/qemu/1.0'>
  <name>{self.name}</name><uuid>{self.uuid}</uuid><memory unit='MiB'>{MEMORY_MIB}</memory><vcpu>1</vcpu>
  <os>
    <type arch='x86_64' machine='pc'>hvm</type>
    <kernel>{KERNEL}</kernel><initrd>{INITRD}</initrd><cmdline>{self.arguments}</cmdline>
  </os>
  <features><acpi/></features>
  <cpu mode='custom' match='exact'><model>Nehalem</model></cpu>
  <devices>
    <controller type='usb' model='none'/><memballoon model='none'/>
    <serial type='file'><source path='{self.console}'/></serial>
    <interface type='hostdev' managed='yes'>
      <mac address='{self.mac}'/>
      <source>
        <address type='pci' domain='0x{domain}' bus='0x{bus}' slot='0x{slot}' function='0x{function}'/>
      </source>
      <vlan><tag id='{self.vlan}'/></vlan>
    </interface>
  </devices>
  <qemu:commandline><qemu:arg value='-icount'/><qemu:arg value='{CLOCK}'/></qemu:commandline>
</domain>
"""

    def start(self) -> None:
        path = f"/root/nested/{self.name}.xml"
        self.guest.write(path, self.xml().encode())
        self.guest.sh(f"virsh define {path} && virsh start {self.name}")

    def end(self) -> None:
        self.guest.sh(f"virsh destroy {self.name} && virsh undefine {self.name}")
