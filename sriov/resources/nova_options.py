"""Owner of nova's configuration files: which device serves which physical network, and the scheduler's filters.

One line per device and physical network. A port with one physical network is named by its interface; where
that would say too much (several physical networks, VFs that the host keeps) or is refused by nova
(`[pci] report_in_placement`), each VF is named by its PCI address, known before it exists.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

from sriov.errors import FormatError, SriovError
from sriov.facts.model import Facts, checksum
from sriov.facts.parser import FILE_LIMIT
from sriov.formats.nova.edit import NovaWanted, diff, edit, reports_in_placement
from sriov.formats.nova.releases import release_number
from sriov.formats.nova.whitelist import DeviceSpec
from sriov.formats.oslo import blocks
from sriov.formats.oslo.document import read
from sriov.formats.oslo.options import ConfigFile
from sriov.model import PhysicalFunction, Role
from sriov.resources.contract import Capability, Change, Effect, Item, Problem, Reads, Request, Severity, WriteFile
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


class NovaOptions(NamedTuple):
    """What nova must read; see `sriov.formats.nova.edit`."""

    wanted: NovaWanted
    release: int


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
    """Whether this host has SR-IOV to do in this role, or still has lines of ours from when it had."""
    if role not in request.roles:
        return False
    wants = request.wants_vfs if role is Role.COMPUTE else request.testbed.has_sriov
    mark = b"BEGIN sriov-fab"
    return wants or any(mark in content and read_by(READERS[role], path) for path, content in facts.files.items())


def _desired(request: Request, facts: Facts) -> Iterator[Item | Problem]:
    if not any(is_concerned(request, facts, role) for role in request.roles):
        return
    for path in facts.unreadable:
        if any(read_by(reader, path) for reader in _readers(request.roles)):
            yield Problem(
                "unreadable-file", _NAME, path, "the file cannot be read", "nova reads it: look at it on the host"
            )
    large = tuple(too_large(_NAME, facts, lambda path: any(read_by(one, path) for one in _readers(request.roles))))
    if large:
        yield from large
        return
    if NOVA_CONF not in facts.files:
        if NOVA_CONF in facts.unreadable:
            return
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
    specs = filters = None
    if is_concerned(request, facts, Role.COMPUTE):
        by_address = _refuses_devname(config_files(request, facts), release)
        specs = tuple(spec for pf in request.physical_functions for spec in _specs(pf, facts, by_address))
    if is_concerned(request, facts, Role.OPENSTACK):
        filters = (_FILTER,) if request.testbed.has_sriov else ()
    exact = request.testbed.scheduler_filters if filters else None
    yield NovaOptions(NovaWanted(specs, filters, exact), release)


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
        ids=(f"{port.vendor}:{port.device}", f"{port.vendor}:{port.vf_device}"),
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
        files = config_files(request, facts)
        try:
            edited = edit(files, item.release, item.wanted)
        except FormatError as error:
            yield Problem(
                error.id,
                _NAME,
                f"{error.path}:{error.line}",
                error.reason,
                error.hint or "nova itself would refuse this file: correct this line and run again",
            )
            return
        for problem in edited.problems:
            yield Problem("nova-options-refused", _NAME, "nova's files", problem, "correct this line and run again")
        if item.wanted.device_specs is not None:
            vfs_change = any(map(touches_vfs, earlier))
            yield from nova_entries.problems(facts, edited.files, item.release, vfs_change=vfs_change)
        for note in edited.notes:
            yield Problem(note.id, _NAME, "nova's files", note.text, note.hint, Severity.WARNING)
        for before, after in zip(files, edited.files, strict=True):
            if before.text != after.text:
                yield from beside_change(_NAME, facts, before)
                yield file_change(_NAME, before, after, diff(before, after))


def file_change(resource: str, before: ConfigFile, after: ConfigFile, diff: tuple[str, ...]) -> Change:
    """The change of one configuration file of an OpenStack service; `diff` shows our own lines."""
    added = sum(line.startswith("+") and not line.startswith(("+++", "+#")) for line in diff)
    removed = sum(line.startswith("-") and not line.startswith(("---", "-#")) for line in diff)
    return Change(
        resource,
        before.path,
        wanted=f"{added} {'line' if added == 1 else 'lines'} to add, {removed} to remove",
        found="",
        steps=(WriteFile(before.path, checksum(before.text), after.text, "0640"),),
        effect=Effect.RESTART,
        diff=diff,
    )


def too_large(resource: str, facts: Facts, is_read: Callable[[str], bool]) -> Iterator[Problem]:
    """Files of the service that were not read to their end: what stands behind that is not known."""
    for path, size in facts.oversized.items():
        if is_read(path):
            yield Problem(
                "file-too-large",
                resource,
                path,
                f"the file has {size:,} bytes or more, and this program reads files of up to {FILE_LIMIT:,} bytes",
                "see what fills it (repeated sections, a log, comments); make it shorter, or move a part of it into a "
                "file of the folder that the service reads too, such as /etc/nova/nova.conf.d, and run again",
            )


def beside_change(resource: str, facts: Facts, before: ConfigFile) -> Iterator[Problem]:
    """Warnings that go with the change of a file."""
    if names := facts.hard_linked.get(before.path, 0):
        others = f"{names - 1} other {'name' if names == 2 else 'names'}"
        yield Problem(
            "hard-link",
            resource,
            before.path,
            f"the file has {others} (hard links); the change gives this name a file of its own, and under "
            f"{'that name' if names == 2 else 'those names'} the old content stays",
            f"`find / -xdev -samefile {before.path}` lists them: link them again afterwards if they must be one file, "
            "or use a symbolic link, which stays",
            Severity.WARNING,
        )
    document = read(before.path, before.text, any_bytes=True)
    for block in blocks.find(document.path, document.lines):
        said = [number for number in block.others if document.lines[number].strip()]
        if said:
            count = len(said)
            yield Problem(
                "lines-in-our-block",
                resource,
                f"{before.path}:{said[0] + 1}",
                f"{count} {'line' if count == 1 else 'lines'} that another program or user has put into our block "
                f"{block.topic!r}; the block changes, so {'it moves' if count == 1 else 'they move'} behind its end, "
                "unchanged and in the same section",
                "nothing has to be done: the service reads the same options as before",
                Severity.WARNING,
            )


CAPABILITY = Capability(_NAME, _reads, _desired, _changes)
