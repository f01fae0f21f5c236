"""Which ids the messages of the product have: read from its source, so that none can be left out."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from conftest import CHECKOUT

from sriov.planning import host_failures

_ROOTS = ("sriov", "fabfile")
_WORDS = "tuple[str, str, str]"  # id, what, hint: what becomes a message where its place is known
ID = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")


def ids_in_code() -> dict[str, list[str]]:
    """Each id, with the places (`file:line`) that use it. ValueError at a message whose id is no literal."""
    trees = {path: ast.parse(path.read_text()) for path in _modules()}
    own = {path: _takers(tree) for path, tree in trees.items()}
    shared = {name for names in own.values() for name in names if not name.startswith("_")}
    found: dict[str, list[str]] = {}
    for path, tree in trees.items():
        for line, id in _ids(tree, shared | own[path], path):
            found.setdefault(id, []).append(f"{path.relative_to(CHECKOUT)}:{line}")
    return found


def ids_of_hosts() -> dict[str, list[str]]:
    """The same of what the script on a host says; a test of the shell compares that set with its text."""
    return {id: ["templates"] for id in host_failures.IDS}


def _modules() -> list[Path]:
    paths = (path for root in _ROOTS for path in (CHECKOUT / root).rglob("*.py"))
    return sorted(paths)


def _takers(tree: ast.Module) -> set[str]:
    """The names of what is called with an id first: functions, classes with such a field or `__init__`, and what
    inherits it; a partner of a class that names none is found by its base."""
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef):
            names = [argument.arg for argument in node.args.args if argument.arg not in ("self", "cls")]
            if names[:1] == ["id"] and node.name != "__init__":
                found.add(node.name)
        if isinstance(node, ast.ClassDef):
            fields = [n.target.id for n in node.body if isinstance(n, ast.AnnAssign) and isinstance(n.target, ast.Name)]
            if fields[:1] == ["id"] or _is_error(node):
                found.add(node.name)
    return found


def _is_error(node: ast.ClassDef) -> bool:
    """Whether it is one of our errors: each of them inherits an `__init__` that takes an id."""
    bases = [base.id for base in node.bases if isinstance(base, ast.Name)]
    builtin = {"Exception", "ValueError", "RuntimeError"}
    inits = [n for n in node.body if isinstance(n, ast.FunctionDef) and n.name == "__init__"]
    if inits:
        return [a.arg for a in inits[0].args.args][1:2] == ["id"]
    return node.name.endswith("Error") and bool(bases) and bases[0].endswith("Error") and bases[0] not in builtin


def _ids(tree: ast.Module, takers: set[str], path: Path) -> Iterator[tuple[int, str]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef) and node.returns and ast.unparse(node.returns) == _WORDS:
            yield from _returned(node)
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Tuple):
            yield from _assigned(node, node.value)
        if isinstance(node, ast.ClassDef):
            yield from _of_class(node)
        if not isinstance(node, ast.Call):
            continue
        name = node.func.id if isinstance(node.func, ast.Name) else getattr(node.func, "attr", "")
        if name in takers and (node.args or node.keywords):
            yield from ((node.lineno, id) for id in _literals(node, path))
        elif name == "__init__" and isinstance(node.func, ast.Attribute) and node.args:  # super().__init__("...", ...)
            first = node.args[0]
            if isinstance(first, ast.Constant) and isinstance(first.value, str) and ID.fullmatch(first.value):
                yield node.lineno, first.value


def _returned(function: ast.FunctionDef) -> Iterator[tuple[int, str]]:
    """Of a function that answers with (id, what, hint)."""
    for node in ast.walk(function):
        if isinstance(node, ast.Return) and isinstance(node.value, ast.Tuple):
            first = node.value.elts[0]
            if isinstance(first, ast.Constant) and first.value:
                yield node.lineno, str(first.value)


def _of_class(node: ast.ClassDef) -> Iterator[tuple[int, str]]:
    """Of an error whose class has the id: `id = "..."`."""
    for found in node.body:
        names = [getattr(target, "id", "") for target in found.targets] if isinstance(found, ast.Assign) else []
        if "id" in names and isinstance(found, ast.Assign) and isinstance(found.value, ast.Constant):
            yield found.lineno, str(found.value.value)


def _assigned(node: ast.Assign, values: ast.Tuple) -> Iterator[tuple[int, str]]:
    """`id, what, hint = "vf-in-use", ...`."""
    for target in node.targets:
        if isinstance(target, ast.Tuple) and len(target.elts) == len(values.elts):
            for name, value in zip(target.elts, values.elts, strict=True):
                if isinstance(name, ast.Name) and name.id == "id" and isinstance(value, ast.Constant):
                    yield node.lineno, str(value.value)


def _literals(call: ast.Call, path: Path) -> list[str]:
    first = call.args[0] if call.args else next((k.value for k in call.keywords if k.arg == "id"), None)
    choices = [first.body, first.orelse] if isinstance(first, ast.IfExp) else [first]
    found = [each.value for each in choices if isinstance(each, ast.Constant) and isinstance(each.value, str)]
    if len(found) == len(choices):
        return found
    passed_on = getattr(first, "id", "") == "id" or getattr(first, "attr", "") == "id" or isinstance(first, ast.Starred)
    if passed_on:
        return []
    raise ValueError(f"{path}:{call.lineno}: the id of this message is no literal: {ast.unparse(call)[:80]}")
