"""The testbed file, `.py` or `.yaml`, to a validated `Testbed`. `load` is the whole of it.

source          bytes, places in a file, faults collected
├── python_source   runs a .py (python_lines finds lines, python_faults words what fails)
└── yaml_source     parses a .yaml
host_strings    `user@host:port`
entries         `env.sriov[host]`
roles           `env.roledefs`, `env.hostnames`
settings        passwords, keys, release, filters, places of hosts in a Dask cluster
cloud_login     the cloud's administrator
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from ..model import Host, PhysicalFunction, Role, Testbed
from . import roles, settings
from .cloud_login import read_cloud_login
from .entries import nearest, read_entries
from .host_strings import HostString
from .source import FaultList, Source, kind, shown, whole_file_error

READ_KEYS = frozenset(
    ("roledefs", "hosts", "sriov", "hostnames", "ostypes", "passwords", "password", "key_filename", "user", "port")
) | {
    *("openstack_release", "scheduler_filters", "accept_new_host_keys", "keystone", "openstack_admin_password"),
    *("network_backend", "vlan_ranges", "worker_resources"),
}
_FABRIC_1_KEYS = frozenset(("roles",))  # there before the file runs


def load(path: str | os.PathLike[str]) -> Testbed:
    """Read and check a testbed; the kind of file goes by its suffix (`.py`, `.yaml`, `.yml`).

    Raises TestbedError, which holds every fault found, each with file and line where there is one. A Python
    testbed is run, with all rights of the caller.
    """
    return _assemble(_read(Path(path).expanduser()))


def _read(path: Path) -> Source:
    if path.suffix == ".py" or path.is_dir():
        from . import python_source

        return python_source.read(path)
    if path.suffix in (".yaml", ".yml"):
        from . import yaml_source  # late: most testbeds are Python, and yaml takes 15 ms

        return yaml_source.read(path)
    raise whole_file_error(path, "is neither .py nor .yaml", "name the testbed so that its kind can be told")


def _assemble(source: Source) -> Testbed:
    values, faults = source.values, FaultList(source)
    login = settings.read_login(values, faults)
    found = roles.read_roles(values, login, faults)
    hostnames = roles.read_hostnames(values, faults)
    functions = _read_sriov(values, found, faults)
    passwords = settings.read_passwords(values, faults)
    names = frozenset(host.name for host in found)
    releases = settings.read_releases(values, names, faults)
    worker_resources = settings.read_worker_resources(values, names, faults)
    ostypes = _read_ostypes(values, faults)
    hosts = tuple(
        Host(
            name=host.name,
            address=host.address,
            user=host.user,
            port=host.port,
            hostname=hostnames.get(host.name, ""),
            roles=host_roles,
            physical_functions=functions.get(host.name, ()),
            password=passwords.of(host),
            ostype=ostypes.get(host.name, ""),
            release=releases.of(host.name),
            worker_resource=worker_resources.get(host.name, ""),
        )
        for host, host_roles in found.items()
    )
    testbed = Testbed(
        path=source.path,
        hosts=hosts,
        scheduler_filters=settings.read_scheduler_filters(values, faults),
        key_filename=settings.read_key_filename(values, faults),
        accept_new_host_keys=settings.read_flag(values, "accept_new_host_keys", faults),
        cloud_login=read_cloud_login(values, hosts),
        network_backend=settings.read_network_backend(values, faults),
        vlan_ranges=settings.read_vlan_ranges(values, faults),
        unknown_keys=tuple(sorted(set(map(str, values)) - READ_KEYS - _FABRIC_1_KEYS)),
    )
    faults.checked()
    return testbed


def _read_sriov(
    values: Mapping[str, object], found: Mapping[HostString, frozenset[Role]], faults: FaultList
) -> dict[str, tuple[PhysicalFunction, ...]]:
    sriov = values.get("sriov")
    if sriov is None:
        return {}
    if not isinstance(sriov, Mapping):
        faults.add(("sriov",), f"is {kind(sriov)}, not a dictionary", "write {host1: [{'interface': ...}]}")
        return {}
    computes = {host.name for host, host_roles in found.items() if Role.COMPUTE in host_roles}
    everyone = {host.name for host in found}
    functions = {}
    for name, entries in sriov.items():
        if not isinstance(name, str):
            faults.add(("sriov", name), f"the key is {kind(name)}, no host string", "use a host string of roledefs")
            continue
        if name not in computes:
            faults.add(("sriov", name), *_no_compute(name, computes, everyone))
        functions[name] = read_entries(entries, name, faults)
    return functions


def _no_compute(name: str, computes: set[str], everyone: set[str]) -> tuple[str, str]:
    if name in everyone:
        return "has the role openstack, but not compute", "add it to env.roledefs['compute'] too, or take the entry out"
    same = [host for host in sorted(computes) if host.rpartition("@")[2] == name.rpartition("@")[2]]
    near = same[0] if same else nearest(name, sorted(computes), 0.9)
    hint = f"did you mean {shown(near)}?" if near else "add it to env.roledefs['compute']"
    return "is no host of env.roledefs['compute']", hint


def _read_ostypes(values: Mapping[str, object], faults: FaultList) -> dict[str, str]:
    ostypes = values.get("ostypes") or {}
    if not isinstance(ostypes, Mapping):
        faults.add(("ostypes",), f"is {kind(ostypes)}, not a dictionary", "write {host1: 'ubuntu'}")
        return {}
    return {host: ostype for host, ostype in ostypes.items() if isinstance(host, str) and isinstance(ostype, str)}
