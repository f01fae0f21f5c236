"""Where virtual-router objects, nova's hosts and `env.sriov` disagree. Pure.

A host without an object is no error: when a direct port gets host and VM, Contrail's api-server links the VM to the
object of nova's name for the host, and goes on without a word where there is none
(vnc_cfg_api_server/resources/virtual_machine_interface.py). The VF works all the same.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence

from sriov.cloud.virtual_routers import pairs
from sriov.cloud.virtual_routers.api_server import shown
from sriov.cloud.virtual_routers.nova_hosts import NovaHosts
from sriov.cloud.virtual_routers.objects import VirtualRouter
from sriov.cloud.virtual_routers.pairs import WantedPair
from sriov.facts.model import Facts
from sriov.model import Host, Role
from sriov.resources.contract import Request
from sriov.scheduling.capacity import Orphan

Seen = Sequence[tuple[Request, Facts | None]]
_TARGET = "virtual-router"


def differences(
    seen: Seen, routers: Mapping[str, VirtualRouter], nova: NovaHosts, physnet: str = ""
) -> tuple[Orphan, ...]:
    """Host by host, then the objects that no host has. `physnet`: pairs of this physical network alone."""
    found: list[Orphan] = []
    for request, facts in seen:
        if Role.COMPUTE not in request.roles:
            continue
        router, problem = of_host(request.host, routers, nova)
        found += [problem] if problem and request.wants_vfs else []  # an object is for direct ports
        if router is not None:
            wanted = [pair for pair in pairs.wanted(request, facts) if physnet in ("", pair.physnet)]
            found += _pairs(request, router, wanted, physnet)
    return (*found, *_without_host(routers, nova))


def of_host(
    host: Host, routers: Mapping[str, VirtualRouter], nova: NovaHosts
) -> tuple[VirtualRouter | None, Orphan | None]:
    """The object of a host, or why there is none that is certainly its own."""
    names = nova.of(host)
    if len(names) != 1:
        return None, _unnamed(host, names)
    router = routers.get(names[0])
    if router is None:
        return None, _missing(host, names[0], routers)
    if router.items is None:
        message = f"{shown(router.name)}: the pairs that it holds cannot be read"
        hint = "look at it in Contrail's own interface; setup_all leaves it as it is"
        return None, Orphan("virtual-router-unreadable", host, _TARGET, message, hint)
    return router, None


def _unnamed(host: Host, names: tuple[str, ...]) -> Orphan:
    message = "nova has no nova-compute of this host, so the name of its virtual-router object is not known"
    if names:
        message = f"nova has more than one name for this host: {', '.join(map(shown, names))}"
    hint = "env.hostnames gives hosts the names that nova has for them; delete the records of old names in nova"
    return Orphan("compute-unknown-to-nova", host, _TARGET, message, hint)


def _missing(host: Host, name: str, routers: Mapping[str, VirtualRouter]) -> Orphan:
    near = [shown(other) for other in routers if _short(other) == _short(name)]
    there = f"; there is {', '.join(near[:5])}, which is another name for Contrail" if near else ""
    message = (
        f"Contrail has no virtual-router object {shown(name)}, nova's name of the host{there}: "
        "its vRouter agent never hears of direct ports, and no UVE shows them; VFs work all the same"
    )
    hint = f"provision_vrouter.py --host_name {shown(name)} --host_ip ADDRESS --oper add"
    return Orphan("virtual-router-missing", host, _TARGET, message, hint)


def _short(name: str) -> str:
    """Without domain and case; an address has neither."""
    if re.fullmatch(r"[0-9.]+", name):
        return name
    return name.partition(".")[0].casefold()


def _pairs(request: Request, router: VirtualRouter, wanted: Sequence[WantedPair], physnet: str) -> Iterator[Orphan]:
    """Pairs are optional: where none stand and none are to be registered, nothing differs."""
    there = {key: value for key, value in pairs.standing(router.items or ()).items() if physnet in ("", key)}
    if not router.items and not request.testbed.contrail_register:
        return
    host, by_physnet = request.host, {pair.physnet: pair for pair in wanted}
    for pair in wanted:
        if len(pair.interfaces) > 1:
            yield doubled(host, pair, there.get(pair.physnet))
        if pair.interfaces and there.get(pair.physnet) not in pair.interfaces:
            found = f"it is on {shown(there[pair.physnet])}" if pair.physnet in there else "it is not there"
            message = f"{pair.physnet}: env.sriov has it on {' and '.join(pair.interfaces)}, in Contrail {found}"
            yield Orphan("virtual-router-pair-differs", host, _target(router), message, _PAIR_HINT)
    for key in [key for key in there if key not in by_physnet]:
        message = f"{shown(key)}: in Contrail it is on {shown(there[key])}, env.sriov has no VFs for it on the host"
        hint = "if no port of the host serves it, remove the pair with provision_vrouter.py; setup_all leaves it"
        yield Orphan("virtual-router-pair-differs", host, _target(router), message, hint)


def doubled(host: Host, pair: WantedPair, there: str | None) -> Orphan:
    """Two ports of a host for one physical network cannot both be said."""
    choice = pair.choice(there)
    which = f"{choice} is there" if choice == there else f"{choice}, the first, is the one for it"
    message = f"{pair.physnet} is on {' and '.join(pair.interfaces)}; Contrail holds one interface for it: {which}"
    hint = "VLANs of a managed fabric are set at the switch port of that interface alone"
    return Orphan("physnet-on-two-interfaces", host, _TARGET, message, hint)


def _target(router: VirtualRouter) -> str:
    return f"{_TARGET} {shown(router.name)}"


_PAIR_HINT = (
    "a managed fabric would put VLANs at the wrong switch port, or at none; correct env.sriov, or let setup_all "
    "register the pair (env.contrail_register = True)"
)


def _without_host(routers: Mapping[str, VirtualRouter], nova: NovaHosts) -> Iterator[Orphan]:
    for router in routers.values():
        if router.is_host and router.name not in nova.names:
            name = shown(router.name)
            message = f"a virtual-router object {name}, and nova has no host of that name"
            hint = "the host is gone, or nova calls it by another name; Contrail looks for nova's name alone"
            yield Orphan("virtual-router-without-host", Host(name, name), _TARGET, message, hint)
