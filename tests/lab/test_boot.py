"""The guest itself: what every other scenario takes for granted."""

from __future__ import annotations

import pytest

from .guest import Guest

pytestmark = pytest.mark.lab


def test_guest_is_a_bare_sriov_host(guest: Guest) -> None:
    """Two ports with seven VFs each and none active, IOMMU in its default mode, services as installed."""
    assert guest.out("cat /sys/class/net/enp?s0/device/sriov_totalvfs") == "7\n7"
    assert guest.out("cat /sys/class/net/enp?s0/device/sriov_numvfs") == "0\n0"
    assert "iommu" not in guest.out("cat /proc/cmdline")
    assert set(guest.out("cat /sys/kernel/iommu_groups/*/type").split()) == {"DMA-FQ"}
    assert guest.out("systemctl is-active nova-compute nova-scheduler").split() == ["active", "active"]
    assert guest.out("stat -c '%a %U:%G' /etc/nova/nova.conf") == "640 root:nova"


def test_guest_lets_in_its_three_users(guest: Guest) -> None:
    assert guest.sh("id -u").stdout.strip() == "0"
    assert guest.sh("sudo -n id -u", user="ops").stdout.strip() == "0"
    assert guest.sh("sudo -n id -u", user="opspw", check=False).returncode != 0
    assert guest.sh("echo lab-password | sudo -S id -u", user="opspw").stdout.strip() == "0"


def test_guest_comes_back_with_another_boot_id_after_power_loss(guest: Guest) -> None:
    before = guest.boot_id()
    guest.write("/root/kept", b"synced\n")
    guest.sh("sync")
    guest.power_off_hard()
    guest.power_on()
    assert guest.boot_id() != before
    assert guest.read("/root/kept") == b"synced\n"


def test_image_names_no_mirror(guest: Guest) -> None:
    found = guest.sh("grep -rlsE '(deb|security)[.]debian[.]org|^deb http' /etc/apt /var/lib/apt", check=False).stdout
    assert found == ""
