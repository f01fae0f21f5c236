"""What programs and people read of the tasks that talk to the cloud. See docs/json.md; keys only get added."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict

from sriov.cloud.checks import Check, Result
from sriov.cloud.dialects.binding import BindingRow
from sriov.errors import counted, tagged
from sriov.model import Role
from sriov.report.heading import heading
from sriov.scheduling.explain import Explained, Explanation

Suites = Sequence[tuple[str, Sequence[Check]]]
"""By physical network, its checks."""


def cloud_document(task: str, testbed: str, code: int, found: Mapping[str, object]) -> dict[str, object]:
    return {**heading(), "task": task, "testbed": testbed, "exit_code": code, **found}


def binding_document(name: str, rows: Sequence[BindingRow]) -> dict[str, object]:
    return {"name": name, "binding": [{**asdict(row), "verdict": row.verdict.value} for row in rows]}


def binding_words(rows: Sequence[BindingRow]) -> str:
    return "\n".join(
        tagged(f"{row.verdict.value:8}{row.name}: {row.value}\n        {row.meaning}", row.id) for row in rows
    )


def smoke_document(image: str, flavor: str, suites: Suites) -> dict[str, object]:
    return {"image": image, "flavor": flavor, "physnets": {name: _checks(checks) for name, checks in suites}}


def _checks(checks: Sequence[Check]) -> list[dict[str, object]]:
    return [{**asdict(check), "outcome": check.outcome.value, "seconds": round(check.seconds, 3)} for check in checks]


def smoke_words(suites: Suites) -> str:
    return "\n".join(_smoke_lines(suites))


def _smoke_lines(suites: Suites) -> Iterator[str]:
    for physnet, checks in suites:
        yield physnet
        for check in checks:
            yield tagged(f"  {check.outcome.value:9} {check.name}\n            {check.words}", check.id)
        counts = {result: sum(check.outcome is result for check in checks) for result in Result}
        yield "  " + ", ".join(f"{count} {result.value}" for result, count in counts.items())


def explanation_words(found: Explanation) -> str:
    """What `explain` says of one more port, a line for each host."""
    hosts = (*found.schedulers, *found.computes)
    lines = [f"  {host.host.label}, {host.role.value}: {_failing(host)}" for host in hosts]
    unasked = [f"  (without what neutron has bound: {found.unasked})"] if found.unasked else []
    return "\n".join([f"  explain:{found.physnet} says: {found.verdict.value}", *lines, *unasked])


def _failing(host: Explained) -> str:
    step = host.failing
    if step is None:
        free = counted(host.free, "free VF")
        return f"nothing is wrong, {free}" if host.role is Role.COMPUTE else "nothing is wrong"
    return tagged(f"{step.name}: {step.found}", step.id) + (f"\n      -> {step.remedy}" if step.remedy else "")
