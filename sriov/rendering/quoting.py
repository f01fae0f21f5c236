"""How a value stands in the text of a host: quoted for the language of its file.

A value that holds a line feed or another control character is refused: no file that we write needs one.
"""

from __future__ import annotations

import re
import shlex

from sriov.errors import SriovError

_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


def shell_word(value: object) -> str:
    """One word of POSIX sh: `it's` -> `'it'"'"'s'`."""
    return shlex.quote(plain(value))


def unit_word(value: object) -> str:
    """Text for a systemd unit: `%` is its specifier, `$` its variable, `\\` and `"` its quoting (systemd.syntax(7))."""
    text = plain(value)
    for special, escaped in (("\\", "\\\\"), ('"', '\\"'), ("%", "%%"), ("$", "$$")):
        text = text.replace(special, escaped)
    return text


class Verbatim(str):
    """Text that stands in a template as it is: its author has seen to the quoting."""

    __slots__ = ()


def unit_name(text: str) -> Verbatim:
    r"""The part of a unit name that stands for `text`: `ens-1` -> `ens\x2d1` (systemd-escape(1))."""
    plain = "".join(c if c.isascii() and (c.isalnum() or c in ":_.") else _escaped(c) for c in text)
    return Verbatim(_escaped(".") + plain[1:] if plain.startswith(".") else plain)


def from_unit_name(part: str) -> str:
    """The text that such a part stands for."""
    escaped = re.compile(r"(?:\\x[0-9a-f]{2})+")
    return escaped.sub(lambda found: bytes.fromhex(found[0].replace("\\x", "")).decode(errors="replace"), part)


def _escaped(character: str) -> str:
    return "".join(f"\\x{byte:02x}" for byte in character.encode())


def plain(value: object) -> str:
    text = str(value)
    if _CONTROL.search(text):
        raise SriovError("control-character", f"a value for a host's file holds a control character: {text!r}")
    return text
