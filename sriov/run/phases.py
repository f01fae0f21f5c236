"""The parts of a host's way between which the run decides, and the one road on which they are done."""

from __future__ import annotations

import enum
import time
from collections.abc import Callable
from typing import Any

from sriov.run.context import RunContext
from sriov.run.look import ended, failed, look, unexpected_answer
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
    except Exception as error:
        found = unexpected_answer(before.name, error)
        found.__cause__ = error
        after = failed(before, found, ctx)
    outcome = outcome_of(after)
    if isinstance(after, Outcome):
        ended(outcome, ctx)
    elif isinstance(after, Looked):
        if not ctx.settings.changes_hosts:
            ctx.sessions.close(outcome.name)
        ctx.tell(outcome.request.host, "differs", is_rest=True)
    if not isinstance(after, Looked):
        outcome = outcome.without_contents()
        outcome = outcome if ctx.settings.keeps_files else outcome.without_files()
    return with_outcome(after, outcome._replace(seconds=before.seconds + time.monotonic() - begun))
