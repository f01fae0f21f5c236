"""Whole numbers of more digits than Python turns into text (4300): a fault with its place, wherever one stands."""

from __future__ import annotations

from pathlib import Path

import pytest

from sriov.errors import TestbedError
from sriov.testbed import load

HEAD = "from fabric.api import env\na, n = 'root@10.0.0.1', 10 ** 5000\n"
ROLES = "env.roledefs = {'compute': [a]}\n"
NINES = "9" * 5000
HEX = "0x" + "f" * 4000  # Python reads it, and cannot write it in base 10

# the fourth line: what the fault in it says
PYTHON = {
    f"x = {NINES}": "a whole number with too many digits",
    f"env.passwords = {{a: {NINES}}}": "a whole number with too many digits",
    "env.port = n": "env.port: has a port that is not a number from 1 to 65535",
    f"env.port = '000001{NINES}'": "env.port: has a port that is not a number from 1 to 65535",
    "env.user = n": "env.user: is a whole number with too many digits",
    "env.openstack_release = n": "env.openstack_release: a whole number has too many digits for a release",
    f"env.openstack_release = '{NINES}'": "has too many digits for a release",
    "env.openstack_release = {a: n}": "a whole number has too many digits for a release",
    "env.openstack_release = {n: 23}": "[a whole number]: is not a compute or openstack host of this testbed",
    "env.worker_resources = {n: 'x'}": "[a whole number]: is not a compute or openstack host of this testbed",
    "env.worker_resources = {a: n}": "a whole number is not the name of a worker's resource",
    "env.network_backend = n": "env.network_backend: is a whole number, not a name",
    "env.vlan_ranges = {n: '1:2'}": "the key is not the name of a physical network",
    "env.vlan_ranges = {'p': n}": "a whole number is not a range of VLANs",
    "env.roledefs = {n: []}": "names no host with the role compute or openstack",
    "env.sriov = {n: []}": "the key is a whole number, not a host string",
    "env.sriov = {a: [{'interface': 'e', 'VF': n, 'physnets': ['p']}]}": "a whole number is more than any card",
    "env.sriov = {a: [{'interface': 'e', 'VF': 3, 'physnets': ['p'], n: 1}]}": "unknown key a whole number",
    "env.sriov = {a: [{'interface': 'e', 'VF': 3, 'physnets': ['p'], 'exclude_vfs': [n]}]}": (
        "a VF number with too many digits is out of range: this interface has the VFs 0 to 2"
    ),
    "env.hostnames = {a: n}": "is a whole number, not a list of names",
    "env.password = n": "is a whole number, not text",
    "env.keystone = {'auth_port': n}": "env.keystone['auth_port']: is a whole number with too many digits",
    "env.keystone = {n: 5}": "env.keystone[a whole number]: is a whole number with too many digits",
    "env.keystone = {'admin_password': [n]}": "env.keystone['admin_password']: is a list, not text",
    "env.openstack_admin_password = n": "env.openstack_admin_password: is a whole number with too many digits",
    "{}[n]": "fails with KeyError",
    "raise SystemExit(n)": "ends the program (sys.exit)",
    f"env.x[{HEX}] = nope": "the name 'nope' is not defined",
}
# the third line of a YAML testbed
YAML = {
    f"port: {NINES}": "a whole number with too many digits",
    f"password: -{NINES}": "a whole number with too many digits",
    f"sriov: {{a: [{{interface: e, VF: {NINES}, physnets: [p]}}]}}": "a whole number with too many digits",
    f"openstack_release: {{a: !!int '{HEX}'}}": "a whole number has too many digits for a release",
    f"openstack_release: {{? !!int '{HEX}' : 23}}": "is not a compute or openstack host of this testbed",
}


@pytest.mark.parametrize("line", PYTHON, ids=lambda line: line[:60])
def test_number_in_a_python_testbed_is_a_fault_with_its_line(tmp_path: Path, line: str) -> None:
    path = tmp_path / "testbed.py"
    path.write_text(f"{HEAD}{ROLES}{line}\n")
    check(path, 4, PYTHON[line])


@pytest.mark.parametrize("line", YAML, ids=lambda line: line[:60])
def test_number_in_a_yaml_testbed_is_a_fault_with_its_line(tmp_path: Path, line: str) -> None:
    path = tmp_path / "testbed.yaml"
    path.write_text(f"roledefs:\n  compute: [a]\n{line}\n")
    check(path, 3, YAML[line])


def check(path: Path, line: int, words: str) -> None:
    with pytest.raises(TestbedError) as caught:
        load(path)
    (fault,) = caught.value.faults
    assert fault.where == f"{path}:{line}"
    assert words in str(fault)
    assert len(str(fault)) < len(str(path)) + 300


def test_key_of_env_that_is_such_a_number_is_ignored_as_any_unknown_key(tmp_path: Path) -> None:
    path = tmp_path / "testbed.py"
    path.write_text(f"{HEAD}{ROLES}env[n] = 1\n")
    assert load(path).unknown_keys == ("a whole number",)
