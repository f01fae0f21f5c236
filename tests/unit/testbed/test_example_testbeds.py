"""The example testbeds and the guide name every key that the loader reads, and each key has its comment."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from sriov import layout
from sriov.testbed import READ_KEYS, cloud_login, entries

ROOT = Path(__file__).parents[3]
IGNORED = frozenset(("hosts", "ostypes"))  # of old testbeds: they load without a message, and mean nothing
KEYS = READ_KEYS - IGNORED
ENTRY_KEYS = frozenset(entries.KEYS)
PYTHON = (layout.testbeds() / "multi_host.py").read_text()
YAML = (layout.testbeds() / "example.yaml").read_text()


def keystone_keys() -> frozenset[str]:
    """The keys of `env.keystone`: the loader's calls of `keystone.get`."""
    return frozenset(re.findall(r"""keystone\.get\(["'](\w+)""", Path(cloud_login.__file__).read_text()))


def assigned() -> dict[str, ast.Assign]:
    """Key -> its assignment `env.key = value` in multi_host.py."""
    found = {}
    for node in ast.parse(PYTHON).body:
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Attribute):
            found[node.targets[0].attr] = node
    return found


def entry_nodes() -> Iterator[ast.Dict]:
    """The dictionaries of ports in `env.sriov`."""
    for node in ast.walk(assigned()["sriov"].value):
        if isinstance(node, ast.List):
            yield from (one for one in node.elts if isinstance(one, ast.Dict))


def texts(node: ast.expr) -> set[str]:
    assert isinstance(node, ast.Dict)
    return {str(ast.literal_eval(key)) for key in node.keys if key is not None}


def comments(text: str, key: str) -> list[int]:
    """Numbers of the comment lines that name an entry's key, quoted or as a word of its own."""
    lines = text.splitlines()
    return [n for n, line in enumerate(lines) if line.lstrip().startswith("#") and re.search(rf"\b{key}\b", line)]


def test_python_example_has_every_key() -> None:
    assert assigned().keys() == KEYS


def test_python_example_has_every_key_of_an_entry() -> None:
    assert set().union(*map(texts, entry_nodes())) == ENTRY_KEYS


def test_python_example_has_every_key_of_keystone() -> None:
    assert texts(assigned()["keystone"].value) == keystone_keys() != frozenset()


def test_python_example_explains_each_key() -> None:
    lines = PYTHON.splitlines()
    for key, node in assigned().items():
        first = lines[node.lineno] if key == "sriov" else lines[node.lineno - 2]
        assert first.lstrip().startswith("# "), key
    assert [key for key in ENTRY_KEYS if not comments(PYTHON, key)] == []
    keystone = assigned()["keystone"]
    inner = lines[keystone.lineno : (keystone.end_lineno or 0) - 1]
    assert [line for line in inner if "  # " not in line] == []


def test_yaml_example_has_every_key() -> None:
    given: Mapping[str, Any] = yaml.safe_load(YAML)
    assert given.keys() == KEYS
    ports = [port for ports in given["sriov"].values() for port in ports]
    assert {key for port in ports for key in port} == ENTRY_KEYS


def test_yaml_example_explains_each_key() -> None:
    lines = YAML.splitlines()
    for key in KEYS - {"sriov"}:
        (at,) = (n for n, line in enumerate(lines) if line.startswith(f"{key}:"))
        assert lines[at - 1].startswith("# "), key


@pytest.mark.parametrize(("pattern", "known"), [(r"`env\.(\w+)`", KEYS), (r"`'(\w+)'`", ENTRY_KEYS)])
def test_guide_names_every_key_in_its_table(pattern: str, known: frozenset[str]) -> None:
    table = (ROOT / "docs/guide.md").read_text().partition("| key | meaning |")[2].partition("\n\n")[0]
    cells = [row.split("|")[1] for row in table.splitlines() if row.startswith("| `")]
    assert sorted(key for cell in cells for key in re.findall(pattern, cell)) == sorted(known)
