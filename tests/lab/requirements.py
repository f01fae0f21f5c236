"""What the lab needs of the machine that it runs on, and what of it is missing.

Nothing is installed from here: `tests/lab/install.sh` does that.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

PROGRAMS = {
    "mmdebstrap": "mmdebstrap",
    "sfdisk": "fdisk",
    "mkfs.ext4": "e2fsprogs",
    "losetup": "mount",
    "unshare": "util-linux",
    "setpriv": "util-linux",
    "xz": "xz-utils",
    "qemu-img": "qemu-utils",
    "qemu-system-x86_64": "qemu-system-x86 from bookworm-backports",
    "systemd-nspawn": "systemd-container",
    "ssh": "openssh-client",
    "ssh-keygen": "openssh-client",
}
OLDEST_QEMU = 8  # the first with -device igb


class MissingError(Exception):
    """The lab cannot run here; the message lists everything that is missing."""


def qemu_version() -> str:
    """`10.0.2` for `QEMU emulator version 10.0.2 (Debian ...)`; empty if there is none."""
    if shutil.which("qemu-system-x86_64") is None:
        return ""
    text = subprocess.run(["qemu-system-x86_64", "--version"], capture_output=True, text=True, check=True).stdout
    found = re.search(r"version ([0-9.]+)", text)
    return found[1] if found else ""


def fab_program() -> Path:
    """The `fab` that belongs to the running interpreter."""
    return Path(sys.executable).with_name("fab")


def missing() -> list[str]:
    """Everything that is missing, one sentence each; empty when the lab can run."""
    faults = []
    if os.geteuid() != 0:
        faults.append("root: the image build mounts file systems and uses loop devices")
    if not Path("/dev/loop-control").exists():
        faults.append("loop devices: /dev/loop-control does not exist")
    faults += [
        f"{program}: not found (Debian package: {package})"
        for program, package in PROGRAMS.items()
        if shutil.which(program) is None
    ]
    version = qemu_version()
    if version and int(version.partition(".")[0]) < OLDEST_QEMU:
        faults.append(f"QEMU {OLDEST_QEMU} or newer: version {version} has no igb device (bookworm-backports has one)")
    if not fab_program().exists():
        faults.append(f"fab: not found beside {sys.executable}; install the project and its requirements there")
    return faults


def check() -> None:
    """Pass if the lab can run here; MissingError that names all that is missing if not."""
    if faults := missing():
        lines = "".join(f"\n  * {fault}" for fault in faults)
        raise MissingError(f"the lab cannot run here:{lines}\n  -> as root on Debian 12: sh tests/lab/install.sh")
