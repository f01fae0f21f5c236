"""The testbed file, `.py` or `.yaml`, to a validated `Testbed`. `load` is the whole of it.

sources/        source: bytes, places in a file, faults collected; python_source runs a .py (python_lines finds
                lines, python_faults words what fails); yaml_source parses a .yaml
wording         how messages name a value
readers         values that several keys share: a dictionary by host or role, text, True or False
host_strings    `user@host:port`
roles           `env.roledefs`, `env.hostnames`
entries         `env.sriov` (ports: which port of a card an entry means)
passwords       `env.passwords`, `env.password`
network         `env.network_backend`, `env.vlan_ranges`
contrail        `env.contrail_api`, `env.contrail_register`
kernel_arguments   `env.kernel_arguments`
scheduler_filters  `env.scheduler_filters`
settings        keys, release, places of hosts in a Dask cluster, user and port for all hosts
cloud_login     the cloud's administrator
spelling        keys that are a known one, mistyped
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from sriov.model import Host, Testbed
from sriov.testbed import kernel_arguments, network, roles, settings
from sriov.testbed.cloud_login import read_cloud_login
from sriov.testbed.contrail import read_contrail
from sriov.testbed.entries import read_sriov
from sriov.testbed.passwords import read_passwords
from sriov.testbed.readers import read_flag
from sriov.testbed.scheduler_filters import read_scheduler_filters
from sriov.testbed.sources.source import FaultList, Source, whole_file_error
from sriov.testbed.spelling import refuse_mistyped_keys
from sriov.testbed.wording import as_text, kind

READ_KEYS = frozenset(
    ("roledefs", "hosts", "sriov", "hostnames", "ostypes", "passwords", "password", "key_filename", "user", "port")
) | {
    *("openstack_release", "scheduler_filters", "accept_new_host_keys", "keystone", "openstack_admin_password"),
    *("network_backend", "vlan_ranges", "worker_resources", kernel_arguments.KEY),
    *("contrail_api", "contrail_register"),
}
"""The keys that are no surprise in a testbed; `hosts` and `ostypes` load and are ignored."""

_FABRIC_1_KEYS = frozenset(("roles",))  # there before the file runs


def load(path: str | os.PathLike[str]) -> Testbed:
    """Read and check a testbed; the kind of file goes by its suffix (`.py`, `.yaml`, `.yml`).

    Raises TestbedError, which holds every fault found, each with file and line where there is one. A Python
    testbed is run, with all rights of the caller.
    """
    return _assemble(_read(Path(path).expanduser()))


def _read(path: Path) -> Source:
    if path.suffix == ".py" or path.is_dir():
        from sriov.testbed.sources import python_source

        return python_source.read(path)
    if path.suffix in (".yaml", ".yml"):
        from sriov.testbed.sources import yaml_source  # late: most testbeds are Python, and yaml takes 15 ms

        return yaml_source.read(path)
    raise whole_file_error(
        "not-a-testbed", path, "is neither .py nor .yaml", "name the testbed so that its kind can be told"
    )


def _assemble(source: Source) -> Testbed:
    values, faults = source.values, FaultList(source)
    refuse_mistyped_keys(values, READ_KEYS, faults)
    hosts = _read_hosts(values, faults)
    backend = network.read_network_backend(values, faults)
    contrail = read_contrail(values, backend, faults)
    testbed = Testbed(
        path=source.path,
        hosts=hosts,
        scheduler_filters=read_scheduler_filters(values, faults),
        key_filename=settings.read_key_filename(values, faults),
        accept_new_host_keys=read_flag(values, "accept_new_host_keys", faults),
        cloud_login=read_cloud_login(values, hosts, faults),
        network_backend=backend,
        contrail_api=contrail.api,
        contrail_register=contrail.registers,
        vlan_ranges=network.read_vlan_ranges(values, faults),
        unknown_keys=tuple(sorted({as_text(key) or kind(key) for key in values} - READ_KEYS - _FABRIC_1_KEYS)),
    )
    faults.checked()
    return testbed


def _read_hosts(values: Mapping[str, object], faults: FaultList) -> tuple[Host, ...]:
    found = roles.read_roles(values, settings.read_login_defaults(values, faults), faults)
    hostnames = roles.read_hostnames(values, faults)
    functions = read_sriov(values, found, faults)
    passwords = read_passwords(values, faults)
    names = frozenset(host.name for host in found)
    releases = settings.read_releases(values, names, faults)
    worker_resources = settings.read_worker_resources(values, names, faults)
    arguments = kernel_arguments.read_kernel_arguments(values, found, functions, faults)
    return tuple(
        Host(
            name=host.name,
            address=host.address,
            user=host.user,
            port=host.port,
            hostname=hostnames.get(host.name, ""),
            roles=host_roles,
            physical_functions=functions.get(host.name, ()),
            password=passwords.of(host),
            release=releases.of(host.name),
            worker_resource=worker_resources.get(host.name, ""),
            settings=arguments.get(host.name, ()),
        )
        for host, host_roles in found.items()
    )
