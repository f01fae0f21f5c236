"""Ways to a host: as a sudo user with and without a password, and through a jump host."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from . import observe
from .guest import Guest
from .product import ALL_ROLES, Fab, Stanza, entry, single_host_testbed, write_testbed

pytestmark = pytest.mark.lab

ENTRY = entry("enp1s0", 7, "physnet1")


@pytest.mark.parametrize("user", ["ops", "opspw"])
def test_sudo_user_provisions_as_root_does(guest: Guest, fab: Fab, user: str, proved: Callable[[str], None]) -> None:
    testbed = single_host_testbed(guest, ENTRY, user=user)
    done = fab("setup_all", "--reboot", "never", testbed=testbed)
    assert observe.counts(guest) == (7, 0)
    assert "lab-password" not in done.stdout + done.stderr
    assert guest.out("stat -c '%a %U:%G' /etc/nova/nova.conf") == "640 root:nova"
    assert guest.sh("grep -c intel_iommu=on /boot/grub/grub.cfg", check=False).stdout.strip() != "0"
    assert guest.sh("grep -rls lab-password /etc /var /tmp /run /root /home", check=False).stdout == ""
    proved(f"login as {user}: provisioned through sudo")


def test_wrong_sudo_password_touches_nothing(guest: Guest, fab: Fab) -> None:
    testbed = single_host_testbed(guest, ENTRY, user="opspw")
    testbed.write_text(testbed.read_text().replace("lab-password", "not-the-password"))
    with observe.untouched(guest):
        refused = fab("setup_all", testbed=testbed)
    assert refused.returncode == 2
    assert "not-the-password" not in refused.stdout + refused.stderr


def test_host_behind_a_jump_host_is_reached(guest: Guest, fab: Fab, proved: Callable[[str], None]) -> None:
    """The guest is its own jump host: from inside, its SSH server is also port 22 of 127.0.0.2.

    Not 127.0.0.1: Fabric takes a jump host of the same address for the host itself, whatever the port.
    """
    keys = "".join(f"127.0.0.2 {key}\nbehind {key}\n" for key in guest.image.host_keys)
    known = guest.login.known_hosts.read_text() + keys
    testbed = write_testbed(
        guest.directory / "testbed", [Stanza("root@behind", known, guest.login.key, [ENTRY], ALL_ROLES)]
    )
    (testbed.parent / "ssh_config").write_text(
        f"Host behind\n  HostName 127.0.0.2\n  Port 22\n  ProxyJump root@127.0.0.1:{guest.login.port}\n"
        f"Host *\n  IdentityFile {guest.login.key}\n"
    )
    fab("setup_all", "--reboot", "never", testbed=testbed)
    assert observe.counts(guest) == (7, 0)
    proved("a host behind a ProxyJump: provisioned")


def test_unknown_host_key_is_refused(guest: Guest, fab: Fab) -> None:
    testbed = single_host_testbed(guest, ENTRY)
    (testbed.parent / "known_hosts").write_text("")
    with observe.untouched(guest):
        refused = fab("setup_all", testbed=testbed)
    assert refused.returncode == 2
    assert "host key" in (refused.stdout + refused.stderr).lower()
