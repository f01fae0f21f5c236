"""The functions of `templates/lib/` in a shell of its own, with every path of the host in a folder of the test.

A script sees `$root`, that folder, and gives back what it printed.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

from sriov import layout

SHELLS = ("dash", "bash", "busybox", "mksh")
LIB = layout.templates() / "lib"
NONCE = "00ff"
# the host's paths, below the test's folder; what fakes programs stands first in the path
_PATHS = """\
nonce=00ff
. "$lib/paths.sh"
state=$root/run runs=$root/runs restarts_due=$root/due net=$root/net domains=$root/domains
defined=$root/defined networks=$root/networks proc=$root/proc dev=$root/dev vfs_script=$root/sriov-vfs.sh
run=$runs/r1
"""


def words_of(shell: str) -> list[str]:
    """How that shell is called, by its path. FileNotFoundError where it is not installed (tests/system.sh)."""
    path = shutil.which(shell)
    if path is None:
        raise FileNotFoundError(f"{shell} is not installed: sh tests/system.sh")
    return [path, "sh"] if shell == "busybox" else [path]


def program(*libraries: str) -> str:
    """What makes these libraries known; `common` stands first in any list of them."""
    sourced = "".join(f'. "$lib/{name}.sh"\n' for name in libraries)
    return f"{_PATHS}{sourced}PATH=$root/bin:$PATH\n"


def run(
    shell: str, root: Path, libraries: tuple[str, ...], script: str | bytes, typed: bytes = b""
) -> subprocess.CompletedProcess[bytes]:
    text = script if isinstance(script, bytes) else script.encode()
    file = root / "script.sh"
    file.write_bytes(program(*libraries).encode() + text)
    return subprocess.run(
        [*words_of(shell), str(file)],
        env={"PATH": os.environ["PATH"], "root": str(root), "lib": str(LIB)},
        cwd=root,
        input=typed,
        capture_output=True,
        timeout=20,
        check=False,
    )


def processes(root: Path) -> None:
    """The host's /proc: the process that looks, a guest's, and a network without routes."""
    for pid in ("self", "7"):
        (root / "proc" / pid / "ns").mkdir(parents=True)
        (root / "proc" / pid / "ns/net").symlink_to("net:[1]")
    (root / "proc/7/fd").mkdir()
    (root / "proc/7/comm").write_text("qemu-system-x86\n")
    (root / "proc/self/mountinfo").write_text("22 1 8:1 / / rw - ext4 /dev/sda1 rw\n")
    (root / "proc/net").mkdir()
    (root / "proc/net/route").write_text("Iface Destination Gateway\n")


def fake(root: Path, name: str, script: str) -> None:
    """A program that stands before the real one."""
    path = root / "bin" / name
    path.parent.mkdir(exist_ok=True)
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
