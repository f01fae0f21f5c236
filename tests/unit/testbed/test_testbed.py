"""Testbeds that load: the forms that exist, and what they become."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from sriov import layout
from sriov.model import Host, PhysicalFunction, Role, Secret, Testbed
from sriov.testbed import load

WILD = Path(__file__).parents[2] / "testbeds_in_the_wild"
ONE_HOST = "from fabric.api import env\nenv.roledefs = {'compute': ['root@a']}\n"


def load_text(tmp_path: Path, text: str, name: str = "testbed.py") -> Testbed:
    path = tmp_path / name
    path.write_text(text)
    return load(path)


def hosts_of(testbed: Testbed) -> dict[str, Host]:
    return {host.name: host for host in testbed.hosts}


def test_small_testbed_becomes_two_hosts_with_their_interfaces() -> None:
    first, second = load(layout.testbeds() / "small.py").hosts
    assert first.roles == {Role.OPENSTACK, Role.COMPUTE}
    assert (second.address, second.user, second.port) == ("10.0.0.2", "root", None)
    assert [function.interface for function in first.physical_functions] == ["eth0", "eth1"]
    assert second.physical_functions == (PhysicalFunction(7, ("physnet3",), interface="eth0"),)


@pytest.mark.parametrize("name", ["small.py", "multi_host.py", "example.yaml"])
def test_example_loads_with_every_key_known(name: str) -> None:
    testbed = load(layout.testbeds() / name)
    assert testbed.has_sriov
    assert testbed.unknown_keys == ()


def test_multi_host_example_uses_every_key_of_an_entry() -> None:
    hosts = hosts_of(load(layout.testbeds() / "multi_host.py"))
    by_pci, by_mac = hosts["ubuntu@192.0.2.22:2222"].physical_functions
    assert (by_pci.pci, by_pci.exclude_vfs) == ("0000:3b:00.0", (0,))
    assert (by_mac.mac, by_mac.trusted) == ("52:54:00:ab:cd:ef", True)
    assert hosts["root@[2001:db8::23]"].release == 23


def test_yaml_says_the_same_as_python(tmp_path: Path) -> None:
    python = load(layout.testbeds() / "small.py")
    text = (
        "roledefs: {openstack: [root@10.0.0.1], compute: [root@10.0.0.1, root@10.0.0.2]}\n"
        "sriov:\n"
        "  root@10.0.0.1:\n"
        "    - {interface: eth0, VF: 7, physnets: [physnet1]}\n"
        "    - {interface: eth1, VF: 7, physnets: [physnet2]}\n"
        "  root@10.0.0.2: [{interface: eth0, VF: 7, physnets: [physnet3]}]\n"
    )
    assert load_text(tmp_path, text, "testbed.yaml").hosts == python.hosts


def test_yaml_merge_may_be_overridden(tmp_path: Path) -> None:
    text = (
        "roledefs: {compute: [root@a]}\n"
        "sriov:\n  root@a:\n  - &seven {interface: eth0, VF: 7, physnets: [p]}\n"
        "  - {<<: *seven, interface: eth1, VF: 3}\n"
    )
    (host,) = load_text(tmp_path, text, "testbed.yaml").hosts
    assert [(pf.interface, pf.num_vfs) for pf in host.physical_functions] == [("eth0", 7), ("eth1", 3)]


def test_yaml_takes_mac_pci_and_release_without_quotes(tmp_path: Path) -> None:
    text = (
        "roledefs: {compute: [a]}\nopenstack_release: 2024.1\n"
        "sriov: {a: [{mac: 52:54:00:12:34:56, VF: 1, physnets: [p]}, {pci: 0000:01:00.0, VF: 1, physnets: [p]}]}\n"
    )
    (host,) = load_text(tmp_path, text, "t.yml").hosts
    assert [function.label for function in host.physical_functions] == ["52:54:00:12:34:56", "0000:01:00.0"]
    assert host.release == 29


@pytest.mark.parametrize("path", sorted(WILD.glob("*.py")), ids=lambda path: path.stem)
def test_existing_testbed_loads_unchanged(path: Path) -> None:
    testbed = load(path)
    assert {role for host in testbed.hosts for role in host.roles} == {Role.COMPUTE, Role.OPENSTACK}


def test_hostnames_shorter_than_the_role_leave_the_rest_unnamed() -> None:
    hosts = hosts_of(load(WILD / "bonded_multi_interface.py"))
    assert hosts["root@10.204.217.9"].hostname == "nodea13"
    assert hosts["root@10.204.217.10"].hostname == ""


def test_hostnames_longer_than_the_role_are_left_over() -> None:
    names = [host.hostname for host in load(WILD / "environment_driven.py").hosts]
    assert names == ["ctl", "cmp1", "cmp2"]


def test_unknown_env_keys_are_listed() -> None:
    testbed = load(WILD / "bonded_multi_interface.py")
    assert testbed.unknown_keys == ("ha", "interface_rename", "ntp_server")


def test_host_strings_with_ports_and_ipv6_are_taken_apart() -> None:
    hosts = hosts_of(load(WILD / "ports_and_ipv6.py"))
    parts = {name: (host.user, host.address, host.port) for name, host in hosts.items()}
    assert parts == {
        "203.0.113.5:2201": ("ubuntu", "203.0.113.5", 2201),
        "203.0.113.5:2202": ("ubuntu", "203.0.113.5", 2202),
        "admin@203.0.113.5:2203": ("admin", "203.0.113.5", 2203),
        "root@[2001:db8::17]:2204": ("root", "2001:db8::17", 2204),
        "fd00::18": ("ubuntu", "fd00::18", None),
    }


def test_passwords_are_found_under_every_spelling_of_a_host() -> None:
    found = [host.password for host in load(WILD / "ports_and_ipv6.py").hosts]
    assert found == [Secret(text) for text in ("one", "two", "three", "four", "five")]


def test_password_with_port_22_belongs_to_the_host_without_port() -> None:
    found = {host.name: host.password for host in load(WILD / "orchestrated.py").hosts}
    assert found == {"10.0.0.1": Secret("a"), "root@10.0.0.2": Secret("b")}


def test_password_of_another_user_is_not_used(tmp_path: Path) -> None:
    text = ONE_HOST + "env.passwords = {'admin@a': 'x', 'a:2222': 'y'}\nenv.password = 'all'\n"
    assert load_text(tmp_path, text).hosts[0].password == Secret("all")


def test_password_does_not_show_in_the_testbed(tmp_path: Path) -> None:
    assert "xyzzy" not in repr(load_text(tmp_path, ONE_HOST + "env.password = 'xyzzy'\n"))


def test_openstack_hosts_come_first_and_each_once(tmp_path: Path) -> None:
    text = (
        "from fabric.api import env\nenv.roledefs = {'compute': ['c', 'b', 'a'], 'openstack': ['a', 'd'], 'all': []}\n"
    )
    assert [host.name for host in load_text(tmp_path, text).hosts] == ["a", "d", "c", "b"]


def test_host_that_stands_twice_in_a_role_is_one_host(tmp_path: Path) -> None:
    text = "from fabric.api import env\nenv.roledefs = {'compute': ['a', 'a']}\n"
    assert len(load_text(tmp_path, text).hosts) == 1


def test_zero_vfs_need_no_physnet(tmp_path: Path) -> None:
    testbed = load_text(tmp_path, ONE_HOST + "env.sriov = {'root@a': [{'interface': 'eth0', 'VF': 0}]}\n")
    assert testbed.hosts[0].physical_functions == (PhysicalFunction(0, (), interface="eth0"),)


def test_ports_are_brought_to_one_spelling(tmp_path: Path) -> None:
    entries = (
        "[{'pci': '3B:00.1', 'VF': 1, 'physnets': ['p']}, {'mac': '52-54-00-AB-CD-EF', 'VF': 1, 'physnets': ['p']}]"
    )
    functions = load_text(tmp_path, ONE_HOST + f"env.sriov = {{'root@a': {entries}}}\n").hosts[0].physical_functions
    assert [function.label for function in functions] == ["0000:3b:00.1", "52:54:00:ab:cd:ef"]


@pytest.mark.parametrize(
    "head",
    [
        "from fabric.api import env",
        "from fabric.api import *",
        "import fabric.api\nenv = fabric.api.env",
        "from fabric import api\nenv = api.env",
        "from fabric.state import env",
        "from fabric.api import env, run, sudo, task",
        "import fabric.api as f\nenv = f.env",
        "\ufefffrom fabric.api import env",
    ],
)
def test_env_is_there_however_it_is_imported(tmp_path: Path, head: str) -> None:
    assert load_text(tmp_path, head + "\nenv.roledefs = {'compute': ['a']}\n").hosts[0].name == "a"


def test_env_is_new_for_each_load(tmp_path: Path) -> None:
    load_text(tmp_path, ONE_HOST + "env.accept_new_host_keys = True\n")
    assert not load_text(tmp_path, ONE_HOST).accept_new_host_keys


def test_filters_keys_and_flag_are_read(tmp_path: Path) -> None:
    text = ONE_HOST + (
        "env.scheduler_filters = ['ComputeFilter', 'PciPassthroughFilter']\n"
        "env.key_filename = ['/k', '~/k2']\nenv.accept_new_host_keys = True\nenv.openstack_release = {'root@a': 31}\n"
    )
    testbed = load_text(tmp_path, text)
    assert testbed.scheduler_filters == ("ComputeFilter", "PciPassthroughFilter")
    assert testbed.key_filename == ("/k", str(Path("~/k2").expanduser()))
    assert testbed.accept_new_host_keys
    assert testbed.hosts[0].release == 31


def test_what_a_testbed_prints_goes_to_stderr(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    load_text(tmp_path, ONE_HOST + "for n in range(1000): print('noise')\n")
    out, err = capsys.readouterr()
    assert out == ""
    assert err.count("noise") == 1000


def test_loading_leaves_the_modules_as_they_were_and_fabric_unimported(tmp_path: Path) -> None:
    path = tmp_path / "testbed.py"
    path.write_text(ONE_HOST)
    code = (
        "import sys, sriov.testbed as t\n"
        f"t.load({str(path)!r})\n"
        "print([name for name in sys.modules if name.partition('.')[0] in ('fabric', 'paramiko', 'yaml')])\n"
        "import fabric; before = sys.modules['fabric']\n"
        f"t.load({str(path)!r})\n"
        "print(sys.modules['fabric'] is before, 'fabric.api' in sys.modules, hasattr(fabric, 'Connection'))\n"
    )
    root = Path(__file__).parents[3]
    result = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code], capture_output=True, text=True, cwd=root, check=True
    )
    assert result.stdout.splitlines() == ["[]", "True False True"]
