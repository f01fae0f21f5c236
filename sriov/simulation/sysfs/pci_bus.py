"""The PCI bus in /sys: devices with their links, drivers and IOMMU groups."""

from __future__ import annotations

from ..tree.nodes import Directory, Link


class PciBus:
    """Draws devices into `root`. `domain_type` is the type of each IOMMU group; None: there is no IOMMU."""

    def __init__(self, root: Directory, domain_type: str | None) -> None:
        self._root = root
        self._domain_type = domain_type
        self._groups = 0

    def device(self, pci: str) -> Directory:
        """The folder of a device."""
        return self._root.make(f"devices/pci{pci[:7]}/{pci}")

    def add(self, pci: str, *, vendor: str, device: str, driver: str, numa_node: int, group: str = "") -> Directory:
        """The folder of a new device, bound to `driver` ('' binds it to none), in that IOMMU group ('': a new one)."""
        folder = self.device(pci)
        folder.text(vendor=vendor, device=device, numa_node=numa_node, enable=1, ari_enabled=1, **{"class": "0x020000"})
        folder.entries["subsystem"] = Link("../../../bus/pci")
        self._root.make("bus/pci/devices").entries[pci] = Link(f"../../../devices/pci{pci[:7]}/{pci}")
        if self._domain_type is not None:
            if not group:
                group = str(self._groups)
                self._groups += 1
            folder.entries["iommu_group"] = Link(f"../../../kernel/iommu_groups/{group}")
            entry = self._root.make(f"kernel/iommu_groups/{group}")
            entry.text(type=self._domain_type)
            entry.make("devices").entries[pci] = Link(f"../../../../devices/pci{pci[:7]}/{pci}")
        self.bind(pci, driver)
        return folder

    def remove(self, pci: str) -> None:
        """Take a device away, with its IOMMU group if it was the last one there."""
        self.bind(pci, "")
        group = self.iommu_group(pci)
        if group:
            devices = self._root.make(f"kernel/iommu_groups/{group}/devices").entries
            del devices[pci]
            if not devices:
                del self._root.make("kernel/iommu_groups").entries[group]
        del self._root.make("bus/pci/devices").entries[pci]
        del self._root.make(f"devices/pci{pci[:7]}").entries[pci]

    def bind(self, pci: str, driver: str) -> None:
        """Bind a device to a driver; an empty name unbinds it."""
        folder = self.device(pci)
        old = self.driver(pci)
        if old:
            del folder.entries["driver"]
            self._root.make(f"bus/pci/drivers/{old}").entries.pop(pci, None)
        if driver:
            folder.entries["driver"] = Link(f"../../../bus/pci/drivers/{driver}")
            drivers = self._root.make(f"bus/pci/drivers/{driver}")
            drivers.entries[pci] = Link(f"../../../../devices/pci{pci[:7]}/{pci}")

    def driver(self, pci: str) -> str:
        """Name of the driver that a device is bound to, or ''."""
        return _target(self.device(pci), "driver")

    def iommu_group(self, pci: str) -> str:
        """Number of a device's IOMMU group, or ''."""
        return _target(self.device(pci), "iommu_group")


def _target(folder: Directory, name: str) -> str:
    """The last part of where a link leads, or '' where there is none."""
    link = folder.entries.get(name)
    return link.target.rsplit("/", 1)[1] if isinstance(link, Link) else ""
