"""Words with styles, on whatever stream: colours and folded columns on a terminal, plain lines everywhere else.

A part is a text, or a text with its style in Rich's words: `"as wanted"`, `("FAILED", "bold red")`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TextIO

Part = str | tuple[str, str]
Row = Sequence[Part]
_GAP = 2


class Printer:
    """Plain lines, for files, pipes and logs."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def line(self, *parts: Part) -> None:
        """One line of these parts, or several where they hold line feeds."""
        print("".join(map(text_of, parts)), file=self._stream)

    def table(self, header: Sequence[str], rows: Sequence[Row]) -> None:
        """Columns below their names."""
        for row in aligned(header, rows):
            self.line("".join(map(text_of, row)).rstrip())


def tag(id: str) -> Part:
    """How the id of an error stands behind the first line of its message."""
    return f" [{id}]", "dim"


def first_line(message: str) -> tuple[str, str]:
    """The first line, and the rest with its line feed: what `tag` stands between."""
    first, feed, rest = message.partition("\n")
    return first, feed + rest


def text_of(part: Part) -> str:
    return part if isinstance(part, str) else part[0]


def aligned(header: Sequence[str], rows: Sequence[Row], width: Callable[[str], int] = len) -> list[list[Part]]:
    """Lines of the header and the rows, with blanks so that columns stand below each other."""
    lines: list[Row] = [[(name, "bold") for name in header], *rows]
    widths = [max(width(text_of(cell)) for cell in column) for column in zip(*lines, strict=True)]
    return [_padded(line, widths, width) for line in lines]


def _padded(line: Row, widths: Sequence[int], width: Callable[[str], int]) -> list[Part]:
    parts: list[Part] = []
    for cell, wanted in zip(line, widths, strict=True):
        parts += [cell, " " * (wanted - width(text_of(cell)) + _GAP)]
    return parts[:-1]
