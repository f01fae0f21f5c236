"""The tests themselves: what modules share is in a module of its own, and names of test modules are unique."""

from __future__ import annotations

import ast
from collections import Counter
from pathlib import Path

TESTS = Path(__file__).parents[2]
MODULES = sorted(path for path in TESTS.rglob("*.py") if "testbeds_in_the_wild" not in path.parts)


def imported(path: Path) -> list[str]:
    """All names in the imports of a module, part by part."""
    found = []
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found += [name.name for name in node.names]
        elif isinstance(node, ast.ImportFrom):
            found += [node.module or "", *(name.name for name in node.names)]
    return [part for name in found for part in name.split(".")]


def test_no_module_imports_a_test_module() -> None:
    """A test that is imported runs twice, and goes when the other module goes."""
    names = {path.stem for path in MODULES if path.name.startswith("test_")}
    assert [str(path) for path in MODULES if names & set(imported(path))] == []


def test_names_of_test_modules_are_unique() -> None:
    counts = Counter(path.name for path in MODULES if path.name.startswith("test_"))
    assert [name for name, count in counts.items() if count > 1] == []
