"""What a testbed file said, before anyone judged it: values by `env` key, and the line where each stands.

Knows how to read the bytes of a file and how to name a place in it. Knows neither Python nor YAML nor what
a valid testbed is.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from sriov.errors import Fault, TestbedError
from sriov.testbed.wording import shown

MAX_BYTES = 4 * 1024 * 1024  # the longest of 517 public testbeds has 40 KB; more is another kind of file

# ('sriov', 'root@a', 0, 'VF') stands for env.sriov['root@a'][0]['VF']
Keys = tuple[object, ...]


class Source(NamedTuple):
    """The content of one testbed file.

    `values` is `{'roledefs': {...}, 'sriov': {...}}`, unchecked. `line_of` gives the line (from 1) of the
    deepest known part of a key path, None where the file has none. `prefix` is how the file spells its keys
    (`env.` in Python, nothing in YAML).
    """

    path: str
    values: Mapping[str, object]
    line_of: Callable[[Keys], int | None]
    prefix: str


@dataclass(eq=False, repr=False, slots=True)
class FaultList:
    """Collects faults against places of one source; `checked()` raises them all, in the order of the file."""

    source: Source
    found: list[tuple[int, Fault]] = field(default_factory=list)

    def note(self, id: str, keys: Keys, what: str, hint: str = "") -> None:
        name = label(self.source.prefix, keys)
        line = self.source.line_of(keys)
        if line is None:
            self.found.append((MAX_BYTES, Fault(id, name, what, hint)))
        else:
            self.found.append((line, Fault(id, f"{self.source.path}:{line}", f"{name}: {what}", hint)))

    def checked(self) -> None:
        """Raise TestbedError if there is any fault."""
        if self.found:
            in_order = sorted(self.found, key=lambda pair: pair[0])
            raise TestbedError(self.source.path, tuple(fault for _, fault in in_order))


def label(prefix: str, keys: Keys) -> str:
    """`env.sriov['root@a'][0]`; keys of `passwords` are left out, for people do swap host and password."""
    top, *rest = keys
    if top == "passwords":
        rest = []
    return f"{prefix}{top}" + "".join(f"[{shown(key)}]" for key in rest)


def read_bytes(path: Path) -> bytes:
    """The bytes of a testbed file. Raises TestbedError if there is none, or if it cannot be a text file."""
    if path.is_dir():
        raise whole_file_error(
            "not-a-testbed", path, "is a directory, not a file", "name the file in it: --testbed DIR/testbed.py"
        )
    try:
        with path.open("rb") as stream:
            content = stream.read(MAX_BYTES + 1)
    except FileNotFoundError:
        hint = "name it with --testbed PATH or SRIOV_TESTBED; testbeds/small.py is an example to start from"
        raise whole_file_error("testbed-not-found", path, "there is no such file", hint) from None
    except (OSError, ValueError) as error:  # ValueError: a NUL in the name
        reason = getattr(error, "strerror", None) or "its name is not a file name"
        raise whole_file_error("testbed-unreadable", path, f"cannot be read: {reason}") from None
    if len(content) > MAX_BYTES:
        raise whole_file_error("not-a-testbed", path, "is larger than 4 MiB; that is not a testbed")
    if b"\0" in content:
        raise whole_file_error(
            "not-a-testbed", path, "is a binary file, not text", "a testbed is Python (.py) or YAML (.yaml, .yml)"
        )
    if not content.strip(b"\xef\xbb\xbf \t\r\n"):
        raise whole_file_error("not-a-testbed", path, "is empty", "testbeds/small.py is an example to start from")
    return content


def whole_file_error(id: str, path: Path, what: str, hint: str = "") -> TestbedError:
    return TestbedError(str(path), (Fault(id, str(path), what, hint),))


def line_error(id: str, path: str, line: int | None, what: str, hint: str = "") -> TestbedError:
    """A file that could not be read to its end; `line` counts from 1, None where it is not known."""
    return TestbedError(path, (Fault(id, f"{path}:{line}" if line else path, what, hint),))
