"""Who holds a host's lock: the controller and the run that it names, and whether that still runs."""

from __future__ import annotations

import getpass
import os
import re
from typing import NamedTuple

# `operator@desk (pid 4711, run 20260101T000000Z-a1b2c3)`; `since …` follows in the lock
_WORDS = re.compile(r"(?P<place>.+) \(pid (?P<pid>\d{1,9}), run (?P<run>[^)]*)\)")


class LockOwner(NamedTuple):
    """A controller: `place` is `user@machine`, `pid` its process there, `run` the run's id."""

    place: str
    pid: int
    run: str

    def __str__(self) -> str:
        return f"{self.place} (pid {self.pid}, run {self.run})"

    def ends_by_itself(self, run: str) -> bool:
        """Whether this one was killed or cut off, so that what it began on a host ends soon.

        That is a controller of this user on this machine whose process is gone, or an earlier attempt of this very
        run `run` (empty: none), from whatever machine: no step is given out twice before the first to get it is lost.
        Of any other controller nothing is known from here: False.
        """
        if run and self.run == run:
            return True
        return self.place == _place() and self.pid != os.getpid() and not _is_alive(self.pid)


def here(run: str) -> LockOwner:
    """This process, for that run."""
    return LockOwner(_place(), os.getpid(), run)


def parse(words: str) -> LockOwner | None:
    """The controller that wrote these words into a lock; None if none of ours did."""
    found = _WORDS.match(words)
    return LockOwner(found["place"], int(found["pid"]), found["run"]) if found else None


def _place() -> str:
    return f"{getpass.getuser()}@{os.uname().nodename}"


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True
