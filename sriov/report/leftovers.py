"""What hosts have of ours that the testbed does not ask for any more, one line for all hosts that are alike in it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from sriov.errors import counted
from sriov.report.printer import Printer, tag
from sriov.resources.contract import Change
from sriov.run.outcome import Outcome

_NAMED = 5  # hosts that a line names before it leaves the rest out
_HINT = "the testbed does not ask for it any more: --remove takes it away; to keep it, write it into the testbed again"


def show(runs: Sequence[Outcome], out: Printer) -> None:
    """What stays, and the next act."""
    lines = list(_lines((run.label, run.plan.leftovers) for run in runs))
    for line in lines:
        out.line(("left over ", "yellow"), line, tag("left-over"))
    if lines:
        out.line(f"    -> {_HINT}")


def announced(runs: Sequence[Outcome]) -> list[str]:
    """The same before anything happens, and what goes in this run."""
    going = ((run.label, [change for change in run.first_plan.changes if change.is_leftover]) for run in runs)
    staying = list(_lines((run.label, run.first_plan.leftovers) for run in runs))
    return [*_lines(going, "lose", "loses"), *(f"{line}; only with --remove" for line in staying)]


def _lines(
    found: Iterable[tuple[str, Iterable[Change]]], verb: str = "would lose", verb_of_one: str = "would lose"
) -> Iterator[str]:
    hosts: dict[tuple[str, str], list[str]] = {}
    summaries: dict[tuple[str, str], set[str]] = {}
    for label, changes in found:
        for change in changes:
            hosts.setdefault((change.resource, change.target), []).append(label)
            summaries.setdefault((change.resource, change.target), set()).add(change.summary)
    for (resource, target), labels in hosts.items():
        summary = " or ".join(sorted(summaries[resource, target])[:2]) + " ..." * (len(summaries[resource, target]) > 2)
        named = ", ".join(labels[:_NAMED]) + (" ..." if len(labels) > _NAMED else "")
        losing = verb_of_one if len(labels) == 1 else verb
        yield f"{counted(len(labels), 'host')} {losing} {resource} {target} ({summary}): {named}"
