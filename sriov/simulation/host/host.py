"""One simulated host, inside the fleet's own process: its boots and reboots, and what it reports."""

from __future__ import annotations

import asyncio
import dataclasses
import uuid
from collections.abc import Callable
from pathlib import Path

from ..disk import boot_loader
from ..disk.entry import ROOT_UUID
from ..disk.packages import packaged_services
from ..machine import faults
from ..machine.machine import Machine
from ..spec import Faults, HostSpec
from ..systemd.systemctl import Systemctl
from ..systemd.systemd import Systemd
from ..tree.nodes import Ask, Directory
from .commands import Commands
from .holders import Holders

INSTALLED = f"BOOT_IMAGE=/boot/vmlinuz root=UUID={ROOT_UUID} ro"


class Host:
    """A machine with systemd on it. `on_network` is told when the network comes and goes: sshd follows it."""

    def __init__(self, spec: HostSpec, tree: Path, root: Directory, mountpoint: Path, *, is_root: bool) -> None:
        """`root` is the tree that is served at `mountpoint`, with a folder for each host."""
        self.spec = spec
        served = root.make(spec.name)
        self.machine = Machine(spec, tree, served, mountpoint / spec.name, is_root=is_root)
        self.systemd = Systemd(self.machine, packaged_services(spec))
        self.holders = Holders(self.machine)
        systemctl = Systemctl(self.systemd, self.machine, self.reboot_soon)
        served.entries["ask"] = Ask(Commands(self.machine, systemctl, self.reboot_soon).answer)
        self.boots: list[str] = []
        self.is_up = False
        self.is_settled = False
        self.on_network: Callable[[bool], None] = lambda _up: None
        self._booting: asyncio.Future[None] | None = None
        self._is_rebooting = False
        self._tasks: set[asyncio.Task[None]] = set()

    async def boot(self) -> None:
        """From power-on until all enabled units were started."""
        machine = self.machine
        self.boots.append(str(uuid.uuid4()))
        line = boot_loader.command_line(machine.tree)
        machine.load_kernel(line or INSTALLED, self.boots[-1])
        await machine.start_init()
        if line is None:  # a host as installed: its grub.cfg has not been generated yet
            await machine.run(["update-grub"])
            machine.load_kernel(boot_loader.command_line(machine.tree) or "", self.boots[-1])
        if machine.faults != Faults():
            await faults.switch(machine, Faults())
        for port in machine.sysfs.ports.values() if len(self.boots) == 1 else ():
            machine.sysfs.vfs.enable(port, port.nic.numvfs)
        self.is_up = True
        booting = self.systemd.boot(machine.sysfs.plug, lambda: self.on_network(True))
        self._booting = asyncio.ensure_future(booting)
        await self._booting
        self.is_settled = True

    async def down(self) -> None:
        """Power off: connections drop, every process dies, what is in memory is lost."""
        self.is_up = self.is_settled = False
        if self._booting:
            self._booting.cancel()
        self.on_network(False)
        await faults.save_full_disks(self.machine)
        await self.machine.power_off()
        self.holders.forget()

    async def reboot(self) -> None:
        """Down, away for a while, and up again; a second call while it is away is the same reboot."""
        if self._is_rebooting:
            return
        self._is_rebooting = True
        try:
            await self.down()
            if self.machine.faults.never_returns:
                return
            slow = self.machine.faults.reboot_seconds
            await asyncio.sleep(self.spec.reboot_seconds if slow is None else slow)
        finally:
            self._is_rebooting = False
        await self.boot()

    def reboot_soon(self) -> None:
        """As init does it: the command that asked has its answer before the connections drop."""
        asyncio.get_running_loop().call_later(0.05, lambda: self.spawn(self.reboot()))

    def spawn(self, work: asyncio._CoroutineLike[None]) -> None:
        """Let it go on beside what runs."""
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def set_faults(self, wanted: Faults) -> None:
        """Have these faults and no other, now or from the next boot on. Raises SriovError."""
        old, self.machine.faults = self.machine.faults, wanted
        if self.is_up:
            await faults.switch(self.machine, old)

    def report(self) -> dict[str, object]:
        """The state that tests read, as plain JSON."""
        ports = self.machine.sysfs.ports
        return {
            **dataclasses.asdict(self.machine.counts),
            "boots": self.boots,
            "is_up": self.is_up,
            "is_settled": self.is_settled,
            "vfs": self.machine.vf_counts(),
            "cmdline": self.machine.command_line,
            "services": {name: dataclasses.asdict(service) for name, service in self.systemd.services.items()},
            "journal": [start._asdict() for start in self.systemd.journal],
            "stuck": [name for name, port in ports.items() if port.stuck is not None],
        }
