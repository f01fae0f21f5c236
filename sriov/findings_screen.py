"""What people read of `capacity` and `explain`; apart from `screen`, for no other task needs them."""

from __future__ import annotations

from rich.console import Console
from rich.text import Text

from sriov.capacity import Capacity
from sriov.explain import Explanation, Verdict
from sriov.explain_steps import Mark
from sriov.screen import columns_table

_MARKS = {Mark.HOLDS: ("ok  ", "green"), Mark.FAILS: ("FAIL", "bold red"), Mark.UNKNOWN: ("?   ", "yellow")}


def show_capacity(found: Capacity, out: Console) -> None:
    """A row per physical network, host and port; what a new VM would find; then what serves nobody."""
    table = columns_table("physical network", "host", "interface", "wanted", "present", "in use", "free")
    for row in found.rows:
        present = Text(str(row.present), "green" if row.present == row.wanted else "yellow")
        table.add_row(
            row.physnet, row.host.label, row.interface, str(row.wanted), present, str(len(row.in_use)), str(row.free)
        )
    out.print(table)
    for row in found.rows:
        for held in row.in_use:
            out.print(
                f"{row.host.label}: {row.interface} VF {held.index} ({held.pci_address}) is in use by {held.holder}"
            )
    for physnet in found.physnets:
        free = found.free(physnet)
        words = ", ".join(f"{host.label} {number}" for host, number in free.items()) or "no host has a free VF"
        out.print(Text.assemble((physnet, "bold"), f": {sum(free.values())} free: {words}"))
    for orphan in found.orphans:
        out.print(
            Text.assemble(
                ("orphan ", "yellow"),
                (orphan.host.label, "bold"),
                f": {orphan.target}: {orphan.message}\n    -> {orphan.hint}",
            )
        )


def show_explanation(found: Explanation, out: Console) -> None:
    """Each host with its steps up to the first that fails, and last what nova would make of it."""
    for host in (*found.schedulers, *found.computes):
        failing = host.failing
        out.print(Text.assemble((host.host.label, "bold"), (f"  {host.role.value}", "dim")))
        for step in host.steps:
            mark, colour = _MARKS[step.mark]
            out.print(Text.assemble("  ", (mark, colour), f" {step.name}" + (f": {step.found}" if step.found else "")))
        if failing:
            out.print(Text(f"      -> {failing.remedy}"))
    ports = "1 direct port" if found.count == 1 else f"{found.count} direct ports"
    taking = ", ".join(f"{host.host.label} ({host.free} free)" for host in found.hosts)
    out.print()
    out.print(
        Text.assemble(
            f"a VM with {ports} on {found.physnet}: ",
            (found.verdict.value, "green" if found.verdict is Verdict.FOUND else "bold red"),
            f": {taking}" if taking else "",
        )
    )
