"""What is refused before the first change on any host: each row with its exit code, its words, an untouched fleet."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from conftest import Operator, Sriov, Visit

from sriov.simulation import Fleet, HostSpec, Nic, SimulatedHost, User

ETH0 = {"interface": "eth0", "VF": 7, "physnets": ["physnet1"]}
NICS = (
    Nic("eth0", "0000:01:00.0", up=True),
    Nic("eth1", "0000:02:00.0", mac="52:54:00:12:34:60", sriov=False),
    Nic("eth2", "0000:03:00.0", mac="52:54:00:12:34:70", numvfs=2),
)
USERS = (User("plain", 1001, sudo="no"), User("ops", 1002, password="planted-sudo-passw0rd", sudo="password"))
NOVA = "/etc/nova/nova.conf"


@pytest.fixture(scope="module")
def hosts() -> tuple[HostSpec, ...]:
    return (
        HostSpec("good"),
        HostSpec("patient", nics=NICS, users=USERS),
        HostSpec("dark", iommu=False),
        HostSpec("rocky", family="rhel"),
        HostSpec("moved"),
    )


def write(operator: Operator, sriov: Sriov, more: str = "", **logins: str) -> None:
    """A testbed of `good`, which has work to do, and the hosts of `sriov`; `logins`: other users for some of them."""
    named = [operator.fleet["good"], *(operator.fleet[name] for name in sriov)]
    entries = {host.name: list(sriov.get(host.name, [ETH0])) for host in named}
    strings = {host.name: host.login_of(logins.get(host.name, "root")) for host in named}
    operator.bed.write_text(
        f"from fabric.api import env\nenv.roledefs = {{'compute': {list(strings.values())}, 'openstack': []}}\n"
        f"env.key_filename = {str(operator.fleet.key_path)!r}\n"
        f"env.sriov = { ({strings[name]: ports for name, ports in entries.items()})!r}\n{more}"
    )


def in_shell(command: str) -> Callable[[SimulatedHost], object]:
    def act(host: SimulatedHost) -> None:
        ended = host.run(command)
        assert ended.returncode == 0, ended.stderr

    return act


def nothing(host: SimulatedHost) -> None:
    pass


@dataclass(frozen=True)
class Case:
    """`spoil` is done to `name` before the run and `mend` after it."""

    words: tuple[str, ...]
    ports: tuple[dict[str, object], ...] = (ETH0,)
    name: str = "patient"
    spoil: Callable[[SimulatedHost], object] = nothing
    mend: Callable[[SimulatedHost], object] = nothing
    user: str = "root"
    more: str = ""
    options: tuple[str, ...] = ()
    environment: dict[str, Any] = field(default_factory=dict)
    code: int = 2


def port(**keys: object) -> tuple[dict[str, object], ...]:
    return ({**ETH0, **keys},)


def conf(text: str) -> Callable[[SimulatedHost], object]:
    """The patient's nova.conf replaced, the packaged one beside it."""

    def act(host: SimulatedHost) -> None:
        host.run(f"cp -p {NOVA} {NOVA}.kept")
        host.path(NOVA).write_bytes(text.encode("utf-8", "surrogateescape"))

    return act


KEPT = in_shell(f"mv -f {NOVA}.kept {NOVA}")
PACKAGES = "/usr/lib/python3/dist-packages"

IMPOSSIBLE = {
    "no such interface": Case(("virtual-functions eth9: no such interface", "fab discover"), port(interface="eth9")),
    "no such PCI address": Case(
        ("0000:99:00.0: no such interface",), ({"pci": "0000:99:00.0", "VF": 7, "physnets": ["p"]},)
    ),
    "no such MAC address": Case(
        ("52:54:00:00:00:01: no such interface",), ({"mac": "52:54:00:00:00:01", "VF": 7, "physnets": ["p"]},)
    ),
    "a card without SR-IOV": Case(("eth1: 0000:02:00.0 (driver igb) offers no SR-IOV", "BIOS"), port(interface="eth1")),
    "more VFs than the card has": Case(
        ("eth0: wanted 8 VFs, the card's limit (sriov_totalvfs) is 7", "set 'VF' to 7 or less"), port(VF=8)
    ),
    "a VF in place of its port": Case(
        ("is itself a virtual function", "name its physical function"),
        ({"pci": "0000:03:10.0", "VF": 1, "physnets": ["p"]},),
    ),
    "one port under two names": Case(
        ("eth0: two entries of the testbed mean this port",),
        (ETH0, {"pci": "0000:01:00.0", "VF": 7, "physnets": ["physnet2"]}),
    ),
    "no GRUB configuration": Case(
        ("no GRUB configuration with a default entry was found under /boot", "is /boot mounted?"),
        spoil=in_shell("mv /boot/grub/grub.cfg /boot/grub/kept"),
        mend=in_shell("mv /boot/grub/kept /boot/grub/grub.cfg"),
    ),
    "no update-grub": Case(
        ("the command update-grub is missing",),
        spoil=lambda host: host.fail(missing_tools=("update-grub",)),
        mend=lambda host: host.clear_faults(),
    ),
    "no grubby": Case(
        ("the command grubby is missing",),
        name="rocky",
        spoil=lambda host: host.fail(missing_tools=("grubby",)),
        mend=lambda host: host.clear_faults(),
    ),
    "no nova.conf": Case(
        (f"{NOVA}: no such file", "install nova on this host first"),
        spoil=in_shell(f"mv {NOVA} {NOVA}.kept"),
        mend=KEPT,
    ),
    "a folder in place of nova.conf": Case(
        (NOVA, "cannot be read"),
        spoil=in_shell(f"mv {NOVA} {NOVA}.kept; mkdir {NOVA}"),
        mend=in_shell(f"rmdir {NOVA}; mv {NOVA}.kept {NOVA}"),
    ),
    "a key before any section": Case((f"{NOVA}:2:",), spoil=conf("# x\ndebug = true\n[DEFAULT]\n"), mend=KEPT),
    "a broken section header": Case((f"{NOVA}:3:",), spoil=conf("[DEFAULT]\n\n[pci\nx = 1\n"), mend=KEPT),
    "a byte order mark": Case((f"{NOVA}:1:",), spoil=conf("\ufeff[DEFAULT]\n"), mend=KEPT),
    "bytes that are no UTF-8": Case((f"{NOVA}:2:",), spoil=conf("[DEFAULT]\nx = \udcff\n"), mend=KEPT),
    "no nova package": Case(
        ("nova release: it cannot be determined: no nova package was found", "set env.openstack_release"),
        spoil=lambda host: host.path("packages/nova-26.2.1.egg-info").rmdir(),
        mend=lambda host: host.path("packages/nova-26.2.1.egg-info").mkdir(),
    ),
    "two releases of nova": Case(
        ("several releases of nova are installed (23, 26)", "set env.openstack_release"),
        spoil=lambda host: host.path("packages/nova-23.0.0.egg-info").mkdir(),
        mend=lambda host: host.path("packages/nova-23.0.0.egg-info").rmdir(),
    ),
    "a release that nobody knows": Case(
        ("'99' is not a known nova release", "the nearest is 34"),
        spoil=lambda host: host.path("packages/nova-26.2.1.egg-info").rename(host.path("packages/nova-99.0.egg-info")),
        mend=lambda host: host.path("packages/nova-99.0.egg-info").rename(host.path("packages/nova-26.2.1.egg-info")),
    ),
    "a masked service": Case(
        ("services nova-compute: the service is masked", "systemctl unmask nova-compute"),
        spoil=in_shell("systemctl mask nova-compute"),
        mend=in_shell("systemctl unmask nova-compute"),
    ),
    "the IOMMU switched off": Case(
        ("iommu DMAR: the firmware has no DMAR table", "switch on VT-d in the BIOS setup"), name="dark"
    ),
    "a user without sudo": Case(("no root: sudo asks plain for a password", "allow NOPASSWD"), user="plain", code=2),
    "sudo wants a password, none is known": Case(
        ("no root: sudo asks ops for a password", "env.passwords"), user="ops"
    ),
    "sudo refuses the password": Case(
        ("no root and no sudo for ops: sudo refused the password",), user="ops", more="env.password = 'planted-wrong'\n"
    ),
    "a user whom sudo does not know": Case(
        ("no root and no sudo for plain",), user="plain", more="env.password = 'planted-wrong'\n"
    ),
    "a user whom sshd does not know": Case(("nobody@127.", "was refused: no key, agent or password"), user="nobody"),
}


@pytest.mark.parametrize("case", IMPOSSIBLE.values(), ids=IMPOSSIBLE)
def test_host_that_cannot_is_named_and_no_host_is_touched(fleet: Fleet, operator: Operator, case: Case) -> None:
    write(operator, {case.name: case.ports}, case.more, **{case.name: case.user})
    case.spoil(fleet[case.name])
    try:
        visit = operator.fab("setup_all", *case.options, **case.environment)
    finally:
        case.mend(fleet[case.name])
    refused(visit, case.code, *case.words)
    assert fleet[case.name].login_of(case.user) in visit.out
    assert "nothing was touched" in visit.out


def refused(visit: Visit, code: int, *words: str) -> None:
    assert visit.code == code, visit.said
    for word in words:
        assert word in visit.said, visit.said
    assert not visit.touched
    assert "Traceback" not in visit.said
    assert "planted" not in visit.said


def test_all_problems_of_all_hosts_are_named_at_once(fleet: Fleet, operator: Operator) -> None:
    write(operator, {"patient": port(interface="eth9") + port(VF=8), "dark": [ETH0], "rocky": port(VF=9)})
    visit = operator.fab("setup_all")
    refused(visit, 2, "eth9: no such interface", "wanted 8 VFs", "no DMAR table", "wanted 9 VFs")


TESTBEDS = {
    "syntax": ("env.sriov = {\n", 2, (":1: ", "was never closed")),
    "a name that is not defined": ("host1 = 'a'\nenv.hosts = [hots1]\n", 2, (":2: ", "hots1")),
    "an interface twice": ("B\nenv.sriov = {'root@a': [E, E]}\n", 2, (":2: ", "eth0")),
    "an unknown key": ("B\nenv.sriov = {'root@a': [dict(E, interfaces='x')]}\n", 2, ("interfaces", "interface")),
    "a number as text": ("B\nenv.sriov = {'root@a': [dict(E, VF='7')]}\n", 2, ("'7'", "VF")),
    "a truth value": ("B\nenv.sriov = {'root@a': [dict(E, VF=True)]}\n", 2, ("True", "VF")),
    "fewer than no VFs": ("B\nenv.sriov = {'root@a': [dict(E, VF=-1)]}\n", 2, ("-1", "VF")),
    "an interface that is a command": (
        "B\nenv.sriov = {'root@a': [dict(E, interface='a;reboot')]}\n",
        2,
        ("a;reboot",),
    ),
    "no physnet": ("B\nenv.sriov = {'root@a': [dict(E, physnets=[])]}\n", 2, ("physnets",)),
    "a physnet with a line break": ("B\nenv.sriov = {'root@a': [dict(E, physnets=['a\\nb'])]}\n", 2, ("physnets",)),
    "a host without the role": ("B\nenv.sriov = {'root@b': [E]}\n", 2, ("root@b", "compute")),
    "no hosts": ("env.sriov = {}\n", 2, ("roledefs", "no host with the role")),
    "nothing at all": ("", 2, ("testbed",)),
    "a filter list without ours": ("B\nenv.scheduler_filters = ['ComputeFilter']\n", 2, ("PciPassthroughFilter",)),
    "a release that nobody knows": ("B\nenv.openstack_release = 'wallabi'\n", 2, ("'wallaby'",)),
}
SHORT = (
    "from fabric.api import env; env.roledefs = {'compute': ['root@a']}; "
    "E = dict(interface='eth0', VF=7, physnets=['p'])"
)


@pytest.mark.parametrize("name", TESTBEDS)
def test_testbed_that_is_wrong_is_refused_before_any_connection(operator: Operator, name: str) -> None:
    text, code, words = TESTBEDS[name]
    bed = text.replace("B\n", f"{SHORT}\n") if text.startswith("B\n") else f"from fabric.api import env; {text}"
    operator.bed.write_text(bed if text else "")
    visit = operator.fab("setup_all")
    refused(visit, code, *words)
    assert not any(visit.connections.values())


CALLS = {
    "no host": (("add_vrouter_node",), ("add_vrouter_node", "host")),
    "a host that does not stand there": (("add_vrouter_node:root@10.9.8.7",), ("root@10.9.8.7 is not in",)),
    "a host without the role": (("setup_openstack_node:GOOD",), ("has no openstack role", "env.roledefs['openstack']")),
    "an unknown task": (("setup_al",), ("setup_al",)),
    "an unknown option": (("setup_all:rebot=no",), ("rebot", "reboot")),
    "a reboot that is neither": (("setup_all", "--reboot", "perhaps"), ("perhaps", "auto or never")),
    "no jobs": (("setup_all", "--jobs", "0"), ("jobs", "whole number")),
    "nobody unavailable": (("setup_all", "--max-unavailable", "0%"), ("max_unavailable", "'0%'")),
    "a dry run": (("setup_all", "--dry"), ("fab plan",)),
    "a host for a task that takes none": (("setup_all:root@a",), ("root@a",)),
}


@pytest.mark.parametrize("name", CALLS)
def test_call_that_is_wrong_is_refused_before_any_connection(fleet: Fleet, operator: Operator, name: str) -> None:
    call, words = CALLS[name]
    write(operator, {})
    visit = operator.fab(*(word.replace("GOOD", fleet["good"].login) for word in call))
    refused(visit, 2, *words)
    assert not any(visit.connections.values())


def test_testbed_that_is_not_there_is_named(operator: Operator, tmp_path: Path) -> None:
    for path, word in ((tmp_path / "none.py", "no such file"), (tmp_path, "")):
        visit = operator.fab("setup_all", "--testbed", str(path), testbed=False)
        refused(visit, 2, str(path), word)


def test_unknown_host_key_is_refused_with_the_command_that_adds_it(fleet: Fleet, operator: Operator) -> None:
    write(operator, {"patient": [ETH0]})
    known = operator.home / ".ssh/known_hosts"
    kept = known.read_text()
    known.write_text("".join(line for line in kept.splitlines(keepends=True) if fleet["patient"].address not in line))
    visit = operator.fab("setup_all")
    known.write_text(kept)
    refused(visit, 2, "is unknown (", "SHA256:", f"ssh-keyscan -p {fleet['patient'].port} {fleet['patient'].address}")


def test_changed_host_key_is_refused_also_where_new_ones_are_accepted(fleet: Fleet, operator: Operator) -> None:
    write(operator, {"moved": [ETH0]}, "env.accept_new_host_keys = True\n")
    fleet["moved"].change_host_key()
    before = (operator.home / ".ssh/known_hosts").read_text()
    visit = operator.fab("setup_all", "--accept-new-host-keys")
    refused(visit, 2, "has changed", f"ssh-keygen -R '[{fleet['moved'].address}]:{fleet['moved'].port}'")
    assert (operator.home / ".ssh/known_hosts").read_text() == before


def make_key(path: Path, passphrase: str = "") -> Path:
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", passphrase, "-f", str(path)], check=True)
    return path


def test_key_that_is_wrong_encrypted_missing_or_none_is_named(operator: Operator, tmp_path: Path) -> None:
    stranger, locked = make_key(tmp_path / "stranger"), make_key(tmp_path / "locked", "planted-phrase")
    (tmp_path / "text").write_text("no key\n")
    for path, words in (
        (stranger, ("was refused: no key, agent or password was accepted", "env.key_filename")),
        (locked, (f"the key {locked} is encrypted", "ssh-agent")),
        (tmp_path / "text", (f"the key {tmp_path / 'text'} cannot be read",)),
        (tmp_path / "absent", (f"the key {tmp_path / 'absent'} cannot be read", "No such file")),
    ):
        write(operator, {}, f"env.key_filename = {str(path)!r}\n")
        refused(operator.fab("setup_all"), 2, *words)


def test_host_that_is_down_does_not_hold_up_the_others(fleet: Fleet, operator: Operator) -> None:
    write(
        operator,
        {},
        "for down in ('root@127.77.0.200:9', 'root@no-such-name.invalid'):\n    env.roledefs['compute'].append(down)\n",
    )
    visit = operator.fab("setup_all", "--timeout", "3")
    assert visit.code == 1, visit.said
    assert "root@127.77.0.200:9: no SSH with 127.77.0.200:9" in visit.out
    assert "root@no-such-name.invalid: the name no-such-name.invalid cannot be resolved" in visit.out
    assert visit.touched == {"good"}
    assert fleet["good"].numvfs("eth0") == 7
