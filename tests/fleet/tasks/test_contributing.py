"""CONTRIBUTING.md's hour of a newcomer, typed as it stands there, on a copy of the checkout."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
from conftest import CHECKOUT

pytestmark = pytest.mark.slow

TEXT = (CHECKOUT / "CONTRIBUTING.md").read_text()
SECTION = re.split(r"(?m)^## ", TEXT.partition("## A newcomer's hour\n")[2])[0]
SOURCES = (
    "sriov",
    "fabfile",
    "templates",
    "testbeds",
    "tests",
    "Makefile",
    "pyproject.toml",
    "setup.py",
    "constraints.txt",
)


class Block(NamedTuple):
    """A fenced block: its language, the file that it is to become, its text."""

    language: str
    title: str
    text: str


BLOCKS = [Block(*found) for found in re.findall(r'(?ms)^```(\w+)(?: title="([^"]+)")?\n(.*?)^```$', SECTION)]


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkout with the capability in it, as the blocks say."""
    folder = tmp_path_factory.mktemp("copy")
    ignored = shutil.ignore_patterns("__pycache__", "testbed.py", "golden", "*.egg-info")
    for name in SOURCES:
        if (CHECKOUT / name).is_dir():
            shutil.copytree(CHECKOUT / name, folder / name, ignore=ignored)
        else:
            shutil.copy(CHECKOUT / name, folder)
    (folder / ".venv").symlink_to(sys.prefix)
    for block in BLOCKS:
        if block.title:
            assert not (folder / block.title).exists(), block.title
            (folder / block.title).write_text(block.text)
        elif block.language == "diff":
            subprocess.run(["git", "apply", "-"], cwd=folder, input=block.text, text=True, check=True)
    return folder


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What is `/tmp/fleet` in the text."""
    return tmp_path_factory.mktemp("fleet") / "f"


def commands(word: str, fleet: Path) -> str:
    """The one block of commands that holds this word."""
    (found,) = [block.text for block in BLOCKS if block.language == "sh" and word in block.text]
    return found.replace("/tmp/fleet", str(fleet))


def typed(text: str, folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["bash", "-e", "-c", text], cwd=folder, capture_output=True, text=True, timeout=300)


@pytest.fixture
def running(copy: Path, fleet: Path) -> Iterator[str]:
    """The first terminal; what it says once its hosts are there."""
    line = commands("sriov.simulation up", fleet)
    with subprocess.Popen(["bash", "-c", f"exec {line}"], cwd=copy, stdout=subprocess.PIPE, text=True) as up:
        assert up.stdout
        yield up.stdout.readline()
        up.terminate()


def test_hour_begins_with_a_target_that_is_there(copy: Path, fleet: Path) -> None:
    first = next(block.text for block in BLOCKS if block.language == "sh")
    answer = typed(first.replace("make ", "make --dry-run "), copy)
    assert answer.returncode == 0, answer.stderr


def test_capability_of_the_hour_passes_its_tests_and_the_linters(copy: Path, fleet: Path) -> None:
    answer = typed(commands("ruff", fleet), copy)
    assert answer.returncode == 0, answer.stdout + answer.stderr
    assert "2 passed" in answer.stdout


def test_plan_of_the_hour_shows_what_the_text_shows(copy: Path, fleet: Path, running: str) -> None:
    second = commands("fab plan", fleet)
    exports = second.splitlines()[0].removeprefix("export ").split()
    assert running.split()[0] == "ready"
    assert sorted(running.split()[1:]) == sorted(exports)
    answer = typed(second, copy)
    assert answer.returncode == 3, answer.stdout + answer.stderr
    (shown,) = [block.text for block in BLOCKS if block.language == "text"]
    assert shown in answer.stdout


def test_paths_that_the_text_names_are_there() -> None:
    named = set(re.findall(r"`((?:sriov|tests|docs|templates)/[\w./-]+)`", TEXT)) | set(
        re.findall(r"\]\(([^)#]+)\)", TEXT)
    )
    assert len(named) > 10
    missing = [name for name in sorted(named) if not (CHECKOUT / name).exists()]
    assert missing == []
