"""All files of a host as it stands before the first visit: Debian or RHEL family, any nova release.

Pure: a HostSpec in, a list of files out. What is generated on a real host (grub.cfg) is generated on the
simulated one too, by its own update-grub.
"""

from __future__ import annotations

from collections.abc import Iterator

from ..spec import HostSpec
from .accounts import accounts, homes
from .debian import debian_files
from .entry import NOVA_GID, Entry
from .neutron import neutron_files
from .nova import nova_conf
from .packages import packaged_services
from .rhel import rhel_files

FOLDERS = ("boot", "etc", "home", "opt", "root", "run", "tmp", "var", "var/lib", "var/log", "etc/nova", "run/lock")
MODES = {"tmp": 0o1777, "root": 0o700}


def files(spec: HostSpec) -> Iterator[Entry]:
    """All files, parents before children; those of `spec.files` come last and win."""
    for name in FOLDERS:
        yield Entry(f"/{name}", mode=MODES.get(name, 0o755), folder=True)
    yield from homes(spec)
    yield from accounts(spec)
    yield from (debian_files(spec) if spec.family == "debian" else rhel_files(spec))
    yield from _enabled_units(spec)
    if spec.roles:
        conf = spec.nova_conf if spec.nova_conf is not None else nova_conf(spec)
        yield Entry("/etc/nova/nova.conf", conf, 0o640, NOVA_GID)
    yield from neutron_files(spec)
    for path, content in spec.files.items():
        if content is not None:
            yield Entry(path, content)


def _enabled_units(spec: HostSpec) -> Iterator[Entry]:
    wants = "/etc/systemd/system/multi-user.target.wants"
    for folder in ("/etc/systemd", "/etc/systemd/system", wants):
        yield Entry(folder, mode=0o755, folder=True)
    for unit in packaged_services(spec):
        yield Entry(f"{wants}/{unit}", link=f"/lib/systemd/system/{unit}")
