"""The units of a host: real files under /etc/systemd/system, the real links that enable them, and what is loaded."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable

from ..machine.machine import Machine
from . import unit_file
from .unit_file import Unit

SYSTEM = "/etc/systemd/system"
PACKAGED_SYSTEM = "/lib/systemd/system"
PACKAGED = "[Unit]\nAfter=network-online.target\n[Service]\nType=simple\n[Install]\nWantedBy=multi-user.target\n"


class UnitStore:
    """`packaged` names the units that a package has brought: they need no file, all have the text PACKAGED."""

    def __init__(self, machine: Machine, packaged: Iterable[str]) -> None:
        self._machine = machine
        self._packaged = frozenset(packaged)
        self._loaded: dict[str, str] = {}

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
        return PACKAGED if name in self._packaged else None

    def unit(self, name: str) -> Unit | None:
        """The unit as loaded; a file is read at first need and then only by daemon-reload."""
        text = self._loaded.get(name)
        if text is None:
            text = self.source(name)
            if text is None:
                return None
            self._loaded[name] = text
        return unit_file.parse(name, text)

    def reload(self) -> None:
        """daemon-reload: what stands in the files counts from now on."""
        self._loaded.clear()

    def is_stale(self, name: str) -> bool:
        """Whether the file has changed since it was loaded."""
        return name in self._loaded and self._loaded[name] != self.source(name)

    def is_masked(self, name: str) -> bool:
        return self.source(name) == ""

    def is_packaged(self, name: str) -> bool:
        return name in self._packaged

    def links(self, name: str) -> list[str]:
        """The links that enable a unit, as paths of the host."""
        root = self._machine.disk(SYSTEM)
        folders = [*root.glob("*.wants"), *root.glob("*.requires")]  # a link may lead nowhere on this disk
        found = [folder / name for folder in folders if (folder / name).is_symlink()]
        return [f"{SYSTEM}/{path.relative_to(root)}" for path in found]

    def file_state(self, name: str) -> str:
        """`enabled`, `disabled`, `masked`, `static`, or '' for a unit that does not exist."""
        unit = self.unit(name)
        if unit is None:
            return ""
        if self.is_masked(name):
            return "masked"
        if self.links(name):
            return "enabled"
        return "disabled" if unit.words("Install", "WantedBy") or unit.words("Install", "RequiredBy") else "static"

    def names(self) -> list[str]:
        """All services that have a file or a package, sorted."""
        own = {path.name for path in self._machine.disk(SYSTEM).glob("*.service")}
        return sorted(own | self._packaged)

    def enabled(self) -> dict[str, Unit]:
        """What a boot starts: the units that a target or a device wants and that are not masked."""
        root = self._machine.disk(SYSTEM)
        found = [*root.glob("*.target.wants/*"), *root.glob("*.target.requires/*"), *root.glob("*.device.wants/*")]
        names = sorted({path.name for path in found if path.is_symlink()})
        return {name: unit for name in names if (unit := self.unit(name)) and not self.is_masked(name)}
