"""Settings by host, by role or by name: every word of what is wrong with the dictionary, a key or a value."""

from __future__ import annotations

from pathlib import Path

import pytest

from sriov.errors import TestbedError
from sriov.testbed import load
from sriov.testbed.readers import one_of, read_by_name
from sriov.testbed.sources.source import FaultList, Keys, Source

HEAD = "from fabric.api import env\na, b = 'root@10.0.0.1', 'root@10.0.0.2'\n"
ROLES = "env.roledefs = {'compute': [a], 'openstack': [b]}\n"

# a line of the testbed: (what, hint) of each fault
FAULTS: dict[str, tuple[tuple[str, str], ...]] = {
    "env.roledefs = None": (("env.roledefs: is None, not a dictionary", "write {'compute': [host1, host2]}"),),
    "env.roledefs = 'root@10.0.0.1'": (
        ("env.roledefs: is text, not a dictionary", "write {'compute': [host1, host2]}"),
    ),
    "env.hostnames = 5": (("env.hostnames: is a whole number, not a dictionary", "write {'all': ['name1', 'name2']}"),),
    "env.hostnames = {a: 5, b: {}}": (
        ("env.hostnames['root@10.0.0.1']: is a whole number, not a list of names", "write ['name1', 'name2']"),
        ("env.hostnames['root@10.0.0.2']: is a dictionary, not a list of names", "write ['name1', 'name2']"),
    ),
    "env.hostnames = {a: 'x y', 'compute': ['n m']}": (
        ("env.hostnames: 'x y' is not a host name", "write text of letters, digits, '-' and '.'"),
        ("env.hostnames: 'n m' is not a host name", "write text of letters, digits, '-' and '.'"),
    ),
    "env.sriov = []": (("env.sriov: is a list, not a dictionary", "write {host1: [{'interface': ...}]}"),),
    "env.sriov = 'eth0'": (("env.sriov: is text, not a dictionary", "write {host1: [{'interface': ...}]}"),),
    "env.sriov = {5: 5, a: 5, b: 5}": (
        ("env.sriov[5]: the key is a whole number, not a host string", "use a host string of roledefs"),
        (
            "env.sriov['root@10.0.0.1']: is a whole number, not a list of entries",
            "write [{'interface': 'eth0', 'VF': 7, 'physnets': ['physnet1']}]",
        ),
        (
            "env.sriov['root@10.0.0.2']: has the role openstack, but not compute",
            "add it to env.roledefs['compute'] too, or remove the entry",
        ),
        (
            "env.sriov['root@10.0.0.2']: is a whole number, not a list of entries",
            "write [{'interface': 'eth0', 'VF': 7, 'physnets': ['physnet1']}]",
        ),
    ),
    "env.sriov = {'root@10.0.0.7': [5]}": (
        ("env.sriov['root@10.0.0.7']: is not in env.roledefs['compute']", "did you mean 'root@10.0.0.1'?"),
        (
            "env.sriov['root@10.0.0.7'][0]: is a whole number, not a dictionary",
            "write {'interface': ..., 'VF': ..., 'physnets': [...]}",
        ),
    ),
    "env.sriov = {'ubuntu@10.0.0.1': [{'interface': 'e', 'VF': '7', 'physnets': ['p']}]}": (
        ("env.sriov['ubuntu@10.0.0.1']: is not in env.roledefs['compute']", "did you mean 'root@10.0.0.1'?"),
        ("env.sriov['ubuntu@10.0.0.1'][0]['VF']: '7' is text, not a number", "write 7 without quotes"),
    ),
    "env.sriov = {a: [5, ['eth0']]}": (
        (
            "env.sriov['root@10.0.0.1'][0]: is a whole number, not a dictionary",
            "write {'interface': ..., 'VF': ..., 'physnets': [...]}",
        ),
        (
            "env.sriov['root@10.0.0.1'][1]: is a list, not a dictionary",
            "write {'interface': ..., 'VF': ..., 'physnets': [...]}",
        ),
    ),
    "env.passwords = 'x'": (("env.passwords: is text, not a dictionary", "write {host1: 'password'}"),),
    "env.passwords = {5: 'x', a: 5, 'no host!': ['y'], 'fine': 'z'}": (
        ("env.passwords: the key of entry 1 is a whole number, not a host string", ""),
        ("env.passwords: entry 2 is a whole number, not text", "put the password in quotes, in one line"),
        ("env.passwords: entry 3 is a list, not text", "put the password in quotes, in one line"),
    ),
    "env.openstack_release = {'root@10.0.0.3': True, a: True, b: 'walaby', 'far': 'x', 7: 23}": (
        (
            "env.openstack_release['root@10.0.0.3']: is not a compute or openstack host of this testbed",
            "did you mean 'root@10.0.0.2'?",
        ),
        (
            "env.openstack_release['root@10.0.0.1']: is True or False, not a release",
            "write 'wallaby', '2024.1' or nova's number, such as 23",
        ),
        (
            "env.openstack_release['root@10.0.0.2']: 'walaby' is not a known nova release",
            "did you mean 'wallaby'?",
        ),
        ("env.openstack_release['far']: is not a compute or openstack host of this testbed", ""),
        ("env.openstack_release[7]: is not a compute or openstack host of this testbed", ""),
    ),
    "env.openstack_release = ['wallaby']": (
        ("env.openstack_release: is a list, not a release", "write 'wallaby', '2024.1' or nova's number, such as 23"),
    ),
    "env.vlan_ranges = '1:2'": (("env.vlan_ranges: is text, not a dictionary", "write {'physnet1': '100:199'}"),),
    "env.vlan_ranges = {'': 5, 'p q': 5, 'p': [5, '9:1', '1:2'], 7: '1:2'}": (
        ("env.vlan_ranges['']: the key is not the name of a physical network", "write it such as 'physnet1'"),
        ("env.vlan_ranges['p q']: the key is not the name of a physical network", "write it such as 'physnet1'"),
        ("env.vlan_ranges['p']: a whole number is not a range of VLANs", "write '100:199' in quotes"),
        (
            "env.vlan_ranges['p']: 9:1 is not a range of VLANs",
            "the first VLAN is 1, the last 4094, the lower comes first",
        ),
        ("env.vlan_ranges[7]: the key is not the name of a physical network", "write it such as 'physnet1'"),
    ),
    "env.worker_resources = 'rack1'": (("env.worker_resources: is text, not a dictionary", "write {host1: 'rack1'}"),),
    "env.worker_resources = {'root@10.0.0.3': 'rack 1', a: 'rack 1', b: 7, 'far': 'x', 7: 'x'}": (
        (
            "env.worker_resources['root@10.0.0.3']: is not a compute or openstack host of this testbed",
            "did you mean 'root@10.0.0.2'?",
        ),
        (
            "env.worker_resources['root@10.0.0.1']: 'rack 1' is not the name of a worker's resource",
            "write a name such as 'rack1'",
        ),
        (
            "env.worker_resources['root@10.0.0.2']: a whole number is not the name of a worker's resource",
            "write a name such as 'rack1'",
        ),
        ("env.worker_resources['far']: is not a compute or openstack host of this testbed", ""),
        ("env.worker_resources[7]: is not a compute or openstack host of this testbed", ""),
    ),
}


@pytest.mark.parametrize("line", FAULTS)
def test_faults_of_a_dictionary_have_these_words_in_this_order(tmp_path: Path, line: str) -> None:
    path = tmp_path / "testbed.py"
    path.write_text(HEAD + ("" if line.startswith("env.roledefs") else ROLES) + line + "\n")
    with pytest.raises(TestbedError) as caught:
        load(path)
    assert tuple((fault.what, fault.hint) for fault in caught.value.faults) == FAULTS[line]


@pytest.mark.parametrize(
    "line",
    [
        *("env.passwords = []", "env.vlan_ranges = ''", "env.worker_resources = 0", "env.openstack_release = {}"),
        *(
            "env.ostypes = {}",
            "env.ostypes = ['ignored']",
            "env.sriov = None",
            "env.sriov = {}",
            "env.hostnames = None",
            "env.hostnames = []",
        ),
    ],
)
def test_nothing_in_place_of_a_dictionary_loads(tmp_path: Path, line: str) -> None:
    path = tmp_path / "testbed.py"
    path.write_text(HEAD + ROLES + line + "\n")
    assert len(load(path).hosts) == 2


def test_text_of_a_class_of_its_own_names_a_host(tmp_path: Path) -> None:
    path = tmp_path / "testbed.py"
    path.write_text(
        "import enum\n"
        "from fabric.api import env\n"
        "class H(str, enum.Enum):\n    A = 'root@10.0.0.1'\n"
        "env.roledefs = {'compute': ['root@10.0.0.1']}\n"
        "env.openstack_release = {H.A: 23}\nenv.worker_resources = {H.A: 'rack1'}\n"
        "env.sriov = {H.A: [{'interface': 'eth0', 'VF': 1, 'physnets': ['p']}]}\n"
    )
    (host,) = load(path).hosts
    assert (host.release, host.worker_resource, len(host.physical_functions)) == (23, "rack1", 1)


def test_roles_and_hosts_may_be_keys_of_one_dictionary() -> None:
    def words(value: object, at: Keys, faults: FaultList) -> tuple[str, ...] | None:
        if isinstance(value, list):
            return tuple(value)
        faults.note("wrong-type", at, "is no list")
        return None

    faults = FaultList(Source("testbed.py", {}, lambda keys: None, "env."))
    names = one_of({"compute", "openstack", "root@a", "root@b"}, "is no role and no host of this testbed")
    given = {"compute": ["x=1"], "root@a": ["y"], "computes": ["z"], "root@b": 5}
    found = read_by_name(given, ("arguments",), "write {'compute': []}", names, words, faults)
    assert found == {"compute": ("x=1",), "root@a": ("y",)}
    assert [(fault.where, fault.what, fault.hint) for _, fault in faults.found] == [
        ("env.arguments['computes']", "is no role and no host of this testbed", "did you mean 'compute'?"),
        ("env.arguments['root@b']", "is no list", ""),
    ]
