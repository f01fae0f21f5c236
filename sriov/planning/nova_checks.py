"""Which services of nova are asked, before a change, whether they would start with their new files. Pure.

Only one that the change restarts, and only where a file that it reads becomes another one: its own code reads what is
staged (templates/lib/nova_check.sh). A run that finds a host as wanted asks nothing.
"""

from __future__ import annotations

import shlex
from typing import NamedTuple

from sriov.errors import printable
from sriov.facts.parser import sections
from sriov.planning.plan import Plan
from sriov.planning.reboots import Note
from sriov.rendering.plain import text_of
from sriov.rendering.quoting import Verbatim
from sriov.resources.contract import Command


class NovaCheck(NamedTuple):
    """`nova-compute` of this unit; the first step that stages one of its files, and all these files."""

    service: str
    unit: str
    step: int
    paths: tuple[str, ...]


def due(plan: Plan) -> tuple[NovaCheck, ...]:
    """The services to ask; none where no file of theirs changes or none is restarted."""
    staged = [(number, step.path) for number, (_, step) in enumerate(plan.steps) if not isinstance(step, Command)]
    found = []
    for change in (change for change in plan.changes if change.loads is not None):
        concerned = [(number, path) for number, path in staged if change.loads and path in change.loads.files]
        if change.loads and concerned:
            paths = tuple(path for _, path in concerned)
            found.append(NovaCheck(change.loads.program, change.target, concerned[0][0], paths))
    return tuple(found)


def reader() -> Verbatim:
    """The program that nova's interpreter runs, as one word of the shell."""
    return Verbatim(shlex.quote(text_of("nova-reader.py")))


def unasked(output: bytes, nonce: str) -> tuple[Note, ...]:
    """What the host says of services that could not be asked: `unasked nova-compute`, and why."""
    return tuple(
        Note(
            "nova-not-asked",
            f"{argument} was not asked whether it starts with its new files: {_words(content)}",
            is_pending=False,
        )
        for name, argument, content in sections(output, nonce)
        if name == "unasked"
    )


def _words(content: bytes) -> str:
    return " ".join(printable(content.decode(errors="replace")).split())[:300]
