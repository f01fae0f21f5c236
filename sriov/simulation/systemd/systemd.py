"""systemd of one simulated host: state of its units, start and stop, and a boot.

Units from files run their commands in the host; packaged services are stand-ins without a process that remember
which configuration they read.
"""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections.abc import Callable, Iterable

from ..machine.machine import Machine
from . import boot_order, command_line, unit_file
from .service import Service, Start, now
from .unit_file import Unit
from .unit_store import UnitStore

DEVICE_SECONDS = 2.0  # systemd gives a device 90 s; nothing here appears later than this
CONFIGURATION = ("nova/*.conf", "nova/*.conf.d/*.conf", "neutron/**/*.ini", "neutron/*.conf")


class Systemd:
    """`units` as files, `services` as they run, and the `journal` of what started since the last boot."""

    def __init__(self, machine: Machine, packaged: Iterable[str]) -> None:
        self._machine = machine
        self.services = {name: Service(name, packaged=True) for name in packaged}
        self.units = UnitStore(machine, self.services)
        self.journal: list[Start] = []

    def state(self, name: str) -> Service:
        return self.services.setdefault(name, Service(name))

    # --- start and stop ---

    async def start(self, name: str) -> str:
        """'' or why it did not start: `dependency`, `exit-code`, `timeout`, `resources`."""
        service, unit = self.state(name), self.units.unit(name)
        if unit is None or service.active == "active":
            return ""
        if not await self._devices(unit):
            return "dependency"
        service.started = now()
        service.starts += 1
        self.journal.append(Start(name, time.monotonic(), self._machine.vf_counts()))
        failed = "exit-code" if name in self._machine.faults.failing_units else ""
        if service.packaged:
            service.read = self._configuration()
            service.pid = 1000 + service.starts
        elif not failed:
            failed = await self._execute(unit, "ExecStart")
        return self._settle(service, unit, failed)

    @staticmethod
    def _settle(service: Service, unit: Unit, failed: str) -> str:
        service.result = failed or "success"
        if failed:
            service.active, service.sub, service.pid = "failed", "failed", 0
            return failed
        stays = unit.flag("Service", "RemainAfterExit")
        oneshot = unit.last("Service", "Type") == "oneshot"
        service.active = "active" if stays or not oneshot else "inactive"
        service.sub = "exited" if stays and oneshot else "running" if service.active == "active" else "dead"
        service.entered = now()
        return ""

    async def stop(self, name: str) -> None:
        service, unit = self.state(name), self.units.unit(name)
        if unit and service.active == "active":
            await self._execute(unit, "ExecStop")
        service.active, service.sub, service.pid = "inactive", "dead", 0

    async def _devices(self, unit: Unit) -> bool:
        """Wait for the interfaces that a unit names; False if one does not come."""
        interfaces = [unit_file.device_interface(device) for device in unit.devices]
        deadline = time.monotonic() + DEVICE_SECONDS
        while not all(name in self._machine.sysfs.netdevs.by_name for name in interfaces if name):
            if time.monotonic() > deadline:
                return False
            await asyncio.sleep(0.02)
        return True

    async def _execute(self, unit: Unit, key: str) -> str:
        limit = unit_file.seconds(unit.last("Service", "TimeoutStartSec"), float("inf"))
        deadline = time.monotonic() + limit
        try:
            lines = command_line.commands(unit, key)
        except ValueError:
            return "resources"
        for line in lines:
            left = None if limit == float("inf") else max(0.0, deadline - time.monotonic())
            status, _output = await self._machine.run(line.words, left)
            if status is None:
                return "timeout"
            if status and not line.ignores_failure:
                return "exit-code"
        return ""

    def _configuration(self) -> dict[str, str]:
        """Path -> sha256 of what a service of nova or neutron reads when it starts."""
        etc = self._machine.disk("/etc")
        paths = [path for pattern in CONFIGURATION for path in sorted(etc.glob(pattern))]
        return {f"/etc/{path.relative_to(etc)}": hashlib.sha256(path.read_bytes()).hexdigest() for path in paths}

    # --- boot ---

    async def boot(self, plug: Callable[[], None], online: Callable[[], None]) -> None:
        """Start what is enabled, in order; `plug` makes the interfaces appear, `online` is network.target."""
        self.units.reload()
        self.journal.clear()
        for service in self.services.values():
            service.forget()
        jobs = self.units.enabled()
        order = boot_order.acyclic(boot_order.predecessors(jobs))
        done = {name: asyncio.Event() for name in order}
        plugged = asyncio.Event()
        early = {name for name in jobs if not boot_order.is_late(name, jobs, order)}

        async def job(name: str) -> None:
            for earlier in order[name]:
                await done[earlier].wait()
            if name == "network.target":
                await plugged.wait()
                online()
            if name in jobs:
                await self.start(name)
            done[name].set()

        async def hardware() -> None:
            # Drivers bind while early units run: a unit that names no device unit comes too early, as measured.
            for name in ("basic.target", *early):
                await done[name].wait()
            plug()
            plugged.set()

        await asyncio.gather(hardware(), *(job(name) for name in order))
