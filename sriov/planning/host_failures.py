"""Why a host did not make a change, or not to its end: what its script says, as a value. Pure."""

from __future__ import annotations

import enum
from typing import NamedTuple

from sriov.errors import printable
from sriov.facts.parser import sections

LOCKED = "locked"
STEP_FAILED = "step-failed"
# ids that `stop` and `fail` say (templates/lib/*.sh, templates/apply.sh.j2), then those that no words of theirs go with
MEANINGS = {
    "copy-damaged": "what an earlier run kept of a file, and rollback needs, is missing or not what was kept",
    "cut-off": "the new files did not arrive whole: the connection broke while they were sent",
    "disk-failed": "the kernel could not bring the new files to the disk",
    "disk-full": "a new file, or the copy of an old one, could not be written whole",
    "file-changed": "a file is not the one any more that the plan was made for",
    "file-twice": "two paths of the plan are one file",
    "file-unwritable": "a file cannot be replaced or removed: immutable, a read-only disk, or a mount point",
    "kernel-not-answering": "the write that takes virtual functions away did not return in time",
    "port-not-up": "a port whose driver asks for it could not be set up before its virtual functions go",
    "service-not-starting": "a service does not run after its restart",
    "staging-failed": "the new files could not be prepared beside their targets, or the old ones not be kept",
    "state-unwritable": "/run/sriov cannot be written, so the host cannot be locked",
    "unit-failed": "the unit that makes virtual functions failed",
    "unit-refused": "systemd refused to enable, disable or stop a unit of ours",
    "vf-count-changed": "a port has another number of virtual functions than the plan was made for",
    "vf-in-use": "a virtual function that was to go is in use",
    "vf-removal-refused": "the kernel refused to take virtual functions away, or left some",
    LOCKED: "another run holds the host's lock",
    STEP_FAILED: "a command of the host ended badly; its own words follow",
}


class Reach(enum.Enum):
    """How far a change came."""

    LOCK = "lock"  # another run has the host
    STAGING = "staging"  # nothing was touched
    STEP = "step"  # what was done before stands


class Failure(NamedTuple):
    """`id`: one of `MEANINGS`. `step`: the number of the plan's step; None where no step is to blame."""

    id: str
    reach: Reach
    step: int | None
    words: str


def read(output: bytes, nonce: str) -> Failure | None:
    """The first failure that the output of a change tells of: `locked`, `stopped ID [STEP]` or `failed STEP ID`."""
    for name, argument, content in sections(output, nonce):
        words = " ".join(printable(content.decode(errors="replace")).split())
        if name == "locked":
            return Failure(LOCKED, Reach.LOCK, None, words)
        if name == "stopped":
            known, _, step = argument.partition(" ")
            return Failure(_known(known), Reach.STAGING, int(step) if step else None, words)
        if name == "failed":
            step, _, known = argument.partition(" ")
            return Failure(_known(known), Reach.STEP, int(step), words)
    return None


def _known(said: str) -> str:
    """A host is not trusted to say anything else."""
    return said if said in MEANINGS else STEP_FAILED
