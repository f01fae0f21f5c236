"""The process that keeps containers: their trees, their /sys, their boots. `nspawn.py` starts it and talks to it.

It is the first process of its own mount, process and network namespaces: whatever ends it, the kernel ends every
container and undoes every mount. It ends when its standard input does, for then its owner is gone.
One JSON document a line: `{"verb": ..., "hosts": [...]}` in, `{"result": ...}` or `{"error": ...}` out.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sriov.simulation.disk import boot_loader
from sriov.simulation.spec import Nic
from sriov.simulation.sysfs import Sysfs
from sriov.simulation.sysfs.iommu import is_passthrough
from sriov.simulation.tree import fuse
from sriov.simulation.tree.nodes import Directory

INIT = Path(__file__).with_name("nspawn-init.sh")
REBOOT = 133  # exit status of systemd-nspawn when its container asks for a reboot and the caller is to make it
ANSWER_SECONDS = 300
BOOTS_AT_ONCE = 4
CPU = "processor\t: 0\nvendor_id\t: GenuineIntel\n"


class ContainerError(Exception):
    """A container did not do what was asked."""


@dataclass
class Container:
    """One host. `lower` is the tree that it shares, `sys` what its /sys shows; it serves SSH at `address`, port 22."""

    name: str
    address: str
    nics: tuple[Nic, ...]
    lower: Path
    folder: Path
    cgroup: Path
    sys: Directory
    mountpoint: Path
    boots: int = 0
    stays_down: bool = False  # its next reboot is a power-off
    _process: asyncio.subprocess.Process | None = None
    _life: asyncio.Task[None] | None = None

    @property
    def root(self) -> Path:
        return self.folder / "root"

    @property
    def leader(self) -> int:
        """Its first process, as this namespace counts; 0 while it is down."""
        if self._process is None:
            return 0
        with contextlib.suppress(OSError):
            children = Path(f"/proc/{self._process.pid}/task/{self._process.pid}/children").read_text().split()
            return int(children[0]) if children else 0
        return 0

    def lay(self) -> None:
        """A fresh disk: the shared tree, and what makes this host another than the next."""
        for name in ("upper", "work", "root", "lab"):
            (self.folder / name).mkdir(parents=True)
        layers = f"lowerdir={self.lower},upperdir={self.folder}/upper,workdir={self.folder}/work"
        subprocess.run(["mount", "-t", "overlay", "overlay", "-o", layers, str(self.root)], check=True)
        (self.root / "etc/hostname").write_text(f"{self.name}\n")
        (self.root / "etc/hosts").write_text(f"127.0.0.1 localhost\n{self.address} {self.name}\n")
        (self.root / "etc/ssh/sshd_config.d/address.conf").write_text(f"ListenAddress {self.address}\n")

    async def start(self) -> None:
        """Boot and wait until SSH answers."""
        self.stays_down = False
        self._life = asyncio.create_task(self._live())
        await self.answer()

    async def answer(self) -> None:
        """Wait until SSH answers."""
        deadline = time.monotonic() + ANSWER_SECONDS
        while time.monotonic() < deadline:
            if self._life is None or self._life.done():
                break
            with contextlib.suppress(OSError, asyncio.TimeoutError):
                reader, writer = await asyncio.open_connection(self.address, 22)
                greeting = await asyncio.wait_for(reader.read(4), 5)
                writer.close()
                if greeting == b"SSH-":
                    return
            await asyncio.sleep(0.1)
        log = (self.folder / "log").read_text(errors="replace")
        raise ContainerError(f"{self.name} does not answer; its console ends with:\n{log[-2000:]}")

    async def kill(self) -> None:
        """Take its power away."""
        self.stays_down = True
        while self._life is not None and not self._life.done():
            if self.leader:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(self.leader, signal.SIGKILL)
            await asyncio.wait([self._life], timeout=0.05)

    async def renew(self) -> None:
        """As it was installed, and booted."""
        await self.kill()
        if self.root.is_mount():
            subprocess.run(["umount", str(self.root)], check=True)
        shutil.rmtree(self.folder, ignore_errors=True)
        self.lay()
        self.boots = 0
        await self.start()

    async def _live(self) -> None:
        status = REBOOT
        while status == REBOOT and not (self.boots and self.stays_down):
            self._power_on()
            self._process = await asyncio.create_subprocess_exec(*self._command(), stdin=subprocess.DEVNULL)
            status = await self._process.wait()
            self._process = None

    def _power_on(self) -> None:
        """What each boot makes anew: the command line that the boot loader's files give, cards without VFs."""
        self.boots += 1
        line = boot_loader.command_line(self.root) or ""
        (self.folder / "lab/cmdline").write_text(f"{line}\n")
        (self.folder / "lab/cpuinfo").write_text(CPU)
        machine = Sysfs(self.nics, passthrough=is_passthrough(line, "intel"))
        machine.plug()
        machine.root.make("fs/cgroup")
        for nic in self.nics:  # systemd takes nothing for a device that has no such file
            machine.root.make(f"devices/pci{nic.pci[:7]}/{nic.pci}").text(uevent=f"PCI_SLOT_NAME={nic.pci}")
        self.sys.entries["sys"] = machine.root

    def _command(self) -> list[str]:
        """nspawn, in a control group of its own: it makes the container's below the one that it is started in."""
        enter = 'echo $$ >"$1/cgroup.procs"; exec >>"$2" 2>&1; shift 2; exec "$@"'
        return [
            "sh", "-euc", enter, "enter", str(self.cgroup), str(self.folder / "log"),
            "systemd-nspawn", "--quiet", "--register=no", "--keep-unit", "--capability=all", "--private-users=no",
            "--link-journal=no", "--resolv-conf=off", "--timezone=off", "--console=pipe",
            f"--directory={self.root}", f"--machine={self.name}",
            f"--bind={self.folder}/lab:/lab", f"--bind={self.mountpoint}:/lab/sys", f"--bind-ro={INIT}:/lab/init",
            "/bin/sh", "/lab/init", *(f"{nic.interface}={nic.pci}" for nic in self.nics),
        ]  # fmt: skip


@dataclass
class Containers:
    """All of them, by name, and the verbs."""

    by_name: dict[str, Container] = field(default_factory=dict)

    @classmethod
    def prepare(cls, folder: Path, plan: dict[str, Any]) -> Containers:
        root, mountpoint, made = Directory(), folder / "sys", {}
        mountpoint.mkdir()
        fuse.Server(fuse.mount(str(mountpoint)), root)
        for name, address in plan["hosts"].items():
            nics = tuple(
                Nic(f"enp{number}s0", f"0000:0{number}:00.0", mac=f"52:54:00:00:01:0{number}", up=True)
                for number in (1, 2)
            )
            cgroup = Path(plan["cgroup"], name)
            cgroup.mkdir(parents=True)
            made[name] = Container(
                name,
                address,
                nics,
                Path(plan["tree"]),
                folder / name,
                cgroup,
                root.make(name),
                mountpoint / name / "sys",
            )
        return cls(made)

    async def call(self, verb: str, names: list[str], arguments: dict[str, Any]) -> object:
        hosts = [self.by_name[name] for name in names]
        match verb:
            case "renew":
                await self._each(hosts, Container.renew)
            case "start":
                await self._each(hosts, Container.start)
            case "answer":
                await self._each(hosts, Container.answer)
            case "kill":
                await self._each(hosts, Container.kill)
            case "stays_down":
                for host in hosts:
                    host.stays_down = True
            case "run":
                return await self._run(hosts[0], arguments["command"], arguments["content"])
            case "boots":
                return {host.name: host.boots for host in hosts}
        return None

    @staticmethod
    async def _each(hosts: list[Container], act: Callable[[Container], Awaitable[None]]) -> None:
        some = asyncio.Semaphore(BOOTS_AT_ONCE)

        async def in_turn(host: Container) -> None:
            async with some:
                await act(host)

        await asyncio.gather(*map(in_turn, hosts))

    @staticmethod
    async def _run(host: Container, command: str, content: str) -> list[object]:
        """A shell command inside: its status, output, errors, the latter two as Latin-1."""
        if not host.leader:
            raise ContainerError(f"{host.name} is down")
        words = ["nsenter", "-t", str(host.leader), "-m", "-u", "-i", "-p", "-r", "-w", "--", "/bin/sh", "-c", command]
        process = await asyncio.create_subprocess_exec(
            *words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "HOME": "/root", "LC_ALL": "C.UTF-8"},
        )  # fmt: skip
        output, errors = await process.communicate(content.encode("latin-1"))
        return [process.returncode, output.decode("latin-1"), errors.decode("latin-1")]


async def serve(folder: Path, plan: dict[str, Any]) -> None:
    """Until standard input ends."""
    reader = asyncio.StreamReader(1 << 26)
    loop = asyncio.get_running_loop()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin.buffer)
    containers = Containers.prepare(folder, plan)
    say({"result": "ready"})
    while line := await reader.readline():
        request = json.loads(line)
        try:
            say({"result": await containers.call(request.pop("verb"), request.pop("hosts"), request)})
        except (ContainerError, OSError, subprocess.SubprocessError) as error:
            say({"error": str(error)})


def say(document: dict[str, object]) -> None:
    print(json.dumps(document), flush=True)


if __name__ == "__main__":
    if sys.version_info < (3, 12):  # later versions wait for children through pidfds by themselves
        asyncio.set_child_watcher(asyncio.PidfdChildWatcher())
    subprocess.run(["ip", "link", "set", "dev", "lo", "up"], check=True)
    place = Path(sys.argv[1])
    asyncio.run(serve(place, json.loads((place / "plan.json").read_text())))
    os._exit(0)  # what still runs ends with this process
