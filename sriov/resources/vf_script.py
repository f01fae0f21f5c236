"""The script on the host that makes the virtual functions of a port; the units of all ports call it.

It stands in /etc, beside the units. They run before other file systems than the root's are mounted, so /var and
/usr/local may not be there yet; and on an image-based host (RHEL's image mode: docs.redhat.com, "Managing file
systems") /usr, often with /usr/local, is read-only, while /etc is writable and never a file system of its own. A unit
has /bin/sh read it: nothing but /bin/sh is executed, so neither `noexec` nor the SELinux type of the script matters,
and the process runs in the same SELinux domain as a command line of the unit would.
"""

from __future__ import annotations

from sriov.facts.model import Facts, checksum
from sriov.rendering.plain import whole
from sriov.resources.contract import Change, RemoveFile, WriteFile

PATH = "/etc/systemd/system/sriov-vfs.sh"  # systemd passes over a file whose suffix is none of a unit


def put(resource: str, facts: Facts) -> tuple[Change, ...]:
    """The change that brings it; empty where it is as it should be. No unit has to run again for it."""
    before, after = facts.files.get(PATH), whole("sriov-vfs.sh")
    if before == after:
        return ()
    found = "no such file" if before is None else "another text"
    steps = (WriteFile(PATH, checksum(before), after),)
    return (Change(resource, PATH, wanted="the script that makes VFs at every boot", found=found, steps=steps),)


def take_away(resource: str, facts: Facts) -> tuple[Change, ...]:
    """The change that removes it; empty where it is not there."""
    before = facts.files.get(PATH)
    if before is None:
        return ()
    steps = (RemoveFile(PATH, checksum(before)),)
    return (Change(resource, PATH, wanted="removed", found="no unit calls it", steps=steps),)
