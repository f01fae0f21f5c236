"""Who this controller is, in the words that stand in a host's lock, and whether such a one is still at work."""

from __future__ import annotations

import getpass
import os
import platform
import re


def name() -> str:
    """`operator@desk (pid 4711)`."""
    return f"{_place()} (pid {os.getpid()})"


def has_ended(words: str) -> bool:
    """Whether `words` name a controller of this user on this machine whose process is gone: killed, or cut off.

    What it began on a host ends by itself soon after. Of any other controller nothing is known from here: False.
    """
    found = re.match(re.escape(_place()) + r" \(pid (\d{1,9})\)", words)
    if not found or found[1] == str(os.getpid()):
        return False
    try:
        os.kill(int(found[1]), 0)
    except ProcessLookupError:
        return True
    except OSError:
        return False
    return False


def _place() -> str:
    return f"{getpass.getuser()}@{platform.node()}"
