"""What people read of `capacity` and `explain`; apart from `screen`, for no other task needs them."""

from __future__ import annotations

from collections.abc import Iterator

from sriov.errors import counted
from sriov.report.printer import Part, Printer, first_line, tag
from sriov.report.virtual_routers import show_side
from sriov.scheduling.capacity import Capacity, Row
from sriov.scheduling.checks import Mark
from sriov.scheduling.explain import Explanation, Verdict

_CAPACITY = (
    "physical network", "host", "interface", "wanted", "present", "whitelisted", "in use", "bound", "free",
)  # fmt: skip
_MARKS = {Mark.HOLDS: ("ok  ", "green"), Mark.FAILS: ("FAIL", "bold red"), Mark.UNKNOWN: ("?   ", "yellow")}


def show_capacity(found: Capacity, out: Printer) -> None:
    """A row per physical network, host and port; what a new VM would find; then what is of no use."""
    rows = []
    for row in found.rows:
        bound = "-" if row.bound is None else str(len(row.bound))
        checked = (_against(row.wanted, number) for number in (row.present, row.whitelisted))
        numbers = (str(row.wanted), *checked, str(len(row.in_use)), bound, str(row.free))
        rows.append((row.physnet, row.host.label, row.interface, *numbers))
    out.table(_CAPACITY, rows)
    for row in found.rows:
        for index, address, words in _users(row):
            out.line(f"{row.host.label}: {row.interface} VF {index} ({address}) is {words}")
    for physnet in found.physnets:
        free = found.free(physnet)
        words = ", ".join(f"{host.label} {number}" for host, number in free.items()) or "no host has a free VF"
        out.line((physnet, "bold"), f": {sum(free.values())} free: {words}")
    for orphan in found.orphans:
        out.line(
            ("orphan ", "yellow"),
            (orphan.host.label, "bold"),
            f": {orphan.target}: {orphan.message}",
            tag(orphan.id),
            f"\n    -> {orphan.hint}",
        )
    show_side(found.virtual_routers, out)
    if found.unasked:
        out.line(f"the cloud was not asked ({found.unasked}): this is what the hosts show")


def _against(wanted: int, number: int) -> Part:
    return str(number), "green" if number == wanted else "yellow"


def _users(row: Row) -> Iterator[tuple[int, str, str]]:
    """(index, address, words) of each VF that is in use on the host, bound in neutron, or both."""
    held = {each.index: each for each in row.in_use}
    bound = {each.index: each for each in row.bound or ()}
    for index in sorted({*held, *bound}):
        words = [f"in use by {held[index].holder}"] if index in held else []
        words += [f"bound to port {bound[index].ports}"] if index in bound else []
        yield index, (held.get(index) or bound[index]).pci_address, ", ".join(words)


def show_explanation(found: Explanation, out: Printer) -> None:
    """Each host with its steps up to the first that fails, and last what nova would make of it."""
    for host in (*found.schedulers, *found.computes):
        out.line((host.host.label, "bold"), (f"  {host.role.value}", "dim"))
        for step in host.steps:
            mark, colour = _MARKS[step.mark]
            first, rest = first_line(f" {step.name}" + (f": {step.found}" if step.found else ""))
            out.line("  ", (mark, colour), first, tag(step.id) if step.id else "", rest)
            if step.remedy:
                out.line(f"      -> {step.remedy}")
    ports = counted(found.count, "direct port")
    taking = ", ".join(f"{host.host.label} ({host.free} free)" for host in found.hosts)
    out.line()
    show_side(found.virtual_routers, out)
    if found.unasked:
        out.line(f"the cloud was not asked ({found.unasked}): VFs of VMs that are shut off may count as free")
    out.line(
        f"a VM with {ports} on {found.physnet}: ",
        (found.verdict.value, "green" if found.verdict is Verdict.FOUND else "bold red"),
        f": {taking}" if taking else "",
    )
