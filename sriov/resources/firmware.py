"""Signs of BIOS settings that no task can set, and that alone keep no VF from a guest: shown, never judged.

ASPM saves power on PCIe links that are idle. The BIOS sets it for each link; with the policy `default` the kernel
leaves them so, with another it sets them itself (drivers/pci/pcie/aspm.c, admin-guide/kernel-parameters.txt). Settings
that a VF does need have signs of their own: `iommu.py`, `virtual_functions.py`.
"""

from __future__ import annotations

import re

from sriov.facts.model import Facts
from sriov.resources.contract import Capability, Reads, Request

_ASPM_POLICY = "/sys/module/pcie_aspm/parameters/policy"


def _reads(request: Request) -> Reads:
    """For those who look at the hardware; no change depends on it."""
    return Reads(values=(_ASPM_POLICY,)) if request.ask_holders or request.all_ports else Reads()


def aspm_policy(facts: Facts) -> str:
    """`[default] performance powersave powersupersave ` -> `default`; empty where it was not asked, or where the kernel
    was built without ASPM and so leaves each link as the BIOS set it."""
    chosen = re.search(r"\[([a-z]{1,32})\]", facts.values.get(_ASPM_POLICY, ""))
    return chosen[1] if chosen else ""


CAPABILITY = Capability("firmware", _reads)
