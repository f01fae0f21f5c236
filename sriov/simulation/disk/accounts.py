"""Who may log in to a host, and which machine it is: the accounts, and the small files of /etc that each host has."""

from __future__ import annotations

from collections.abc import Iterator

from ..spec import HostSpec
from .entry import MACHINE_ID, NOVA_GID, ROOT_UUID, Entry


def homes(spec: HostSpec) -> Iterator[Entry]:
    """The home folders of the users; root's is among the folders of the disk."""
    for user in spec.users:
        yield Entry(f"/home/{user.name}", mode=0o750, uid=user.uid, gid=user.uid, folder=True)


def accounts(spec: HostSpec) -> Iterator[Entry]:
    """passwd, group, what `sudo` may ask for, and the host's name and ids."""
    users = "root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/:/usr/sbin/nologin\n"
    users += f"nova:x:{NOVA_GID}:{NOVA_GID}::/var/lib/nova:/bin/sh\n"
    groups = f"root:x:0:\nnogroup:x:65534:\nnova:x:{NOVA_GID}:\n"
    secrets = ""
    for user in spec.users:
        users += f"{user.name}:x:{user.uid}:{user.uid}::/home/{user.name}:/bin/sh\n"
        groups += f"{user.name}:x:{user.uid}:\n"
        secrets += f"{user.name} {user.sudo} {user.password or ''}\n"
    yield Entry("/etc/passwd", users.encode())
    yield Entry("/etc/group", groups.encode())
    yield Entry("/etc/simulated-sudoers", secrets.encode(), 0o600)
    yield Entry("/etc/hostname", f"{spec.name}\n".encode())
    yield Entry("/etc/hosts", f"127.0.0.1 localhost\n127.0.1.1 {spec.name}\n".encode())
    yield Entry("/etc/machine-id", f"{MACHINE_ID}\n".encode(), 0o444)
    yield Entry("/etc/fstab", f"UUID={ROOT_UUID} / ext4 errors=remount-ro 0 1\n".encode())
