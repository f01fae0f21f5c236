"""The IOMMU in passthrough mode: which kernel arguments that takes, and the signs that it works.

Intel needs `intel_iommu=on iommu=pt`; AMD's IOMMU is on by default and `amd_iommu=on` is no valid value, so it
needs `iommu=pt` only; other architectures need neither (Documentation/admin-guide/kernel-parameters.txt).

VFs for guests do not need passthrough: VFIO makes a domain of its own for each guest. It spares the host's own devices
the translation. So `iommu=pt` gives way to an operator's choice of translation, and to SEV-SNP, which needs it
(`iommu_snp_enable` in drivers/iommu/amd/init.c).
"""

from __future__ import annotations

from collections.abc import Iterator

from sriov.facts.model import Facts
from sriov.formats.kernel_arguments import KernelArgument, missing_arguments, passthrough, tokens
from sriov.resources.contract import Capability, Item, Problem, Request, Severity
from sriov.resources.kernel_arguments import default_entry

_PASSTHROUGH = KernelArgument("iommu", "pt")
_INTEL = (KernelArgument("intel_iommu", "on"), _PASSTHROUGH)
_AMD = (_PASSTHROUGH,)
_MEMORY_ENCRYPTION = (
    KernelArgument("mem_encrypt", "on"),
    *(KernelArgument(f"kvm_amd.{name}", value) for name in ("sev", "sev_snp") for value in ("1", "y", "Y")),
)
_VENDORS = {  # as /proc/cpuinfo spells them: arguments, ACPI table, what the BIOS calls it
    "GenuineIntel": (_INTEL, "DMAR", "VT-d"),
    "AuthenticAMD": (_AMD, "IVRS", "AMD-Vi or IOMMU"),
    "HygonGenuine": (_AMD, "IVRS", "AMD-Vi or IOMMU"),
}


def _desired(request: Request, facts: Facts) -> Iterator[Item | Problem]:
    if not request.wants_vfs or facts.cpu_vendor not in _VENDORS:
        return
    arguments, table, setting = _VENDORS[facts.cpu_vendor]
    is_amd = arguments is _AMD
    if choice := _translation(facts, is_amd):
        yield choice
        arguments = tuple(argument for argument in arguments if argument != _PASSTHROUGH)
    yield from arguments
    if is_amd and (off := _switched_off(facts)):
        yield Problem(
            "iommu-switched-off",
            "iommu",
            off,
            "it stands on the kernel command line and switches the IOMMU off",
            f"remove {off} from /etc/default/grub or where it was set, and reboot",
        )
    if table not in facts.acpi_tables:
        yield Problem(
            "iommu-off-in-firmware",
            "iommu",
            table,
            f"the firmware has no {table} table: the IOMMU is switched off",
            f"switch on {setting} in the BIOS setup of this host",
        )
    elif not missing_arguments(facts.cmdline, arguments):
        yield from _signs(request, facts, setting, _PASSTHROUGH in arguments)


def _translation(facts: Facts, is_amd: bool) -> Problem | None:
    """Why passthrough is not for us to switch on, by the command line of the next boot."""
    entry = default_entry(facts)
    line = facts.cmdline if entry is None else entry
    decided = passthrough(line)
    encryption = next((a for a in _MEMORY_ENCRYPTION if is_amd and not missing_arguments(line, (a,))), None)
    if decided and not decided.is_on:
        return Problem(
            "passthrough-declined",
            "iommu",
            decided.token,
            "it stands on the kernel command line and is left: the IOMMU translates for the host's own devices too; "
            "VFs for guests work without passthrough",
            f"for iommu=pt remove {decided.token} from /etc/default/grub or where it was set, run again, and reboot",
            Severity.WARNING,
        )
    if encryption and not decided:
        return Problem(
            "passthrough-and-sev-snp",
            "iommu",
            str(encryption),
            "it stands on the kernel command line, so iommu=pt is not added: with passthrough AMD's driver gives up "
            "SEV-SNP; VFs for guests work without passthrough",
            "set iommu=nopt beside it to say so for good, or iommu=pt if this host needs no SEV-SNP, and reboot",
            Severity.WARNING,
        )
    return None


def _switched_off(facts: Facts) -> str:
    """The token that keeps AMD's driver from starting; none of ours would undo it."""
    driver = KernelArgument("amd_iommu")
    return next((t for t in tokens(facts.cmdline) if driver.names(t) and t.endswith("=off")), "")


def _signs(request: Request, facts: Facts, setting: str, wants_passthrough: bool) -> Iterator[Problem]:
    """The kernel was told; did it listen? `identity` is the group type of passthrough (since Linux 5.11)."""
    for pf in request.physical_functions:
        port = facts.port(interface=pf.interface, pci=pf.pci, mac=pf.mac)
        if port is None or port.total_vfs is None:
            continue
        if not port.has_iommu_group:
            yield Problem(
                "no-iommu-group",
                "iommu",
                port.interface,
                f"the kernel has its arguments, but {port.pci_address} is in no IOMMU group",
                f"look for DMAR or AMD-Vi in the kernel log, and check {setting} in the BIOS setup",
                Severity.BLOCKED,
            )
        elif port.shared_group:
            yield Problem(
                "shared-iommu-group",
                "iommu",
                port.interface,
                f"{port.pci_address} and its VFs are in one IOMMU group ({port.shared_group}): no guest can have a VF",
                "switch on ACS in the BIOS setup of this host, or put the card into another slot; then reboot",
                Severity.BLOCKED,
            )
        elif wants_passthrough and port.iommu_type not in ("", "identity"):
            yield Problem(
                "iommu-not-passthrough",
                "iommu",
                port.interface,
                f"the IOMMU group of {port.pci_address} is of type {port.iommu_type}, not identity (passthrough)",
                "something else on the kernel command line overrides iommu=pt",
                Severity.WARNING,
            )


CAPABILITY = Capability("iommu", desired=_desired)
