"""The errors that leave this library, as a tree:

    SriovError                 anything below; `exit_code` is what the command line ends with
    ├── UsageError             2  the call is wrong; no host was contacted
    ├── TestbedError           2  the testbed is wrong (all faults at once); no host was contacted
    ├── FormatError            -  a file's text cannot be read the way its program reads it
    ├── CloudError             1  the cloud's API refused, did not answer, or holds something else of that name
    └── HostError              1  one host could not be brought on; says what state it is in
        ├── ConnectError       1  no session, or no root on it: nothing was touched by this run
        │   └── UnreachableError  1  the host does not answer (the others go on)
        ├── InterruptedRunError  1  the operator ended the run before this host was done
        ├── LockedError        1  another run is changing the host; this one touched nothing
        ├── ApplyError         1  a step failed; earlier steps stand, later ones were not begun
        └── RebootError        1  the host did not come back, or came back without what was wanted

A message names what, where, wanted and found; `hint` says the next act. None ever holds file content,
a password or a key. `id` names what has happened, whatever the words: `docs/errors.md` has one entry for each id,
with meaning, cause and remedy. An id keeps its meaning from one version to the next.
"""

from __future__ import annotations

import copy
import difflib
import re
from collections.abc import Iterable
from typing import NamedTuple

_ESCAPES = re.compile(r"\x1b\[[0-9;?]*[ -/]*[@-~]|\x1b[@-_]|[\x00-\x08\x0b-\x1f\x7f-\x9f]")


def printable(text: str) -> str:
    """Text from outside, fit for a message: without terminal escapes and control characters."""
    return _ESCAPES.sub("", text)


def counted(number: int, noun: str, plural: str = "") -> str:
    """`1 VF`, `2 VFs`, `0 entries`. `plural` is for a noun that takes more than an s."""
    return f"{number} {noun if number == 1 else plural or noun + 's'}"


def tagged(text: str, id: str) -> str:
    """The text with its id, if it has one, in brackets at the end of the first line."""
    first, feed, rest = text.partition("\n")
    return f"{first} [{id}]{feed}{rest}" if id else text


def nearest(word: object, known: Iterable[str], cutoff: float = 0.6) -> str:
    """The known word most like `word`, ignoring case; empty if none is near, or if `word` is not text.

    `cutoff`: 0 accepts any word, 1 only the same one (`difflib.get_close_matches`).
    """
    by_lower = {name.lower(): name for name in known}
    found = difflib.get_close_matches(word.lower(), by_lower, n=1, cutoff=cutoff) if isinstance(word, str) else ()
    return by_lower[found[0]] if found else ""


def did_you_mean(word: object, known: Iterable[str], cutoff: float = 0.6) -> str:
    """The question that names the nearest known word; empty if none is near."""
    near = nearest(word, known, cutoff)
    return f"did you mean {near!r}?" if near else ""


class SriovError(Exception):
    """Base of all errors here. `str()` is one line or a few, fit for a terminal.

    `id` is lower case with hyphens (`vf-in-use`), a literal in the call: a test compares them with docs/errors.md.
    `kind` names the error in documents: its class, unless the class says another.
    """

    exit_code = 1
    kind = "SriovError"

    def __init_subclass__(cls) -> None:
        cls.kind = vars(cls).get("kind", cls.__name__)

    def __init__(self, id: str, message: str, *, hint: str = "") -> None:
        super().__init__(id, message)
        self.id = id
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message}\n  -> {self.hint}" if self.hint else self.message


class UsageError(SriovError):
    """The call cannot be carried out as typed."""

    exit_code = 2


class Fault(NamedTuple):
    """One thing wrong with a testbed: where (`testbed.py:12` or `env.sriov['root@a'][0]`), what, and the remedy."""

    id: str
    where: str
    what: str
    hint: str = ""

    def __str__(self) -> str:
        return tagged(f"{self.where}: {self.what}", self.id) + (f"\n      -> {self.hint}" if self.hint else "")


class TestbedError(SriovError):
    """A testbed that cannot be used; holds every fault found, in the order of the file."""

    exit_code = 2

    def __init__(self, path: str, faults: tuple[Fault, ...]) -> None:
        self.path = path
        self.faults = faults
        count = counted(len(faults), "fault")
        lines = "".join(f"\n  * {fault}" for fault in faults)
        super().__init__("testbed-faults", f"the testbed {path} has {count}; nothing was touched{lines}")


class FormatError(SriovError):
    """Text that its own program would refuse. `line` counts from 1; the text of the line is not repeated."""

    def __init__(self, id: str, path: str, line: int, reason: str, *, hint: str = "") -> None:
        super().__init__(id, f"{path}:{line}: {reason}", hint=hint)
        self.path = path
        self.line = line
        self.reason = reason


class CloudError(SriovError):
    """OpenStack did not do what was asked; what was made before stands, and the next call finds it."""


class HostError(SriovError):
    """One host failed. `host` is the host string of the testbed, `step` what was under way.

    It may come from another process: it can be pickled.
    """

    def __init__(self, id: str, host: str, message: str, *, hint: str = "", step: str = "") -> None:
        super().__init__(id, message, hint=hint)
        self.host = host
        self.step = step

    def __reduce__(self) -> tuple[object, ...]:
        # the base class would call it with the message alone
        return _host_error, (type(self), self.id, self.host, self.message), {**vars(self)}

    def during(self, step: str, hint: str) -> HostError:
        """The same error, which came in the middle of that step; `hint` where it has none of its own."""
        found = copy.copy(self)
        found.message = f"{self.message} during: {step}" if step else self.message
        found.hint, found.step = self.hint or hint, step
        return found


class ConnectError(HostError):
    """No session with the host."""


class UnreachableError(ConnectError):
    """The host does not answer, or the connection broke."""


class InterruptedRunError(HostError):
    """The operator ended the run; the next one goes on."""

    kind = "HostError"


class LockedError(HostError):
    """Another run is changing the host; `holder` is the text in its lock."""

    kind = "HostError"
    holder = ""


class ApplyError(HostError):
    """A step of the change failed."""


class RebootError(HostError):
    """The reboot did not bring what it was for."""


def _host_error(kind: type[HostError], id: str, host: str, message: str) -> HostError:
    return kind(id, host, message)
