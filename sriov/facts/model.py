"""What a host is, as values: one look at it. Nothing here decides anything, and nothing reads a host.

`sriov.facts.parser` makes them of the output of the probe.
"""

from __future__ import annotations

import enum
import hashlib
import re
from collections.abc import Mapping
from typing import NamedTuple

from sriov.facts.counters import PortCounters

ASPM_POLICY = "/sys/module/pcie_aspm/parameters/policy"
ABSENT = "-"  # in place of a checksum: no such file


def checksum(content: bytes | None) -> str:
    """SHA-256 in hex, or `-` for a file that is not there."""
    return ABSENT if content is None else hashlib.sha256(content).hexdigest()


class HolderKind(enum.Enum):
    """What uses a VF; the values are the words in front of its name."""

    GUEST = "libvirt domain"
    SHUT_OFF = "shut-off domain"  # keeps its VF: it starts with it, or not at all
    BOUND_PORT = "port bound in neutron"  # of a guest that the host itself does not show
    PROCESS = "process"
    VDPA = "vDPA device"
    DRIVER = "user-space driver"
    NETWORK_DEVICE = "network device"
    NAMESPACE = "another network namespace"
    UNKNOWN = "cannot be determined:"  # what is needed to look is missing, or cannot be read; the name says what
    OTHER = ""


class Holder(NamedTuple):
    """Who uses a VF. `name` may say more: `eth0v1, part of bond0`; empty where the kind says all."""

    kind: HolderKind
    name: str = ""

    def __str__(self) -> str:
        if self.kind is HolderKind.BOUND_PORT:
            return f"port {self.name} (bound in neutron)"
        if not self.is_known:
            return f"a user that cannot be determined: {self.name}"
        return f"{self.kind.value} {self.name}".strip()

    @property
    def is_known(self) -> bool:
        """Whether there is a user; else one may be, for not all can be seen."""
        return self.kind is not HolderKind.UNKNOWN

    @property
    def is_guest(self) -> bool:
        """Whether nova, too, knows of it."""
        return self.kind in (HolderKind.GUEST, HolderKind.SHUT_OFF, HolderKind.BOUND_PORT)


class VirtualFunction(NamedTuple):
    """A VF as seen. `holder` is None if it is not in use, or if that was not asked. `interfaces` are the names of its
    network interfaces; a VF that a guest has shows none. `traffic`: the one of them over which the host sends, though
    nothing else tells of a use."""

    index: int  # type: ignore[assignment] # hides the method of tuples
    pci_address: str
    driver: str = ""
    holder: Holder | None = None
    interfaces: tuple[str, ...] = ()
    traffic: str = ""


class Port(NamedTuple):
    """A PCI network port as seen. `total_vfs` is None without SR-IOV. `shared_group` is the number of its IOMMU group
    if its VFs are in that one too. `hung_writer` is the pid of a write to `sriov_numvfs` that the kernel has not
    answered yet, 0 if there is none. `beside` are further network interfaces of the same PCI function, such as
    representors."""

    interface: str
    pci_address: str
    driver: str = ""
    mac: str = ""
    vendor: str = ""
    device: str = ""
    vf_device: str = ""
    total_vfs: int | None = None
    offset: int = 0
    stride: int = 0
    is_virtual_function: bool = False
    has_iommu_group: bool = False
    iommu_type: str = ""
    shared_group: str = ""
    hung_writer: int = 0
    vfs: tuple[VirtualFunction, ...] = ()
    beside: tuple[str, ...] = ()

    @property
    def netdevs(self) -> tuple[tuple[str, str], ...]:
        """Names of network interfaces of the port and of its VFs, each with the PCI address of its device."""
        own = ((name, self.pci_address) for name in (self.interface, *self.beside))
        return (*own, *((name, vf.pci_address) for vf in self.vfs for name in vf.interfaces))

    @property
    def num_vfs(self) -> int:
        return len(self.vfs)

    def vf_address(self, index: int) -> str:
        """PCI address of VF `index`, also before it exists: routing id + offset + index * stride
        (PCI Express SR-IOV 1.1, 2.1.2; drivers/pci/iov.c `pci_iov_virtfn_bus`)."""
        for vf in self.vfs:
            if vf.index == index:
                return vf.pci_address
        domain, bus, slot, function = re.split(r"[:.]", self.pci_address)
        routing = (int(bus, 16) << 8 | int(slot, 16) << 3 | int(function)) + self.offset + index * self.stride
        return f"{domain}:{routing >> 8:02x}:{routing >> 3 & 31:02x}.{routing & 7}"


class NetDevice(NamedTuple):
    """A network interface of the host that has a device: its last name on its bus (`0000:01:00.0`, `virtio0`), empty
    for a VF."""

    interface: str
    device: str
    is_physical_function: bool = False


class Unit(NamedTuple):
    """A systemd unit. `started_at` in seconds since boot; None if it does not run.

    `environment`: names of the form `OS_<GROUP>__<OPTION>` in its environment, as it runs or would be started.
    """

    name: str
    is_loaded: bool
    active_state: str
    file_state: str = ""
    needs_reload: bool = False
    started_at: float | None = None
    environment: tuple[str, ...] = ()

    @property
    def is_active(self) -> bool:
        return self.active_state == "active"

    @property
    def is_masked(self) -> bool:
        return self.file_state in ("masked", "masked-runtime")

    @property
    def is_put_away(self) -> bool:
        """Whether it was stopped, and neither a boot nor another unit shall start it: that is a decision."""
        is_off = self.is_masked or self.file_state in ("disabled", "linked", "linked-runtime")
        return is_off and self.active_state in ("inactive", "failed")


class Replaced(NamedTuple):
    """A file that a run replaced, and the number under which it kept the old one. `-`: there was or is none.

    `kept`: of the old one, the lines that rest on VFs: `Description=` and `ExecStart=` where it is a unit, the entries
    for devices where it is a file of nova's or neutron's.
    """

    number: str
    before: str
    after: str
    path: str
    kept: str = ""


class Facts(NamedTuple):
    """One look at a host. `files` are taken whole, by path; `changed` says when, in seconds since boot.
    `values` are the files of one line that a capability asked for: path -> line.
    `hard_linked`: files that have other names too, and the number of all names. `oversized`: files that are too large
    to be read to their end, and their bytes.
    `lock` says who is changing this host just now, and since when; empty: no run is.
    `counters` are those of VFs, where they were asked for. `netdevs`: all of a compute host; empty: not asked."""

    boot_id: str
    cmdline: str
    cpu_vendor: str = ""
    acpi_tables: frozenset[str] = frozenset()
    nova_versions: tuple[str, ...] = ()
    instances: tuple[str, ...] = ()
    lock: str = ""
    tools: frozenset[str] = frozenset()
    missing_tools: tuple[str, ...] = ()
    ports: tuple[Port, ...] = ()
    netdevs: tuple[NetDevice, ...] = ()
    files: Mapping[str, bytes] = {}
    values: Mapping[str, str] = {}
    unreadable: tuple[str, ...] = ()
    changed: Mapping[str, float] = {}
    hard_linked: Mapping[str, int] = {}
    oversized: Mapping[str, int] = {}
    units: tuple[Unit, ...] = ()
    other_setters: tuple[str, ...] = ()
    run_id: str = ""
    replaced: tuple[Replaced, ...] = ()
    counters: tuple[PortCounters, ...] = ()

    def port(self, *, interface: str = "", pci: str = "", mac: str = "") -> Port | None:
        for port in self.ports:
            if (
                (interface and port.interface == interface)
                or (pci and port.pci_address == pci)
                or (mac and port.mac == mac)
            ):
                return port
        return None

    def unit(self, name: str) -> Unit | None:
        return next((unit for unit in self.units if unit.name == name and unit.is_loaded), None)

    @property
    def aspm_policy(self) -> str:
        """Power saving of PCIe links, of `[default] performance powersave powersupersave `: with `default` they are as
        the BIOS set them, else as the kernel does (drivers/pci/pcie/aspm.c). VFs work with each. Empty where it was
        not asked, and where the kernel was built without ASPM and so leaves the links to the BIOS."""
        chosen = re.search(r"\[([a-z]{1,32})\]", self.values.get(ASPM_POLICY, ""))
        return chosen[1] if chosen else ""

    def text(self, path: str) -> str:
        return self.files.get(path, b"").decode(errors="replace")
