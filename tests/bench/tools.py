"""The tools: how each is told of its hosts, and called."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from .fleet import PORT, ROOT, BenchFleet
from .pose import NUM_VFS, PORTS

PEERS_VENV = Path(os.environ.get("BENCH_PEERS") or ROOT / ".venv" / "bench")
PEERS = Path(__file__).parent / "peers"
BIN = Path(sys.executable).parent
_PORTS = [{"interface": name, "num_vfs": NUM_VFS, "physnet": physnet} for name, (_, physnet) in PORTS.items()]


@dataclass(frozen=True, slots=True)
class Call:
    """A command line, what it needs in its environment, and where it runs."""

    words: tuple[str, ...]
    environment: dict[str, str] = field(default_factory=dict)
    folder: Path = ROOT


def ours(fleet: BenchFleet, count: int, first: bool) -> Call:
    logins = [f"root@{host.address}:{PORT}" for host in fleet.hosts[:count]]
    entries = [{"interface": p["interface"], "VF": NUM_VFS, "physnets": [p["physnet"]]} for p in _PORTS]
    bed = fleet.directory / f"testbed-{count}.py"
    bed.write_text(
        "from fabric.api import env\n"
        f"hosts = {logins!r}\n"
        "env.roledefs = {'all': hosts, 'openstack': [], 'compute': hosts}\n"
        f"env.key_filename = {str(fleet.key)!r}\n"
        f"env.sriov = {{host: {entries!r} for host in hosts}}\n"
    )
    known = {"SRIOV_KNOWN_HOSTS": str(fleet.known_hosts)}
    return Call((str(BIN / "fab"), "setup_all", "--testbed", str(bed)), known)


def _job(fleet: BenchFleet, count: int, first: bool, empty: bool = False) -> str:
    hosts = [[host.address, host.host_key] for host in fleet.hosts[:count]]
    path = fleet.directory / "job.json"
    job = {"hosts": hosts, "port": PORT, "key": str(fleet.key), "ports": _PORTS, "first": first, "empty": empty}
    path.write_text(json.dumps(job))
    return str(path)


def floor(fleet: BenchFleet, count: int, first: bool) -> Call:
    return Call((sys.executable, str(PEERS / "floor.py"), _job(fleet, count, first)))


def login(fleet: BenchFleet, count: int, first: bool) -> Call:
    """Does nothing but log in: no look, no job."""
    return Call((sys.executable, str(PEERS / "floor.py"), _job(fleet, count, first, empty=True)))


def naive_fabric(fleet: BenchFleet, count: int, first: bool) -> Call:
    return Call((sys.executable, str(PEERS / "naive_fabric.py"), _job(fleet, count, first)))


def pyinfra(fleet: BenchFleet, count: int, first: bool) -> Call:
    data = {
        "ssh_user": "root", "ssh_port": PORT, "ssh_key": str(fleet.key), "ports": _PORTS,
        "ssh_known_hosts_file": str(fleet.known_hosts), "ssh_strict_host_key_checking": "yes",
    }  # fmt: skip
    inventory = fleet.directory / "inventory.py"
    inventory.write_text(f"bench = ({[host.address for host in fleet.hosts[:count]]!r}, {data!r})\n")
    return Call((str(PEERS_VENV / "bin/pyinfra"), "-y", str(inventory), str(PEERS / "pyinfra_deploy.py")))


def ansible(fleet: BenchFleet, count: int, first: bool) -> Call:
    variables = {
        "ansible_user": "root", "ansible_port": PORT, "ansible_ssh_private_key_file": str(fleet.key), "ports": _PORTS,
        "ansible_ssh_common_args": f"-o UserKnownHostsFile={fleet.known_hosts}",
    }  # fmt: skip
    hosts: dict[str, dict[str, str]] = {host.address: {} for host in fleet.hosts[:count]}
    inventory = fleet.directory / "inventory.json"
    inventory.write_text(json.dumps({"all": {"hosts": hosts, "vars": variables}}))
    environment = {
        "ANSIBLE_SSH_CONTROL_PATH_DIR": str(fleet.directory / "cp"),
        "ANSIBLE_HOME": str(fleet.directory / "ansible"),
    }
    words = (str(PEERS_VENV / "bin/ansible-playbook"), "-i", str(inventory), "playbook.yml")
    return Call(words, environment, PEERS / "ansible")


Tool = Callable[[BenchFleet, int, bool], Call]
TOOLS: dict[str, Tool] = {
    "sriov-fab": ours, "floor": floor, "login": login, "fabric": naive_fabric, "pyinfra": pyinfra, "ansible": ansible,
}  # fmt: skip
IDLE = "login"  # does no part of the job: it has no first run, and its hosts are not inspected
