"""Which room may import which: rooms import only what stands below them, and each third party has its own door.

A room is a file or folder directly below `sriov/`, or `fabfile/`. Its floor follows from its imports: one above the
highest room that it imports. The table in docs/architecture.md is held against that.
"""

from __future__ import annotations

import ast
import functools
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
DOCUMENT = ROOT / "docs/architecture.md"
APART = ("sriov", "sriov.__main__")
THIRD_PARTIES = {
    "packaging": ("sriov.planning.host_version",),
    "jinja2": ("sriov.rendering.templates",),
    "yaml": ("sriov.testbed.sources.yaml_source",),
    "paramiko": ("sriov.ssh",),
    "fabric": ("sriov.ssh", "fabfile"),
    "invoke": ("fabfile",),
    "rich": ("sriov.report.terminal",),
    "openstack": ("sriov.cloud",),
    "keystoneauth1": ("sriov.cloud",),
    "requests": ("sriov.cloud",),
    "asyncssh": ("sriov.simulation",),
    "distributed": ("sriov.run.backends.dask",),
}
# it plays the hosts: what it knew of the product, it would not prove
SIMULATION_USES = ("errors", "layout")


def module_of(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


MODULES = {module_of(path): path for folder in ("sriov", "fabfile") for path in sorted((ROOT / folder).rglob("*.py"))}
Graph = Mapping[str, frozenset[str]]


def imported(module: str) -> Iterator[str]:
    """Modules that a module names in its imports, wherever they stand in it."""
    path = MODULES[module]
    package = module.split(".") if path.name == "__init__.py" else module.split(".")[:-1]
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            origin = ".".join([*base, *([node.module] if node.module else [])])
            names = [f"{origin}.{name.name}" for name in node.names]
            yield from (name if name in MODULES else origin for name in names)


def room_of(module: str) -> str:
    """`sriov.formats.oslo.blocks` -> `formats`; empty for what is no room."""
    first, *rest = module.split(".")
    if first == "fabfile":
        return "fabfile"
    if first != "sriov" or module in APART:
        return ""
    return rest[0]


def floors(graph: Graph) -> dict[str, int]:
    """One above the highest that it imports; ValueError names what imports each other in a circle."""
    found: dict[str, int] = {}
    while len(found) < len(graph):
        ready = [name for name in graph if name not in found and graph[name] <= found.keys()]
        if not ready:
            raise ValueError(f"a circle among {sorted(graph.keys() - found.keys())}")
        found |= {name: 1 + max((found[other] for other in graph[name]), default=0) for name in ready}
    return found


def _graph(pairs: Iterable[tuple[str, str]], names: Iterable[str]) -> Graph:
    found: dict[str, set[str]] = {name: set() for name in names}
    for one, other in pairs:
        if one != other:
            found[one].add(other)
    return {name: frozenset(others) for name, others in found.items()}


@functools.cache
def rooms() -> Graph:
    pairs = [(room_of(m), room_of(o)) for m in MODULES for o in imported(m) if room_of(m) and o in MODULES]
    return _graph([pair for pair in pairs if pair[1]], sorted({room_of(m) for m in MODULES} - {""}))


def test_rooms_import_only_downward_and_the_ladder_is_that_of_the_document() -> None:
    floor = floors(rooms())
    # within a floor by name, from the top down
    order = sorted(rooms(), key=lambda room: (-floor[room], room))
    rows = [f"| {floor[room]} | `{room}` | {', '.join(sorted(rooms()[room])) or '-'} |" for room in order]
    table = "\n".join(["| floor | room | imports |", "|---|---|---|", *rows])
    assert table in DOCUMENT.read_text(), f"the table of docs/architecture.md must be\n{table}"


def test_no_modules_import_each_other_in_a_circle() -> None:
    packages = {module for module, path in MODULES.items() if path.name == "__init__.py"}
    pairs = [(m, o) for m in MODULES for o in imported(m) if o in MODULES and o not in packages]
    floors(_graph(pairs, MODULES))


def test_simulation_stands_apart() -> None:
    assert rooms()["simulation"] <= {*SIMULATION_USES}
    assert [room for room, uses in rooms().items() if "simulation" in uses] == []


def test_third_parties_come_in_by_their_own_door() -> None:
    for module in MODULES:
        for other in imported(module):
            top = other.split(".")[0]
            if top not in sys.stdlib_module_names and top not in ("sriov", "fabfile"):
                doors = THIRD_PARTIES.get(top, ())
                assert any(f"{module}.".startswith(f"{door}.") for door in doors), f"{module} imports {other}"


def test_capabilities_are_named_in_the_registry_alone() -> None:
    known = {"sriov.resources.contract", "sriov.resources.registry"}
    walking = [module for module in MODULES if room_of(module) in ("planning", "report", "run")]
    named = {(m, other) for m in walking for other in imported(m) if other.startswith("sriov.resources")}
    assert [pair for pair in sorted(named) if pair[1] not in known] == []


@pytest.mark.parametrize("room", ["resources", "planning", "scheduling", "cloud"])
def test_module_goes_by_its_own_name(room: str) -> None:
    for module in (module for module in MODULES if room_of(module) == room):
        renamed = [
            name.name
            for node in ast.walk(ast.parse(MODULES[module].read_text()))
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("sriov")
            for name in node.names
            if name.asname
        ]
        assert renamed == [], module


@pytest.mark.parametrize(
    ("module", "late"),
    [
        ("fabfile", {"jinja2", "rich", "sriov.ssh", "asyncssh", "distributed", "sriov.run"}),
        ("fabfile.commands", {"distributed", "dask", "tornado", "rich", "jinja2"}),
        ("sriov.report.screen", {"paramiko", "fabric", "jinja2", "rich"}),
        ("sriov.report.documents", {"paramiko", "fabric", "jinja2", "rich"}),
        ("sriov.run.converge", {"paramiko", "fabric", "jinja2", "rich", "distributed"}),
    ],
)
def test_import_does_not_wait_for_what_is_not_needed(module: str, late: set[str]) -> None:
    code = f"import {module}, sys; print(sorted({late!r} & set(sys.modules)))"
    ended = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert ended.stdout == "[]\n"


def functions(path: Path) -> Iterator[tuple[str, int]]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node.name, (node.end_lineno or node.lineno) - node.lineno + 1


def test_no_module_function_or_folder_is_too_large() -> None:
    lines = {module: path.read_text().count("\n") for module, path in MODULES.items()}
    assert {module: count for module, count in lines.items() if count > 350} == {}
    assert {(m, f): n for m, path in MODULES.items() for f, n in functions(path) if n > 50} == {}
    folders = [path.parent for path in MODULES.values()]
    assert {str(folder): folders.count(folder) for folder in folders if folders.count(folder) > 14} == {}
    counted = sorted(count for module, count in lines.items() if MODULES[module].name != "__init__.py")
    assert counted[len(counted) // 2] <= 150
