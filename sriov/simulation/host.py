"""One simulated host, inside the fleet's own process: its namespace, its boots, its faults and what it counts."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import json
import os
import shutil
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from ..errors import SriovError
from . import boot, faults, poses
from .commands import Commands
from .holders import Holders
from .services import ServiceManager
from .spec import Faults, HostSpec, User
from .sysfs import Sysfs
from .tree import Ask, Directory

HERE = Path(__file__).parent
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
PRIVATE = ("boot", "etc", "home", "opt", "root", "run", "tmp", "var")
ASKED = {
    "bin": ("systemctl", "dpkg-query", "rpm"),
    "sbin": ("ip", "reboot", "shutdown"),
}
# Commands of the machine that a host of this family would not have.
FOREIGN = {
    "debian": ["rpm", "dnf", "yum", "grubby", "grub2-mkconfig"],
    "rhel": ["dpkg", "dpkg-query", "apt-get", "update-grub", "grub-mkconfig"],
}


@dataclass(slots=True)
class Counts:
    """What tests count: SSH logins, remote commands with their text, bytes sent to and received from the client."""

    connections: int = 0
    executions: list[str] = field(default_factory=list)
    sent: int = 0
    received: int = 0


def stubs(spec: HostSpec) -> dict[str, str]:
    """Place below /usr/local -> the script of the package that stands there."""
    found = {f"{folder}/{name}": "ask.sh" for folder, names in ASKED.items() for name in names}
    found["bin/sudo"] = "sudo.sh"
    if "compute" in spec.roles:
        found["bin/virsh"] = "ask.sh"
    if spec.family == "debian":
        del found["bin/rpm"]
        found["sbin/update-grub"] = found["sbin/grub-mkconfig"] = "update-grub.sh"
    else:
        del found["bin/dpkg-query"]
        found["sbin/grubby"] = "grubby.sh"
        found["bin/sh"] = "/bin/bash"  # which is sh there; on Debian it is dash
    return {place: str(HERE / "stubs" / script) for place, script in found.items()}


class Host:
    """A machine: `tree` is where its private folders stand on disk, `address`:`port` where its sshd listens."""

    def __init__(self, spec: HostSpec, tree: Path, sysfs_root: Directory, mountpoint: Path, *, is_root: bool) -> None:
        self.spec = spec
        self.tree = tree
        self.is_root = is_root
        self.faults = Faults()
        self.counts = Counts()
        self.boots: list[str] = []
        self.is_up = False
        self.is_settled = False
        self.pid = 0
        self.sysfs = Sysfs(spec.nics)
        self.manager = ServiceManager(self, poses.packaged_services(spec))
        self.holders = Holders(self)
        self.commands = Commands(self)
        self.on_network: Callable[[bool], None] = lambda _up: None
        self._process: asyncio.subprocess.Process | None = None
        self._booting: asyncio.Future[None] | None = None
        self._is_rebooting = False
        self._folder = sysfs_root.make(spec.name)
        self._folder.entries["ask"] = Ask(self.commands.answer)
        self._mountpoint = mountpoint / spec.name
        self._tasks: set[asyncio.Task[None]] = set()

    # --- what the service manager and the commands see ---

    def disk(self, path: str) -> Path:
        """A path of the host on the controller's disk."""
        return self.tree / path.lstrip("/")

    def has_interface(self, name: str) -> bool:
        return name in self.sysfs.netdevs

    def vf_counts(self) -> dict[str, int]:
        return {name: port.count for name, port in self.sysfs.ports.items()}

    def is_failing(self, unit: str) -> bool:
        return unit in self.faults.failing_units

    async def run(
        self, words: Iterable[str], timeout: float | None = None, data: bytes | None = None
    ) -> tuple[int | None, bytes]:
        """Run a command in the host, as root. Exit status (None: too slow, killed) and stdout with stderr."""
        process = await asyncio.create_subprocess_exec(
            *self.enter(),
            *words,
            stdin=subprocess.DEVNULL if data is None else subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env={"PATH": PATH, "LANG": "C.UTF-8"},
            start_new_session=True,
        )
        try:
            output, _ = await asyncio.wait_for(process.communicate(data), timeout)
        except TimeoutError:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, 9)
            return None, b""
        return process.returncode, output

    def enter(self, user: User | None = None) -> list[str]:
        """The words before a command that make it run in the host."""
        words = ["nsenter", "-t", str(self.pid), "-m", "-u", "-p", "-r", "-w"]
        if user and user.uid and self.is_root:
            words += ["-S", str(user.uid), "-G", str(user.uid)]
        return [*words, "--"]

    def later(self, seconds: float, act: Callable[[], None]) -> None:
        """Do it then; at once for 0."""
        if seconds > 0:
            asyncio.get_running_loop().call_later(seconds, act)
        else:
            act()

    # --- life ---

    async def boot(self) -> None:
        """From power-on until all enabled units were started."""
        self.boots.append(str(uuid.uuid4()))
        line = boot.command_line(self.tree)
        first = line is None
        self._write_proc(line or f"BOOT_IMAGE=/boot/vmlinuz root=UUID={poses.ROOT_UUID} ro")
        self._new_sysfs()
        await self._unshare()
        if first:  # a host as installed: its grub.cfg has not been generated yet
            await self.run(["update-grub"])
            self._write_proc(boot.command_line(self.tree) or "")
            self._new_sysfs()
        if self.faults != Faults():
            await self.apply_faults(Faults())
        for port in self.sysfs.ports.values() if len(self.boots) == 1 else ():
            self.sysfs.enable(port, port.nic.numvfs)
        self.is_up = True
        self._booting = asyncio.ensure_future(self.manager.boot(self.sysfs.plug, lambda: self.on_network(True)))
        await self._booting
        self.is_settled = True

    async def down(self) -> None:
        """Power off: connections drop, every process dies, what is in memory is lost."""
        self.is_up = self.is_settled = False
        if self._booting:
            self._booting.cancel()
        self.on_network(False)
        await self._save_full_disks()
        if self._process:
            with contextlib.suppress(ProcessLookupError):
                self._process.kill()
        for port in self.sysfs.ports.values():
            port.stuck = None
            self.sysfs.wake(port)
        if self._process:
            await self._process.wait()
        self.holders.forget()
        for name in ("run", "tmp"):
            for entry in self.disk(name).iterdir():
                shutil.rmtree(entry) if entry.is_dir() and not entry.is_symlink() else entry.unlink()
        self.disk("/run/lock").mkdir()

    async def reboot(self) -> None:
        """Down, away for a while, and up again; a second call while it is away is the same reboot."""
        if self._is_rebooting:
            return
        self._is_rebooting = True
        try:
            await self.down()
            if self.faults.never_returns:
                return
            slow = self.faults.reboot_seconds
            await asyncio.sleep(self.spec.reboot_seconds if slow is None else slow)
        finally:
            self._is_rebooting = False
        await self.boot()

    def reboot_soon(self) -> None:
        """As init does it: the command that asked has its answer before the connections drop."""
        asyncio.get_running_loop().call_later(0.05, lambda: self.spawn(self.reboot()))

    def spawn(self, work: asyncio._CoroutineLike[None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _write_proc(self, line: str) -> None:
        old = self.disk("proc/cmdline")
        if self.faults.old_boot_entry and old.exists():
            line = old.read_text().strip()
        vendor = poses.CPU_VENDORS[self.spec.cpu]
        cpu = "processor\t: 0\n" + (f"vendor_id\t: {vendor}\n" if vendor else "CPU implementer\t: 0x41\n")
        for name, text in (("cmdline", line), ("boot_id", self.boots[-1]), ("cpuinfo", cpu.strip() + "\n")):
            path = self.disk(f"proc/{name}")
            path.parent.mkdir(exist_ok=True)
            path.write_text(text.rstrip() + "\n")

    def _new_sysfs(self) -> None:
        line = self.disk("proc/cmdline").read_text()
        spec = self.spec
        self.sysfs = Sysfs(
            spec.nics,
            spec.cpu,
            iommu=spec.iommu,
            passthrough=boot.is_passthrough(line, spec.cpu),
            later=self.later,
        )
        self._folder.entries["sys"] = self.sysfs.root

    async def _unshare(self) -> None:
        words = ("--mount", "--uts", "--pid", "--fork", "--kill-child", "--propagation", "private")
        program = (sys.executable, "-I", "-S", str(HERE / "namespace.py"), json.dumps(self._plan()))
        self._process = await asyncio.create_subprocess_exec(
            "unshare", *words, "--", *program,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip
        assert self._process.stdout is not None  # noqa: S101 - tells mypy what PIPE means
        assert self._process.stderr is not None  # noqa: S101
        if await self._process.stdout.readline() != b"ready\n":
            error = (await self._process.stderr.read()).decode("utf-8", "replace").strip()
            raise SriovError(
                f"the simulated host {self.spec.name} cannot be built: {error.splitlines()[-1] if error else 'killed'}",
                hint="the simulation needs mount, pid and uts namespaces, as root or with user namespaces allowed",
            )
        children = Path(f"/proc/{self._process.pid}/task/{self._process.pid}/children").read_text()
        self.pid = int(children.split()[0])

    def _plan(self) -> dict[str, object]:
        packages = self.disk("packages")
        return {
            "hostname": self.spec.name,
            "root": str(self.tree / "mnt"),
            "private": {poses.site_packages(self.spec): str(packages), "/usr/local": str(self.tree / "mnt-local")},
            "binds": {f"/{name}": str(self.disk(name)) for name in PRIVATE},
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

    # --- faults ---

    async def set_faults(self, wanted: Faults) -> None:
        old, self.faults = self.faults, wanted
        if self.is_up:
            await self.apply_faults(old)

    async def apply_faults(self, old: Faults) -> None:
        """Bring the host from the faults `old` to those that are wanted now."""
        new = self.faults
        script = faults.script(old, new)
        status, output = await self.run(["/bin/sh", "-c", script], data=new.update_grub_error.encode())
        if status:
            raise SriovError(f"{self.spec.name}: a fault could not be switched: {output.decode('utf-8', 'replace')}")
        for nic in self.spec.nics:
            port = self.sysfs.ports[nic.interface]
            limit = nic.driver_limit if new.driver_limit is None else new.driver_limit
            port.nic = dataclasses.replace(nic, driver_limit=limit, enable_errno=new.enable_errno or nic.enable_errno)
            was, port.hangs = port.hangs, nic.interface in new.hang_numvfs
            if was and not port.hangs and not port.held:
                self.sysfs.release(port)

    async def _save_full_disks(self) -> None:
        if self.faults.disk_full and self.pid:
            await self.run(["/bin/sh", "-c", faults.script(self.faults, Faults())])

    # --- for the fleet ---

    def report(self) -> dict[str, object]:
        """The state that tests read."""
        return {
            **dataclasses.asdict(self.counts),
            "boots": self.boots,
            "is_up": self.is_up,
            "is_settled": self.is_settled,
            "vfs": self.vf_counts(),
            "cmdline": self.disk("proc/cmdline").read_text().strip(),
            "services": {name: dataclasses.asdict(service) for name, service in self.manager.services.items()},
            "journal": [dataclasses.asdict(start) for start in self.manager.journal],
            "stuck": [name for name, port in self.sysfs.ports.items() if port.stuck is not None],
            "clock": time.monotonic(),
        }

    def set_files(self, files: Mapping[str, bytes]) -> None:
        for path, content in files.items():
            self.disk(path).parent.mkdir(parents=True, exist_ok=True)
            self.disk(path).write_bytes(content)
