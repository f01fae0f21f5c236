"""A configuration file as oslo.config reads it, with every byte kept.

The rules are those of `oslo_config/iniparser.py` and of `cfg.ConfigParser` (10.7), which the tests take as
judge: lines end at LF, CR LF or a lone CR and nowhere else; an indented line continues the option above it;
the first of `=` and `:` parts key from value; one pair of outer quotes is taken off; a section's name is what
stands between the brackets, blanks included. What `$name` stands for: `sriov.formats.oslo.substitution`.
"""

from __future__ import annotations

import contextlib
import functools
import re
from collections.abc import Iterable
from typing import NamedTuple, NoReturn

from sriov.errors import FormatError

_LINE = re.compile(rb"[^\r\n]*(?:\r\n|\r|\n)|[^\r\n]+\Z")
_BOM = b"\xef\xbb\xbf"
_COMMENT = (b"#", b";")


class Header(NamedTuple):
    """A section header. `section` is the name that oslo.config files it under; `line` counts from 0."""

    section: str
    line: int


class Option(NamedTuple):
    """One assignment. Lines `first` to `last` (from 0, both included) hold it with its continuation lines.

    `value` is joined by newlines and without its outer quotes, before substitution: `A,\\nB` for
    `key = A,` followed by `    B`.
    """

    section: str
    key: str
    value: str
    first: int
    last: int


class Document(NamedTuple):
    """A file that oslo.config would read: `b"".join(lines)` is the file, terminators included.

    `numbers` are the lines' numbers (from 1) in the file as it was read; in an edited document a line that was
    added bears the number of the line that it stands behind.
    """

    path: str
    lines: tuple[bytes, ...]
    numbers: tuple[int, ...]
    headers: tuple[Header, ...]
    options: tuple[Option, ...]

    def options_named(self, section: str, key: str) -> tuple[Option, ...]:
        """Every assignment of that option, in the order of the file, over all sections of that name."""
        return tuple(option for option in self.options if option.key == key and option.section == section)


def section_name(written: str) -> str:
    """The name that oslo.config files a section under: lower case, but for the exact `DEFAULT`."""
    return written if written == "DEFAULT" else written.lower()


def split_lines(data: bytes) -> tuple[bytes, ...]:
    """Lines with their terminators, as Python's universal newlines part them (no NEL, no form feed)."""
    return tuple(_LINE.findall(data))


def line_end(lines: tuple[bytes, ...] | list[bytes]) -> bytes:
    """CR LF if the file's first line ends so, else LF: what new lines of this file end with."""
    return b"\r\n" if lines and lines[0].endswith(b"\r\n") else b"\n"


def unescape(value: str) -> str:
    """`$$` and `\\$` are a dollar for oslo.config. `$name` stays: what it stands for is not ours to know."""
    return value.replace("\\$", "$$").replace("$$", "$")


def escape(value: str) -> str:
    """The text to write so that oslo.config reads `value`; a backslash before a dollar cannot be written."""
    return value.replace("$", "$$")


@functools.lru_cache(maxsize=16)
def read(path: str, data: bytes, *, any_bytes: bool = False) -> Document:
    """Parse `data`; raises FormatError with the line where oslo.config would refuse the file.

    `any_bytes` takes bytes that are not UTF-8, as nova under Python 2 does. Under Python 3 they are fatal,
    even in a comment.
    """
    if data.startswith(_BOM):
        words, hint = "the file begins with a byte order mark", "save it as UTF-8 without BOM"
        raise FormatError("config-encoding", path, 1, words, hint=hint)
    lines = split_lines(data)
    if not any_bytes and (line := _undecodable_line(lines)):
        raise FormatError("config-encoding", path, line, "bytes that are not UTF-8", hint="convert the file to UTF-8")
    return _parse(path, lines, tuple(range(1, len(lines) + 1)))


def edited(document: Document, numbered: Iterable[tuple[int, bytes]]) -> Document:
    """The document with other lines, each with its number (see Document); FormatError as for `read`."""
    pairs = tuple(numbered)
    return _parse(document.path, tuple(line for _, line in pairs), tuple(number for number, _ in pairs))


def _parse(path: str, lines: tuple[bytes, ...], numbers: tuple[int, ...]) -> Document:
    reader = _Reader(path)
    for number, line in enumerate(lines):
        if line.startswith(_COMMENT):  # nearly all of a file as distributions ship it
            reader.flush()
        else:
            reader.take(number, line.decode("utf-8", "surrogateescape").rstrip())
    reader.flush()
    return Document(path, lines, numbers, tuple(reader.headers), tuple(reader.options))


def _undecodable_line(lines: tuple[bytes, ...]) -> int:
    """Number of the first line, from 1, that is not UTF-8; 0 where all are."""
    with contextlib.suppress(UnicodeDecodeError):
        b"".join(lines).decode()
        return 0
    for number, line in enumerate(lines, 1):
        try:
            line.decode()
        except UnicodeDecodeError:
            return number
    return 0


class _Reader:
    """The state of iniparser.BaseParser while it walks the lines."""

    def __init__(self, path: str) -> None:
        self.path = path
        self.headers: list[Header] = []
        self.options: list[Option] = []
        self._section: str | None = None
        self._key = ""
        self._values: list[str] = []
        self._first = 0
        self._last = 0

    def take(self, number: int, line: str) -> None:
        """One line without trailing white space."""
        if line.startswith((" ", "\t")):
            if not self._key:
                self._refuse(
                    number, "unexpected continuation line", "an indented line must directly follow an option's line"
                )
            self._values.append(line.lstrip())
            self._last = number
            return
        self.flush()
        if line.startswith("["):
            self._start_section(number, line)
        elif line and not line.startswith(("#", ";")):
            self._start_option(number, line)

    def flush(self) -> None:
        """The option under way is complete."""
        if not self._key:
            return
        if self._section is None:
            self._refuse(self._first, "an option before any section", "put [DEFAULT] above it")
        self.options.append(Option(self._section, self._key, "\n".join(self._values), self._first, self._last))
        self._key = ""

    def _start_section(self, number: int, line: str) -> None:
        if not line.endswith("]"):
            self._refuse(number, "a section header must end with ]", "put what follows the ] on a line of its own")
        if len(line) <= 2:
            self._refuse(number, "a section header without a name")
        self._section = section_name(line[1:-1])
        self.headers.append(Header(self._section, number))

    def _start_option(self, number: int, line: str) -> None:
        parts = re.split("[=:]", line, maxsplit=1)
        if len(parts) < 2:
            self._refuse(number, "neither an option nor a comment: no = and no :")
        key, value = parts[0].strip(), parts[1].strip()
        if not key:
            self._refuse(number, "an option without a name")
        if value and value[0] == value[-1] and value[0] in "\"'":
            value = value[1:-1]
        self._key, self._values, self._first, self._last = key, [value], number, number

    def _refuse(self, number: int, reason: str, hint: str = "") -> NoReturn:
        raise FormatError("config-syntax", self.path, number + 1, f"{reason}; oslo.config refuses the file", hint=hint)
