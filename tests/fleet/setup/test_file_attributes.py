"""What a file is besides its bytes, when its bytes are replaced."""

from __future__ import annotations

import os

from conftest import Operator

ENTRY = {"interface": "eth0", "VF": 3, "physnets": ["physnet1"]}


def test_symlink_xattr_and_mode_of_nova_conf_outlive_the_change(operator: Operator) -> None:
    host = operator.fleet["compute1"]
    named, real = host.path("/etc/nova/nova.conf"), host.path("/etc/nova/real.conf")
    named.rename(real)
    named.symlink_to("real.conf")
    real.chmod(0o604)
    os.setxattr(real, "user.origin", b"site-7")

    operator.write({"compute1": [ENTRY]})
    assert operator.fab("setup_all", "--reboot", "never").code == 0

    assert named.is_symlink()
    assert b'"physical_network": "physnet1"' in real.read_bytes()
    assert os.getxattr(real, "user.origin") == b"site-7"
    assert real.stat().st_mode & 0o7777 == 0o604
    assert sorted(path.name for path in real.parent.iterdir() if "sriov" in path.name) == []
