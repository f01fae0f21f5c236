"""What stands around the code: versions, ranges and exact versions, files for forges and editors, hints to install."""

from __future__ import annotations

import re
import subprocess
import tomllib
from collections.abc import Iterator
from importlib.metadata import requires
from pathlib import Path
from typing import Any

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from sriov import __version__

ROOT = Path(__file__).parents[3]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
PYTHONS = ("3.11", "3.12", "3.13")
LISTED = [*PROJECT["dependencies"], *(one for extra in PROJECT["optional-dependencies"].values() for one in extra)]
CONSTRAINTS = [
    Requirement(line) for line in (ROOT / "constraints.txt").read_text().splitlines() if line and line[0] != "#"
]
TARGETS = set(re.findall(r"(?m)^([a-z-]+):", (ROOT / "Makefile").read_text()))
DOCUMENTS = [*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")]


def exact(name: str, python: str) -> list[str]:
    """The versions that constraints.txt gives a package on that Python."""
    return [
        next(iter(found.specifier)).version
        for found in CONSTRAINTS
        if canonicalize_name(found.name) == canonicalize_name(name)
        and (found.marker is None or found.marker.evaluate({"python_version": python}))
    ]


@pytest.mark.parametrize("python", PYTHONS)
@pytest.mark.parametrize("text", LISTED)
def test_exact_version_of_each_dependency_is_inside_its_range(text: str, python: str) -> None:
    wanted = Requirement(text)
    if wanted.name == PROJECT["name"]:
        return
    (version,) = exact(wanted.name, python)
    assert version in wanted.specifier


@pytest.mark.parametrize("python", PYTHONS)
def test_each_package_has_one_exact_version_at_most(python: str) -> None:
    names = {canonicalize_name(found.name) for found in CONSTRAINTS}
    assert {name: exact(name, python) for name in names if len(exact(name, python)) > 1} == {}
    assert {spec.operator for found in CONSTRAINTS for spec in found.specifier} == {"=="}


def test_what_our_dependencies_ask_for_has_an_exact_version_too() -> None:
    """One floor down, as far as the environment of the tests shows it."""
    names = {canonicalize_name(found.name) for found in CONSTRAINTS}
    asked = [Requirement(text) for name in ("fabric", "paramiko", "jinja2", "rich") for text in requires(name) or ()]
    plain = [one for one in asked if one.marker is None or one.marker.evaluate({"extra": ""})]
    assert [one.name for one in plain if canonicalize_name(one.name) not in names] == []


def test_version_stands_in_one_place() -> None:
    assert PROJECT["dynamic"] == ["version"]
    assert "version=" not in (ROOT / "setup.py").read_text()


def test_changelog_has_a_section_for_this_version() -> None:
    sections = re.findall(r"(?m)^## (.+)$", (ROOT / "CHANGELOG.md").read_text())
    assert sections[0] == ("Unreleased" if ".dev" in __version__ else __version__)


def test_license_is_the_one_that_the_metadata_names() -> None:
    assert PROJECT["license"] == "Apache-2.0"
    text = (ROOT / "LICENSE").read_text()
    assert "Apache License" in text
    assert "END OF TERMS AND CONDITIONS" in text


def test_no_text_tells_to_install_the_project_from_an_index() -> None:
    """It is on none. `sriov-fab[cloud] @ file:///...` names a wheel."""
    texts = [
        *DOCUMENTS,
        *(path for folder in ("sriov", "fabfile", "templates") for path in (ROOT / folder).rglob("*.*")),
    ]
    told = re.compile(r"install[^\n]*sriov-fab(?:\[\w+\])?(?! @)['\"`\s]")
    assert [
        path.name for path in texts if path.suffix != ".pyc" and told.search(path.read_text(errors="replace"))
    ] == []


WORKFLOWS = (ROOT / ".github/workflows/ci.yml", ROOT / ".gitlab-ci.yml")


def lines_of(value: Any) -> Iterator[str]:
    """All texts in a document."""
    if isinstance(value, dict):
        for one in value.values():
            yield from lines_of(one)
    elif isinstance(value, list):
        for one in value:
            yield from lines_of(one)
    elif isinstance(value, str):
        yield value


@pytest.mark.parametrize("path", WORKFLOWS, ids=str)
def test_workflow_runs_ci_and_make_targets_that_are_there(path: Path) -> None:
    lines = list(lines_of(yaml.safe_load(path.read_text())))
    named = {target for line in lines for target in re.findall(r"\bmake ([a-z-]+)", line)}
    assert named == {"quick"}
    assert named <= TARGETS
    assert any("bash .ci/run" in line for line in lines)
    assert any("CONSTRAINTS=/dev/null" in line for line in lines)
    assert (ROOT / ".ci/run").is_file()


@pytest.mark.parametrize("path", WORKFLOWS, ids=str)
def test_workflow_tries_each_python_that_the_classifiers_name(path: Path) -> None:
    named = [one.rpartition(" ")[2] for one in PROJECT["classifiers"] if "Python :: 3." in one]
    assert named == list(PYTHONS)
    assert set(named) <= set(lines_of(yaml.safe_load(path.read_text())))


def test_hooks_of_pre_commit_fetch_nothing_and_name_what_is_there() -> None:
    (repo,) = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())["repos"]
    assert repo["repo"] == "local"
    assert {hook["language"] for hook in repo["hooks"]} == {"system"}
    for first, second, *_ in ([*hook["entry"].split(), ""] for hook in repo["hooks"]):
        assert second in TARGETS if first == "make" else first.startswith(".venv/bin/")


def test_ci_runs_targets_that_are_there() -> None:
    named = re.findall(r"(?m)^make ([a-z-]+)$", (ROOT / ".ci/run").read_text())
    assert named
    assert set(named) <= TARGETS
    assert "docs" in re.findall(r"(?m)^test:.*\bdocs\b", (ROOT / "Makefile").read_text())[0]


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_make_targets_that_a_document_names_are_there(document: Path) -> None:
    named = set(re.findall(r"`make ([a-z-]+)[^`]*`", document.read_text()))
    assert sorted(named - TARGETS) == []


def test_editors_are_told_the_length_of_a_line_that_ruff_is_told() -> None:
    settings = (ROOT / ".editorconfig").read_text()
    length = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["ruff"]["line-length"]
    assert f"max_line_length = {length}" in settings


def test_git_leaves_the_site_and_the_environment_out() -> None:
    asked = ["build/site/index.html", ".venv/bin/python", "dist/sriov_fab.whl"]
    if not (ROOT / ".git").exists():
        pytest.skip("no checkout of git")
    answer = subprocess.run(["git", "check-ignore", *asked], cwd=ROOT, capture_output=True, text=True)
    assert answer.stdout.split() == asked
