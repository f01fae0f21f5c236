"""How far a change has come: which step of the plan is under way and which are done, from the host's own report."""

from __future__ import annotations

import re
from collections.abc import Callable

from sriov.resources.contract import Change, Step

_KEPT = 200  # bytes of output that may be the beginning of a section line
_SECTION = re.compile(rb"\n@([0-9a-f]+) (begin|done|host) ?(\d*)(?=\n)")


class ChangeProgress:
    """Follows the sections of a change as they arrive. `steps` by number, as the host counts them.

    `began` is told what the host is at, `completed` of each change whose last step is done.
    """

    def __init__(
        self,
        steps: tuple[tuple[Change, Step], ...],
        nonce: str,
        began: Callable[[str], None],
        completed: Callable[[Change], None],
    ) -> None:
        self._steps = steps
        self._began = began
        self._completed = completed
        self._nonce = nonce.encode()
        self._rest = b"\n"
        self.done: tuple[int, ...] = ()
        self.current = ""

    def feed(self, data: bytes) -> None:
        """IndexError if the host reports a step as done that is none."""
        text = self._rest + data
        end = 0
        for match in _SECTION.finditer(text):
            end = match.end()
            nonce, kind, number = match.groups()
            if nonce != self._nonce:
                continue
            if kind == b"host":
                self.current = "the second look"
                self._began("verifying")
            elif kind == b"begin" and int(number) < len(self._steps):
                change, _ = self._steps[int(number)]
                self.current = f"{change.resource} {change.target}"
                self._began(self.current)
            elif kind == b"done":
                change, step = self._steps[int(number)]
                self.done += (int(number),)
                if step is change.steps[-1]:
                    self._completed(change)
        self._rest = text[max(end, len(text) - _KEPT) :]
