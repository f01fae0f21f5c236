"""The parts of a host's way between which the run decides, and the one road on which they are done."""

from __future__ import annotations

import enum
import time
from collections.abc import Callable
from typing import Any

from sriov.errors import HostError
from sriov.run.context import RunContext
from sriov.run.look import failed, look
from sriov.run.outcome import Looked, Outcome, State, outcome_of, with_outcome


class Phase(enum.Enum):
    LOOK = "look"
    APPLY = "apply"
    REBOOT = "reboot"


def _act(phase: Phase) -> Callable[[Any, RunContext], State]:
    """What most hosts of most runs do not come to is loaded when the first one does."""
    if phase is Phase.LOOK:
        return look
    if phase is Phase.APPLY:
        from sriov.run.apply import apply

        return apply
    from sriov.run.reboot import reboot

    return reboot


def perform(phase: Phase, state: State, ctx: RunContext) -> State:
    """The state after that phase, which must fit the state before it. Whatever goes wrong is the host's outcome."""
    begun, before = time.monotonic(), outcome_of(state)
    try:
        after = _act(phase)(state, ctx)
    except Exception as error:  # an answer that nobody foresaw is its host's trouble, not that of the others
        after = failed(before, _unforeseen(before, error), ctx)
    outcome = outcome_of(after)
    if not isinstance(after, Looked) and not ctx.settings.keeps_files:
        outcome = outcome.without_contents()
    return with_outcome(after, outcome._replace(seconds=before.seconds + time.monotonic() - begun))


def _unforeseen(before: Outcome, error: Exception) -> HostError:
    found = HostError(
        before.name,
        f"its answer makes no sense to this program ({type(error).__name__})",
        hint="run again; if it stays, tell the authors what --debug shows",
    )
    found.__cause__ = error
    return found
