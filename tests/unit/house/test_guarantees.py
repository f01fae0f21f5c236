"""docs/guarantees.md names tests; each of them is there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from faults.table import ROWS

TESTS = Path(__file__).parents[2]
TEXT = (TESTS.parent / "docs/guarantees.md").read_text()
NAMED = sorted(set(re.findall(r"`(test_\w+\.py)::(\w+)`", TEXT)))


@pytest.mark.parametrize(("file", "test"), NAMED)
def test_guarantee_names_a_test_that_is_there(file: str, test: str) -> None:
    (path,) = TESTS.rglob(file)
    assert f"\ndef {test}(" in path.read_text()


def test_fault_table_has_the_rows_that_the_guarantees_name() -> None:
    names = {row.name for row in ROWS}
    assert len(names) == len(ROWS) >= 40
    assert {"cut-in-the-script", "cut-in-the-payload", "talks-for-ever", "never-ends"} <= names
