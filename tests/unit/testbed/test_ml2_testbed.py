"""`env.network_backend` and `env.vlan_ranges` in a testbed: what is taken, and what is refused with which words."""

from __future__ import annotations

from pathlib import Path

import pytest

from sriov.errors import TestbedError
from sriov.model import Testbed
from sriov.testbed import load

HEAD = "from fabric.api import env\nhost = 'root@10.0.0.1'\nenv.roledefs = {'compute': [host]}\n"


def loaded(folder: Path, line: str) -> Testbed:
    path = folder / "testbed.py"
    path.write_text(HEAD + line + "\n")
    return load(path)


def test_backend_is_contrail_where_nothing_is_said(tmp_path: Path) -> None:
    assert loaded(tmp_path, "").network_backend == "contrail"
    assert loaded(tmp_path, "env.network_backend = 'ml2'").network_backend == "ml2"


@pytest.mark.parametrize(
    ("written", "found"),
    [
        ("{'physnet1': '100:199'}", (("physnet1", ("100:199",)),)),
        ("{'physnet1': ['10:19', ' 30 - 39 ']}", (("physnet1", ("10:19", "30:39")),)),
        ("{'physnet1': ['7:7'], 'b': '1:4094'}", (("physnet1", ("7:7",)), ("b", ("1:4094",)))),
        ("{'physnet1': []}", (("physnet1", ()),)),
        ("None", ()),
    ],
)
def test_ranges_are_read(tmp_path: Path, written: str, found: object) -> None:
    assert loaded(tmp_path, f"env.vlan_ranges = {written}").vlan_ranges == found


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("env.network_backend = 'ml-2'", "'ml-2' is not a network backend.*did you mean 'ml2'?"),
        ("env.network_backend = 'ovn'", "'ovn' is not a network backend.*write 'contrail' or 'ml2'"),
        ("env.network_backend = 2", "not a name"),
        ("env.vlan_ranges = ['100:199']", "not a dictionary"),
        ("env.vlan_ranges = {'physnet1': '0:9'}", "0:9 is not a range of VLANs.*the first VLAN is 1"),
        ("env.vlan_ranges = {'physnet1': '9:4095'}", "9:4095 is not a range of VLANs"),
        ("env.vlan_ranges = {'physnet1': '20:10'}", "20:10 is not a range of VLANs.*the lower comes first"),
        ("env.vlan_ranges = {'physnet1': 100}", "not a range of VLANs.*'100:199' in quotes"),
        ("env.vlan_ranges = {'physnet1': '100'}", "'100' is not a range of VLANs"),
        ("env.vlan_ranges = {'a:b': '1:2'}", "not the name of a physical network"),
        ("env.vlan_ranges = {1: '1:2'}", "not the name of a physical network"),
    ],
)
def test_wrong_value_is_refused_with_its_line(tmp_path: Path, line: str, words: str) -> None:
    with pytest.raises(TestbedError, match=f"(?s){words}") as caught:
        loaded(tmp_path, line)
    assert "testbed.py:4" in caught.value.faults[0].where
