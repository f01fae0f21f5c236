"""What people read: a live line for each host while it works, the plan, the closing table, errors last.

Progress goes to standard error, the report to standard output. Plain lines where the output is no terminal.
"""

from __future__ import annotations

import contextlib
import getpass
import os
import sys
import threading
import time
from collections.abc import Sequence
from types import TracebackType
from typing import Any, TextIO

from sriov.errors import HostError, counted
from sriov.model import Secret
from sriov.planning.reboots import caveat
from sriov.report import leftovers
from sriov.report.documents import PortDocument, host_document, roles_text
from sriov.report.printer import Part, Printer, Row, first_line, tag
from sriov.resources.contract import Change, Effect
from sriov.run.context import Event
from sriov.run.outcome import Outcome, Status

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
_LIVE_ROWS = 30


def printer(stream: TextIO) -> Printer:
    """The printer for this stream. FORCE_COLOR asks for styles where no terminal is."""
    if not stream.isatty() and not os.environ.get("FORCE_COLOR"):
        return Printer(stream)
    from sriov.report import terminal  # Rich costs a start 30 ms

    return terminal.TerminalPrinter(stream)


class Progress:
    """`told(host, event)` may be called from any thread; a context manager for the time of the run."""

    def __init__(self, stream: TextIO | None = None, quiet: bool = False) -> None:
        self._stream = stream or sys.stderr
        self._quiet = quiet
        self._lock = threading.Lock()
        self._at: dict[str, tuple[Event, float]] = {}
        self._begun = time.monotonic()
        self._live: Any = None

    def __enter__(self) -> Progress:
        if self._stream.isatty() and not self._quiet:
            from sriov.report import terminal

            self._live = terminal.live(self._stream, self._rows)
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._live is not None:
            with contextlib.suppress(OSError, ValueError):  # of a terminal that is gone
                self._live.stop()

    def ask(self, prompt: str) -> Secret | None:
        """A password from the operator, asked while the live lines stand still: they would wipe it off the screen."""
        if self._live is None:
            return _asked_at_terminal(prompt)
        self._live.stop()
        try:
            return _asked_at_terminal(prompt)
        finally:
            self._live.start(refresh=True)

    def say(self, lines: Sequence[str]) -> None:
        """Lines that stay, beside those of the hosts."""
        if self._quiet or not lines:
            return
        with self._lock, contextlib.suppress(OSError, ValueError):  # of a terminal that is gone
            if self._live is not None:
                self._live.console.print("\n".join(lines))
            else:
                print("\n".join(lines), file=self._stream, flush=True)

    def told(self, host: str, event: Event) -> None:
        with self._lock:
            if host in self._at and self._at[host][0] == event:
                return
            self._at[host] = (event, time.monotonic())
            if self._live is None and not self._quiet:
                print(f"{time.monotonic() - self._begun:7.1f}s  {host}  {event.words}", file=self._stream, flush=True)

    def _rows(self) -> list[Row]:
        """The hosts that are busy; those that are done are counted."""
        now = time.monotonic()
        with self._lock:
            at = dict(self._at)
        at_work = [(host, event, since) for host, (event, since) in at.items() if not event.is_rest]
        rows: list[Row] = [
            ((host, "bold"), event.words, (f"{now - since:.0f}s", "dim")) for host, event, since in at_work[:_LIVE_ROWS]
        ]
        return [
            *rows,
            (
                (f"{len(at) - len(at_work)} of {counted(len(at), 'host')} done", "dim"),
                "",
                (f"{now - self._begun:.0f}s", "dim"),
            ),
        ]


def _asked_at_terminal(prompt: str) -> Secret | None:
    """None where no operator is."""
    try:
        with open("/dev/tty", "w+b", buffering=0):
            return Secret(getpass.getpass(f"{prompt}: ")) or None
    except (OSError, EOFError):
        return None


def show_plan(runs: Sequence[Outcome], out: Printer) -> None:
    """Every change with its effect and our own lines of its diff."""
    for run in runs:
        plan = run.first_plan
        out.line((run.label, "bold"), (f"  {roles_text(run.request.roles)}", "dim"))
        for change in plan.changes:
            _show_change(change, out)
        for change in plan.leftovers:
            _show_change(change, out, "left over: ")
        if plan.will_reboot:
            out.line((f"  reboot: the kernel command line takes effect with it{caveat(run.facts)}", "yellow"))
        if plan.is_converged and run.error is None:
            out.line(
                ("  as wanted, but for what is left over", "yellow") if plan.leftovers else ("  as wanted", "green")
            )


def _show_change(change: Change, out: Printer, kind: str = "") -> None:
    effect = "" if change.effect is Effect.NONE else f"  [{change.effect.value}]"
    going = "  [left over]" if change.is_leftover and not kind else ""
    target: Part = (change.target, "bold")
    resource: Part = (f"{change.resource} ", "cyan")
    out.line("  ", (kind, "yellow"), resource, target, f": {change.summary}", (effect + going, "yellow"))
    for line in change.diff:
        style = {"+": "green", "-": "red"}.get(line[:1], "") if line[:3] not in ("---", "+++") else "dim"
        out.line((f"      {line}", style))


def show_outcome(runs: Sequence[Outcome], out: Printer) -> None:
    """One closing table, then warnings, then errors: the last thing on the screen is what needs a hand."""
    out.line()
    out.table(("host", "role", "result", "changes", "reboot", "time"), [_outcome_row(run) for run in runs])
    show_trouble(runs, out)


def _outcome_row(run: Outcome) -> Row:
    done = sum(run.has_done(change) for change in run.first_plan.changes)
    total = len(run.first_plan.changes)
    has_leftovers = bool(run.plan.leftovers) and run.status in (Status.UNCHANGED, Status.CHANGED)
    return (
        run.label,
        roles_text(run.request.roles),
        (f"{_WORDS[run.status]}, leftovers", "yellow") if has_leftovers else (_WORDS[run.status], _COLOURS[run.status]),
        "" if not total else f"{done} of {total}" if done or run.error else f"{total} to make",
        "done" if run.rebooted else "due" if run.first_plan.will_reboot else "",
        f"{run.seconds:.1f} s",
    )


def show_trouble(runs: Sequence[Outcome], out: Printer) -> None:
    for run in runs:
        for problem in run.plan.warnings:
            _message(out, ("warning ", "yellow"), run, problem.id, str(problem), problem.hint)
        for note in run.notes:
            _message(out, ("pending " if note.is_pending else "note ", "yellow"), run, note.id, note.message)
    leftovers.show(runs, out)
    for run in runs:
        for problem in (*run.plan.impossible, *(run.plan.blocked if run.error is None else ())):
            _message(out, _ERROR, run, problem.id, str(problem), problem.hint)
        if run.error is not None:
            show_error(run, run.error, out)
    if any(run.status is Status.UNTOUCHED or run.stops_all for run in runs):
        out.line(("nothing was touched on any host", "yellow"))


def show_error(run: Outcome, error: HostError, out: Printer) -> None:
    _message(out, _ERROR, run, error.id, error.message, error.hint)


_ERROR: Part = ("error ", "bold red")


def _message(out: Printer, kind: Part, run: Outcome, id: str, message: str, hint: str = "") -> None:
    """What is wrong with a host, its id in brackets behind the first line, then the next act."""
    first, rest = first_line(message)
    out.line(kind, (run.label, "bold"), f": {first}", tag(id), rest + (f"\n    -> {hint}" if hint else ""))


_STATUS = (
    "host", "interface", "PCI address", "driver", "VFs", "used", "limit", "physical network",
    "kernel", "ASPM", "services",
)  # fmt: skip


def show_status(runs: Sequence[Outcome], out: Printer) -> None:
    """One row per host and physical function."""
    rows = [row for run in runs for row in _status_rows(run)]
    out.table(_STATUS, [(*row, *[""] * (len(_STATUS) - len(row))) for row in rows])
    show_trouble(runs, out)


def _status_rows(run: Outcome) -> list[Row]:
    if run.error is not None:
        return [(run.label, ("no answer", "bold red"))]
    row = host_document(run)
    common = (
        " ".join(row["kernel_arguments"]) or "-",
        row["aspm"] or "-",
        " ".join(f"{name} {state}" for name, state in row["services"].items()) or "-",
    )
    if not row["ports"]:
        return [(run.label, "-", "", "", "", "", "", "", *common)]
    first, *others = map(_port_cells, row["ports"])
    return [(run.label, *first, *common), *(("", *cells) for cells in others)]


def _port_cells(port: PortDocument) -> Row:
    present, wanted = port["vfs_present"], port["vfs_wanted"]
    return (
        port["interface"],
        port["pci_address"],
        port["driver"],
        (f"{present}", "green") if present == wanted else (f"{present}, wanted {wanted}", "yellow"),
        str(port["vfs_in_use"]),
        str(port["vfs_limit"]),
        " ".join(port["physical_networks"]),
    )
