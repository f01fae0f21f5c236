"""What people read of `stats`: a table for each port, two lines a VF as `ip -s` has them, and notes below."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from sriov.facts.counters import Rates, Source, Traffic
from sriov.report.printer import Part, Printer, Row, text_of
from sriov.report.screen import show_error
from sriov.run.outcome import Outcome
from sriov.scheduling.traffic import HostTraffic, PortTraffic, Statistics, VfTraffic

_ABSENT = "-"
_NAMES = ("VF", "PCI address", "physical network", "from", "")
_COUNTS = Traffic._fields
_RATES = ("bytes/s", "packets/s")


def show_statistics(found: Statistics, outcomes: Sequence[Outcome], out: Printer) -> None:
    """All ports of all hosts; what is received and transmitted is seen from the VF's user. Errors come last."""
    for host in found.hosts:
        _show_host(host, bool(found.interval), out)
    if found.unasked:
        out.line(f"the cloud was not asked ({found.unasked}): users are those that the hosts show")
    for outcome in outcomes:
        if outcome.error is not None:
            show_error(outcome, outcome.error, out)


def _show_host(host: HostTraffic, has_rates: bool, out: Printer) -> None:
    if host.is_silent:
        out.line((host.host.label, "bold"), "  ", ("no answer", "bold red"))
    elif not host.ports:
        out.line((host.host.label, "bold"), "  no VFs")
    for port in host.ports:
        out.line((host.host.label, "bold"), f"  {port.interface}  {port.pci_address}  {port.driver}")
        rates = _RATES if has_rates else ()
        header, rows = _aligned((*_NAMES, *_COUNTS, *rates, "used by"), list(_rows(port, has_rates)))
        out.table(header, rows)
        for note in _notes(port):
            out.line(("note ", "yellow"), f"{port.interface}: {note}")
        out.line()


def _rows(port: PortTraffic, has_rates: bool) -> Iterator[list[Part]]:
    for vf in port.vfs:
        head = [str(vf.counters.index), vf.pci_address, " ".join(vf.physnets) or _ABSENT, _source(vf)]
        users = ", ".join(vf.users) or _ABSENT
        last, rates = vf.counters.last, vf.counters.rates
        if last is None:
            dashes = [_ABSENT] * (len(_COUNTS) + (len(_RATES) if has_rates else 0))
            yield [*head, _ABSENT, *dashes, users]
            continue
        received = [*_numbers(last.received), *(_rates(rates, received=True) if has_rates else ())]
        transmitted = [*_numbers(last.transmitted), *(_rates(rates, received=False) if has_rates else ())]
        yield [*head, "rx", *received, users]
        yield [*[""] * len(head), "tx", *transmitted, ""]


def _source(vf: VfTraffic) -> str:
    """What the counters are from: `PF`, `sysfs`, or the VF's own interface by its name."""
    words = {Source.PORT: "PF", Source.SYSFS: "sysfs", Source.NETDEV: vf.counters.interface}
    return words.get(vf.counters.source, _ABSENT)


def _numbers(traffic: Traffic) -> list[str]:
    return [_ABSENT if number is None else f"{round(number):,}" for number in traffic]


def _rates(rates: Rates | None, *, received: bool) -> list[Part]:
    if rates is None:
        return [_ABSENT] * len(_RATES)
    if rates.is_reset:
        return [("reset", "yellow")] * len(_RATES)
    traffic = rates.received if received else rates.transmitted
    return list(_numbers(traffic)[: len(_RATES)])


def _aligned(header: Sequence[str], rows: Sequence[list[Part]]) -> tuple[list[str], list[Row]]:
    """Numbers stand below each other by their last digits."""
    names, first, last = list(header), len(_NAMES), len(header) - 1
    for column in range(first, last):
        width = max(len(names[column]), *(len(text_of(row[column])) for row in rows))
        names[column] = names[column].rjust(width)
        for row in rows:
            cell = row[column]
            row[column] = cell.rjust(width) if isinstance(cell, str) else (cell[0].rjust(width), cell[1])
    return names, list(rows)


def _notes(port: PortTraffic) -> Iterator[str]:
    """Those of the port, then why some VFs have no counters, one line for each reason."""
    yield from port.notes
    reasons = dict.fromkeys(vf.reason for vf in port.vfs if vf.reason)
    for reason in reasons:
        indexes = [str(vf.counters.index) for vf in port.vfs if vf.reason == reason]
        yield f"no counters of VF{'s' if len(indexes) > 1 else ''} {', '.join(indexes)}: {reason}"
