"""Runs as the first process of a simulated host: builds its file tree and becomes its init.

Started by `unshare --mount --pid --uts` with a JSON plan on stdin; a program of its own that imports nothing of
the package, so that it starts in milliseconds. Everything it mounts lives in its own mount namespace and is gone
with it.
"""

from __future__ import annotations

import ctypes
import json
import os
import shutil
import stat
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

MS_RDONLY, MS_NOSUID, MS_NODEV, MS_REMOUNT, MS_BIND, MS_REC = 1, 2, 4, 32, 4096, 16384
MNT_DETACH = 2
SYS_PIVOT_ROOT = {"x86_64": 155, "aarch64": 41, "ppc64le": 203, "s390x": 217}
INIT = "cd /root; while :; do sleep 1000000 & wait $!; done"  # `wait` also reaps the orphans that init inherits
libc = ctypes.CDLL(None, use_errno=True)


def mount(source: str, target: str, kind: str = "", flags: int = 0, options: str = "") -> None:
    """mount(2). Raises OSError with the target in it."""
    if libc.mount(source.encode(), target.encode(), kind.encode(), ctypes.c_ulong(flags), options.encode()):
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), target)


def bind(source: str, target: str, *, read_only: bool = False) -> None:
    """Bind `source` on `target`, which is made. Read-only keeps the flags that an outer namespace has locked."""
    if os.path.isdir(source):
        os.makedirs(target, exist_ok=True)
    elif not os.path.lexists(target):
        Path(target).touch()
    mount(source, target, flags=MS_BIND | MS_REC)
    if read_only:
        flags = os.statvfs(target).f_flag
        locked = flags & (2 | 4 | 8 | 1024 | 2048)
        relatime = 1 << 21 if flags & 4096 else 0
        mount("none", target, flags=MS_REMOUNT | MS_BIND | MS_RDONLY | locked | relatime)


def spread(machine: str, root: str, private: dict[str, str]) -> None:
    """The machine's folder `machine` at its place below `root`, with the folders of `private` laid over.

    Where the place of a private folder does not exist on the machine, its parent is made, and the
    parent's entries are bound or linked one by one.
    """
    inside = {path: source for path, source in private.items() if path.startswith(machine + "/")}
    if all(os.path.isdir(path) for path in inside):
        bind(machine, root + machine, read_only=True)
        for path, source in inside.items():
            bind(source, root + path)
        return
    os.makedirs(root + machine, exist_ok=True)
    entries = set(os.listdir(machine)) if os.path.isdir(machine) else set()
    below = {path[len(machine) + 1 :].split("/")[0] for path in inside}
    for name in sorted(entries | below):
        path = f"{machine}/{name}"
        if path in inside:
            bind(inside[path], root + path)
        elif name in below:
            spread(path, root, inside)
        elif os.path.islink(path):
            os.symlink(os.readlink(path), root + path)
        elif os.path.exists(path):
            bind(path, root + path, read_only=True)


def make_devices(root: str) -> None:
    dev = f"{root}/dev"
    os.makedirs(dev)
    mount("tmpfs", dev, "tmpfs", MS_NOSUID, "mode=755,size=1m")
    for name in ("null", "zero", "full", "random", "urandom", "tty"):
        bind(f"/dev/{name}", f"{dev}/{name}")
    for name, target in (("fd", "self/fd"), ("stdin", "self/fd/0"), ("stdout", "self/fd/1"), ("stderr", "self/fd/2")):
        os.symlink(f"/proc/{target}", f"{dev}/{name}")
    for name in ("shm", "pts", "vfio"):
        os.mkdir(f"{dev}/{name}")
    mount("devpts", f"{dev}/pts", "devpts", 0, "newinstance,ptmxmode=0666,mode=620")
    os.symlink("pts/ptmx", f"{dev}/ptmx")


def copy_stubs(plan: dict[str, Any], root: str) -> None:
    """/usr/local: a folder of its own in memory, with the commands of the simulation, and what lets sudo be root."""
    local = f"{root}/usr/local"
    mount("tmpfs", local, "tmpfs", MS_NODEV, "mode=755,size=8m")
    for name in ("bin", "sbin", "lib/simulation"):
        os.makedirs(f"{local}/{name}")
    for name, source in plan["stubs"].items():
        shutil.copy(source, f"{local}/{name}")
        os.chmod(f"{local}/{name}", 0o755)  # noqa: S103 - programs
    setpriv = shutil.which("setpriv")
    if setpriv:
        shutil.copy(setpriv, f"{local}/lib/simulation/as-root")
        os.chmod(f"{local}/lib/simulation/as-root", 0o4755)  # noqa: S103 - in a file system that only the host sees
    sleep = shutil.which("sleep")
    os.symlink(sleep or "/bin/sleep", f"{local}/lib/simulation/qemu-system-x86_64")


def build(plan: dict[str, Any]) -> str:
    """The whole tree of the host, below the folder `plan['root']`."""
    root = str(plan["root"])
    mount("tmpfs", root, "tmpfs", 0, "mode=755,size=4m")
    spread("/usr", root, plan["private"])
    for name in ("bin", "sbin", "lib", "lib32", "lib64", "libx32"):
        if os.path.islink(f"/{name}"):
            os.symlink(os.readlink(f"/{name}"), f"{root}/{name}")
        elif os.path.isdir(f"/{name}"):
            bind(f"/{name}", f"{root}/{name}", read_only=True)
    for path, source in plan["binds"].items():
        bind(source, root + path)
    for path in plan["shared"]:
        bind(path, root + path, read_only=True)
    copy_stubs(plan, root)
    make_devices(root)
    os.mkdir(f"{root}/proc")
    mount("proc", f"{root}/proc", "proc", MS_NOSUID | MS_NODEV)
    for path, source in plan["late_binds"].items():
        bind(source, root + path)
    for path in plan["missing"]:
        hide(root, path)
    return root


def hide(root: str, name: str) -> None:
    """Make the command `name` one that cannot be run, in whatever folder of PATH it stands."""
    for folder in ("usr/local/sbin", "usr/local/bin", "usr/sbin", "usr/bin"):
        path = f"{root}/{folder}/{name}"
        if os.path.lexists(path) and stat.S_ISREG(os.stat(path).st_mode):
            Path(f"{root}/.hidden").touch()
            mount(f"{root}/.hidden", path, flags=MS_BIND)


def enter(root: str) -> None:
    """pivot_root(2) without a place for the old root: it is stacked below the new one and taken away."""
    os.chdir(root)
    number = SYS_PIVOT_ROOT[os.uname().machine]
    if libc.syscall(number, b".", b"."):
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code), root)
    libc.umount2(b".", MNT_DETACH)
    os.chdir("/")


def main(arguments: Iterable[str]) -> None:
    plan = json.loads(next(iter(arguments)))
    os.umask(0o022)
    hostname = plan["hostname"].encode()
    libc.sethostname(hostname, len(hostname))
    enter(build(plan))
    print("ready", flush=True)
    null = os.open("/dev/null", os.O_RDWR)
    for number in (0, 1, 2):
        os.dup2(null, number)
    os.execve("/bin/sh", ["init", "-c", INIT], {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin"})  # noqa: S606 - becomes init


if __name__ == "__main__":
    main(sys.argv[1:])
