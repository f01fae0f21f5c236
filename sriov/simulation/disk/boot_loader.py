"""What a boot loader makes of the files in /boot: which kernel command line the default entry gives."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path

_MENU = re.compile(
    r"^\s*(?:menuentry|submenu)\s+(?:'(?P<single>[^']*)'|\"(?P<double>[^\"]*)\")"
    r"(?:.*?id_option '(?P<id>[^']*)')?.*\{\s*$"
)
_LINUX = re.compile(r"^\s*linux(?:16|efi)?\s+(\S+)[ \t]*(.*)$", re.MULTILINE)


def command_line(tree: Path) -> str | None:
    """`BOOT_IMAGE=… root=… ro …` of the default entry; None where no entry can be booted.

    RHEL family: the BLS entry that grubenv names, else the newest; Debian: what the default of grub.cfg names.
    """
    entries = sorted((tree / "boot/loader/entries").glob("*.conf"), reverse=True)
    if entries:
        saved = re.search(r"^saved_entry=(.+)$", _text(tree / "boot/grub2/grubenv"), re.MULTILINE)
        named = [entry for entry in entries if saved and entry.stem == saved[1].strip()]
        fields = dict(line.partition(" ")[::2] for line in _text((named or entries)[0]).splitlines())
        return f"BOOT_IMAGE=(hd0,gpt2){fields.get('linux', '')} {' '.join(fields.get('options', '').split())}"
    menu = _parse_menu(_text(tree / "boot/grub/grub.cfg"))
    chosen = _choose(menu, _default(tree))
    linux = _LINUX.search(chosen.body) if chosen else None
    return f"BOOT_IMAGE={linux[1]} {' '.join(linux[2].split())}" if linux else None


@dataclass(slots=True)
class _Entry:
    """A menuentry with its body, or a submenu with its entries; `names` are its title and its id."""

    names: tuple[str, ...]
    body: str = ""
    entries: list[_Entry] = field(default_factory=list)


def _parse_menu(text: str) -> list[_Entry]:
    """The entries of a grub.cfg as grub-mkconfig writes it: each opens and closes on a line of its own."""
    top = _Entry(())
    stack = [top]
    for line in text.splitlines():
        opening = _MENU.match(line)
        if opening:
            title = opening["single"] if opening["single"] is not None else opening["double"]
            entry = _Entry((title, opening["id"] or title))
            stack[-1].entries.append(entry)
            stack.append(entry)
        elif line.strip() == "}" and len(stack) > 1:
            stack.pop()
        else:
            stack[-1].body += line + "\n"
    return top.entries


def _default(tree: Path) -> str:
    """What GRUB_DEFAULT became; `saved` is looked up in grubenv, where nothing is saved by default."""
    found = re.search(r'^\s*set default="([^"]*)"', _text(tree / "boot/grub/grub.cfg"), re.MULTILINE)
    wanted = found[1] if found else "0"
    if wanted in ("saved", "${saved_entry}"):
        saved = re.search(r"^saved_entry=(.+)$", _text(tree / "boot/grub/grubenv"), re.MULTILINE)
        wanted = saved[1] if saved else "0"
    return wanted


def _choose(entries: list[_Entry], wanted: str) -> _Entry | None:
    """The entry that `0`, `1>2`, a title or an id names; the first one that can be booted where none does."""
    here, chosen = entries, None
    for part in wanted.split(">"):
        matches = [entry for number, entry in enumerate(here) if part in (str(number), *entry.names)]
        chosen = matches[0] if matches else None
        here = chosen.entries if chosen else []
    while chosen and chosen.entries:  # a submenu by itself boots its first entry
        chosen = chosen.entries[0]
    return chosen or next((entry for entry in entries if not entry.entries), None)


def _text(path: Path) -> str:
    try:
        return path.read_text("utf-8", "replace")
    except OSError:
        return ""
