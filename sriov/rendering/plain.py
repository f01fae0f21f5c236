"""Texts of `templates/` that need no Jinja2: read as they are, or with a few values in place of `@{name}`.

Most runs find hosts as wanted; they send such texts alone, and loading Jinja2 would cost a run on one host a tenth of
its time.
"""

from __future__ import annotations

import functools
import re
import string

from sriov import layout
from sriov.rendering.quoting import Verbatim, plain, shell_word, unit_word

_QUOTES = {"cfg": plain, "service": unit_word}


class _Text(string.Template):
    """`@{name}`: neither the shell nor systemd has another meaning for it."""

    delimiter = "@"


@functools.cache
def text_of(path: str) -> str:
    """The file `templates/<path>`; of a program without its lines of comment, which no host needs."""
    text = (layout.templates() / path).read_text()
    return re.sub(r"^[ \t]*#.*\n", "", text, flags=re.MULTILINE) if path.endswith((".sh", ".py")) else text


def library(name: str) -> Verbatim:
    """The functions of `templates/lib/<name>.sh`."""
    return Verbatim(text_of(f"lib/{name}.sh"))


@functools.cache
def whole(path: str) -> bytes:
    """The file `templates/<path>` with its comments: it stays on the host, where people read it."""
    return (layout.templates() / path).read_bytes()


@functools.lru_cache(maxsize=64)
def filled(path: str, **values: object) -> str:
    """The same with these values, each quoted for the language of the file unless it is `Verbatim`.

    KeyError for one that the text has and the caller has not; SriovError for a control character.
    """
    quote = _QUOTES[path.rsplit(".", 1)[-1]]
    words = {name: value if isinstance(value, Verbatim) else quote(value) for name, value in values.items()}
    return _Text(text_of(path)).substitute(words)


def assignments(**values: object) -> str:
    """A line of shell for each: `ports='eth0:7 eth1:7'`."""
    return "".join(f"{name}={shell_word(value)}\n" for name, value in values.items())
