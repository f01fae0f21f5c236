"""What a run asks of whatever does its phases."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from typing import Protocol

from sriov.run.outcome import State
from sriov.run.phases import Phase

Settled = Callable[[State], None]
"""Given the state after a phase, before the future of it is done: so none is lost, whenever a run is interrupted."""


class Backend(Protocol):
    """Phases go in, states come out; what goes wrong with a host is a state. `width` phases are given out at once."""

    width: int

    def submit(self, phase: Phase, state: State, settled: Settled = lambda state: None) -> Future[State]:
        """The state after that phase. Cancelled where the run was interrupted before the phase began."""

    def interrupt(self) -> None:
        """The operator ended the run: what has not begun is cancelled, the rest is told to end soon and waited for."""

    def close(self) -> None:
        """No phase will follow."""
