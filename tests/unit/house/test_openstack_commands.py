"""The `openstack` commands of the documents are calls that the client takes, by its own parsers."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
from openstack_client import parsers

DOCS = Path(__file__).parents[3] / "docs"
CALL = re.compile(r"(?:^ +(?:\$ )?|`)openstack ([^`\n]+(?:\n[^`\n]+)?)(?:`|$)", re.MULTILINE)
COMMANDS = sorted(
    {
        (page.name, " ".join(words.split()))
        for page in DOCS.glob("*.md")
        for words in CALL.findall(re.sub(r"(?m)^( +openstack .*)$", r"\1\n", page.read_text()))
    }
)


def called(words: str) -> None:
    """ValueError where the client would refuse these words."""
    command = max((name for name in parsers() if f"{words} ".startswith(f"{name} ")), key=len, default="")
    if not command:
        raise ValueError(f"no such command, or not recorded (tests/openstack_client.py): {words}")
    parsers()[command].parse_args(shlex.split(words.removeprefix(command)))


@pytest.mark.parametrize(("page", "words"), COMMANDS)
def test_command_of_the_documents_is_one_that_the_client_takes(page: str, words: str) -> None:
    called(words)


def test_documents_show_each_step_of_a_launch() -> None:
    shown = {words for page, words in COMMANDS if page == "launch.md"}
    for step in ("network create", "subnet create", "port create", "server create", "port show", "server delete"):
        assert any(words.startswith(step) for words in shown), step
    networks = [words for words in shown if words.startswith("network create")]
    assert sorted("--provider-network-type" in words for words in networks) == [False, True], "Contrail's, and ML2's"


@pytest.mark.parametrize(
    "words",
    [
        "network create --provider:physical_network=physnet1 vn1",
        "network create --provider-segmentation-id 100 vn1",
        "network create --provider-physical physnet1 vn1",
        "network create --share --no-share vn1",
        "port create --vnic-type direct port1",
        "port create --network vn1 --vnic-type sriov port1",
        "subnet create vn1 10.1.0.0/24",
        "net create vn1",
    ],
)
def test_call_that_the_client_refuses_is_refused(words: str) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        called(words)
