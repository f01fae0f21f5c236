"""How faults are switched on a running machine: those of disks and tools by a shell script, the kernel's in /sys."""

from __future__ import annotations

import shlex
from collections.abc import Iterable

from ...errors import SriovError
from ..spec import Faults
from .machine import Machine

FOLDERS = "/usr/local/sbin /usr/local/bin /usr/sbin /usr/bin"
# A full disk: the folder's content moves to a file system in memory, which a ballast then fills to the last page.
FILL = """
mkdir -p /root/.full; cp -a @/. /root/.full/
need=$(du -sk --apparent-size @ | cut -f1); count=$(find @ | wc -l)
mount -t tmpfs -o size=$((need + count * 4 + 64))k,mode=755 full @
cp -a /root/.full/. @/; rm -rf /root/.full
dd if=/dev/zero of=@/.ballast bs=4k 2>/dev/null || :
"""
EMPTY = """
rm -f @/.ballast; mkdir -p /root/.full; cp -a @/. /root/.full/; umount @
find @ -mindepth 1 -delete; cp -a /root/.full/. @/; rm -rf /root/.full
"""
# what is no regular file is no command to a shell that looks along its PATH
HIDE = f"""
for folder in {FOLDERS}; do [ ! -f $folder/@ ] || mount --bind /dev/null $folder/@; done
"""
SHOW = f"""
for folder in {FOLDERS}; do umount $folder/@ 2>/dev/null || :; done
"""


async def switch(machine: Machine, old: Faults) -> None:
    """Bring a running machine from the faults `old` to those that it has now. Raises SriovError."""
    new = machine.faults
    status, output = await machine.run(["/bin/sh", "-c", _script(old, new)], data=new.update_grub_error.encode())
    if status:
        told = output.decode("utf-8", "replace")
        raise SriovError("simulation-failed", f"{machine.spec.name}: a fault could not be switched on or off: {told}")
    for nic in machine.spec.nics:
        port = machine.sysfs.ports[nic.interface]
        limit = nic.driver_limit if new.driver_limit is None else new.driver_limit
        port.nic = nic._replace(
            driver_limit=limit,
            enable_errno=new.enable_errno or nic.enable_errno,
            refuses_above=new.refuses_above if new.enable_errno else nic.refuses_above,
        )
        was, port.hangs = port.hangs, nic.interface in new.hang_numvfs
        if was and not port.hangs and not port.held:
            machine.sysfs.vfs.release(port)


async def save_full_disks(machine: Machine) -> None:
    """Before a machine goes down: what stands on a full disk stands in memory, and goes back to where it belongs."""
    if machine.faults.disk_full:
        await machine.run(["/bin/sh", "-c", _script(machine.faults, Faults())])


def _script(old: Faults, new: Faults) -> str:
    """POSIX sh, run as root in the host; the text of a failing update-grub comes on stdin."""
    parts = ["set -e\nlib=/usr/local/lib/simulation\nrm -f $lib/update-grub.*\n"]
    if new.update_grub_ignores:
        parts.append(": >$lib/update-grub.ignore\n")
    parts += _each("umount @\n", old.read_only, new.read_only)
    parts += _each("mount --bind @ @\nmount -o remount,bind,ro @\n", new.read_only, old.read_only)
    parts += _each(EMPTY, old.disk_full, new.disk_full)
    parts += _each(FILL, new.disk_full, old.disk_full)
    parts += _each(SHOW, old.missing_tools, new.missing_tools)
    parts += _each(HIDE, new.missing_tools, old.missing_tools)
    if new.update_grub_error:
        parts.append("cat >$lib/update-grub.error\n")
    return "".join(parts)


def _each(text: str, here: Iterable[str], there: Iterable[str]) -> list[str]:
    """The text for all names that are here and not there."""
    return [text.replace("@", shlex.quote(name)) for name in sorted({*here} - {*there})]
