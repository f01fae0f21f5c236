"""The nodes of a tree as sysfs has them: folders, links, attributes that are functions, and calls that sleep."""

from __future__ import annotations

import errno
import os
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import NamedTuple


def failure(number: int) -> OSError:
    """What the kernel answers a call with."""
    return OSError(number, os.strerror(number))


class BlockedError(Exception):
    """The caller sleeps, uninterruptibly. The server of the tree adds to `wakeups` what it does when the sleep is over.

    `finishes`: it is a write that sleeps, and when it wakes it has succeeded; else the call is to be made again.
    """

    def __init__(self, wakeups: list[Callable[[], None]], *, finishes: bool = False) -> None:
        super().__init__()
        self.wakeups = wakeups
        self.finishes = finishes


class Link(NamedTuple):
    """A symbolic link."""

    target: str


class Attribute(NamedTuple):
    """A sysfs file: `show()` gives its text, `store(bytes)` takes one write; None makes it read-only."""

    show: Callable[[], str]
    store: Callable[[bytes], None] | None = None


@dataclass(slots=True)
class Directory:
    """A folder; its entries by name."""

    entries: dict[str, Node] = field(default_factory=dict)

    def make(self, path: str) -> Directory:
        """The directory `path` below this one, made where it does not exist."""
        here = self
        for name in path.strip("/").split("/"):
            there = here.entries.setdefault(name, Directory())
            if not isinstance(there, Directory):
                raise failure(errno.ENOTDIR)
            here = there
        return here

    def text(self, **values: object) -> None:
        """Read-only files, name=value; the newline that sysfs ends each with is added."""
        for name, value in values.items():
            self.entries[name] = Attribute(lambda value=value: f"{value}\n")  # type: ignore[misc]

    def find(self, path: str) -> Node:
        """The node at `path` (links are not followed). Raises OSError ENOENT or ENOTDIR."""
        node: Node = self
        for name in filter(None, path.split("/")):
            if not isinstance(node, Directory):
                raise failure(errno.ENOTDIR)
            if name not in node.entries:
                raise failure(errno.ENOENT)
            node = node.entries[name]
        return node

    def resolve(self, path: str) -> str:
        """`path` with all symbolic links followed, without a leading slash. Raises OSError ENOENT or ENOTDIR."""
        pending = [name for name in path.split("/") if name][::-1]
        done: list[str] = []
        while pending:
            name = pending.pop()
            if name == "..":
                done = done[:-1]
                continue
            node = self.find("/".join([*done, name]))
            if isinstance(node, Link):
                pending += [part for part in node.target.split("/") if part][::-1]
            else:
                done.append(name)
        return "/".join(done)


class Ask(NamedTuple):
    """A file to which a command of the host writes a question (words, each ended by NUL) and reads the answer."""

    answer: Callable[[tuple[str, ...], int], Awaitable[bytes]]


Node = Directory | Attribute | Link | Ask
