"""What people and programs read of Contrail's virtual-router objects: compared, and their pairs registered."""

from __future__ import annotations

from collections.abc import Sequence

from sriov.cloud.virtual_routers.api_server import shown
from sriov.cloud.virtual_routers.pairs import PairChange
from sriov.cloud.virtual_routers.registration import HostPairs, Registration
from sriov.errors import SriovError
from sriov.report.printer import Part, Printer, first_line, tag
from sriov.scheduling.capacity import Orphan, VirtualRouterSide

_NAMED = 5  # hosts that a line names before it counts the rest
_WARNING: Part = ("warning ", "yellow")
_ERROR: Part = ("error ", "bold red")


def show_side(side: VirtualRouterSide | None, out: Printer) -> None:
    """What differs, or why it cannot be told; nothing where no api-server is named."""
    if side is None:
        return
    for each in side.differences:
        _finding(each, out)
    if side.error is not None:
        out.line(f"Contrail's virtual routers were not asked ({side.error.message})")


def side_document(side: VirtualRouterSide) -> dict[str, object]:
    reason = side.error.message if side.error else ""
    return {"asked": not reason, "reason": reason, "differences": _findings(side.differences)}


def show_registration(found: Registration, out: Printer) -> None:
    """Hosts whose pairs were written or are to be, then what keeps others from it; the last is what failed."""
    for each in found.hosts:
        done: Part = ("registered ", "green") if each.is_written else ("to register ", "yellow")
        out.line(done, (each.host.label, "bold"), f": virtual-router {each}")
    for warning in found.warnings:
        _finding(warning, out)
    if found.left_out:
        names = ", ".join(host.label for host in found.left_out[:_NAMED])
        more = f" and {len(found.left_out) - _NAMED} more" if len(found.left_out) > _NAMED else ""
        out.line(("not registered ", "yellow"), f"{names}{more}: a run of the host must succeed first, with its reboot")
    for host, error in found.errors:
        first, rest = first_line(error.message)
        name = host.label if host else "Contrail"
        out.line(
            _ERROR, (name, "bold"), f": {first}", tag(error.id), rest + (f"\n    -> {error.hint}" if error.hint else "")
        )
    if not any(found):
        out.line("virtual routers: ", ("as wanted", "green"))


def registration_document(found: Registration) -> dict[str, object]:
    return {
        "hosts": [_host(each) for each in found.hosts],
        "warnings": _findings(found.warnings),
        "left_out": [host.name for host in found.left_out],
        "errors": [{"host": host.name if host else None, **_error(error)} for host, error in found.errors],
    }


def _host(each: HostPairs) -> dict[str, object]:
    changes = [_change(change) for change in each.changes]
    return {"host": each.host.name, "name": shown(each.router.name), "done": each.is_written, "changes": changes}


def _change(change: PairChange) -> dict[str, str | None]:
    found = None if change.found is None else shown(change.found)
    return {"physical_network": change.physnet, "interface": change.interface, "found": found}


def _error(error: SriovError) -> dict[str, str]:
    return {"id": error.id, "kind": error.kind, "message": error.message, "hint": error.hint}


def _finding(found: Orphan, out: Printer) -> None:
    words = f": {found.target}: {found.message}"
    out.line(_WARNING, (found.host.label, "bold"), words, tag(found.id), f"\n    -> {found.hint}")


def _findings(found: Sequence[Orphan]) -> list[dict[str, str]]:
    return [
        {"id": each.id, "host": each.host.name, "target": each.target, "message": each.message, "hint": each.hint}
        for each in found
    ]
