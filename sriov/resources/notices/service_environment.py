"""Options that stand in the environment of nova's and neutron's services: the files have no force for them then."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping

from sriov.facts.model import Facts
from sriov.formats import neutron
from sriov.formats.nova.starting.environment import SINCE, variables
from sriov.formats.oslo.options import OptionName
from sriov.model import Role
from sriov.resources import ml2_options
from sriov.resources.contract import Capability, Problem, Request, Severity
from sriov.resources.nova_options import READERS, UNITS, is_concerned, release_of

_NAME = "service-environment"
_OF_NEUTRON = {
    Role.COMPUTE: {option.variable: option for option in (neutron.MAPPINGS, neutron.EXCLUDED)},
    Role.OPENSTACK: {option.variable: option for option in (neutron.DRIVERS, neutron.VLAN_RANGES)},
}


def _desired(request: Request, facts: Facts) -> Iterator[Problem]:
    release = release_of(request, facts)
    if isinstance(release, Problem):  # nova's options say so
        return
    known = variables(release)
    for role in READERS:
        if is_concerned(request, facts, role):
            yield from _found(facts, UNITS[role], known)
        # neutron and nova of one release read their options with the same oslo.config
        if role in request.roles and ml2_options.is_asked_of(request, role) and release >= SINCE:
            yield from _found(facts, ml2_options.UNITS[role], _OF_NEUTRON[role])


def _found(facts: Facts, units: Collection[str], known: Mapping[str, OptionName]) -> Iterator[Problem]:
    for unit in (unit for name in units if (unit := facts.unit(name))):
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
