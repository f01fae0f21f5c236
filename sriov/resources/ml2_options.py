"""Owner of neutron's files where ML2 is the network side: which drivers and VLANs, which device serves which network.

Nothing here happens unless the testbed says `env.network_backend = 'ml2'`; under Contrail its plugin does all this.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from sriov.errors import FormatError
from sriov.facts.model import Facts
from sriov.formats.neutron import AgentWanted, ServerWanted, diff, edit_agent, edit_server
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
    is_restart_due,
)
from sriov.resources.nova_options import beside_change, file_change, release_of, too_large
from sriov.resources.services import restarts

_NAME = "ml2-options"
_NEUTRON_CONF = "/etc/neutron/neutron.conf"
_ML2_CONF = "/etc/neutron/plugins/ml2/ml2_conf.ini"
_AGENT_CONF = "/etc/neutron/plugins/ml2/sriov_agent.ini"
_AGENT_UNITS = ("neutron-sriov-agent", "neutron-sriov-nic-agent")  # Debian's name, RDO's
_SERVER_UNITS = ("neutron-server",)
_SPLIT_SERVER_UNITS = ("neutron-rpc-server", "neutron-api")  # what took its place where the API runs under uWSGI
_HOMES = {Role.COMPUTE: _AGENT_CONF, Role.OPENSTACK: _ML2_CONF}
_PACKAGES = {Role.COMPUTE: "neutron's SR-IOV agent", Role.OPENSTACK: "neutron-server with its ML2 plugin"}
# RDO's units name these folders behind the files (--config-dir)
_FOLDERS = {
    Role.COMPUTE: ("/etc/neutron/conf.d/common", "/etc/neutron/conf.d/neutron-sriov-nic-agent"),
    Role.OPENSTACK: ("/etc/neutron/conf.d/common", "/etc/neutron/conf.d/neutron-server"),
}


class Ml2Options(NamedTuple):
    """What neutron must read; see `sriov.formats.neutron`. None: that side is no concern."""

    server: ServerWanted | None = None
    agent: AgentWanted | None = None


def _roles(request: Request) -> tuple[Role, ...]:
    """The roles of a request for which neutron's files matter; none under Contrail."""
    if request.testbed.network_backend != ML2:
        return ()
    return tuple(role for role in _HOMES if role in request.roles)


def _named_files(request: Request) -> tuple[str, ...]:
    found = _roles(request)
    return (_NEUTRON_CONF, *(_HOMES[role] for role in found)) if found else ()


def _folders(request: Request) -> tuple[str, ...]:
    return tuple(dict.fromkeys(folder for role in _roles(request) for folder in _FOLDERS[role]))


def _reads(request: Request) -> Reads:
    units = {Role.COMPUTE: _AGENT_UNITS, Role.OPENSTACK: (*_SERVER_UNITS, *_SPLIT_SERVER_UNITS)}
    return Reads(
        files=(*_named_files(request), *(f"{folder}/*.conf" for folder in _folders(request))),
        units=tuple(name for role in _roles(request) for name in units[role]),
    )


def _paths(role: Role, facts: Facts) -> tuple[str, ...]:
    """The files that the role's service reads, in its order."""
    paths = [path for path in (_NEUTRON_CONF, _HOMES[role]) if path in facts.files]
    for folder in _FOLDERS[role]:
        paths += sorted(path for path in facts.files if path.startswith(folder + "/"))
    return tuple(paths)


def _is_concerned(request: Request, facts: Facts, role: Role) -> bool:
    wants = request.wants_vfs if role is Role.COMPUTE else request.testbed.has_sriov
    return wants or any(b"BEGIN sriov-fab" in facts.files[path] for path in _paths(role, facts))


def _desired(request: Request, facts: Facts) -> Iterator[Item | Problem]:
    for role in _roles(request):
        if not _is_concerned(request, facts, role):
            names = _AGENT_UNITS if role is Role.COMPUTE else (*_SERVER_UNITS, *_SPLIT_SERVER_UNITS)
            due = (name for name in names if is_restart_due(facts, (name,)))
            yield from (FreshService((name,), _paths(role, facts)) for name in due)
            continue
        paths = _paths(role, facts)
        large = tuple(too_large(_NAME, facts, paths.__contains__))
        if large:
            yield from large
            continue
        if _HOMES[role] not in facts.files:
            message, hint = "no such file, or it cannot be read", f"install {_PACKAGES[role]} on this host first"
            yield Problem("neutron-conf-missing", _NAME, _HOMES[role], message, hint)
            continue
        if role is Role.COMPUTE:
            yield Ml2Options(agent=_agent(request, facts))
            shared = _shared(request, facts, paths)
            yield FreshService(_AGENT_UNITS, paths, watches_vfs=True, at_boot=True, shared=shared)
        else:
            yield Ml2Options(server=ServerWanted(_networks(request)))
            shared = _shared(request, facts, paths)
            yield from (FreshService(names, paths, shared=shared) for names in _server_units(facts))


def _shared(request: Request, facts: Facts, reads: tuple[str, ...]) -> tuple[str, ...]:
    """Options of the server are none of the agent's, and the reverse."""
    others = [role for role in _HOMES if role in request.host.roles - request.roles]
    return tuple(path for path in reads if any(path in _paths(role, facts) for role in others))


def _after_rollback(request: Request, facts: Facts, earlier: tuple[Change, ...]) -> Iterator[Change]:
    return restarts(facts, _readers(request, facts, frozenset(change.target for change in earlier)), earlier)


def _readers(request: Request, facts: Facts, touched: frozenset[str]) -> Iterator[FreshService]:
    """The services that read one of these files, which become others."""
    for role in _roles(request):
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


def _agent(request: Request, facts: Facts) -> AgentWanted:
    mappings: list[tuple[str, str]] = []
    excluded: list[tuple[str, tuple[str, ...]]] = []
    for pf in request.physical_functions:
        port = facts.port(interface=pf.interface, pci=pf.pci, mac=pf.mac)
        if port is None or not pf.num_vfs:
            continue
        mappings += [(physnet, port.interface) for physnet in pf.physnets]
        if pf.exclude_vfs:
            excluded.append((port.interface, tuple(port.vf_address(index) for index in pf.exclude_vfs)))
    return AgentWanted(tuple(mappings), tuple(excluded))


def _changes(
    request: Request, facts: Facts, items: tuple[Item, ...], earlier: tuple[Change, ...]
) -> Iterator[Change | Problem]:
    wanted = [item for item in items if isinstance(item, Ml2Options)]
    paths = (*_named_files(request), *(path for path in facts.files if path.rpartition("/")[0] in _folders(request)))
    before = {path: ConfigFile(path, facts.files[path], frozenset()) for path in paths if path in facts.files}
    after = dict(before)
    try:
        for item in wanted:  # on an all-in-one host both services read neutron.conf
            after |= {file.path: file for file in _edited(request, facts, item, after)}
    except FormatError as error:
        hint = error.hint or "neutron itself would refuse this file: correct this line and run again"
        yield Problem(error.id, _NAME, f"{error.path}:{error.line}", error.reason, hint)
        return
    for path, file in before.items():
        if file.text != after[path].text:
            yield from beside_change(_NAME, facts, file)
            yield file_change(_NAME, file, after[path], diff(file, after[path]))


def _edited(
    request: Request, facts: Facts, item: Ml2Options, present: Mapping[str, ConfigFile]
) -> tuple[ConfigFile, ...]:
    release = release_of(request, facts)
    any_bytes = isinstance(release, int) and reads_any_bytes(release)
    if item.server is not None:
        files = tuple(present[path] for path in _paths(Role.OPENSTACK, facts))
        return edit_server(files, _ML2_CONF, item.server, any_bytes=any_bytes)
    if item.agent is not None:
        files = tuple(present[path] for path in _paths(Role.COMPUTE, facts))
        return edit_agent(files, _AGENT_CONF, item.agent, any_bytes=any_bytes)
    return ()


CAPABILITY = Capability(_NAME, _reads, _desired, _changes, after_rollback=_after_rollback)
