"""The IOMMU in passthrough mode: which kernel arguments that takes, and the signs that it works.

Intel needs `intel_iommu=on iommu=pt`; AMD's IOMMU is on by default and `amd_iommu=on` is no valid value, so it
needs `iommu=pt` only; other architectures need neither (Documentation/admin-guide/kernel-parameters.txt).
"""

from __future__ import annotations

from collections.abc import Iterator

from sriov.facts.model import Facts
from sriov.formats import grub
from sriov.formats.grub import KernelArgument
from sriov.resources.contract import Capability, Item, Problem, Request, Severity

_INTEL = (KernelArgument("intel_iommu", "on"), KernelArgument("iommu", "pt"))
_AMD = (KernelArgument("iommu", "pt"),)
_VENDORS = {  # as /proc/cpuinfo spells them: arguments, ACPI table, what the BIOS calls it
    "GenuineIntel": (_INTEL, "DMAR", "VT-d"),
    "AuthenticAMD": (_AMD, "IVRS", "AMD-Vi or IOMMU"),
    "HygonGenuine": (_AMD, "IVRS", "AMD-Vi or IOMMU"),
}


def _desired(request: Request, facts: Facts) -> Iterator[Item | Problem]:
    if not request.wants_vfs or facts.cpu_vendor not in _VENDORS:
        return
    arguments, table, setting = _VENDORS[facts.cpu_vendor]
    yield from arguments
    if arguments is _AMD and (off := _switched_off(facts)):
        yield Problem(
            "iommu",
            off,
            "it stands on the kernel command line and switches the IOMMU off",
            f"take {off} out of /etc/default/grub or wherever it was set, and reboot",
        )
    if table not in facts.acpi_tables:
        yield Problem(
            "iommu",
            table,
            f"the firmware has no {table} table: the IOMMU is switched off",
            f"switch on {setting} in the BIOS setup of this host",
        )
    elif not grub.lacking(facts.cmdline, arguments):
        yield from _signs(request, facts, setting)


def _switched_off(facts: Facts) -> str:
    """The token that keeps AMD's driver from starting; none of ours would undo it."""
    driver = KernelArgument("amd_iommu")
    return next((t for t in grub.tokens(facts.cmdline) if driver.names(t) and t.endswith("=off")), "")


def _signs(request: Request, facts: Facts, setting: str) -> Iterator[Problem]:
    """The kernel was told; did it listen? `identity` is the group type of passthrough (since Linux 5.11)."""
    for pf in request.physical_functions:
        port = facts.port(interface=pf.interface, pci=pf.pci, mac=pf.mac)
        if port is None or port.total_vfs is None:
            continue
        if not port.has_iommu_group:
            yield Problem(
                "iommu",
                port.interface,
                f"the kernel has its arguments, but {port.pci_address} is in no IOMMU group",
                f"look for DMAR or AMD-Vi in the kernel log, and check {setting} in the BIOS setup",
                Severity.BLOCKED,
            )
        elif port.iommu_type not in ("", "identity"):
            yield Problem(
                "iommu",
                port.interface,
                f"the IOMMU group of {port.pci_address} is of type {port.iommu_type}, not identity (passthrough)",
                "something else on the kernel command line overrides iommu=pt",
                Severity.WARNING,
            )


CAPABILITY = Capability("iommu", desired=_desired)
