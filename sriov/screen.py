"""What people read: a live line for each host while it works, the plan, the closing table, errors last.

Progress goes to standard error, the report to standard output. Plain lines where the output is no terminal.
"""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import TextIO

from rich.console import Console
from rich.live import Live
from rich.table import Table
from rich.text import Text

from sriov.host_run import HostRun, Status
from sriov.model import Secret
from sriov.report import HostDocument, host_document, roles_text
from sriov.resource import Effect

_COLOURS = {
    Status.UNCHANGED: "green",
    Status.CHANGED: "green",
    Status.DIFFERS: "yellow",
    Status.PENDING: "yellow",
    Status.UNTOUCHED: "yellow",
    Status.FAILED: "bold red",
}
_WORDS = {
    Status.UNCHANGED: "as wanted",
    Status.CHANGED: "changed",
    Status.DIFFERS: "differs",
    Status.PENDING: "reboot pending",
    Status.UNTOUCHED: "not touched",
    Status.FAILED: "FAILED",
}
_PLAIN_WIDTH = 160  # where nobody's window says how wide
_LIVE_ROWS = 30


def console(stream: TextIO) -> Console:
    return Console(
        file=stream,
        highlight=False,
        markup=False,
        emoji=False,
        soft_wrap=not stream.isatty(),
        width=None if stream.isatty() else _PLAIN_WIDTH,
    )


class Progress:
    """`told(host, words)` may be called from any thread; a context manager for the time of the run."""

    def __init__(self, stream: TextIO | None = None, quiet: bool = False) -> None:
        self._stream = stream or sys.stderr
        self._quiet = quiet
        self._lock = threading.Lock()
        self._at: dict[str, tuple[str, float]] = {}
        self._begun = time.monotonic()
        self._live: Live | None = None

    def __enter__(self) -> Progress:
        if self._stream.isatty() and not self._quiet:
            self._live = Live(
                get_renderable=self._table, console=console(self._stream), refresh_per_second=8, transient=True
            )
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._live is not None:
            self._live.stop()

    def aside(self, ask: Callable[[str], Secret | None]) -> Callable[[str], Secret | None]:
        """The same question, put while the live lines stand still: they would wipe it off the screen."""

        def asked(prompt: str) -> Secret | None:
            if self._live is None:
                return ask(prompt)
            self._live.stop()
            try:
                return ask(prompt)
            finally:
                self._live.start(refresh=True)

        return asked

    def told(self, host: str, words: str) -> None:
        with self._lock:
            if self._at.get(host, ("", 0))[0] == words:
                return
            self._at[host] = (words, time.monotonic())
            if self._live is None and not self._quiet:
                print(f"{time.monotonic() - self._begun:7.1f}s  {host}  {words}", file=self._stream, flush=True)

    def _table(self) -> Table:
        """The hosts at work; those that ended are counted."""
        table = Table.grid(padding=(0, 2))
        now = time.monotonic()
        with self._lock:
            at = dict(self._at)
        ended = [
            host for host, (words, _) in at.items() if words in ("as wanted", "differs", "failed", "reboot pending")
        ]
        for host, (words, since) in [item for item in at.items() if item[0] not in ended][:_LIVE_ROWS]:
            table.add_row(Text(host, "bold"), words, Text(f"{now - since:.0f}s", "dim"))
        table.add_row(
            Text(f"{len(ended)} of {len(at)} hosts done", "dim"), "", Text(f"{now - self._begun:.0f}s", "dim")
        )
        return table


def show_plan(runs: Sequence[HostRun], out: Console) -> None:
    """Every change with its effect and our own lines of its diff."""
    for run in runs:
        plan = run.first_plan
        out.print(_heading(run))
        for change in plan.changes:
            effect = "" if change.effect is Effect.NONE else f"  [{change.effect.value}]"
            out.print(
                Text.assemble(
                    "  ",
                    (f"{change.resource} ", "cyan"),
                    (change.target, "bold"),
                    f": {change.summary}",
                    (effect, "yellow"),
                )
            )
            for line in change.diff:
                out.print(
                    Text(
                        f"      {line}",
                        {"+": "green", "-": "red"}.get(line[:1], "") if line[:3] not in ("---", "+++") else "dim",
                    )
                )
        if plan.will_reboot:
            instances = len(run.facts.instances) if run.facts else 0
            busy = f"; {instances} instances run here, so only with --reboot-with-instances" if instances else ""
            out.print(Text(f"  reboot: the kernel command line takes effect with it{busy}", "yellow"))
        if plan.is_converged and run.error is None:
            out.print(Text("  as wanted", "green"))


def _heading(run: HostRun) -> Text:
    return Text.assemble((run.label, "bold"), (f"  {roles_text(run.request.roles)}", "dim"))


def show_outcome(runs: Sequence[HostRun], out: Console) -> None:
    """One closing table, then warnings, then errors: the last thing on the screen is what needs a hand."""
    rows = [tuple(Text(word, "bold") for word in ("host", "role", "result", "changes", "reboot", "time"))]
    for run in runs:
        done = sum(run.has_done(change) for change in run.first_plan.changes)
        total = len(run.first_plan.changes)
        cells = (
            run.label,
            roles_text(run.request.roles),
            Text(_WORDS[run.status], _COLOURS[run.status]),
            "" if not total else f"{done} of {total}" if done or run.error else f"{total} to make",
            "done" if run.rebooted else "due" if run.first_plan.will_reboot else "",
            f"{run.seconds:.1f} s",
        )
        rows.append(tuple(Text(cell) if isinstance(cell, str) else cell for cell in cells))
    out.print()
    out.print(_aligned(rows), soft_wrap=True)
    show_trouble(runs, out)


def _aligned(rows: Sequence[tuple[Text, ...]]) -> Text:
    """Rows of cells as lines. A `Table` measures and wraps each cell, which for hundreds of hosts takes longer than
    to reach them."""
    widths = [max(cell.cell_len for cell in column) for column in zip(*rows, strict=True)]
    lines = Text()
    for row in rows:
        for cell, width in zip(row, widths, strict=True):
            lines.append_text(cell)
            if cell is not row[-1]:
                lines.append(" " * (width - cell.cell_len + 2))
        lines.append("\n")
    lines.right_crop(1)
    return lines


def show_trouble(runs: Sequence[HostRun], out: Console) -> None:
    for run in runs:
        for problem in run.plan.warnings:
            out.print(Text.assemble(("warning ", "yellow"), (run.label, "bold"), f": {problem}\n    -> {problem.hint}"))
        for note in run.notes:
            out.print(Text.assemble(("pending ", "yellow"), (run.label, "bold"), f": {note}"))
    for run in runs:
        for problem in (*run.plan.impossible, *(run.plan.blocked if run.error is None else ())):
            out.print(Text.assemble(("error ", "bold red"), (run.label, "bold"), f": {problem}\n    -> {problem.hint}"))
        if run.error is not None:
            hint = f"\n    -> {run.error.hint}" if run.error.hint else ""
            out.print(Text.assemble(("error ", "bold red"), (run.label, "bold"), f": {run.error.message}{hint}"))
    if any(run.status is Status.UNTOUCHED or run.stops_all for run in runs):
        out.print(Text("nothing was touched on any host", "yellow"))


def show_status(runs: Sequence[HostRun], out: Console) -> None:
    """One row per host and physical function."""
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="bold")
    for column in (
        "host",
        "interface",
        "PCI address",
        "driver",
        "VFs",
        "used",
        "limit",
        "physical network",
        "kernel",
        "services",
    ):
        table.add_column(column, overflow="fold")
    for run in runs:
        row = host_document(run)
        if run.error is not None:
            table.add_row(run.label, Text("no answer", "bold red"))
            continue
        common = (
            " ".join(row["kernel_arguments"]) or "-",
            " ".join(f"{n} {s}" for n, s in row["services"].items()) or "-",
        )
        if not row["ports"]:
            table.add_row(run.label, "-", "", "", "", "", "", "", *common)
        _port_rows(table, run, row, common)
    out.print(table)
    show_trouble(runs, out)


def _port_rows(table: Table, run: HostRun, row: HostDocument, common: tuple[str, str]) -> None:
    for number, port in enumerate(row["ports"]):
        present, wanted = port["vfs_present"], port["vfs_wanted"]
        vfs = Text(
            f"{present}" if present == wanted else f"{present}, wanted {wanted}",
            "green" if present == wanted else "yellow",
        )
        table.add_row(
            run.label if number == 0 else "",
            port["interface"],
            port["pci_address"],
            port["driver"],
            vfs,
            str(port["vfs_in_use"]),
            str(port["vfs_limit"]),
            " ".join(port["physical_networks"]),
            *(common if number == 0 else ("", "")),
        )


def columns_table(*columns: str) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="bold")
    for column in columns:
        table.add_column(column, overflow="fold")
    return table
