"""What the kernel does about power saving on PCIe links (ASPM), by its command line.

Source: drivers/pci/pcie/aspm.c. `pcie_aspm=off`, and firmware that keeps ASPM to itself, set the policy `default` and
let no one change it: each link stays as the firmware left it. The list ends in a blank (`pcie_aspm_get_policy`).
"""

from __future__ import annotations

from ..tree.nodes import Directory

_POLICIES = ("default", "performance", "powersave", "powersupersave")
FOLDER = "module/pcie_aspm/parameters"


def policy(command_line: str) -> str:
    """The policy in force; a word that the kernel does not know changes nothing."""
    found = "default"
    for name, _, value in (token.partition("=") for token in command_line.split()):
        if (name, value) == ("pcie_aspm", "off"):
            return "default"
        if name == "pcie_aspm.policy" and value in _POLICIES:
            found = value
    return found


def show(root: Directory, command_line: str) -> None:
    chosen = policy(command_line)
    text = "".join(f"[{name}] " if name == chosen else f"{name} " for name in _POLICIES)
    root.make(FOLDER).text(policy=text)
