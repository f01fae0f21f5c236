"""One machine of the fleet: what a boot finds and a power cut leaves, and what is seen of it while it runs."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Callable, Iterable
from pathlib import Path

from ..disk.packages import site_packages
from ..spec import Faults, HostSpec, User
from ..sysfs import Sysfs
from ..sysfs.huge_pages import reserved
from ..sysfs.iommu import is_passthrough
from ..tree.nodes import Directory
from . import procfs
from .counts import Counts
from .enclosure import Enclosure
from .programs import FOREIGN, stubs

PRIVATE = ("boot", "etc", "home", "opt", "root", "run", "tmp", "var")


class Machine:
    """`tree` is where its private folders stand on disk; `served` is its folder of the FUSE mount at `mountpoint`."""

    def __init__(self, spec: HostSpec, tree: Path, served: Directory, mountpoint: Path, *, is_root: bool) -> None:
        self.spec = spec
        self.tree = tree
        self.faults = Faults()
        self.counts = Counts()
        self.sysfs = Sysfs(spec.nics)
        self._enclosure = Enclosure()
        self._served = served
        self._mountpoint = mountpoint
        self._is_root = is_root

    # --- what is seen of it ---

    def disk(self, path: str) -> Path:
        """A path of the host on this machine's disk."""
        return self.tree / path.lstrip("/")

    @property
    def command_line(self) -> str:
        """/proc/cmdline; '' before the first boot."""
        return procfs.command_line(self.disk("proc"))

    def vf_counts(self) -> dict[str, int]:
        return {name: port.count for name, port in self.sysfs.ports.items()}

    def enter(self, user: User | None = None) -> list[str]:
        """The words before a command that make it run in the host."""
        if user and user.uid and self._is_root:
            return self._enclosure.enter("-S", str(user.uid), "-G", str(user.uid))
        return self._enclosure.enter()

    async def run(
        self, words: Iterable[str], timeout: float | None = None, data: bytes | None = None
    ) -> tuple[int | None, bytes]:
        """Run a command in the host, as root. Exit status (None: too slow, killed) and stdout with stderr."""
        return await self._enclosure.run(words, timeout, data)

    # --- on and off ---

    def load_kernel(self, command_line: str, boot_id: str) -> None:
        """A kernel runs with these arguments, or with those that it had if the fault `old_boot_entry` is on."""
        if self.faults.old_boot_entry:
            command_line = self.command_line or command_line
        procfs.write(self.disk("proc"), command_line=command_line, boot_id=boot_id, cpu=self.spec.cpu)
        self.sysfs = Sysfs(
            self.spec.nics,
            self.spec.cpu,
            iommu=self.spec.iommu,
            passthrough=is_passthrough(command_line, self.spec.cpu),
            huge_pages=reserved(command_line, self.spec.memory_mib),
            cmdline=command_line,
            later=_later,
        )
        self._served.entries["sys"] = self.sysfs.root

    async def start_init(self) -> None:
        """The first process runs; from here on commands can be run. Raises SriovError."""
        await self._enclosure.start(self.spec.name, self._plan())

    async def power_off(self) -> None:
        """Every process dies, what is in memory is lost."""
        self._enclosure.kill()
        for port in self.sysfs.ports.values():
            port.stuck = None
            port.wake()
        await self._enclosure.wait()
        for name in ("run", "tmp"):
            for entry in self.disk(name).iterdir():
                shutil.rmtree(entry) if entry.is_dir() and not entry.is_symlink() else entry.unlink()
        self.disk("/run/lock").mkdir()

    def _plan(self) -> dict[str, object]:
        """For `namespace.py`: what stands where in the host's file tree."""
        return {
            "hostname": self.spec.name,
            "root": str(self.disk("mnt")),
            "private": {
                site_packages(self.spec): str(self.disk("packages")),
                "/usr/local": str(self.disk("mnt-local")),
            },
            "binds": {f"/{name}": str(self.disk(name)) for name in PRIVATE},
            "shared": self.spec.shared,
            "late_binds": {
                "/proc/cmdline": str(self.disk("proc/cmdline")),
                "/proc/cpuinfo": str(self.disk("proc/cpuinfo")),
                "/proc/sys/kernel/random/boot_id": str(self.disk("proc/boot_id")),
                "/sys": str(self._mountpoint / "sys"),
                "/dev/simulation": str(self._mountpoint / "ask"),
            },
            "stubs": stubs(self.spec),
            "missing": FOREIGN[self.spec.family],
        }


def _later(seconds: float, act: Callable[[], None]) -> None:
    """Do it then; at once for 0."""
    if seconds > 0:
        asyncio.get_running_loop().call_later(seconds, act)
    else:
        act()
