"""Every message has an id, and docs/errors.md has exactly one entry for each."""

from __future__ import annotations

import re

from conftest import CHECKOUT
from message_ids import ID, ids_in_code, ids_of_hosts

_ENTRY = re.compile(r"^### `([^`]+)`$", re.MULTILINE)
_PARTS = ("**Meaning.**", "**Cause.**", "**Remedy.**")


def test_docs_have_one_entry_for_each_id_of_the_code() -> None:
    documented = _ENTRY.findall((CHECKOUT / "docs" / "errors.md").read_text())
    used = {**ids_in_code(), **ids_of_hosts()}
    assert sorted(documented) == sorted(used), {id: used[id] for id in set(used) - set(documented)}
    assert len(used) > 60  # the reader of the source finds them


def test_ids_are_lower_case_words_with_hyphens() -> None:
    assert [id for id in {**ids_in_code(), **ids_of_hosts()} if not ID.fullmatch(id)] == []


def test_each_entry_says_meaning_cause_and_remedy() -> None:
    text = (CHECKOUT / "docs" / "errors.md").read_text()
    entries = dict(zip(_ENTRY.findall(text), _ENTRY.split(text)[2::2], strict=True))
    lacking = {id: [part for part in _PARTS if part not in entry] for id, entry in entries.items()}
    assert {id: parts for id, parts in lacking.items() if parts} == {}
