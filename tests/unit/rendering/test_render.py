"""Every value in a host's text is quoted for the language of its file."""

from __future__ import annotations

import subprocess
from pathlib import Path

import jinja2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sriov.errors import SriovError
from sriov.rendering import plain, quoting
from sriov.rendering.templates import render
from sriov.resources import vf_unit

GOLDEN = Path(__file__).parents[2] / "golden/unit/sriov-vfs-ens-1.service"
PRINTABLE = st.text(st.characters(exclude_categories=("Cc", "Cs")), max_size=40)


@given(PRINTABLE)
def test_shell_word_reaches_a_command_as_it_is(text: str) -> None:
    program = f"printf %s {quoting.shell_word(text)}"
    assert subprocess.run(["sh", "-c", program], capture_output=True, check=True).stdout == text.encode()


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("eth0", "eth0"),
        ("ens-1", r"ens\x2d1"),
        ("enp3s0f0.1", "enp3s0f0.1"),
        (".eth", r"\x2eeth"),
        ("a@b", r"a\x40b"),
        ("\u00e4", r"\xc3\xa4"),
        ("a:b_c", "a:b_c"),
    ],
)
def test_unit_name_is_systemd_escape_s(text: str, name: str) -> None:
    assert quoting.unit_name(text) == name


@pytest.mark.parametrize(
    ("text", "word"), [("100%", "100%%"), ("$HOME", "$$HOME"), ('a"b', r"a\"b"), ("a\\b", r"a\\b"), ("eth0", "eth0")]
)
def test_unit_word_means_itself_to_systemd(text: str, word: str) -> None:
    assert quoting.unit_word(text) == word


@pytest.mark.parametrize("value", ["a\nExecStart=/bin/true", "a\rb", "a\x7f"])
def test_control_character_is_refused(value: str) -> None:
    with pytest.raises(SriovError, match="control character"):
        vf_unit.text_of(value, 7)
    with pytest.raises(SriovError, match="control character"):
        plain.assignments(ports=value)


def test_unit_is_that_of_the_golden_text() -> None:
    assert vf_unit.text_of("ens-1", 7) == GOLDEN.read_bytes()


def test_unit_names_its_port_and_comes_before_whoever_looks_at_vfs() -> None:
    lines = vf_unit.text_of("ens-1", 5).decode().splitlines()
    assert r"BindsTo=sys-subsystem-net-devices-ens\x2d1.device" in lines
    assert "ExecStart=/bin/sh /etc/systemd/system/sriov-vfs.sh ens-1 5" in lines
    before = next(line for line in lines if line.startswith("Before=network-pre.target")).split()
    assert {"nova-compute.service", "openstack-nova-compute.service", "neutron-sriov-agent.service"} < set(before)
    assert "DefaultDependencies=no" in lines


def test_value_that_is_missing_is_an_error_here_and_no_empty_word_there() -> None:
    with pytest.raises(jinja2.UndefinedError):
        render("smoke.sh")
    with pytest.raises(KeyError):
        plain.filled("sriov-vfs.service", interface="eth0")


@given(st.text(st.characters(exclude_categories=("Cc", "Cs")), min_size=1, max_size=15))
def test_interface_is_known_by_the_name_of_its_unit(name: str) -> None:
    assert quoting.from_unit_name(str(quoting.unit_name(name))) == name
