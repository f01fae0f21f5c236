"""Unit files as systemd reads them: text in, a Unit out.

Knows the keys that a oneshot service needs; others are kept but mean nothing here.
Source: systemd.syntax(7), systemd.unit(5).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import NamedTuple


class Unit(NamedTuple):
    """A unit file: `settings` maps (section, key) to its values; an empty assignment clears the list before it."""

    name: str
    settings: Mapping[tuple[str, str], tuple[str, ...]]

    def values(self, section: str, key: str) -> tuple[str, ...]:
        return self.settings.get((section, key), ())

    def words(self, section: str, key: str) -> tuple[str, ...]:
        return tuple(word for value in self.values(section, key) for word in value.split())

    def last(self, section: str, key: str, default: str = "") -> str:
        values = self.values(section, key)
        return values[-1] if values else default

    def flag(self, section: str, key: str, default: bool = False) -> bool:
        text = self.last(section, key)
        return text.lower() in ("1", "yes", "true", "on") if text else default

    @property
    def devices(self) -> tuple[str, ...]:
        """Device units that it waits for."""
        names = (*self.words("Unit", "After"), *self.words("Unit", "BindsTo"), *self.words("Unit", "Requires"))
        return tuple(dict.fromkeys(name for name in names if name.endswith(".device")))

    @property
    def after(self) -> frozenset[str]:
        named = frozenset(self.words("Unit", "After"))
        if self.flag("Unit", "DefaultDependencies", True) and self.name.endswith(".service"):
            return named | {"sysinit.target", "basic.target"}
        return named


def parse(name: str, text: str) -> Unit:
    r"""Sections, keys, `\`-continued lines, comments (also between continued lines)."""
    settings: dict[tuple[str, str], tuple[str, ...]] = {}
    section = ""
    for line in _logical_lines(text):
        if line.startswith("[") and line.endswith("]"):
            section = line[1:-1]
        elif "=" in line:
            key, value = (part.strip() for part in line.split("=", 1))
            place = (section, key)
            settings[place] = (*settings.get(place, ()), value) if value else ()
    return Unit(name, settings)


def _logical_lines(text: str) -> Iterable[str]:
    pending = ""
    for raw in text.splitlines():
        line = raw.strip()
        if line.startswith(("#", ";")) or (not line and not pending):
            continue
        if line.endswith("\\"):
            pending += line[:-1] + " "
            continue
        yield (pending + line).strip()
        pending = ""
    if pending:
        yield pending.strip()


def seconds(text: str, default: float) -> float:
    """`90`, `1min 30s`, `500ms`, `infinity` in seconds; 0 and infinity mean: no limit."""
    if not text:
        return default
    if text in ("infinity", "0"):
        return float("inf")
    scale = {"ms": 0.001, "s": 1.0, "sec": 1.0, "": 1.0, "m": 60.0, "min": 60.0, "h": 3600.0}
    return sum(float(number) * scale.get(unit, 1.0) for number, unit in re.findall(r"([\d.]+)\s*([a-z]*)", text))


def device_interface(name: str) -> str:
    r"""The interface of `sys-subsystem-net-devices-eth0.device` (`\x2d` is a dash), or ''."""
    stem = name.removesuffix(".device")
    if not stem.startswith("sys-subsystem-net-devices-"):
        return ""
    escaped = stem.removeprefix("sys-subsystem-net-devices-")
    return re.sub(r"\\x([0-9a-fA-F]{2})", lambda match: chr(int(match[1], 16)), escaped)
