"""Writes a host's files below a folder, and adds those of /etc that the programs of this machine need to run there."""

from __future__ import annotations

import contextlib
import os
import shutil
from pathlib import Path

from ..spec import HostSpec
from .entry import Entry
from .files import files
from .packages import egg_info


def install(spec: HostSpec, tree: Path, *, is_root: bool) -> None:
    """Write the files of a host below `tree`; owners only as root."""
    for entry in files(spec):
        _lay(entry, tree / entry.path.lstrip("/"), is_root=is_root)
    for path_text, content in spec.files.items():
        if content is None:
            (tree / path_text.lstrip("/")).unlink(missing_ok=True)
    for name in ("mnt", "mnt-local", "packages"):
        (tree / name).mkdir(exist_ok=True)
    if spec.roles:
        (tree / "packages" / egg_info(spec)).mkdir(exist_ok=True)
    _borrow(tree / "etc")


def _lay(entry: Entry, path: Path, *, is_root: bool) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    if entry.link:
        path.symlink_to(entry.link)
        return
    if entry.folder:
        path.mkdir(exist_ok=True)
    else:
        path.write_bytes(entry.content)
    path.chmod(entry.mode)
    if is_root:
        os.chown(path, entry.uid, entry.gid)


def _borrow(etc: Path) -> None:
    """/usr is the machine's own: the files of /etc that its programs need come from the machine too."""
    for name in ("ld.so.cache", "ld.so.conf"):
        with contextlib.suppress(OSError):
            shutil.copy(f"/etc/{name}", etc / name)
    with contextlib.suppress(OSError):  # /usr/bin/awk and others lead through it
        shutil.copytree("/etc/alternatives", etc / "alternatives", symlinks=True)
