"""What runs have kept on the host: copies of files for `rollback`, logs, marks. It goes only if asked to. Pure.

It goes last, and not while anything of ours has to stay: a port that a guest holds, for one.
"""

from __future__ import annotations

from sriov.errors import counted
from sriov.facts.model import Facts
from sriov.resources.contract import PURGE, Change, Command, Request

FOLDER = "/var/lib/sriov"
_RUN = f"{FOLDER}/runs/*/attempt"  # every run has one, since 1.0.0


def reads(request: Request) -> tuple[str, ...]:
    """The files of one line that tell which runs there are."""
    return (_RUN,) if request.purges else ()


def removal(request: Request, facts: Facts, earlier: tuple[Change, ...]) -> tuple[Change, ...]:
    """The change behind all others that takes it away; empty where that is not asked for, or nothing is kept."""
    kept = [path for path in (*facts.values, *facts.files) if path.startswith(f"{FOLDER}/")]
    if not request.purges or request.held or not (kept or earlier):
        return ()
    found = f"copies of {counted(sum(path.endswith('/attempt') for path in kept), 'run')}"
    steps = (Command((PURGE,)),)
    return (Change("own-state", FOLDER, wanted="removed; no rollback", found=found, steps=steps, is_leftover=True),)
