"""The words in which resources speak: what a host wants (items), what differs (changes), what cannot be (problems).

A *wish* turns a host of the testbed and its facts into items. Each kind of item has one *owner*, which compares
the items with the facts and answers with changes and problems. Wishes and owners are pure functions; the list
of both stands in `sriov/plan.py`. So two wishes never write one file twice, and a new capability is a new wish.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Iterable
from typing import NamedTuple

from sriov.facts import Facts
from sriov.formats.kernel_arguments import KernelArgument
from sriov.formats.ml2_options import AgentWanted, ServerWanted
from sriov.formats.nova_options import NovaWanted
from sriov.model import Host, PhysicalFunction, Role, Testbed


class VfCount(NamedTuple):
    """A port that must have exactly so many VFs, now and after each boot. 0: none, and no unit of ours."""

    interface: str
    num_vfs: int


class NovaOptions(NamedTuple):
    """What nova must read; see `sriov.formats.nova_options`."""

    wanted: NovaWanted
    release: int


class Ml2Options(NamedTuple):
    """What neutron must read; see `sriov.formats.ml2_options`. None: that side is no concern."""

    server: ServerWanted | None = None
    agent: AgentWanted | None = None


RESTARTS_DUE = "/var/lib/sriov/restarts-due"  # on the host: a file for each unit that a run under way will restart


def restart_is_due(facts: Facts, names: Iterable[str]) -> bool:
    """Whether a run that was cut off left one of these units with a restart to come: nothing else may tell, where
    the lines that it took out were the last ones of ours."""
    return any(f"{RESTARTS_DUE}/{name}" in facts.files for name in names)


class FreshService(NamedTuple):
    """A service that must run, and must have begun after its files and the VFs became what they are.

    `at_boot`: it must be enabled too.
    """

    names: tuple[str, ...]
    reads: tuple[str, ...]
    watches_vfs: bool = False
    at_boot: bool = False


Item = KernelArgument | VfCount | NovaOptions | Ml2Options | FreshService


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
    """A function of `templates/apply.sh.j2` and its arguments."""

    words: tuple[str, ...]


Step = WriteFile | RemoveFile | RestoreFile | Command


class Change(NamedTuple):
    """One difference and how it is mended. `diff` holds lines of ours only, ready to print."""

    resource: str
    target: str
    wanted: str
    found: str
    steps: tuple[Step, ...]
    effect: Effect = Effect.NONE
    diff: tuple[str, ...] = ()

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
    """Something that no step of ours can or may mend."""

    resource: str
    target: str
    message: str
    hint: str = ""
    severity: Severity = Severity.IMPOSSIBLE

    def __str__(self) -> str:
        return f"{self.resource} {self.target}: {self.message}"


class Request(NamedTuple):
    """What is asked of one host: the roles that this call is about, and what the operator allowed."""

    host: Host
    testbed: Testbed
    roles: frozenset[Role]
    force_vf_reset: bool = False
    clear_seconds: int = 60  # for a write of 0: 2.3 s for 7 VFs of an emulated 82576, far less on hardware
    all_ports: bool = False  # every port of the host, not only the testbed's
    ask_holders: bool = False  # who uses each VF, also where no change asks for it
    rollback: str | None = None  # the run to take back; empty: the last one

    @property
    def physical_functions(self) -> tuple[PhysicalFunction, ...]:
        return self.host.physical_functions if Role.COMPUTE in self.roles else ()

    @property
    def wants_vfs(self) -> bool:
        return any(pf.num_vfs for pf in self.physical_functions)


Wish = Callable[[Request, Facts], Iterable[Item | Problem]]
Owner = Callable[[Request, Facts, tuple[Item, ...], tuple[Change, ...]], Iterable[Change | Problem]]
