"""What becomes of a host in a run: `Outcome`, and the states from which a run goes on, `Looked` and `AwaitingReboot`.

Frozen values, and the same for all who make them: threads of this process, or workers of a cluster that send them back.

    look -> Looked | Outcome      apply -> AwaitingReboot | Outcome      reboot -> Outcome
"""

from __future__ import annotations

import enum
from typing import NamedTuple

from sriov.errors import ConnectError, HostError, UnreachableError
from sriov.facts.model import Facts
from sriov.planning.plan import Plan
from sriov.planning.reboots import Note
from sriov.resources.contract import Change, Request, WriteFile


class Status(enum.Enum):
    """How a host ended, from best to worst."""

    UNCHANGED = "unchanged"  # it was as wanted
    CHANGED = "changed"  # it is as wanted now
    DIFFERS = "differs"  # plan and verify: something is to be done
    PENDING = "pending"  # all is done but a reboot that was not made
    UNTOUCHED = "untouched"  # the run stopped before it
    FAILED = "failed"


class Outcome(NamedTuple):
    """How a host ended. `first_plan` is what was to be done, `plan` what is still to be done by the last look.

    `done`: numbers of the steps of `first_plan` that were carried out. `has_begun`: its change was sent.
    `was_held_back`: pending although the operator allowed reboots. `seconds` were spent on this host.
    """

    request: Request
    status: Status
    facts: Facts | None = None
    first_plan: Plan = Plan()
    plan: Plan = Plan()
    error: HostError | None = None
    notes: tuple[Note, ...] = ()
    done: tuple[int, ...] = ()
    has_begun: bool = False
    rebooted: bool = False
    was_held_back: bool = False
    seconds: float = 0.0

    @property
    def name(self) -> str:
        return self.request.host.name

    @property
    def label(self) -> str:
        return self.request.host.label

    @property
    def stops_all(self) -> bool:
        """A login refused or a state out of reach is for the operator to correct before anything is changed anywhere;
        a host that is down is not. What turns up once the changes have begun stops no other host."""
        refused = isinstance(self.error, ConnectError) and not isinstance(self.error, UnreachableError)
        return not self.has_begun and (refused or bool(self.plan.impossible))

    def has_done(self, change: Change) -> bool:
        """Whether every step of a change of the first plan was carried out."""
        numbers = [number for number, (owner, _) in enumerate(self.first_plan.steps) if owner is change]
        return all(number in self.done for number in numbers)

    def noting(self, note: Note | None) -> Outcome:
        return self._replace(notes=(*self.notes, note)) if note else self

    def without_files(self) -> Outcome:
        """With no file that was read on the host; a report needs none."""
        return self._replace(facts=None if self.facts is None else self.facts._replace(files={}))

    def without_contents(self) -> Outcome:
        """With no content of a file to be written; a report shows our own lines alone."""
        first, now = (_without_content(plan) for plan in (self.first_plan, self.plan))
        return self._replace(first_plan=first, plan=now)


def _without_content(plan: Plan) -> Plan:
    changes = tuple(
        change._replace(steps=tuple(s._replace(content=b"") if isinstance(s, WriteFile) else s for s in change.steps))
        for change in plan.changes
    )
    return plan._replace(changes=changes)


class Looked(NamedTuple):
    """A host that differs from what is wanted; `outcome` is how it ends if nothing more is done to it."""

    outcome: Outcome
    facts: Facts
    may_reboot: bool = False

    @property
    def has_work(self) -> bool:
        plan = self.outcome.plan
        return bool(plan.changes) or (plan.is_reboot_due and self.may_reboot)


class AwaitingReboot(NamedTuple):
    """A host on which all is done but the reboot, which it waits for; `outcome` is how it ends without."""

    outcome: Outcome
    boot_id: str
    boot_mark: str


State = Request | Looked | AwaitingReboot | Outcome


def outcome_of(state: State) -> Outcome:
    """How a host ends that is left in this state. One that was not looked at is untouched."""
    if isinstance(state, Request):
        return Outcome(state, Status.UNTOUCHED)
    return state if isinstance(state, Outcome) else state.outcome


def with_outcome(state: State, outcome: Outcome) -> State:
    """The same state with another outcome."""
    if isinstance(state, Looked | AwaitingReboot):
        return state._replace(outcome=outcome)
    return outcome
