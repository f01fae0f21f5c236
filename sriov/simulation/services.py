"""The service manager of one simulated host: state of its units, start and stop, and the order of a boot.

Units are real files under /etc/systemd/system and enabled by real links; packaged services are stand-ins
without a process that remember which configuration they read.
"""

from __future__ import annotations

import asyncio
import contextlib
import graphlib
import hashlib
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from . import units
from .units import Unit

DEVICE_SECONDS = 2.0  # systemd gives a device 90 s; nothing here appears later than this
PACKAGED = "[Unit]\nAfter=network-online.target\n[Service]\nType=simple\n[Install]\nWantedBy=multi-user.target\n"
SYSTEM = "/etc/systemd/system"


class Machine(Protocol):
    """What the service manager needs of its host."""

    def disk(self, path: str) -> Path: ...

    async def run(self, words: Iterable[str], timeout: float | None = None) -> tuple[int | None, bytes]: ...

    def has_interface(self, name: str) -> bool: ...

    def vf_counts(self) -> dict[str, int]: ...

    def is_failing(self, unit: str) -> bool: ...


@dataclass(slots=True)
class Service:
    """Run-time state of a unit, in systemd's words; times in microseconds since the machine's boot.

    `read`: path -> sha256 of the configuration that a packaged service read when it last started.
    """

    name: str
    packaged: bool = False
    active: str = "inactive"
    sub: str = "dead"
    result: str = "success"
    started: int = 0
    entered: int = 0
    starts: int = 0
    pid: int = 0
    read: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Start:
    """An entry of the boot's record: which unit began when (monotonic seconds), and the VFs that existed then."""

    unit: str
    at: float
    vfs: dict[str, int]


def now() -> int:
    # with the time that the machine slept, as /proc/uptime has it: a laptop that slept is no host with stale services
    return time.clock_gettime_ns(time.CLOCK_BOOTTIME) // 1000


class ServiceManager:
    """systemd of one host."""

    def __init__(self, machine: Machine, packaged: Iterable[str]) -> None:
        self._machine = machine
        self.services = {name: Service(name, packaged=True) for name in packaged}
        self._loaded: dict[str, str] = {}
        self.journal: list[Start] = []

    # --- unit files ---

    def source(self, name: str) -> str | None:
        """Text of the unit file as it is on disk; None where there is none, '' for a masked unit."""
        path = self._machine.disk(f"{SYSTEM}/{name}")
        if path.is_symlink():
            target = str(path.readlink())
            if target == "/dev/null":
                return ""
            path = self._machine.disk(target)
        with contextlib.suppress(OSError):
            return path.read_text("utf-8", "replace")
        service = self.services.get(name)
        return PACKAGED if service and service.packaged else None

    def unit(self, name: str) -> Unit | None:
        """The unit as loaded; a file is read at first need and then only by daemon-reload."""
        text = self._loaded.get(name)
        if text is None:
            text = self.source(name)
            if text is None:
                return None
            self._loaded[name] = text
        return units.parse(name, text)

    def reload(self) -> None:
        self._loaded.clear()

    def is_stale(self, name: str) -> bool:
        return name in self._loaded and self._loaded[name] != self.source(name)

    def is_masked(self, name: str) -> bool:
        return self.source(name) == ""

    def links(self, name: str) -> list[str]:
        """The links that enable a unit, as paths of the host."""
        root = self._machine.disk(SYSTEM)
        folders = [*root.glob("*.wants"), *root.glob("*.requires")]  # a link may lead nowhere on this disk
        found = [folder / name for folder in folders if (folder / name).is_symlink()]
        return [f"{SYSTEM}/{path.relative_to(root)}" for path in found]

    def state(self, name: str) -> Service:
        return self.services.setdefault(name, Service(name))

    # --- start and stop ---

    async def start(self, name: str) -> str:
        """'' or why it did not start: `dependency`, `exit-code`, `timeout`, `resources`."""
        service, unit = self.state(name), self.unit(name)
        if unit is None or (service.active == "active" and not service.packaged):
            return ""
        if service.active == "active":
            return ""
        if not await self._devices(unit):
            return "dependency"
        service.started = now()
        service.starts += 1
        self.journal.append(Start(name, time.monotonic(), self._machine.vf_counts()))
        failed = "exit-code" if self._machine.is_failing(name) else ""
        if service.packaged:
            service.read = self._configuration()
            service.pid = 1000 + service.starts
        elif not failed:
            failed = await self._execute(unit, "ExecStart")
        return self._settle(service, unit, failed)

    def _settle(self, service: Service, unit: Unit, failed: str) -> str:
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
        service, unit = self.state(name), self.unit(name)
        if unit and service.active == "active":
            await self._execute(unit, "ExecStop")
        service.active, service.sub, service.pid = "inactive", "dead", 0

    async def _devices(self, unit: Unit) -> bool:
        interfaces = [units.device_interface(device) for device in unit.devices]
        deadline = time.monotonic() + DEVICE_SECONDS
        while not all(self._machine.has_interface(name) for name in interfaces if name):
            if time.monotonic() > deadline:
                return False
            await asyncio.sleep(0.02)
        return True

    async def _execute(self, unit: Unit, key: str) -> str:
        limit = units.seconds(unit.last("Service", "TimeoutStartSec"), float("inf"))
        deadline = time.monotonic() + limit
        try:
            lines = units.commands(unit, key)
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
        found = {}
        for pattern in ("nova/*.conf", "nova/*.conf.d/*.conf", "neutron/**/*.ini", "neutron/*.conf"):
            for path in sorted(self._machine.disk("/etc").glob(pattern)):
                found[f"/etc/{path.relative_to(self._machine.disk('/etc'))}"] = hashlib.sha256(
                    path.read_bytes()
                ).hexdigest()
        return found

    # --- boot ---

    async def boot(self, plug: Callable[[], None], online: Callable[[], None]) -> None:
        """Start what is enabled, in order; `plug` makes the interfaces appear, `online` is network.target."""
        self._loaded.clear()
        self.journal.clear()
        for service in self.services.values():
            service.active, service.sub, service.started, service.entered, service.pid = "inactive", "dead", 0, 0, 0
        jobs = {name: unit for name in self._enabled() if (unit := self.unit(name)) and not self.is_masked(name)}
        order = acyclic(units.predecessors(jobs))
        done = {name: asyncio.Event() for name in order}
        plugged = asyncio.Event()
        early = {name for name in jobs if not _is_late(name, jobs, order)}

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

    def _enabled(self) -> list[str]:
        root = self._machine.disk(SYSTEM)
        found = [*root.glob("*.target.wants/*"), *root.glob("*.target.requires/*"), *root.glob("*.device.wants/*")]
        return sorted({path.name for path in found if path.is_symlink()})


def _is_late(name: str, jobs: Mapping[str, Unit], order: Mapping[str, frozenset[str]]) -> bool:
    """Whether a unit waits, itself or through others, for an interface or for the network."""
    pending, seen = [name], set[str]()
    while pending:
        here = pending.pop()
        if here in ("network.target", "network-online.target", "multi-user.target"):
            return True
        if here in jobs and jobs[here].devices:
            return True
        pending += [earlier for earlier in order[here] if earlier not in seen]
        seen.add(here)
    return False


def acyclic(order: Mapping[str, frozenset[str]]) -> dict[str, frozenset[str]]:
    """The same order without its cycles: an edge of each is dropped, as systemd drops a job to break one."""
    graph = dict(order)
    while True:
        try:
            graphlib.TopologicalSorter(graph).prepare()
        except graphlib.CycleError as error:
            earlier, later = error.args[1][:2]
            graph[later] = graph[later] - {earlier}
        else:
            return graph
