"""Disk images of the lab: built without booting one, kept between runs, built anew when their recipe changes.

An image is named by a hash of all that goes into it: build-image.sh, the packages, the SSH key. Everything lies in
one directory (`lab_directory`), which may be deleted at any time when no lab runs.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

BUILDER = Path(__file__).with_name("build-image.sh")
COMMON = Path(__file__).with_name("build-common.sh")  # sourced by every recipe
BUILD_SECONDS = 1800

PLAIN_PACKAGES = (
    *("systemd-sysv", "udev", "dbus", "libpam-systemd", "kmod", "openssh-server", "linux-image-amd64", "grub-pc"),
    *("initramfs-tools", "zstd", "e2fsprogs", "pciutils", "ethtool", "iproute2", "iputils-ping", "sudo"),
    *("python3-minimal", "ca-certificates"),
)


class ImageError(Exception):
    """The build failed; the message ends with the last lines of its output."""


@dataclass(frozen=True, slots=True)
class Recipe:
    """What goes into an image. `nova` is `standin` (nova's configuration files, units that sleep) or `nova`.

    `kernel_arguments` are added to GRUB's lines: `intel_iommu=on iommu=pt`.
    """

    name: str
    size: str
    packages: tuple[str, ...]
    nova: str
    kernel_arguments: str = ""


BASE = Recipe("base", "4G", PLAIN_PACKAGES, "standin")
# A host that runs VMs of its own. It boots with the arguments that the product would set: one reboot less.
HYPERVISOR = Recipe(
    "hypervisor",
    "4G",
    (*PLAIN_PACKAGES, "qemu-system-x86", "libvirt-daemon-system", "libvirt-clients", "busybox-static", "cpio"),
    "standin",
    "intel_iommu=on iommu=pt",
)


@dataclass(frozen=True, slots=True)
class Image:
    """A built image. `host_keys` are lines `ssh-ed25519 AAAA...` of its SSH server; `key` is what logs in."""

    path: Path
    key: Path
    host_keys: tuple[str, ...]

    @property
    def digest(self) -> str:
        return self.path.stem.rpartition("-")[2]


def lab_directory() -> Path:
    """`$SRIOV_LAB`, else `${XDG_CACHE_HOME:-~/.cache}/sriov-lab`; made if missing."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    directory = Path(os.environ.get("SRIOV_LAB") or cache / "sriov-lab")
    directory.mkdir(parents=True, exist_ok=True)
    return directory.resolve()


@contextlib.contextmanager
def locked(name: str) -> Iterator[None]:
    """Hold the lab's lock of that name, so that two runs do not build the same thing at once."""
    with open(lab_directory() / f"{name}.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def login_key() -> Path:
    """The private key that every host of the lab lets in; made at the first call."""
    key = lab_directory() / "id_ed25519"
    if not key.exists():
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "lab", "-f", str(key)], check=True)
    return key


def build(recipe: Recipe) -> Image:
    """The image of that recipe, from the cache or built now (one to three minutes)."""
    with locked(f"image-{recipe.name}"):
        key = login_key()
        sources = (BUILDER, COMMON, key.with_suffix(".pub"))
        ingredients = (
            *(path.read_text() for path in sources),
            *recipe.packages,
            recipe.size,
            recipe.nova,
            recipe.kernel_arguments,
        )
        digest = hashlib.sha256("\0".join(ingredients).encode()).hexdigest()[:16]
        path = lab_directory() / f"{recipe.name}-{digest}.raw"
        host_keys = path.with_suffix(".hostkeys")
        if not path.exists():
            remove_stale(recipe)
            partial = path.with_suffix(".partial")
            arguments = [
                str(partial),
                recipe.size,
                str(key.with_suffix(".pub")),
                ",".join(recipe.packages),
                recipe.nova,
            ]
            run_builder(BUILDER, f"image-{recipe.name}", [*arguments, recipe.kernel_arguments], BUILD_SECONDS)
            Path(f"{partial}.hostkeys").rename(host_keys)
            partial.rename(path)
        return Image(path, key, tuple(" ".join(line.split()[:2]) for line in host_keys.read_text().splitlines()))


def remove_stale(recipe: Recipe) -> None:
    """Delete images of older recipes of that name, and what an interrupted build left."""
    for old in lab_directory().glob(f"{recipe.name}-*.*"):
        if old.is_dir():
            old.rmdir()  # the builder's mount point; empty, since its mounts ended with it
        else:
            old.unlink()


def contained(*command: str) -> list[str]:
    """`command` in mount and process namespaces that end with this process, whatever ends it.

    The kernel then kills every process inside and drops the mounts made inside; loop devices go with their mounts.
    """
    namespaces = ["unshare", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc", "--propagation", "private"]
    return ["setpriv", "--pdeathsig", "KILL", *namespaces, *command]


def run_builder(builder: Path, name: str, arguments: list[str], seconds: float) -> None:
    """Runs a recipe in namespaces of its own; ImageError with the end of its log if it fails."""
    log = lab_directory() / f"{name}.log"
    with open(log, "w") as output:
        process = subprocess.Popen(
            contained("sh", str(builder), *arguments),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
        try:
            status = process.wait(seconds)
        except BaseException:
            process.kill()
            process.wait()
            raise
    if status != 0:
        tail = "\n".join(log.read_text(errors="replace").splitlines()[-20:])
        raise ImageError(f"building {name} ended with status {status}:\n{tail}")
