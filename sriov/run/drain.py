"""Hosts drained for the time of their reboot: what a run needs of the cloud, and when it asks for it.

What does it stands in `sriov/cloud/nova_drain.py`; here is what becomes of a host when it could not be done.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Protocol

from sriov.errors import SriovError
from sriov.model import Host, Role
from sriov.planning.reboots import Note
from sriov.run.context import RunContext
from sriov.run.outcome import AwaitingReboot, State, Status, outcome_of, with_outcome

_WELL = (Status.UNCHANGED, Status.CHANGED)


class Drain(Protocol):
    """Both raise SriovError where the cloud refuses or does not answer."""

    def drain(self, host: Host, watch: Callable[[str], None], stop: threading.Event) -> tuple[str, ...]:
        """No new instance comes here, and those that are here leave; the names of those that stay. With `stop` set
        it ends soon, by SriovError."""

    def undrain(self, host: Host) -> None:
        """New instances may come again, if we disabled the service, in this run or an earlier one."""


def drain_host(drain: Drain | None, awaiting: AwaitingReboot, ctx: RunContext) -> Note | None:
    """Why the host may not be rebooted after all; None where it may. An interruption is no reason of the host's."""
    if drain is None:
        return None
    host = awaiting.outcome.request.host
    try:
        stay = drain.drain(host, lambda words: ctx.tell(host, words), ctx.stop)
    except SriovError as error:
        words = f"not rebooted, because it could not be drained: {error.message}"
        return None if ctx.stop.is_set() else Note("drain-failed", words)
    return ctx.settings.reboots.reason_with_instances_left(stay)


def undrain_host(drain: Drain | None, state: State, *, also_undone: bool = False) -> State:
    """A host that is as wanted takes instances again, and one that is not rebooted after all (`also_undone`); one that
    did not come back keeps them away."""
    outcome = outcome_of(state)
    well = (*_WELL, Status.PENDING) if also_undone else _WELL
    if drain is None or outcome.status not in well or Role.COMPUTE not in outcome.request.roles:
        return state
    try:
        drain.undrain(outcome.request.host)
    except Exception as error:  # whatever the cloud says, the host is as it is
        words = error.message if isinstance(error, SriovError) else type(error).__name__
        note = Note("compute-still-disabled", f"nova-compute may still be disabled: {words}")
        return with_outcome(state, outcome.noting(note))
    return state
