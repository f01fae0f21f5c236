"""Where a value stands in a Python testbed: from `('sriov', 'root@a', 0, 'VF')` to a line, through the syntax tree.

Follows `env.sriov = {...}`, `env['sriov'] = ...`, `env.sriov[host1] = ...`, `env.sriov[host1][0]['VF'] = ...` and names
that stand for a literal assigned at another place. Keys are compared by value: `host1` is looked up among the names
that the file defined, `'root@%s' % ip` is computed. What cannot be followed ends at the last part that could.
"""

from __future__ import annotations

import ast
import functools
from collections.abc import Callable, Mapping

from sriov.testbed.sources.source import Keys

_COMPUTABLE = (
    ast.Constant, ast.Name, ast.Load, ast.BinOp, ast.Mod, ast.Add, ast.Tuple, ast.JoinedStr, ast.FormattedValue,
)  # fmt: skip
_unknown = object()


def line_finder(parse: Callable[[], ast.Module], names: Mapping[str, object]) -> Callable[[Keys], int | None]:
    """A function from key path to line; None for a key that the file does not assign. Parses on its first call."""
    index = functools.cache(lambda: _index(parse(), names))

    def find(keys: Keys) -> int | None:
        of_env, literals = index()
        best: tuple[int, int] | None = None  # (depth, line)
        for path, line, value in of_env:
            if path == keys[: len(path)]:
                depth, found = _descend(value, keys[len(path) :], literals, names, line)
                reached = (len(path) + depth, found)
                if best is None or reached[0] >= best[0]:  # of equals the later assignment is the one in force
                    best = reached
        return best[1] if best else None

    return find


def _index(
    tree: ast.Module, names: Mapping[str, object]
) -> tuple[list[tuple[Keys, int, ast.expr]], dict[str, ast.expr]]:
    """(assignments to parts of `env`: path, line, value; values assigned to plain names)."""
    assignments = [
        (target, node.value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Assign)
        for target in node.targets
    ]  # fmt: skip
    literals = {target.id: value for target, value in assignments if isinstance(target, ast.Name)}
    of_env = [
        (path, target.lineno, value)
        for target, value in assignments
        if (path := _target_path(target, names))
    ]  # fmt: skip
    return of_env, literals


def holds_password(tree: ast.Module, line: int | None) -> bool:
    """Whether the line is part of a statement that has to do with passwords."""
    around = [
        node
        for node in ast.walk(tree)
        if isinstance(node, ast.Assign | ast.Expr) and line and node.lineno <= line <= (node.end_lineno or line)
    ]
    return any(_mentions_pass(target) for node in around for target in getattr(node, "targets", [node]))


def _mentions_pass(node: ast.AST) -> bool:
    """Whether a name or a text in it does."""
    fields = (field for part in ast.walk(node) for _, field in ast.iter_fields(part))
    return any("pass" in repr(field).lower() for field in fields if isinstance(field, str | bytes))


def _target_path(target: ast.expr, names: Mapping[str, object]) -> Keys:
    """`env.sriov[host1]` -> `('sriov', 'root@a')`; `()` for a target that is not part of `env`."""
    if isinstance(target, ast.Attribute) and isinstance(target.value, ast.Name) and target.value.id == "env":
        return (target.attr,)
    if isinstance(target, ast.Subscript):
        inside = isinstance(target.value, ast.Name) and target.value.id == "env"
        path = () if inside else _target_path(target.value, names)
        return (*path, _value(target.slice, names)) if inside or path else ()
    return ()


def _descend(
    node: ast.expr, keys: Keys, literals: Mapping[str, ast.expr], names: Mapping[str, object], line: int
) -> tuple[int, int]:
    """(how many of `keys` could be followed from `node`, line of the last one)."""
    for depth, key in enumerate(keys):
        for _ in range(len(literals)):  # a = b, b = a ends too
            if not (isinstance(node, ast.Name) and node.id in literals):
                break
            node = literals[node.id]
        step = _step(node, key, names)
        if step is None:
            return depth, line
        line, node = step
    return len(keys), line


def _step(node: ast.expr, key: object, names: Mapping[str, object]) -> tuple[int, ast.expr] | None:
    """(line, node) of one element of a literal; in a dictionary that has a key twice the last one counts."""
    if isinstance(node, ast.Dict):
        pairs = zip(reversed(node.keys), reversed(node.values), strict=True)
        return next(((at.lineno, value) for at, value in pairs if at and _value(at, names) == key), None)
    if isinstance(node, ast.List | ast.Tuple) and isinstance(key, int) and key < len(node.elts):
        return node.elts[key].lineno, node.elts[key]
    return None


def _value(node: ast.expr, names: Mapping[str, object]) -> object:
    """The value of a key that is written as a constant, a name, or text put together from these."""
    if isinstance(node, ast.Constant):
        return node.value
    if isinstance(node, ast.Name):
        return names.get(node.id, _unknown)
    if not all(isinstance(part, _COMPUTABLE) for part in ast.walk(node)):
        return _unknown
    try:
        code = compile(ast.Expression(node), "<key>", "eval")
        return eval(code, dict(names))  # noqa: S307 - the file has run already; only % and + on its own names
    except Exception:  # it was computed under other values of its names
        return _unknown
