"""Why nova finds no host, or which hosts it finds, for direct ports on a physical network: each step in nova's order.

Judged from facts of the hosts alone, without asking the scheduler: `sriov.scheduling.checks` has the judges. A step
that cannot be told is `UNKNOWN` and does not fail.
"""

from __future__ import annotations

import enum
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from sriov.facts.bound import Bound, with_bound
from sriov.facts.model import Facts
from sriov.model import Host, Role
from sriov.resources.contract import Request
from sriov.scheduling.capacity import VirtualRouterSide
from sriov.scheduling.checks import ANSWERS, ON_COMPUTE, ON_OPENSTACK, Asked, Judge, Judgement, Mark, holding


class Verdict(enum.Enum):
    """What comes of it."""

    FOUND = "a host is found"
    NONE = "no valid host"
    BLIND = "the scheduler does not look for VFs"


@dataclass(frozen=True, slots=True)
class Explained:
    """One host in one role. Steps behind the first failing one are not judged: nova would not come to them."""

    host: Host
    role: Role
    steps: tuple[Judgement, ...]
    free: int = 0

    @property
    def failing(self) -> Judgement | None:
        return next((step for step in self.steps if step.mark is Mark.FAILS), None)


@dataclass(frozen=True, slots=True)
class Explanation:
    """All hosts; `count` is the number of direct ports of the one VM asked for.

    `unasked` says why VFs that neutron has bound are not counted as used; empty: they are. `virtual_routers` is no
    part of the verdict: nova does not read them.
    """

    physnet: str
    count: int
    computes: tuple[Explained, ...]
    schedulers: tuple[Explained, ...]
    unasked: str = "no one asked it"
    virtual_routers: VirtualRouterSide | None = None

    @property
    def hosts(self) -> tuple[Explained, ...]:
        """The hosts that take the VM."""
        return tuple(host for host in self.computes if host.failing is None)

    @property
    def verdict(self) -> Verdict:
        if not self.hosts:
            return Verdict.NONE
        return Verdict.BLIND if any(host.failing for host in self.schedulers) else Verdict.FOUND

    @property
    def has_silent(self) -> bool:
        return any(host.failing and host.failing.name == ANSWERS for host in (*self.computes, *self.schedulers))


def explain(
    seen: Sequence[tuple[Request, Facts | None, str]],
    physnet: str,
    count: int,
    bound: Mapping[str, Mapping[str, str]] | None = None,
) -> Explanation:
    """`seen`: each host with its facts (probed with all ports), or None and the reason why there are none.

    `bound`: by host string, the VFs (PCI address) that neutron has bound, and to which port: a VM that is shut off
    keeps its VF, although the host shows it free.
    """
    computes: list[Explained] = []
    schedulers: list[Explained] = []
    for request, facts, reason in seen:
        for role, judges, into in (
            (Role.COMPUTE, ON_COMPUTE, computes),
            (Role.OPENSTACK, ON_OPENSTACK, schedulers),
        ):
            if role in request.roles:
                names = tuple((bound or {}).get(request.host.name, {}).items())
                claimed = None if facts is None else with_bound(facts, Bound(names))
                into.append(_explained(request, claimed, reason, role, judges, physnet, count))
    return Explanation(physnet, count, tuple(computes), tuple(schedulers))


def _explained(
    request: Request,
    facts: Facts | None,
    reason: str,
    role: Role,
    judges: tuple[Judge, ...],
    physnet: str,
    count: int,
) -> Explained:
    if facts is None:
        step = Judgement("host-silent", ANSWERS, Mark.FAILS, reason, "make sure that SSH reaches it as root")
        return Explained(request.host, role, (step,))
    asked = Asked.of(request, facts, physnet, count)
    return Explained(request.host, role, tuple(_until_failing(asked, judges)), free=len(asked.free))


def _until_failing(asked: Asked, judges: tuple[Judge, ...]) -> Iterator[Judgement]:
    yield holding(ANSWERS)
    for judge in judges:
        judgement = judge(asked)
        yield judgement
        if judgement.mark is Mark.FAILS:
            return
