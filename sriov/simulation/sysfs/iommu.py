"""What the kernel has of an IOMMU: the firmware's table that tells of one, and what its arguments make of it."""

from __future__ import annotations

from ..spec import Cpu

TABLES: dict[Cpu, str] = {"intel": "DMAR", "amd": "IVRS", "arm": "IORT"}


def is_passthrough(command_line: str, cpu: str) -> bool:
    """Whether the kernel's default IOMMU domain is `identity` with these arguments."""
    tokens = command_line.split()
    iommu = [token.split("=", 1)[1] for token in tokens if token.startswith("iommu=")]
    intel = [token.split("=", 1)[1] for token in tokens if token.startswith("intel_iommu=")]
    enabled = cpu != "intel" or (bool(intel) and "on" in intel[-1].split(","))
    return bool(iommu) and "pt" in iommu[-1].split(",") and enabled
