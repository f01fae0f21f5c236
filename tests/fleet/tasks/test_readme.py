"""The commands that README.md shows, typed in their order."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import CHECKOUT, Operator

from sriov.simulation import HostSpec

pytestmark = pytest.mark.slow

README = (CHECKOUT / "README.md").read_text()
_SHOWN = re.findall(r"^ {4,}((?:fab|make) [^#\n]+)", README, re.MULTILINE)
FAB_LINES = [line.strip() for line in _SHOWN if line.startswith("fab")]
MAKE_LINES = [line.strip() for line in _SHOWN if line.startswith("make")]


@pytest.fixture(scope="module")
def hosts() -> tuple[HostSpec, ...]:
    return (HostSpec("openstack1", roles=("openstack",)), HostSpec("compute1"))


def _typed(line: str, operator: Operator) -> list[str]:
    """The line with this fleet's host and testbed in the places of the README's."""
    login = operator.fleet["compute1"].login
    return [word.replace("root@10.0.0.2", login).replace("testbed.py", str(operator.bed)) for word in line.split()[1:]]


def test_readme_leads_from_discover_to_verify(operator: Operator) -> None:
    assert [line.split()[1].split(":")[0] for line in FAB_LINES] == ["discover", "plan", "setup_all", "verify"]
    operator.write({"compute1": [{"interface": "eth0", "VF": 7, "physnets": ["physnet1"]}]})
    environment = {"SRIOV_TESTBED": str(operator.bed)}  # for the key; an operator has one at home
    codes = [operator.fab(*_typed(line, operator), testbed=False, **environment).code for line in FAB_LINES]
    assert codes == [0, 3, 0, 0]  # plan finds something to do, verify nothing


@pytest.mark.parametrize("line", MAKE_LINES)
def test_readme_shows_targets_that_exist(line: str) -> None:
    answer = subprocess.run([*line.split(), "--dry-run"], cwd=CHECKOUT, capture_output=True, text=True)
    assert answer.returncode == 0, answer.stderr


def test_readme_documents_exist() -> None:
    links = re.findall(r"\]\(([^)#]+\.md)\)", README)
    assert links
    assert [link for link in links if not (CHECKOUT / link).is_file()] == []


def test_demo_ends_with_a_run_that_changes_nothing(tmp_path: Path) -> None:
    """What `make demo` runs once its environment stands."""
    answer = subprocess.run(
        [sys.executable, "-m", "sriov.simulation", "demo"], cwd=CHECKOUT, capture_output=True, text=True, timeout=300
    )
    assert answer.returncode == 0, answer.stderr
    first, _, second = answer.stdout.rpartition("===")
    assert first.count("changed") == 4
    assert second.count("as wanted") == 4
