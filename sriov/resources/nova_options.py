"""Owner of nova's configuration files: which device serves which physical network, and the scheduler's filters.

One line per device and physical network. A port with one physical network is named by its interface; where
that would say too much (several physical networks, VFs that the host keeps) or is refused by nova
(`[pci] report_in_placement`), each VF is named by its PCI address, known before it exists.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from sriov.errors import FormatError, SriovError
from sriov.facts.model import Facts, Port
from sriov.formats.nova import ours
from sriov.formats.nova.edit import NovaWanted, diff, edit, reports_in_placement
from sriov.formats.nova.ours import OurEntry
from sriov.formats.nova.releases import release_number, removed_filters
from sriov.formats.nova.whitelist import DeviceSpec
from sriov.formats.oslo.options import ConfigFile
from sriov.model import PhysicalFunction, Role
from sriov.resources.contract import Capability, Change, Item, Problem, Reads, Request, Severity
from sriov.resources.files.service_files import Versions, file_changes, not_read, waiting
from sriov.resources.held import vf_lines
from sriov.resources.notices import nova_entries
from sriov.resources.vf_unit import touches_vfs

NOVA_CONF = "/etc/nova/nova.conf"
COMPUTE, SCHEDULER = "nova-compute", "nova-scheduler"
READERS = {Role.COMPUTE: COMPUTE, Role.OPENSTACK: SCHEDULER}
UNITS = {  # Debian's name, RDO's name
    Role.COMPUTE: ("nova-compute", "openstack-nova-compute"),
    Role.OPENSTACK: ("nova-scheduler", "openstack-nova-scheduler"),
}
_NAME = "nova-options"
_FILTER = "PciPassthroughFilter"
_LENIENT = 20  # a release that reads any bytes: our blocks go from a file alike, whatever reads it


class NovaOptions(NamedTuple):
    """What nova must read; see `sriov.formats.nova.edit`.

    `asked`: by the testbed, and what rests on ports that are held. `kept`: that, and what of ours nothing asks for any
    more. `free`: what would be asked if no port were held. `is_asked`: the testbed asks something here at all.
    """

    asked: NovaWanted
    kept: NovaWanted
    free: NovaWanted
    release: int
    is_asked: bool = True


def _readers(roles: frozenset[Role]) -> tuple[str, ...]:
    return tuple(name for role, name in READERS.items() if role in roles)


def _reads(request: Request) -> Reads:
    if not request.roles:
        return Reads()
    files = (*_named_files(request.roles), *(f"{folder}/*.conf" for folder in _folders(request.roles)))
    return Reads(files, tuple(name for role, names in UNITS.items() if role in request.roles for name in names))


def _named_files(roles: frozenset[Role]) -> tuple[str, ...]:
    """Files that nova reads, in its order (oslo.config `find_config_files`; Debian names them in its units)."""
    return (NOVA_CONF, *(f"/etc/nova/{reader}.conf" for reader in _readers(roles)))


def _folders(roles: frozenset[Role]) -> tuple[str, ...]:
    """Folders whose `*.conf` come after the named files, in the order of their names."""
    return ("/etc/nova/nova.conf.d", *(f"/etc/nova/{reader}.conf.d" for reader in _readers(roles)))


def read_by(reader: str, path: str) -> bool:
    folder, _, name = path.rpartition("/")
    return folder in ("/etc/nova/nova.conf.d", f"/etc/nova/{reader}.conf.d") or (
        folder == "/etc/nova" and name in ("nova.conf", f"{reader}.conf")
    )


def config_files(request: Request, facts: Facts) -> tuple[ConfigFile, ...]:
    """The files that the host has, in nova's order, each with those of this call's services that read it."""
    paths = [path for path in _named_files(request.roles) if path in facts.files]
    for folder in _folders(request.roles):
        paths += sorted(path for path in facts.files if path.startswith(folder + "/"))
    services = _readers(request.roles)
    return tuple(
        ConfigFile(path, facts.files[path], frozenset(s for s in services if read_by(s, path))) for path in paths
    )


def is_concerned(request: Request, facts: Facts, role: Role) -> bool:
    """Whether this host has SR-IOV to do in this role, or lines of ours that are to go."""
    if role not in request.roles:
        return False
    wants = request.wants_vfs if role is Role.COMPUTE else request.testbed.has_sriov
    goes = request.removes or (role is Role.COMPUTE and _asks(request, role))
    return wants or (goes and _has_lines(facts, role))


def _has_lines(facts: Facts, role: Role) -> bool:
    mark = b"BEGIN sriov-fab"
    return any(mark in content and read_by(READERS[role], path) for path, content in facts.files.items())


def _asks(request: Request, role: Role) -> bool:
    """Whether the testbed says anything for this host in this role, were it that it is to have no VFs."""
    return bool(request.physical_functions) if role is Role.COMPUTE else request.testbed.has_sriov


def _desired(request: Request, facts: Facts) -> Iterator[Item | Problem]:
    if any(_asks(request, role) and is_concerned(request, facts, role) for role in request.roles):
        yield from _wanted(request, facts)
        return
    has_lines, goes = any(_has_lines(facts, role) for role in request.roles), _goes(request)
    unread = tuple(_not_read(request, facts, is_asked=goes)) if has_lines or goes else ()
    yield from unread
    if has_lines and not unread:
        release = release_of(request, facts)
        any_release = release if isinstance(release, int) else _LENIENT
        yield _options(request, facts, any_release)._replace(is_asked=request.removes)


def _goes(request: Request) -> bool:
    """Whether lines of ours that nothing asks for go, as with a testbed that wants a host's ports to have no VFs."""
    return bool(request.roles) and (request.removes or bool(request.physical_functions))


def _not_read(request: Request, facts: Facts, *, is_asked: bool = True) -> Iterator[Problem]:
    def is_read(path: str) -> bool:
        return any(read_by(reader, path) for reader in _readers(request.roles))

    return not_read(_NAME, "nova", facts, is_read, is_asked=is_asked)


def _wanted(request: Request, facts: Facts) -> Iterator[Item | Problem]:
    unread = tuple(_not_read(request, facts))
    if unread:
        yield from unread
        return
    if NOVA_CONF not in facts.files:
        yield Problem(
            "nova-conf-missing",
            _NAME,
            NOVA_CONF,
            "no such file",
            "install nova on this host first; nova in containers (kolla) is not supported",
        )
        return
    release = release_of(request, facts)
    if isinstance(release, Problem):
        yield release
        return
    yield _options(request, facts, release)


def _options(request: Request, facts: Facts, release: int) -> NovaOptions:
    """A side that nothing is asked of stays whole."""
    files = config_files(request, facts)
    asked = kept = free = NovaWanted()
    keeping, removing = (request._replace(removes=removes) for removes in (False, True))
    if is_concerned(removing, facts, Role.COMPUTE):
        by_address = _refuses_devname(files, release)
        specs = tuple(spec for pf in request.physical_functions for spec in _specs(pf, facts, by_address))
        present = _our_entries(files, facts)
        free = free._replace(device_specs=specs)
        asked = asked._replace(device_specs=_with_staying(removing, facts, present, specs))
        if is_concerned(keeping, facts, Role.COMPUTE):
            kept = kept._replace(device_specs=_with_staying(keeping, facts, present, specs))
    if is_concerned(removing, facts, Role.OPENSTACK):
        filters, exact = ((_FILTER,), request.testbed.scheduler_filters) if request.testbed.has_sriov else ((), None)
        free, asked = (one._replace(filters=filters, exact_filters=exact) for one in (free, asked))
        if filters:
            kept = kept._replace(filters=filters, exact_filters=exact or _stated_before(files, release))
    return NovaOptions(asked, kept, free, release)


def _our_entries(files: tuple[ConfigFile, ...], facts: Facts) -> tuple[OurEntry, ...]:
    try:
        return ours.entries(files, lambda: tuple(_seen(facts)))
    except FormatError:
        return ()  # `changes` says which line is broken


def _with_staying(
    request: Request, facts: Facts, present: tuple[OurEntry, ...], specs: tuple[DeviceSpec, ...]
) -> tuple[DeviceSpec, ...]:
    """What the whitelist has to hold: the entries that are asked for, but for ports that are held, and what stays."""
    ports = request.asked_ports(facts, [entry.port for entry in present])
    moving = tuple(spec for spec in specs if spec.interface not in request.held)
    return ours.with_staying(present, moving, lambda interface: request.stays(interface, ports))


def _seen(facts: Facts) -> Iterator[ours.Seen]:
    for port in facts.ports:
        if not port.is_virtual_function:
            vfs = (port.vf_address(index) for index in range(len(port.vfs), port.total_vfs or 0))
            covers = (port.pci_address, *(vf.pci_address for vf in port.vfs))
            yield ours.Seen(port.interface, covers, _ids(port), (*covers, *vfs))


def _ids(port: Port) -> tuple[str, ...]:
    return f"{port.vendor}:{port.device}", f"{port.vendor}:{port.vf_device}"


def _stated_before(files: tuple[ConfigFile, ...], release: int) -> tuple[str, ...] | None:
    """The list of filters that `env.scheduler_filters` once said, which says none now; without what nova has lost."""
    try:
        stated = ours.stated_filters(files)
    except FormatError:
        return None
    gone = removed_filters(release)
    return tuple(dict.fromkeys((*(name for name in stated if name not in gone), _FILTER))) if stated else None


def _refuses_devname(files: tuple[ConfigFile, ...], release: int) -> bool:
    try:
        return reports_in_placement(files, release)
    except FormatError:
        return False  # `changes` says which line is broken


def release_of(request: Request, facts: Facts) -> int | Problem:
    """nova's major number: as the testbed says, else as its package does; a Problem where neither tells."""
    if request.host.release is not None:
        return request.host.release
    majors = {version.split(".", 1)[0] for version in facts.nova_versions}
    hint = "set env.openstack_release to a name such as 'wallaby' or to nova's major number"
    if len(majors) != 1:
        found = (
            f"several releases of nova are installed ({', '.join(sorted(majors))})"
            if majors
            else "no nova package was found"
        )
        return Problem("nova-release-unknown", _NAME, "nova release", f"it cannot be determined: {found}", hint)
    try:
        return release_number(majors.pop())
    except SriovError as error:
        return Problem(error.id, _NAME, "nova release", error.message, f"{error.hint}; or {hint}")


def _specs(pf: PhysicalFunction, facts: Facts, by_address: bool) -> Iterator[DeviceSpec]:
    port = facts.port(interface=pf.interface, pci=pf.pci, mac=pf.mac)
    if port is None or not pf.num_vfs or not port.total_vfs:
        return
    whole = DeviceSpec(
        pf.physnets[0],
        devname=port.interface,
        trusted=pf.trusted,
        covers=(port.pci_address, *(port.vf_address(index) for index in range(pf.num_vfs))),
        interface=port.interface,
        ids=_ids(port),
        netdevs=port.netdevs,
    )
    if len(pf.physnets) == 1 and not pf.exclude_vfs and not by_address:
        yield whole
        return
    for physnet, indexes in pf.shares():
        for index in indexes:
            yield whole._replace(physical_network=physnet, devname="", address=port.vf_address(index))


def _changes(
    request: Request, facts: Facts, items: tuple[Item, ...], earlier: tuple[Change, ...]
) -> Iterator[Change | Problem]:
    for item in items:
        if not isinstance(item, NovaOptions):
            continue
        try:
            yield from _edits(request, facts, item, vfs_change=any(map(touches_vfs, earlier)))
        except FormatError as error:
            yield Problem(
                error.id,
                _NAME,
                f"{error.path}:{error.line}",
                error.reason,
                error.hint or "nova itself would refuse this file: correct this line and run again",
                Severity.IMPOSSIBLE if item.is_asked else Severity.WARNING,
            )


def _edits(request: Request, facts: Facts, item: NovaOptions, *, vfs_change: bool) -> Iterator[Change | Problem]:
    files = config_files(request, facts)
    asked = edit(files, item.release, item.asked)
    kept = asked if item.kept == item.asked else edit(files, item.release, item.kept)
    problems = (asked if request.removes else kept).problems
    for problem in problems:
        severity = Severity.IMPOSSIBLE if item.is_asked else Severity.WARNING
        hint = "correct this line and run again"
        yield Problem("nova-options-refused", _NAME, "nova's files", problem, hint, severity)
    if problems:
        return
    chosen = asked if request.removes else kept
    if item.is_asked and item.asked.device_specs is not None:
        yield from nova_entries.problems(facts, chosen.files, item.release, vfs_change=vfs_change)
    for note in chosen.notes:
        yield Problem(note.id, _NAME, "nova's files", note.text, note.hint, Severity.WARNING)
    yield from file_changes(request, _NAME, facts, Versions(files, kept.files, asked.files), diff)
    if request.held or vf_lines.has_guests(facts):
        free = edit(files, item.release, item.free).files
        before, after = (vf_lines.whitelist(one, item.release) for one in (files, free))
        yield from vf_lines.held_by_guests(request, facts, _NAME, before, after)
        if request.held:
            yield from waiting(request, _NAME, asked.files, free)


def _around_rollback(request: Request, facts: Facts, back: Change) -> Change | Problem:
    is_read = any(read_by(reader, back.target) for reader in _readers(request.roles))
    return vf_lines.around_rollback(request, facts, _NAME, back) if is_read else back


CAPABILITY = Capability(_NAME, _reads, _desired, _changes, _around_rollback)
