"""A tree of files as sysfs has them: folders, links, and attributes that are functions."""

from __future__ import annotations

import errno
import os
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field


def failure(number: int) -> OSError:
    return OSError(number, os.strerror(number))


@dataclass(slots=True)
class Link:
    """A symbolic link."""

    target: str


@dataclass(slots=True)
class Attribute:
    """A sysfs file: `show()` gives its text, `store(bytes)` takes one write; None makes it read-only."""

    show: Callable[[], str]
    store: Callable[[bytes], None] | None = None


@dataclass(slots=True)
class Directory:
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


@dataclass(slots=True)
class Ask:
    """A file to which a command of the host writes a question (words, each ended by NUL) and reads the answer."""

    answer: Callable[[tuple[str, ...], int], Awaitable[bytes]]


Node = Directory | Attribute | Link | Ask
