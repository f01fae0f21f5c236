"""The words in which capabilities speak: what a host wants (items), what differs (changes), what cannot be (problems).

A *capability* turns a host of the testbed and its facts into items. Each kind of item has one owner, a capability too,
which compares the items with the facts and answers with changes and problems. All are pure functions; the one list of
them is `sriov.resources.registry`. So two capabilities never write one file twice.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Collection, Iterable
from typing import NamedTuple

from sriov.facts.bound import Bound
from sriov.facts.model import Facts
from sriov.model import Host, PhysicalFunction, Role, Testbed

RESTARTS_DUE = "/var/lib/sriov/restarts-due"  # on the host: a file for each unit that a run under way will restart

PURGE = "purge_state"  # the function of `templates/lib/` behind whose step nothing may be written on the host


def is_restart_due(facts: Facts, names: Iterable[str]) -> bool:
    """Whether a run that was cut off left one of these units with a restart to come: nothing else may tell, where
    the lines that it took out were the last ones of ours."""
    return any(f"{RESTARTS_DUE}/{name}" in facts.files for name in names)


class FreshService(NamedTuple):
    """A service that must run, and must have begun after its files and the VFs became what they are.

    `at_boot`: it must be enabled too. `only_running`: nothing is asked of it here any more, so one that does not run,
    or is not there, needs nothing. `shared`: those of `reads` that a service of this host reads too which the call is
    not about, so that it will not be restarted. `program`: what nova calls it, where it is nova's.
    """

    names: tuple[str, ...]
    reads: tuple[str, ...]
    watches_vfs: bool = False
    at_boot: bool = False
    shared: tuple[str, ...] = ()
    only_running: bool = False
    program: str = ""


Item = tuple[object, ...]
"""Something that a host wants: a NamedTuple of the module that owns its kind and picks it by `isinstance`."""


class Effect(enum.Enum):
    """What a change does to those who use the host, from least to most."""

    NONE = "none"
    RESTART = "service restart"
    VF_RESET = "VF reset"
    REBOOT = "reboot"


class WriteFile(NamedTuple):
    """`content` replaces the file whose checksum is `found` (`-`: none). `mode` is for a new file only."""

    path: str
    found: str
    content: bytes
    mode: str = "0644"

    def __repr__(self) -> str:
        """Without the content, which may hold secrets of the operator."""
        return f"WriteFile(path={self.path!r}, found={self.found!r}, mode={self.mode!r})"


class RemoveFile(NamedTuple):
    """The file at `path`, whose checksum is `found`, goes."""

    path: str
    found: str


class RestoreFile(NamedTuple):
    """What run `run` kept as `number` comes back: `content` is its checksum, `found` that of the file now or `-`."""

    path: str
    found: str
    content: str
    run: str
    number: str


class Command(NamedTuple):
    """A function of `templates/lib/`, or a program of the host, and its arguments."""

    words: tuple[str, ...]


Step = WriteFile | RemoveFile | RestoreFile | Command


class Loads(NamedTuple):
    """The configuration that a service of nova loads when it starts: `program` as nova calls it, and its files."""

    program: str
    files: tuple[str, ...]


class Change(NamedTuple):
    """One difference and how it is put right. `diff` holds lines of ours only, ready to print.

    `is_leftover`: it takes away what the testbed does not ask for any more. A plan sets such changes apart unless the
    call removes (`Request.removes`), so their owner says them either way.
    `loads`: of the start of a service that can be asked before whether it would take its new files.
    """

    resource: str
    target: str
    wanted: str
    found: str
    steps: tuple[Step, ...]
    effect: Effect = Effect.NONE
    diff: tuple[str, ...] = ()
    is_leftover: bool = False
    loads: Loads | None = None

    def __str__(self) -> str:
        return f"{self.resource} {self.target}: {self.summary}"

    @property
    def summary(self) -> str:
        return f"{self.found} -> {self.wanted}" if self.found else self.wanted


class Severity(enum.Enum):
    """How far a problem reaches."""

    IMPOSSIBLE = "impossible"  # the run stops before the first change on any host
    BLOCKED = "blocked"  # this change is left out, the rest of the host goes on
    WARNING = "warning"  # said, nothing more


class Problem(NamedTuple):
    """Something that no step of ours can or may put right. `id`: see `sriov.errors`.

    `holds`: the port whose VFs stay as they are for it; all that rests on them waits (see `stays`).
    """

    id: str
    resource: str
    target: str
    message: str
    hint: str = ""
    severity: Severity = Severity.IMPOSSIBLE
    holds: str = ""

    def __str__(self) -> str:
        return f"{self.resource} {self.target}: {self.message}"


class Request(NamedTuple):
    """What is asked of one host: the roles that this call is about, and what the operator allowed."""

    host: Host
    testbed: Testbed
    roles: frozenset[Role]
    force_vf_reset: bool = False
    force_version: bool = False  # change the host though a newer version of this program has set it up
    start_services: bool = False  # also those that are stopped and disabled
    clear_seconds: int = 60  # for a write of 0: 2.3 s for 7 VFs of an emulated 82576, far less on hardware
    all_ports: bool = False  # every port of the host, not only the testbed's
    ask_holders: bool = False  # who uses each VF, also where no change asks for it
    rollback: str | None = None  # the run to take back; empty: the last one
    counter_interval: int | None = None  # seconds between two readings of the VFs' counters; 0: one; None: none
    removes: bool = False  # what the testbed does not ask for any more goes; else it stays, and is told
    purges: bool = False  # so do the copies that runs have kept on the host; `rollback` has nothing to put back then
    bound: Bound = Bound()
    held: frozenset[str] = frozenset()  # ports whose VFs stay as they are; the plan finds them, no caller says them
    all_roles: bool = False  # the call is about every role, so also about what is left of one that the host has lost

    @property
    def physical_functions(self) -> tuple[PhysicalFunction, ...]:
        return self.host.physical_functions if Role.COMPUTE in self.roles else ()

    def with_lost_roles(self) -> Request:
        """The same for those who look for what of ours a host has. In a role that it has lost nothing is asked of it.

        The scheduler's filters are asked of every host that is looked at in that role, so compute is the only one."""
        return self._replace(roles=self.roles | {Role.COMPUTE}) if self.all_roles else self

    @property
    def wants_vfs(self) -> bool:
        return any(pf.num_vfs for pf in self.physical_functions)

    def asked_ports(self, facts: Facts, ours: Collection[str]) -> frozenset[str]:
        """The ports that the testbed asks something of, by their names on the host, and by their old ones.

        `ours`: the names under which the host has something of ours. A kernel or udev may rename a port (`eth0` becomes
        `eth0np0`), and an entry that goes by the address still means it. So a name that no interface has any more is
        taken for the old one of such a port, if under the new one nothing of ours is there yet. Where more names are
        gone than ports were renamed, nothing tells which of them it is: then none.
        """
        found = [(pf, facts.port(interface=pf.interface, pci=pf.pci, mac=pf.mac)) for pf in self.physical_functions]
        asked = {port.interface for _, port in found if port}
        present = {*(port.interface for port in facts.ports), *(device.interface for device in facts.netdevs)}
        gone = {name for name in ours if name not in present}
        renamed = {port.interface for pf, port in found if port and not pf.interface and port.interface not in ours}
        return frozenset(asked | gone if len(gone) <= len(renamed) else asked)

    def stays(self, interface: str, asked: Collection[str]) -> bool:
        """Whether all of ours that rests on this port stays as it is: lines, unit, VFs. What belongs together waits
        together: a guest holds one of its VFs, or the testbed does not ask for the port any more (`asked`: the ports
        that it does ask for) and this call takes nothing away."""
        return interface in self.held or (interface not in asked and not self.removes)


class Reads(NamedTuple):
    """What the probe must read for a capability.

    `files`: paths and globs, none with a blank, read whole. `units`: names of systemd units without their suffix, or
    globs (`sriov-vfs-*`) of unit files of ours; a line `# interface NAME` in such a file has that port looked at too.
    `tools`: commands of which the probe says whether the host has them. `values`: paths and globs of files of one line
    (`/sys/kernel/mm/hugepages/hugepages-*/nr_hugepages`), which need no process and arrive in `Facts.values`.
    """

    files: tuple[str, ...] = ()
    units: tuple[str, ...] = ()
    tools: tuple[str, ...] = ()
    values: tuple[str, ...] = ()


class RebootState(enum.Enum):
    """Whether the kernel runs with what the boot entry holds."""

    NOT_NEEDED = "not needed"
    DUE = "due"
    FUTILE = "futile"  # it was tried for just this boot entry, and the kernel still lacks it


class Reboot(NamedTuple):
    """How the running kernel compares with the boot entry; `mark` names that entry in the stamp of a reboot."""

    state: RebootState
    mark: str


def _reads_nothing(request: Request) -> Reads:
    return Reads()


def _wants_nothing(request: Request, facts: Facts) -> tuple[Item | Problem, ...]:
    return ()


def _changes_nothing(
    request: Request, facts: Facts, items: tuple[Item, ...], earlier: tuple[Change, ...]
) -> tuple[Change | Problem | Reboot, ...]:
    return ()


def _comes_back_alone(request: Request, facts: Facts, back: Change) -> Change | Problem:
    return back


def _follows_nothing(request: Request, facts: Facts, earlier: tuple[Change, ...]) -> tuple[Change, ...]:
    return ()


class Capability(NamedTuple):
    """What one file of `sriov/resources/` can do. Functions that have nothing to say are left out.

    `name`: what its changes and problems call their resource.
    `reads`: what the probe must read. `desired`: what the host wants. `changes`: the answer of the owner of a kind of
    items, which sees the items of all capabilities and the changes of those before it.

    `around_rollback`: given the change that brings one file back by its single step, the same change with what has to
    go around it where the file is this capability's, or the problem that keeps the file as it is.
    `after_rollback`: what has to follow once all of these have come back.
    """

    name: str
    reads: Callable[[Request], Reads] = _reads_nothing
    desired: Callable[[Request, Facts], Iterable[Item | Problem]] = _wants_nothing
    changes: Callable[[Request, Facts, tuple[Item, ...], tuple[Change, ...]], Iterable[Change | Problem | Reboot]] = (
        _changes_nothing
    )
    around_rollback: Callable[[Request, Facts, Change], Change | Problem] = _comes_back_alone
    after_rollback: Callable[[Request, Facts, tuple[Change, ...]], Iterable[Change]] = _follows_nothing
