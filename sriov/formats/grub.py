"""What GRUB will hand to the kernel, read from its generated files.

Read are a grub.cfg as grub-mkconfig writes it (`menuentry`, `submenu`, `set default`), boot loader
specification entries (`/boot/loader/entries/*.conf`), and the environment block (`grubenv`). The rules are
those of GRUB's `normal/menu.c`, `normal/menu_entry.c` and `commands/blscfg.c`. Shell files such as
/etc/default/grub are not read here: only a shell can.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

_VARIABLE = re.compile(r"\$(?:\{(\w+)\}|(\w+))")
_WORD = re.compile(r"""(?:'[^']*'|"(?:\\.|[^"\\])*"|\\.|[^\s'"\\])+""")


def environment(grubenv: str) -> dict[str, str]:
    r"""The variables of an environment block: `saved_entry=0`; `\` escapes the next character."""
    return {
        name: re.sub(r"\\(.)", r"\1", value)
        for name, separator, value in (line.partition("=") for line in grubenv.splitlines() if line[:1] != "#")
        if separator
    }


def _expanded(text: str, variables: Mapping[str, str]) -> str:
    return _VARIABLE.sub(lambda match: variables.get(match[1] or match[2], ""), text)


@dataclass(eq=False, repr=False, slots=True)
class _Entry:
    """A menu entry or a submenu; `arguments` None where no Linux is loaded."""

    title: str = ""
    id: str = ""
    arguments: str | None = None
    is_submenu: bool = False
    entries: list[_Entry] = field(default_factory=list)


@functools.lru_cache(maxsize=128)  # a plan asks several times, and alike hosts have the same file
def default_arguments(grub_cfg: str, grubenv: str) -> str | None:
    """Arguments of the kernel that GRUB boots next time if no key is pressed; None if that is not Linux.

    It is enough to give the lines that begin (behind blanks) with menuentry, submenu, linux, set default,
    if, else, fi and `}`. A default that names no entry is the first one, a submenu its first entry, as for GRUB.
    """
    variables = environment(grubenv)
    lines = grub_cfg.splitlines()
    menu = _menu(lines)
    entry = _chosen(menu, _default(lines, variables))
    return entry.arguments if entry else None


def _menu(lines: Iterable[str]) -> _Entry:
    root = _Entry(is_submenu=True)
    stack = [root]
    for line in lines:
        words = [_unquoted(word) for word in _WORD.findall(line)]
        command = words[0] if words else ""
        if command in ("menuentry", "submenu") and words[-1] == "{":
            entry = _Entry(title=words[1], id=_id_of(words), is_submenu=command == "submenu")
            stack[-1].entries.append(entry)
            stack.append(entry)
        elif command == "}" and len(stack) > 1:
            stack.pop()
        elif command in ("linux", "linuxefi", "linux16") and len(stack) > 1:
            stack[-1].arguments = re.sub(r"^\s*\S+\s+\S+\s*", "", line).rstrip()
    return root


def _id_of(words: list[str]) -> str:
    for option in ("$menuentry_id_option", "--id"):
        if option in words[:-2]:
            return words[words.index(option) + 1]
    return next((word.removeprefix("--id=") for word in words if word.startswith("--id=")), "")


def _unquoted(word: str) -> str:
    return re.sub(r"""'([^']*)'|"((?:\\.|[^"\\])*)"|\\(.)""", lambda m: m[1] or _unescaped(m[2]) or m[3] or "", word)


def _unescaped(text: str | None) -> str:
    return re.sub(r'\\(["$`\\])', r"\1", text or "")


def _default(lines: Iterable[str], variables: Mapping[str, str]) -> str:
    """The variable `default` as the header leaves it: its one known condition is whether next_entry is set."""
    default = ""
    branches: list[bool | None] = []  # None: a condition that is not known here, both of its branches count
    for line in lines:
        text = line.strip()
        if re.match(r"if\b", text) and not re.search(r"\bfi$", text):
            branches.append(bool(variables.get("next_entry")) if "next_entry" in text else None)
        elif re.match(r"else\b", text) and branches:
            branches[-1] = None if branches[-1] is None else not branches[-1]
        elif re.match(r"fi\b", text) and branches:
            branches.pop()
        elif (match := re.match(r"set default=(.*)", text)) and False not in branches:
            default = _expanded(_unquoted(match[1].strip()), variables)
    return default


def _chosen(menu: _Entry, default: str) -> _Entry | None:
    entry = menu
    path = [part.replace(">>", ">") for part in re.split(r"(?<!>)>(?!>)", default)] if default else []
    while entry.is_submenu:
        if not entry.entries:
            return None
        entry = _pick(entry.entries, path.pop(0) if path else "0")
    return entry


def _pick(entries: list[_Entry], name: str) -> _Entry:
    if re.fullmatch(r"\d+", name):
        return entries[int(name)] if int(name) < len(entries) else entries[0]
    return next((entry for entry in entries if name in (entry.title, entry.id)), entries[0])


def bls_default_arguments(entries: Mapping[str, str], grubenv: str) -> str | None:
    """The same for boot loader specification entries, by file name (`…-5.14.0-70.el9.x86_64.conf`) their text.

    `next_entry` or `saved_entry` names one by file name without `.conf`, by title or by number; else it is the
    first in GRUB's order, the highest version. Variables come from `grubenv`, unset ones are empty.
    """
    variables = environment(grubenv)
    ordered = sorted(entries, key=lambda name: _version_key(name.removesuffix(".conf")), reverse=True)
    menu = [_bls_entry(name.removesuffix(".conf"), entries[name], variables) for name in ordered]
    if not menu:
        return None
    return _pick(menu, variables.get("next_entry") or variables.get("saved_entry") or "0").arguments


def _bls_entry(name: str, text: str, variables: Mapping[str, str]) -> _Entry:
    fields = [line.split(None, 1) for line in text.splitlines() if line[:1] != "#"]
    titles = [pair[1].strip() for pair in fields if len(pair) == 2 and pair[0] == "title"]
    options = [_expanded(pair[1], variables).strip() for pair in fields if len(pair) == 2 and pair[0] == "options"]
    return _Entry(title=titles[0] if titles else "", id=name, arguments=" ".join(filter(None, options)))


def _version_key(name: str) -> tuple[tuple[int, int, str], ...]:
    """Order of versions as rpm has it: `~` below the end, letters above it, numbers (by value) above letters."""
    parts = re.findall(r"\d+|[A-Za-z]+|~", name)
    ranks = [(3, int(part), "") if part.isdigit() else (0, 0, "") if part == "~" else (2, 0, part) for part in parts]
    return (*ranks, (1, 0, ""))
