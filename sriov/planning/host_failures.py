"""Why a host did not make a change, or not to its end: what its script says, as a value. Pure."""

from __future__ import annotations

import enum
from typing import NamedTuple

from sriov.errors import printable
from sriov.facts.parser import sections

STEP_FAILED = "step-failed"
IDS = frozenset(
    (
        "copy-damaged",
        "cut-off",
        "disk-failed",
        "disk-full",
        "file-changed",
        "file-twice",
        "file-unwritable",
        "kernel-not-answering",
        "nova-refuses-file",
        "port-not-up",
        "service-not-starting",
        "staging-failed",
        "state-unwritable",
        "unit-failed",
        "unit-refused",
        "vf-count-changed",
        "vf-count-refused",
        "vf-in-use",
        "vf-removal-refused",
        "vf-users-unknown",
        "host-locked",
        STEP_FAILED,
    )
)
"""What `stop` and `fail` say (templates/lib/*.sh, templates/apply.sh.j2), and two that no words of theirs go with."""


class Reach(enum.Enum):
    """How far a change came."""

    LOCK = "lock"  # another run has the host
    STAGING = "staging"  # nothing was touched
    STEP = "step"  # what was done before stands


class HostFailure(NamedTuple):
    """`id`: one of `IDS`. `step`: the number of the plan's step; None where no step is to blame."""

    id: str
    reach: Reach
    step: int | None
    words: str


def read(output: bytes, nonce: str) -> HostFailure | None:
    """The first failure that the output of a change tells of: `locked`, `stopped ID [STEP]` or `failed STEP ID`."""
    for name, argument, content in sections(output, nonce):
        words = " ".join(printable(content.decode(errors="replace")).split())
        if name == "locked":
            return HostFailure("host-locked", Reach.LOCK, None, words)
        if name == "stopped":
            said, _, step = argument.partition(" ")
            id = _known(said)
            return HostFailure(id, Reach.STAGING, int(step) if step else None, words)
        if name == "failed":
            step, _, said = argument.partition(" ")
            id = _known(said)
            return HostFailure(id, Reach.STEP, int(step), words)
    return None


def _known(said: str) -> str:
    """The id, unless the host says one that we do not know."""
    return said if said in IDS else STEP_FAILED
