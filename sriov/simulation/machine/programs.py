"""Which commands of a host are scripts of the simulation, and which commands of this machine it must not have."""

from __future__ import annotations

from pathlib import Path

from ..spec import Family, HostSpec

STUBS = Path(__file__).parent.parent / "stubs"
ASKED = {
    "bin": ("systemctl", "dpkg-query", "rpm"),
    "sbin": ("ip", "reboot", "shutdown"),
}
# Commands of the machine that a host of this family would not have.
FOREIGN: dict[Family, tuple[str, ...]] = {
    "debian": ("rpm", "dnf", "yum", "grubby", "grub2-mkconfig"),
    "rhel": ("dpkg", "dpkg-query", "apt-get", "update-grub", "grub-mkconfig"),
}


def stubs(spec: HostSpec) -> dict[str, str]:
    """Place below /usr/local -> path of the file that is copied there."""
    found = {f"{folder}/{name}": "ask.sh" for folder, names in ASKED.items() for name in names}
    found["bin/sudo"] = "sudo.sh"
    if "compute" in spec.roles:
        found["bin/virsh"] = "ask.sh"
    if spec.family == "debian":
        del found["bin/rpm"]
        found["sbin/update-grub"] = found["sbin/grub-mkconfig"] = "update-grub.sh"
    else:
        del found["bin/dpkg-query"]
        found["sbin/grubby"] = "grubby.sh"
        found["bin/sh"] = "/bin/bash"  # which is sh there; on Debian it is dash
    return {place: str(STUBS / script) for place, script in found.items()}
