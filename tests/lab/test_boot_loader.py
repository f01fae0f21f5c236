"""Boot loader configurations that make trouble: the arguments reach the kernel, or the error says why not."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from . import observe
from .conftest import MakeGuest
from .guest import BOOTED, Guest
from .product import Fab, entry, single_host_testbed, stanza, write_testbed

pytestmark = pytest.mark.lab

ENTRY = entry("enp1s0", 7, "physnet1")

LINE = "GRUB_CMDLINE_LINUX_DEFAULT"

# What makes each host's GRUB configuration troublesome, and an argument that has to survive.
TROUBLES = {
    "overridden": (f"echo '{LINE}=\"quiet nosoftlockup\"' > /etc/default/grub.d/50-cloud.cfg", "nosoftlockup"),
    "switched-off": (f"sed -i 's/^{LINE}=.*/{LINE}=\"quiet intel_iommu=off\"/' /etc/default/grub", "quiet"),
    "no-variable": (f"sed -i '/^{LINE}=/d' /etc/default/grub", "console=ttyS0,115200"),
}


def test_troubled_grub_files_still_bring_the_arguments_to_the_kernel(
    make_guest: MakeGuest, booted_disk: Path, run_directory: Path, fab: Fab, proved: Callable[[str], None]
) -> None:
    """A grub.d file that overrides the line, a line with intel_iommu=off, no line at all: three hosts, one run."""
    hosts = {name: make_guest(name, booted_disk, BOOTED) for name in TROUBLES}
    for name, (trouble, _survivor) in TROUBLES.items():
        hosts[name].sh(f"{trouble} && update-grub")
    testbed = write_testbed(run_directory / "troubled", [stanza(guest, [ENTRY]) for guest in hosts.values()])
    done = fab("setup_all", "--max-unavailable", "3", testbed=testbed)
    assert done.returncode == 0
    for name, guest in hosts.items():
        arguments = observe.kernel_arguments(guest)
        assert {"intel_iommu=on", "iommu=pt", TROUBLES[name][1]} <= set(arguments)
        assert "intel_iommu=off" not in arguments
        assert observe.boots(guest) == 2
    assert fab("setup_all", testbed=testbed).returncode == 0
    assert [observe.boots(guest) for guest in hosts.values()] == [2, 2, 2]
    proved("overriding grub.d file, intel_iommu=off, missing variable: arguments in /proc/cmdline after one reboot")


# Things that keep update-grub from doing its work, and what puts them right again.
OBSTACLES = {
    "read-only /boot": ("mount --bind /boot /boot && mount -o remount,bind,ro /boot", "umount /boot"),
    "update-grub fails": (
        "mv /usr/sbin/update-grub /usr/sbin/update-grub.real && ln -s /bin/false /usr/sbin/update-grub",
        "mv /usr/sbin/update-grub.real /usr/sbin/update-grub",
    ),
    "update-grub writes nothing": (
        "mv /usr/sbin/update-grub /usr/sbin/update-grub.real && ln -s /bin/true /usr/sbin/update-grub",
        "mv /usr/sbin/update-grub.real /usr/sbin/update-grub",
    ),
}


def test_obstacles_to_update_grub_end_in_an_error_without_a_reboot(
    guest: Guest, fab: Fab, proved: Callable[[str], None]
) -> None:
    """Each obstacle, then all of them cleared: the host still boots what it booted before, and the next run goes on."""
    boot = guest.boot_id()
    menu = guest.read("/boot/grub/grub.cfg")
    testbed = single_host_testbed(guest, ENTRY)
    for name, (obstacle, clear) in OBSTACLES.items():
        guest.sh(obstacle)
        refused = fab("setup_all", testbed=testbed)
        guest.sh(clear)
        assert refused.returncode == 1, name
        assert "grub" in (refused.stdout + refused.stderr).lower(), name
        assert guest.boot_id() == boot, name
        assert guest.read("/boot/grub/grub.cfg") == menu, name
    guest.reboot()
    assert "intel_iommu=on" not in observe.kernel_arguments(guest)
    assert fab("setup_all", testbed=testbed).returncode == 0
    assert "intel_iommu=on" in observe.kernel_arguments(guest)
    assert observe.boots(guest) == 3
    proved(f"{', '.join(OBSTACLES)}: clear error, no reboot, the host boots, and the next run converges")


# GRUB boots this entry by default; it is a copy of the first one that update-grub does not change any more.
HANDMADE_ENTRY = r"""
set -eu
{
    printf '#!/bin/sh\nexec tail -n +3 "$0"\n'
    awk '/^menuentry /{found = 1; $0 = "menuentry handmade --id handmade {"} found {print} found && /^}/{exit}' \
        /boot/grub/grub.cfg
} > /etc/grub.d/42_handmade
chmod 755 /etc/grub.d/42_handmade
sed -i 's/^GRUB_DEFAULT=.*/GRUB_DEFAULT=handmade/' /etc/default/grub
update-grub
"""


def test_menu_entry_without_the_arguments_is_not_rebooted_into_twice(
    guest: Guest, fab: Fab, proved: Callable[[str], None]
) -> None:
    """Whatever is configured never reaches the kernel."""
    guest.sh(HANDMADE_ENTRY)
    testbed = single_host_testbed(guest, ENTRY)
    first = fab("setup_all", testbed=testbed)
    second = fab("setup_all", testbed=testbed)
    assert first.returncode == 1
    assert second.returncode == 1
    assert observe.boots(guest) <= 2
    assert "intel_iommu=on" not in observe.kernel_arguments(guest)
    proved(f"a default entry that the arguments never reach: an error; {observe.boots(guest) - 1} reboot in two runs")
