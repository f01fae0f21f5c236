"""docs/first-design.md has a row for each statement of the first design, and what a row names is there."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
TEXT = (ROOT / "docs/first-design.md").read_text()
STATEMENTS = (
    *("1A", "1B1", "1B2", "1B3", "1C", "2A1", "2A2", "2B1", "2B2"),
    *("3A1", "3A2", "3A3", "3B1", "3B2", "3B3", "3C1", "3C2", "3C3"),
    *("4", "4A", "4B", "4C", "4D", "4E", "5A", "5B", "5C", "5D"),
    *(f"6{letter}" for letter in "ABCDEFGHIJK"),
)
ROWS = [tuple(cell.strip() for cell in line.split("|")[1:-1]) for line in TEXT.splitlines() if line.startswith("| ")]
STATED = [row for row in ROWS if re.match(r"[1-6]", row[0])]
PATHS = sorted(set(re.findall(r"`((?:sriov|fabfile|templates|testbeds|tests|docs)/[\w./-]+)`", TEXT)))


def test_each_statement_has_a_row_in_its_order() -> None:
    assert [row[0] for row in STATED if "," not in row[0]] == list(STATEMENTS)
    assert {row[0].partition(",")[0] for row in STATED} == set(STATEMENTS)


@pytest.mark.parametrize("path", PATHS)
def test_named_file_is_there(path: str) -> None:
    assert (ROOT / path).exists()


@pytest.mark.parametrize("row", STATED, ids=lambda row: row[0])
def test_row_names_who_does_it_and_a_test(row: tuple[str, ...]) -> None:
    _, said, does, proof = row
    assert said
    assert does
    tests = re.findall(r"`tests/[\w/]+\.py`", proof)
    assert tests, proof
    for path in tests:
        text = (ROOT / path.strip("`")).read_text()
        assert path.startswith("`tests/cloud/") or re.search(r"^def test_", text, re.MULTILINE), path


def test_named_tasks_are_tasks() -> None:
    sys.path.insert(0, str(ROOT))
    import fabfile

    named = set(re.findall(r"`fab (\w+)", TEXT))
    assert len(named) > 10
    assert named <= {name for name, task in vars(fabfile).items() if hasattr(task, "fab1_signature")}
