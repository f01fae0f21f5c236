"""Who this controller is, in the words that stand in a host's lock, and whether such a one is still at work."""

from __future__ import annotations

import getpass
import os
import re


def name(run_id: str) -> str:
    """`operator@desk (pid 4711, run 20260101T000000Z-a1b2c3)`."""
    return f"{_place()} (pid {os.getpid()}, run {run_id})"


def ends_by_itself(words: str, run_id: str) -> bool:
    """Whether `words` name who was killed or cut off: what such a one began on a host ends soon after.

    That is a controller of this user on this machine whose process is gone, or an earlier attempt of this same run
    `run_id`, from whatever machine: no step is given out twice before the first to get it is lost. Of any other
    controller nothing is known from here: False.
    """
    if is_of(words, run_id):
        return True
    found = re.match(re.escape(_place()) + r" \(pid (\d{1,9})\b", words)
    if not found or found[1] == str(os.getpid()):
        return False
    try:
        os.kill(int(found[1]), 0)
    except ProcessLookupError:
        return True
    except OSError:
        return False
    return False


def is_of(words: str, run_id: str) -> bool:
    """Whether `words` name somebody who works for that run."""
    return bool(run_id) and f", run {run_id})" in words


def _place() -> str:
    return f"{getpass.getuser()}@{os.uname().nodename}"
