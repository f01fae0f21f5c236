"""Unit files as systemd reads them: pure text in, values out, and the order in which units start.

Knows the keys that a oneshot service needs; others are kept but mean nothing here.
Source: systemd.syntax(7), systemd.service(5) "COMMAND LINES", systemd.unit(5).
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

ESCAPES = {"n": "\n", "t": "\t", "s": " ", "\\": "\\", '"': '"', "'": "'", "r": "\r", "a": "\a", "b": "\b"}
ORDERED_TARGETS = (
    "sysinit.target",
    "basic.target",
    "network-pre.target",
    "network.target",
    "network-online.target",
    "multi-user.target",
)


@dataclass(frozen=True, slots=True)
class Unit:
    """A unit file: `settings` maps (section, key) to its values; an empty assignment clears the list before it."""

    name: str
    settings: Mapping[tuple[str, str], tuple[str, ...]] = field(default_factory=dict)

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


def split_words(text: str) -> list[str]:
    r"""Words of a command line: '…' and "…" at a word's start group, `\x41`, `\n` … are escapes in and out of quotes.

    Raises ValueError for an open quote.
    """
    words: list[str] = []
    position = 0
    while position < len(text):
        if text[position].isspace():
            position += 1
            continue
        word, quote = "", ""
        while position < len(text) and (quote or not text[position].isspace()):
            character = text[position]
            if character == "\\" and position + 1 < len(text):
                piece, position = _escape(text, position + 1)
                word += piece
                continue
            if quote and character == quote:
                quote = ""
            elif not quote and character in "'\"":
                quote = character
            else:
                word += character
            position += 1
        if quote:
            raise ValueError("unbalanced quoting")
        words.append(word)
    return words


def _escape(text: str, position: int) -> tuple[str, int]:
    character = text[position]
    if character == "x" and re.match(r"[0-9a-fA-F]{2}", text[position + 1 :]):
        return chr(int(text[position + 1 : position + 3], 16)), position + 3
    return ESCAPES.get(character, "\\" + character), position + 1


@dataclass(frozen=True, slots=True)
class Command:
    """One Exec line: the words to execute; `ignores_failure` is the prefix `-`."""

    words: tuple[str, ...]
    ignores_failure: bool = False


def commands(unit: Unit, key: str = "ExecStart") -> tuple[Command, ...]:
    """The Exec lines of a service, specifiers and variables expanded. Raises ValueError for bad quoting."""
    pairs = [pair for value in unit.values("Service", "Environment") for pair in split_words(value)]
    environment = dict(pair.split("=", 1) for pair in pairs)
    found = []
    for value in unit.values("Service", key):
        bare = value.lstrip("-@:+!")
        prefix = value[: len(value) - len(bare)]
        words = [_specifiers(unit.name, word) for word in split_words(bare)]
        if ":" not in prefix:
            words = [piece for word in words for piece in _variables(word, environment)]
        found.append(Command(tuple(words), "-" in prefix))
    return tuple(found)


def _specifiers(name: str, word: str) -> str:
    stem = name.rsplit(".", 1)[0]
    prefix, _, instance = stem.partition("@")
    values = {"%": "%", "n": name, "N": stem, "i": instance, "I": instance.replace("-", "/"), "p": prefix}
    return re.sub(r"%(.)", lambda match: values.get(match[1], match[0]), word)


def _variables(word: str, environment: Mapping[str, str]) -> list[str]:
    """`$$` is a dollar; `${A}` within a word; `$A` as a whole word is split at blanks."""
    whole = re.fullmatch(r"\$([A-Za-z_]\w*)", word)
    if whole:
        return environment.get(whole[1], "").split()
    pattern = r"\$\$|\$\{([A-Za-z_]\w*)\}"
    return [re.sub(pattern, lambda match: environment.get(match[1], "") if match[1] else "$", word)]


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


def predecessors(units: Mapping[str, Unit]) -> dict[str, frozenset[str]]:
    """For each unit and each ordered target the names that must be done before it; only names that take part.

    Packaged services of the simulation come as units with After=network-online.target.
    """
    before: dict[str, set[str]] = {target: set() for target in ORDERED_TARGETS}
    for earlier, target in itertools.pairwise(ORDERED_TARGETS):
        before[target].add(earlier)
    for name, unit in units.items():
        before.setdefault(name, set()).update(unit.after)
    for name, unit in units.items():
        for later in unit.words("Unit", "Before"):
            if later in before:
                before[later].add(name)
        for target in (*unit.words("Install", "WantedBy"), *unit.words("Install", "RequiredBy")):
            # a target comes after what it wants, unless that is ordered after it
            if target in before and target not in unit.after and unit.flag("Unit", "DefaultDependencies", True):
                before[target].add(name)
    return {name: frozenset(earlier & before.keys()) for name, earlier in before.items()}
