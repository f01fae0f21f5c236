"""Owner of what runs have kept on the host: copies of files for `rollback`, logs, marks. It goes only if asked to.

It comes last, and not while anything of ours has to stay: a port that a guest holds, for one.
"""

from __future__ import annotations

from collections.abc import Iterator

from sriov.errors import counted
from sriov.facts.model import Facts
from sriov.resources.contract import PURGE, Capability, Change, Command, Item, Reads, Request

_NAME = "own-state"
_FOLDER = "/var/lib/sriov"
_RUN = f"{_FOLDER}/runs/*/attempt"  # every run has one, since 1.0.0


def _reads(request: Request) -> Reads:
    return Reads(values=(_RUN,)) if request.purges else Reads()


def _changes(request: Request, facts: Facts, items: tuple[Item, ...], earlier: tuple[Change, ...]) -> Iterator[Change]:
    kept = [path for path in (*facts.values, *facts.files) if path.startswith(f"{_FOLDER}/")]
    if not request.purges or request.held or not (kept or earlier):
        return
    runs = sum(path.endswith("/attempt") for path in kept)
    yield Change(
        _NAME,
        _FOLDER,
        wanted="removed; no rollback",
        found=f"copies of {counted(runs, 'run')}",
        steps=(Command((PURGE,)),),
        is_leftover=True,
    )


CAPABILITY = Capability(_NAME, _reads, changes=_changes)
