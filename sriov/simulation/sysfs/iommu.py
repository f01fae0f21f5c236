"""What the kernel has of an IOMMU: the firmware's table that tells of one, and what its arguments make of it."""

from __future__ import annotations

from ..spec import Cpu

TABLES: dict[Cpu, str] = {"intel": "DMAR", "amd": "IVRS", "arm": "IORT"}


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
