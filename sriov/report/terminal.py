"""The one user of Rich: a terminal with its colours, its width and its live lines."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TextIO

from rich.cells import cell_len
from rich.console import Console
from rich.live import Live
from rich.table import Table
from rich.text import Text

from sriov.report.printer import Part, Printer, Row, aligned, text_of

_UNKNOWN_WIDTH = 160  # where no window says how wide


class TerminalPrinter(Printer):
    def __init__(self, stream: TextIO) -> None:
        super().__init__(stream)
        self._console = _console(stream)

    def line(self, *parts: Part) -> None:
        self._console.print(Text.assemble(*parts))

    def table(self, header: Sequence[str], rows: Sequence[Row]) -> None:
        """Folded where the window is too narrow. Rich measures and wraps each cell of a `Table`, which for hundreds
        of hosts takes longer than to reach them: so only then."""
        lines = aligned(header, rows, cell_len)
        if max(sum(cell_len(text_of(part)) for part in line) for line in lines) <= self._console.width:
            for line in lines:
                self.line(*line)
            return
        table = Table(box=None, padding=(0, 2, 0, 0), header_style="bold")
        for name in header:
            table.add_column(name, overflow="fold")
        for row in rows:
            table.add_row(*map(_text, row))
        self._console.print(table)


def live(stream: TextIO, rows: Callable[[], Sequence[Row]]) -> Live:
    """Lines that are asked for again eight times a second, and wiped off at the end."""

    def grid() -> Table:
        table = Table.grid(padding=(0, 2))
        for row in rows():
            table.add_row(*map(_text, row))
        return table

    return Live(get_renderable=grid, console=_console(stream), refresh_per_second=8, transient=True)


def _console(stream: TextIO) -> Console:
    is_window = stream.isatty()
    return Console(
        file=stream,
        highlight=False,
        markup=False,
        emoji=False,
        soft_wrap=not is_window,
        width=None if is_window else _UNKNOWN_WIDTH,
    )


def _text(part: Part) -> Text:
    return Text(part) if isinstance(part, str) else Text(*part)
