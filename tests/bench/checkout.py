"""A revision of this project in a temporary git worktree."""

from __future__ import annotations

import contextlib
import os
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

from .fleet import ROOT

LIMIT = 120  # seconds for one git command


class UnknownRevisionError(Exception):
    """There is no such revision, or no repository; the text is git's."""


@contextlib.contextmanager
def checkout(revision: str, repository: Path = ROOT) -> Iterator[Path]:
    """The folder of its files, which goes again in any case. UnknownRevisionError."""
    try:
        commit = _git(repository, "rev-parse", "--verify", "--end-of-options", f"{revision}^{{commit}}")
    except subprocess.CalledProcessError as error:
        raise UnknownRevisionError(f"{revision}: {error.stderr.strip()}") from None
    with tempfile.TemporaryDirectory(prefix="sriov-bench-") as folder:
        tree = Path(folder, "before")
        try:
            _git(repository, "worktree", "add", "--quiet", "--detach", str(tree), commit)
            yield tree
        finally:
            # a checkout that was cut off is no worktree yet; then git has nothing to remove
            with contextlib.suppress(subprocess.CalledProcessError):
                _git(repository, "worktree", "remove", "--force", str(tree))


def _git(repository: Path, *words: str) -> str:
    """Without hooks, and whatever repository a hook that called us has set."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    call = ["git", "-C", str(repository), "-c", "core.hooksPath=/dev/null", *words]
    return subprocess.run(call, env=kept, check=True, capture_output=True, text=True, timeout=LIMIT).stdout.strip()
