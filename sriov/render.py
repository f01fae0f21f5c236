"""The one user of Jinja2: templates to the text that reaches a host.

Every `{{ value }}` of a template is quoted for the language of its file, by the renderer and not by the
author of the template: `*.sh.j2` for the POSIX shell, `*.service.j2` for systemd's unit syntax. A value that
holds a line feed or another control character is refused: no file that we write needs one.
"""

from __future__ import annotations

import contextlib
import functools
import re
import shlex
import sys
import threading
from collections.abc import Callable, Hashable
from pathlib import Path

import jinja2
from jinja2.bccache import Bucket

from sriov import layout
from sriov.errors import SriovError

_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_lock = threading.Lock()


def shell_word(value: object) -> str:
    """One word of POSIX sh: `it's` -> `'it'"'"'s'`."""
    return shlex.quote(_plain(value))


def unit_word(value: object) -> str:
    """Text for a systemd unit: `%` is its specifier, `$` its variable, `\\` and `"` its quoting (systemd.syntax(7))."""
    text = _plain(value)
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


def _escaped(character: str) -> str:
    return "".join(f"\\x{byte:02x}" for byte in character.encode())


def _plain(value: object) -> str:
    text = str(value)
    if _CONTROL.search(text):
        raise SriovError(f"a value for a host's file holds a control character: {text!r}")
    return text


class _Compiled(jinja2.FileSystemBytecodeCache):
    """Templates compiled once for each user, in a folder below /tmp that only this user can write."""

    def dump_bytecode(self, bucket: Bucket) -> None:
        with contextlib.suppress(OSError):  # a full disk costs time, and nothing else
            super().dump_bytecode(bucket)


def _bytecode_cache() -> jinja2.BytecodeCache | None:
    if sys.dont_write_bytecode:
        return None
    made_by = Path(__file__).stat().st_mtime_ns  # the settings below are part of what is compiled
    with contextlib.suppress(RuntimeError, OSError):
        return _Compiled(pattern=f"sriov-{made_by}-%s.cache")
    return None


@functools.cache
def _environment(quote: Callable[[object], str]) -> jinja2.Environment:
    environment = jinja2.Environment(  # noqa: S701 - no HTML here; every value is quoted by finalize
        loader=jinja2.FileSystemLoader(layout.templates()),
        undefined=jinja2.StrictUndefined,
        finalize=lambda value: value if isinstance(value, Verbatim) else quote(value),
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        auto_reload=False,
        bytecode_cache=_bytecode_cache(),
    )
    environment.filters["unit_name"] = unit_name
    environment.filters["verbatim"] = lambda value: Verbatim(_plain(value))
    return environment


def render(template: str, **values: Hashable) -> str:
    """The text of `templates/<template>.j2`."""
    return _rendered(template, tuple(values.items()))


@functools.lru_cache(maxsize=64)
def _rendered(template: str, values: tuple[tuple[str, Hashable], ...]) -> str:
    """Hosts are alike: what one of them was sent is kept for the next."""
    return _template(template).render(dict(values))


def _template(name: str) -> jinja2.Template:
    quote = {"sh": shell_word, "service": unit_word}.get(name.rsplit(".", 1)[-1], _plain)
    with _lock:  # else every thread that comes while the first one compiles a template compiles it too
        return _environment(quote).get_template(f"{name}.j2")
