"""The numbers by which the kernel knows the nodes of a tree: one for each path that it has looked up."""

from __future__ import annotations

import errno

from .nodes import Directory, Node, failure


class Inodes:
    """The tree `root` by number; 1 is the root. A number stays that of its path, whatever stands there."""

    def __init__(self, root: Directory) -> None:
        self._root = root
        self._paths: list[tuple[str, ...]] = [(), ()]
        self._numbers: dict[tuple[str, ...], int] = {(): 1}

    def node(self, number: int) -> Node:
        """Raises OSError ENOENT where nothing stands there any more."""
        node: Node = self._root
        for name in self._paths[number]:
            node = _child(node, name)
        return node

    def find(self, parent: int, name: str) -> tuple[int, Node]:
        """An entry of a folder, with its number. Raises OSError ENOENT."""
        node = _child(self.node(parent), name)
        path = (*self._paths[parent], name)
        number = self._numbers.get(path)
        if number is None:
            number = self._numbers[path] = len(self._paths)
            self._paths.append(path)
        return number, node


def _child(folder: Node, name: str) -> Node:
    if not isinstance(folder, Directory) or name not in folder.entries:
        raise failure(errno.ENOENT)
    return folder.entries[name]
