"""What only a host of the Debian family has: os-release, GRUB's defaults, the kernels in /boot."""

from __future__ import annotations

from collections.abc import Iterator

from ..spec import HostSpec
from .entry import Entry

KERNELS = ("6.1.0-18-amd64", "6.1.0-17-amd64")


def debian_files(spec: HostSpec) -> Iterator[Entry]:
    """Parents before children; grub.cfg is not among them: the host's own update-grub writes it at the first boot."""
    yield Entry(
        "/etc/os-release",
        b'PRETTY_NAME="Debian GNU/Linux 12 (bookworm)"\nNAME="Debian GNU/Linux"\nVERSION_ID="12"\n'
        b'VERSION="12 (bookworm)"\nVERSION_CODENAME=bookworm\nID=debian\n',
    )
    yield Entry("/etc/default", mode=0o755, folder=True)
    yield Entry("/etc/default/grub", _grub_defaults(spec).encode())
    yield Entry("/boot/grub", mode=0o755, folder=True)
    for kernel in KERNELS:
        for name in (f"vmlinuz-{kernel}", f"initrd.img-{kernel}", f"config-{kernel}"):
            yield Entry(f"/boot/{name}", b"simulated\n")


def _grub_defaults(spec: HostSpec) -> str:
    """/etc/default/grub as Debian's package writes it."""
    return (
        "# If you change this file, run 'update-grub' afterwards to update\n"
        "# /boot/grub/grub.cfg.\n"
        "# For full documentation of the options in this file, see:\n"
        "#   info -f grub -n 'Simple configuration'\n\n"
        "GRUB_DEFAULT=0\nGRUB_TIMEOUT=5\n"
        "GRUB_DISTRIBUTOR=`lsb_release -i -s 2> /dev/null || echo Debian`\n"
        f'GRUB_CMDLINE_LINUX_DEFAULT="{spec.cmdline_default}"\n'
        f'GRUB_CMDLINE_LINUX="{spec.cmdline}"\n\n'
        "# Uncomment to disable graphical terminal (grub-pc only)\n#GRUB_TERMINAL=console\n\n"
        "# Uncomment to disable generation of recovery mode menu entries\n"
        '#GRUB_DISABLE_RECOVERY="true"\n'
    )
