"""The whole /sys of one simulated host: its bus, its interfaces, its VFs, and reading and writing by path.

Writes raise OSError with the kernel's errno, or `BlockedError` where the kernel would put the writer to sleep; the
server of the tree adds to the error's `wakeups` what it does then.
"""

from __future__ import annotations

import errno

from ..spec import Cpu, Nic
from ..tree.nodes import Attribute, Directory, failure
from . import aspm
from . import iommu as iommu_units
from .huge_pages import show
from .netdevs import Netdevs
from .pci_bus import PciBus
from .port import Port
from .vfs import Later, Vfs

FOLDERS = (
    "class/net",
    "bus/pci/devices",
    "bus/pci/drivers",
    "class/iommu",
    "kernel/iommu_groups",
    "firmware/acpi/tables",
)


class Sysfs:
    """The tree `root` and its parts. `later(seconds, act)` runs what the hardware does afterwards."""

    def __init__(
        self,
        nics: tuple[Nic, ...],
        cpu: Cpu = "intel",
        *,
        iommu: bool = True,
        passthrough: bool = False,
        huge_pages: dict[int, int] | None = None,
        cmdline: str = "",
        later: Later = lambda _seconds, act: act(),
    ) -> None:
        self.root = Directory()
        for path in FOLDERS:
            self.root.make(path)
        if iommu:
            iommu_units.show(self.root, cpu)
        show(self.root, huge_pages or {})
        aspm.show(self.root, cmdline)
        domain_type = "identity" if passthrough else "DMA-FQ"
        self.bus = PciBus(self.root, domain_type if iommu else None)
        self.netdevs = Netdevs(self.root)
        self.vfs = Vfs(self.bus, self.netdevs, later)
        self.ports: dict[str, Port] = {nic.interface: Port(nic) for nic in nics}
        for nic in nics:
            self.bus.add(nic.pci, vendor=nic.vendor, device=nic.device, driver=nic.driver, numa_node=nic.numa_node)
            if nic.sriov:
                self.vfs.add_capability(self.ports[nic.interface])

    def plug(self) -> None:
        """The drivers have found their cards: the netdevs of the PFs appear (early in a boot they are not there)."""
        for nic in (port.nic for port in self.ports.values()):
            self.netdevs.add(nic.interface, nic.mac, nic.pci, up=nic.up)

    def read(self, path: str) -> str:
        """Text of a file below /sys, links followed. Raises OSError, BlockedError."""
        node = self.root.find(self.root.resolve(path))
        if not isinstance(node, Attribute):
            raise failure(errno.EISDIR)
        return node.show()

    def write(self, path: str, data: bytes) -> None:
        """One write(2) to a file below /sys, links followed. Raises OSError, BlockedError."""
        node = self.root.find(self.root.resolve(path))
        if not isinstance(node, Attribute) or node.store is None:
            raise failure(errno.EACCES)
        node.store(data)
