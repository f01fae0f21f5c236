"""Owner of neutron's files where ML2 is the network side: which drivers and VLANs, which device serves which network.

Nothing here happens unless the testbed says `env.network_backend = 'ml2'`; under Contrail its plugin does all this.
There the files are read all the same, for what a testbed once asked for that said so: it is told, and a call that
removes takes it away. A compute host of Contrail's mostly has none of them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from sriov.errors import FormatError
from sriov.facts.model import Facts, Port, VirtualFunction
from sriov.formats.neutron import AgentWanted, ServerWanted, agent_reads, diff, edit_agent, edit_server, our_devices
from sriov.formats.nova.releases import reads_any_bytes
from sriov.formats.oslo.options import ConfigFile
from sriov.model import ML2, Role
from sriov.resources.contract import (
    Capability,
    Change,
    FreshService,
    Item,
    Problem,
    Reads,
    Request,
    Severity,
    is_restart_due,
)
from sriov.resources.files.service_files import Versions, file_changes, not_read, waiting
from sriov.resources.held import vf_lines
from sriov.resources.nova_options import release_of
from sriov.resources.services import restarts

_NAME = "ml2-options"
_NEUTRON_CONF = "/etc/neutron/neutron.conf"
_ML2_CONF = "/etc/neutron/plugins/ml2/ml2_conf.ini"
_AGENT_CONF = "/etc/neutron/plugins/ml2/sriov_agent.ini"
_AGENT_UNITS = ("neutron-sriov-agent", "neutron-sriov-nic-agent")  # Debian's name, RDO's
_SERVER_UNITS = ("neutron-server",)
_SPLIT_SERVER_UNITS = ("neutron-rpc-server", "neutron-api")  # what took its place where the API runs under uWSGI
UNITS = {Role.COMPUTE: _AGENT_UNITS, Role.OPENSTACK: (*_SERVER_UNITS, *_SPLIT_SERVER_UNITS)}
_HOMES = {Role.COMPUTE: _AGENT_CONF, Role.OPENSTACK: _ML2_CONF}
_PACKAGES = {Role.COMPUTE: "neutron's SR-IOV agent", Role.OPENSTACK: "neutron-server with its ML2 plugin"}
# RDO's units name these folders behind the files (--config-dir)
_FOLDERS = {
    Role.COMPUTE: ("/etc/neutron/conf.d/common", "/etc/neutron/conf.d/neutron-sriov-nic-agent"),
    Role.OPENSTACK: ("/etc/neutron/conf.d/common", "/etc/neutron/conf.d/neutron-server"),
}


class Ml2Options(NamedTuple):
    """What one role's service must read; see `sriov.formats.neutron`.

    `asked`: by the testbed, and what rests on ports that are held. `kept`: that, and what of ours nothing asks for any
    more; None: the files stay as they are. `free`: what would be asked if no port were held.
    """

    role: Role
    asked: ServerWanted | AgentWanted
    kept: ServerWanted | AgentWanted | None
    free: ServerWanted | AgentWanted


def _is_ml2(request: Request) -> bool:
    return request.testbed.network_backend == ML2


def _may_change(request: Request) -> bool:
    """Whether this call may change these files; else what of ours is in them is told, and no service is asked for."""
    return _is_ml2(request) or request.removes


def _roles(request: Request) -> tuple[Role, ...]:
    return tuple(role for role in _HOMES if role in request.roles)


def _named_files(request: Request) -> tuple[str, ...]:
    found = _roles(request)
    return (_NEUTRON_CONF, *(_HOMES[role] for role in found)) if found else ()


def _folders(request: Request) -> tuple[str, ...]:
    return tuple(dict.fromkeys(folder for role in _roles(request) for folder in _FOLDERS[role]))


def _reads(request: Request) -> Reads:
    return Reads(
        files=(*_named_files(request), *(f"{folder}/*.conf" for folder in _folders(request))),
        units=tuple(name for role in _roles(request) for name in UNITS[role] if _may_change(request)),
    )


def _paths(role: Role, facts: Facts) -> tuple[str, ...]:
    """The files that the role's service reads, in its order."""
    paths = [path for path in (_NEUTRON_CONF, _HOMES[role]) if path in facts.files]
    for folder in _FOLDERS[role]:
        paths += sorted(path for path in facts.files if path.startswith(folder + "/"))
    return tuple(paths)


def is_asked_of(request: Request, role: Role) -> bool:
    """Whether neutron's service of this role must read something of ours."""
    asks = request.wants_vfs if role is Role.COMPUTE else request.testbed.has_sriov
    return asks and _is_ml2(request)


def _has_lines(facts: Facts, role: Role) -> bool:
    return any(b"BEGIN sriov-fab" in facts.files[path] for path in _paths(role, facts))


def _desired(request: Request, facts: Facts) -> Iterator[Item | Problem]:
    for role in _roles(request):
        wants, has_lines = is_asked_of(request, role), _has_lines(facts, role)
        goes = request.removes or (role is Role.COMPUTE and _is_ml2(request) and bool(request.physical_functions))
        is_asked = wants or goes
        unread = tuple(_not_read(request, facts, role, is_asked=is_asked)) if is_asked or has_lines else ()
        yield from unread
        if unread and is_asked:
            continue
        if wants and _HOMES[role] not in facts.files:
            message, hint = "no such file", f"install {_PACKAGES[role]} on this host first"
            yield Problem("neutron-conf-missing", _NAME, _HOMES[role], message, hint)
            continue
        if (wants or has_lines) and not unread:
            yield _options(request, facts, role, is_kept_whole=not (wants or (goes and _is_ml2(request))))
        if wants or (has_lines and goes):
            yield from _services(request, facts, role, is_asked=wants)
        elif _may_change(request):
            due = (name for name in UNITS[role] if is_restart_due(facts, (name,)))
            yield from (FreshService((name,), _paths(role, facts)) for name in due)


def _not_read(request: Request, facts: Facts, role: Role, *, is_asked: bool) -> Iterator[Problem]:
    def is_read(path: str) -> bool:
        return path in (_NEUTRON_CONF, _HOMES[role]) or path.rpartition("/")[0] in _FOLDERS[role]

    return not_read(_NAME, "neutron", facts, is_read, is_asked=is_asked)


def _options(request: Request, facts: Facts, role: Role, *, is_kept_whole: bool) -> Ml2Options:
    keeping = request._replace(removes=False)
    if role is Role.OPENSTACK:
        networks = _networks(request) if _is_ml2(request) else ()
        server = ServerWanted(networks)
        return Ml2Options(role, server, None if is_kept_whole else server._replace(keeps_others=True), server)
    removing, free = request._replace(removes=True), _agent(request._replace(held=frozenset()), facts, frozenset())
    present = _our_devices(request, facts)
    asked, kept = (_agent(one, facts, present) for one in (removing, keeping))
    return Ml2Options(role, asked, None if is_kept_whole else kept, free)


def _services(request: Request, facts: Facts, role: Role, *, is_asked: bool) -> Iterator[FreshService]:
    reads = _paths(role, facts)
    shared, only_running = _shared(request, facts, reads), not is_asked
    if role is Role.COMPUTE:
        yield FreshService(_AGENT_UNITS, reads, True, at_boot=is_asked, shared=shared, only_running=only_running)
    else:
        units = _server_units(facts)
        yield from (FreshService(names, reads, shared=shared, only_running=only_running) for names in units)


def _shared(request: Request, facts: Facts, reads: tuple[str, ...]) -> tuple[str, ...]:
    """Options of the server are none of the agent's, and the reverse."""
    others = [role for role in _HOMES if role in request.host.roles - request.roles]
    return tuple(path for path in reads if any(path in _paths(role, facts) for role in others))


def _after_rollback(request: Request, facts: Facts, earlier: tuple[Change, ...]) -> Iterator[Change]:
    return restarts(facts, _readers(request, facts, frozenset(change.target for change in earlier)), earlier)


def _readers(request: Request, facts: Facts, touched: frozenset[str]) -> Iterator[FreshService]:
    """The services that read one of these files, which become others."""
    for role in _roles(request) if _may_change(request) else ():
        reads = _paths(role, facts)
        if touched & {*reads}:
            units = (_AGENT_UNITS,) if role is Role.COMPUTE else _server_units(facts)
            yield from (FreshService(names, reads) for names in units)


def _server_units(facts: Facts) -> tuple[tuple[str, ...], ...]:
    split = tuple((name,) for name in _SPLIT_SERVER_UNITS if facts.unit(name))
    return (_SERVER_UNITS,) if facts.unit(_SERVER_UNITS[0]) or not split else split


def _networks(request: Request) -> tuple[tuple[str, tuple[str, ...]], ...]:
    """Every physical network of the testbed, on whichever host, with its VLAN ranges if it was given any."""
    ranges = dict(request.testbed.vlan_ranges)
    used = [
        net for host in request.testbed.hosts for pf in host.physical_functions if pf.num_vfs for net in pf.physnets
    ]
    return tuple((net, ranges.get(net, ())) for net in dict.fromkeys((*used, *ranges))) if used else ()


def _agent(request: Request, facts: Facts, present: frozenset[str]) -> AgentWanted:
    """`present`: the interfaces of which we have items there."""
    mappings: list[tuple[str, str]] = []
    excluded: list[tuple[str, tuple[str, ...]]] = []
    for pf in request.physical_functions if _is_ml2(request) else ():
        port = facts.port(interface=pf.interface, pci=pf.pci, mac=pf.mac)
        if port is None or not pf.num_vfs or port.interface in request.held:
            continue
        mappings += [(physnet, port.interface) for physnet in pf.physnets]
        if pf.exclude_vfs:
            excluded.append((port.interface, tuple(port.vf_address(index) for index in pf.exclude_vfs)))
    asked = request.asked_ports(facts, present)
    staying = frozenset(interface for interface in present if request.stays(interface, asked))
    return AgentWanted(tuple(mappings), tuple(excluded), staying)


def _our_devices(request: Request, facts: Facts) -> frozenset[str]:
    files = (ConfigFile(path, facts.files[path], frozenset()) for path in _paths(Role.COMPUTE, facts))
    try:
        return our_devices(tuple(files), any_bytes=_any_bytes(request, facts))
    except FormatError:
        return frozenset()  # `changes` says which line is broken


def _any_bytes(request: Request, facts: Facts) -> bool:
    release = release_of(request, facts)
    return isinstance(release, int) and reads_any_bytes(release)


def _changes(
    request: Request, facts: Facts, items: tuple[Item, ...], earlier: tuple[Change, ...]
) -> Iterator[Change | Problem]:
    """On an all-in-one host both services read neutron.conf, so each side is edited behind the other."""
    sides = [item for item in items if isinstance(item, Ml2Options)]
    if not sides:
        return
    paths = (*_named_files(request), *(path for path in facts.files if path.rpartition("/")[0] in _folders(request)))
    present = tuple(ConfigFile(path, facts.files[path], frozenset()) for path in paths if path in facts.files)
    any_bytes = _any_bytes(request, facts)

    def edited(wanted: Iterable[ServerWanted | AgentWanted | None]) -> tuple[ConfigFile, ...]:
        files = {file.path: file for file in present}
        for side, one in zip(sides, wanted, strict=True):
            if one is not None:
                read = tuple(files[path] for path in _paths(side.role, facts))
                files |= {file.path: file for file in _edit(read, one, any_bytes)}
        return tuple(files.values())

    try:
        kept, asked = edited(side.kept for side in sides), edited(side.asked for side in sides)
        asks_guests = _may_change(request) and (bool(request.held) or vf_lines.has_guests(facts))
        free = edited(side.free for side in sides) if asks_guests else asked
        held = tuple(_held(request, facts, present, free)) if asks_guests else ()
    except FormatError as error:
        hint = error.hint or "neutron itself would refuse this file: correct this line and run again"
        is_asked = any(side.kept is not None for side in sides)
        severity = Severity.IMPOSSIBLE if is_asked or request.removes else Severity.WARNING
        yield Problem(error.id, _NAME, f"{error.path}:{error.line}", error.reason, hint, severity)
        return
    yield from held
    yield from file_changes(request, _NAME, facts, Versions(present, kept, asked), diff)
    if request.held and _may_change(request):
        yield from waiting(request, _NAME, asked, free)


def _held(
    request: Request, facts: Facts, present: tuple[ConfigFile, ...], free: tuple[ConfigFile, ...]
) -> Iterator[Problem]:
    """A further network for the same port takes nothing from a guest."""
    paths = _paths(Role.COMPUTE, facts)
    any_bytes = _any_bytes(request, facts)
    now, then = (
        agent_reads(tuple(file for path in paths for file in files if file.path == path), any_bytes=any_bytes)
        for files in (present, free)
    )

    def before(port: Port, vf: VirtualFunction) -> object:
        networks = now.networks(port.interface)
        return (networks, now.leaves_alone(port.interface, vf.pci_address)) if networks else None

    def after(port: Port, vf: VirtualFunction) -> object:
        networks = now.networks(port.interface) & then.networks(port.interface)
        return networks, then.leaves_alone(port.interface, vf.pci_address)

    yield from vf_lines.held_by_guests(request, facts, _NAME, before, after)


def _around_rollback(request: Request, facts: Facts, back: Change) -> Change | Problem:
    is_read = back.target in _paths(Role.COMPUTE, facts) and Role.COMPUTE in request.roles
    return vf_lines.around_rollback(request, facts, _NAME, back) if is_read else back


def _edit(files: tuple[ConfigFile, ...], wanted: ServerWanted | AgentWanted, any_bytes: bool) -> tuple[ConfigFile, ...]:
    if isinstance(wanted, ServerWanted):
        return edit_server(files, _ML2_CONF, wanted, any_bytes=any_bytes)
    return edit_agent(files, _AGENT_CONF, wanted, any_bytes=any_bytes)


CAPABILITY = Capability(_NAME, _reads, _desired, _changes, _around_rollback, _after_rollback)
