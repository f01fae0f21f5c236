"""What of the lab still lives on this machine: processes, mounts, loop devices, control groups of a directory."""

from __future__ import annotations

import contextlib
import time
from pathlib import Path

from .nspawn import control_groups


def leftovers(directory: Path) -> list[str]:
    """`process 123: qemu-system-x86_64 ...`, `mount ...`, `loop device ...`, `control group ...`; empty when clean.

    This process itself and its children that are not QEMU or nspawn do not count: `fab` and ssh name their files there.
    """
    groups = [f"control group {path}" for path in control_groups(directory)]
    return [*_processes(str(directory)), *_mounts(str(directory)), *_loop_devices(str(directory)), *groups]


def left_after_a_moment(directory: Path, seconds: float = 30) -> list[str]:
    """What is left after at most `seconds`: the kernel needs a moment to end what was killed."""
    deadline = time.monotonic() + seconds
    while (left := leftovers(directory)) and time.monotonic() < deadline:
        time.sleep(0.2)
    return left


def _processes(directory: str) -> list[str]:
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):  # ended meanwhile
            words = (folder / "cmdline").read_bytes().decode(errors="replace").split("\0")
            program = Path(words[0]).name
            if program.startswith(("qemu", "systemd-nspawn", "unshare", "mmdebstrap")) and directory in " ".join(words):
                found.append(f"process {folder.name}: {' '.join(words)[:200]}")
    return found


def _mounts(directory: str) -> list[str]:
    """Of this and of every other mount namespace, as far as a living process keeps it."""
    lines = set()
    for table in Path("/proc").glob("[0-9]*/mountinfo"):
        with contextlib.suppress(OSError):
            lines |= {line for line in table.read_text().splitlines() if directory in line}
    return [f"mount {line[:200]}" for line in sorted(lines)]


def _loop_devices(directory: str) -> list[str]:
    found = []
    for backing in Path("/sys/block").glob("loop*/loop/backing_file"):
        with contextlib.suppress(OSError):
            if (name := backing.read_text().strip()).startswith(directory):
                found.append(f"loop device {backing.parts[3]}: {name}")
    return found
