"""Options of nova that stand in the environment of its services: what stands in the files has no force then."""

from __future__ import annotations

from collections.abc import Iterator

from sriov.facts.model import Facts
from sriov.formats.nova.starting.environment import variables
from sriov.resources.contract import Capability, Problem, Request, Severity
from sriov.resources.nova_options import READERS, UNITS, is_concerned, release_of

_NAME = "service-environment"


def _desired(request: Request, facts: Facts) -> Iterator[Problem]:
    release = release_of(request, facts)
    if isinstance(release, Problem):  # nova's options say so
        return
    known = variables(release)
    for role in READERS:
        if not is_concerned(request, facts, role):
            continue
        for unit in (unit for name in UNITS[role] if (unit := facts.unit(name))):
            for variable in (name for name in unit.environment if name in known):
                yield Problem(
                    "option-in-environment",
                    _NAME,
                    unit.name,
                    f"{variable} is in the environment of the service: it beats {known[variable]} of every file",
                    f"remove it from the unit (systemctl cat {unit.name}) or its EnvironmentFile, then restart it",
                    Severity.WARNING,
                )


CAPABILITY = Capability(_NAME, desired=_desired)
