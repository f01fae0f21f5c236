"""What the kernel has of an IOMMU: the firmware's table that tells of one, and what its arguments make of it."""

from __future__ import annotations

from ..spec import Cpu
from ..tree.nodes import Directory, Link

TABLES: dict[Cpu, str] = {"intel": "DMAR", "amd": "IVRS", "arm": "IORT"}

# where the drivers hang what they find (intel/iommu.c and amd/init.c below drivers/iommu, arm/arm-smmu-v3)
_UNITS: dict[Cpu, str] = {
    "intel": "virtual/iommu/dmar0",
    "amd": "pci0000:00/0000:00:00.2/iommu/ivhd0",
    "arm": "platform/arm-smmu-v3.0.auto/iommu/smmu3.0x0000000002b40000",
}


def show(root: Directory, cpu: Cpu) -> None:
    """The table of the firmware, and the unit that its driver has found by it."""
    root.make("firmware/acpi/tables").text(**{TABLES[cpu]: TABLES[cpu]})
    unit = root.make(f"devices/{_UNITS[cpu]}")
    unit.make("devices")
    root.make("class/iommu").entries[_UNITS[cpu].rpartition("/")[2]] = Link(f"../../devices/{_UNITS[cpu]}")


def is_passthrough(command_line: str, cpu: str) -> bool:
    """Whether the kernel's default IOMMU domain is `identity` with these arguments.

    Each token of a name and each word of its comma list sets a switch; `iommu=off` is never undone.
    """
    passes, enabled = False, cpu != "intel"
    for token in command_line.split():
        name, _, value = token.partition("=")
        if name == "iommu.passthrough":
            passes = value[:1] in ("1", "y", "Y")
        for word in value.split(","):
            if name == "iommu" and word == "off":
                return False
            if name == "iommu" and word in ("pt", "nopt"):
                passes = word == "pt"
            if name == "intel_iommu" and word in ("on", "off") and cpu == "intel":
                enabled = word == "on"
    return passes and enabled
