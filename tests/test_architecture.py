"""Who may import whom: a module imports only what stands below it, and each third party has its own door."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
# from the bottom up; a package stands for all its modules, which may import each other
LADDER = (
    "sriov.errors",
    "sriov.model",
    "sriov.layout",
    "sriov.quoting",
    "sriov.template_engine",
    "sriov.render_cache",
    "sriov.render",
    "sriov.formats",
    "sriov.facts",
    "sriov.interruption",
    "sriov.quick_socket",
    "sriov.known_hosts",
    "sriov.jump_hosts",
    "sriov.login_errors",
    "sriov.pci_rules",
    "sriov.testbed",
    "sriov.resource",
    "sriov.resources",
    "sriov.offer",
    "sriov.capacity",
    "sriov.explain_steps",
    "sriov.explain",
    "sriov.cloud",
    "sriov.plan",
    "sriov.rollback",
    "sriov.script",
    "sriov.ssh",
    "sriov.controller",
    "sriov.step_progress",
    "sriov.reboot_rule",
    "sriov.refusal",
    "sriov.host_run",
    "sriov.engine",
    "sriov.engine_step",
    "sriov.elsewhere",
    "sriov.dask_engine",
    "sriov.drain",
    "sriov.waves",
    "sriov.provision",
    "sriov.report",
    "sriov.printer",
    "sriov.terminal",
    "sriov.screen",
    "sriov.findings_screen",
    "fabfile",
)
THIRD_PARTIES = {
    "jinja2": ("sriov.template_engine",),
    "yaml": ("sriov.testbed.yaml_source",),
    "paramiko": ("sriov.ssh", "sriov.known_hosts", "sriov.login_errors"),
    "fabric": ("sriov.ssh", "sriov.jump_hosts", "sriov.login_errors", "fabfile"),
    "invoke": ("fabfile",),
    "rich": ("sriov.terminal",),
    "openstack": ("sriov.cloud", "fabfile.cloud_running"),
    "keystoneauth1": ("sriov.cloud",),
    "requests": ("sriov.cloud",),
    "asyncssh": ("sriov.simulation",),
    "distributed": ("sriov.dask_engine",),
}
# it plays the hosts: what it knew of the product, it would not prove
SIMULATION_USES = ("sriov.errors", "sriov.layout", "sriov.simulation")


def module_of(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


MODULES = {module_of(path): path for folder in ("sriov", "fabfile") for path in sorted((ROOT / folder).rglob("*.py"))}


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


def is_within(module: str, place: str) -> bool:
    return module == place or module.startswith(f"{place}.")


def rung(module: str) -> int | None:
    return next((number for number, place in enumerate(LADDER) if is_within(module, place)), None)


def test_every_module_has_its_rung() -> None:
    apart = ("sriov", "sriov.__main__")
    assert [m for m in MODULES if rung(m) is None and m not in apart and not is_within(m, "sriov.simulation")] == []


@pytest.mark.parametrize("module", [module for module in MODULES if rung(module) is not None])
def test_module_imports_only_what_stands_below_it(module: str) -> None:
    for other in imported(module):
        if other.split(".")[0] in ("sriov", "fabfile") and other != "sriov":
            below = rung(other)
            assert below is not None, f"{module} imports {other}"
            assert below <= (rung(module) or 0), f"{module} imports {other}"


def test_simulation_stands_apart() -> None:
    for module in (module for module in MODULES if is_within(module, "sriov.simulation")):
        for other in imported(module):
            if other.startswith("sriov."):
                assert any(is_within(other, place) for place in SIMULATION_USES), f"{module} imports {other}"


def test_third_parties_come_in_by_their_own_door() -> None:
    for module in MODULES:
        for other in imported(module):
            top = other.split(".")[0]
            if top not in sys.stdlib_module_names and top not in ("sriov", "fabfile"):
                doors = THIRD_PARTIES.get(top, ())
                assert any(is_within(module, door) for door in doors), f"{module} imports {other}"


def test_a_wrong_call_does_not_wait_for_the_transport() -> None:
    late = "{'jinja2', 'rich', 'sriov.ssh', 'asyncssh', 'distributed'}"
    code = f"import fabfile, sys; print(sorted({late} & set(sys.modules)))"
    ended = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert ended.stdout == "[]\n"


def test_a_run_does_not_import_what_only_a_cluster_a_terminal_or_a_new_text_needs() -> None:
    late = "{'distributed', 'dask', 'tornado', 'sriov.elsewhere', 'rich', 'jinja2'}"
    code = f"import fabfile.running, sys; print(sorted({late} & set(sys.modules)))"
    ended = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert ended.stdout == "[]\n"
