"""What only a host of the RHEL family has: os-release, GRUB's defaults, and an entry of the boot loader per kernel."""

from __future__ import annotations

from collections.abc import Iterator

from ..spec import HostSpec
from .entry import MACHINE_ID, ROOT_UUID, Entry

KERNELS = ("5.14.0-427.13.1.el9_4.x86_64", "5.14.0-362.8.1.el9_3.x86_64")


def rhel_files(spec: HostSpec) -> Iterator[Entry]:
    """Parents before children."""
    yield Entry(
        "/etc/os-release",
        b'NAME="Rocky Linux"\nVERSION="9.4 (Blue Onyx)"\nID="rocky"\nID_LIKE="rhel centos fedora"\n'
        b'VERSION_ID="9.4"\nPRETTY_NAME="Rocky Linux 9.4 (Blue Onyx)"\n',
    )
    line = f"crashkernel=1G-4G:192M,4G-64G:256M,64G-:512M {spec.cmdline}".rstrip()
    yield Entry("/etc/default", mode=0o755, folder=True)
    yield Entry(
        "/etc/default/grub",
        (
            "GRUB_TIMEOUT=5\nGRUB_DISTRIBUTOR=\"$(sed 's, release .*$,,g' /etc/system-release)\"\n"
            'GRUB_DEFAULT=saved\nGRUB_DISABLE_SUBMENU=true\nGRUB_TERMINAL_OUTPUT="console"\n'
            f'GRUB_CMDLINE_LINUX="{line}"\nGRUB_DISABLE_RECOVERY="true"\nGRUB_ENABLE_BLSCFG=true\n'
        ).encode(),
    )
    for folder in ("/boot/grub2", "/boot/loader", "/boot/loader/entries"):
        yield Entry(folder, mode=0o755, folder=True)
    for kernel in KERNELS:
        for name in (f"vmlinuz-{kernel}", f"initramfs-{kernel}.img"):
            yield Entry(f"/boot/{name}", b"simulated\n")
        entry = (
            f"title Rocky Linux ({kernel}) 9.4 (Blue Onyx)\nversion {kernel}\nlinux /vmlinuz-{kernel}\n"
            f"initrd /initramfs-{kernel}.img\noptions root=UUID={ROOT_UUID} ro {line}\n"
            "grub_users $grub_users\ngrub_arg --unrestricted\ngrub_class rocky\n"
        )
        yield Entry(f"/boot/loader/entries/{MACHINE_ID}-{kernel}.conf", entry.encode())
    env = f"# GRUB Environment Block\nsaved_entry={MACHINE_ID}-{KERNELS[0]}\nboot_success=0\n"
    yield Entry("/boot/grub2/grubenv", env.ljust(1024, "#").encode())
    yield Entry("/boot/grub2/grub.cfg", b"# the entries stand in /boot/loader/entries\ninsmod blscfg\nblscfg\n")
