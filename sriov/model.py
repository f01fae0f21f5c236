"""The nouns: what a testbed asks for. Values only; nothing here reads a file or a host.

Names are the field's: a *physical function* (PF) is a port of a network card, its *virtual functions* (VFs)
are the slices that guests get, a *physical network* is neutron's name for the wire behind a port.
"""

from __future__ import annotations

import enum
from collections.abc import Iterator
from typing import NamedTuple


class Role(enum.Enum):
    """What a host does in the cloud, as far as SR-IOV cares; values are the names of `env.roledefs`."""

    COMPUTE = "compute"
    OPENSTACK = "openstack"


CONTRAIL, ML2 = NETWORK_BACKENDS = ("contrail", "ml2")
"""Who serves the network side; under Contrail its own plugin does, and the hosts need nothing beyond nova."""


class Secret:
    """A password. It shows as `***` in any output; `reveal()` is for the one place that sends it."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        return self._value

    def __repr__(self) -> str:
        return "***"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and other._value == self._value

    def __hash__(self) -> int:
        return hash(self._value)


class PhysicalFunction(NamedTuple):
    """A PF as wanted: which port, how many VFs, which physical networks they serve.

    Exactly one of `interface` (kernel name, at most 15 bytes), `pci` (`0000:01:00.0`) and `mac`
    (`52:54:00:aa:bb:cc`, lower case) names the port; the others are empty.
    `num_vfs` 0..65535. `exclude_vfs` are indexes of VFs that the host keeps for itself.
    `trusted` becomes nova's tag of the same name; None leaves the tag out.
    """

    num_vfs: int
    physnets: tuple[str, ...]
    interface: str = ""
    pci: str = ""
    mac: str = ""
    exclude_vfs: tuple[int, ...] = ()
    trusted: bool | None = None

    @property
    def label(self) -> str:
        return self.interface or self.pci or self.mac

    def shares(self) -> Iterator[tuple[str, tuple[int, ...]]]:
        """Which VFs serve which physical network: contiguous ranges, the first ones one longer where it does not
        divide. 7 VFs for a, b -> a: 0 1 2 3, b: 4 5 6. nova takes the first entry that matches, so no VF stands twice.
        """
        free = tuple(index for index in range(self.num_vfs) if index not in self.exclude_vfs)
        size, longer = divmod(len(free), len(self.physnets))
        start = 0
        for position, physnet in enumerate(self.physnets):
            end = start + size + (position < longer)
            yield physnet, free[start:end]
            start = end


class Setting(NamedTuple):
    """What the testbed says for one capability alone, as words under its key, so that a new capability adds no field
    here."""

    key: str
    words: tuple[str, ...]


class Host(NamedTuple):
    """A host of the testbed.

    `name` is the host string as written there (`root@10.0.0.1`), the key of reports. `user` and `port` are
    empty/None where the host string leaves them to `~/.ssh/config`. `address` is what SSH is asked for:
    a name, an IPv4 or an IPv6 address without brackets. `hostname` is only a label (`env.hostnames`).
    `release` is nova's major number if the testbed says it, else None: then the probe tells.
    `worker_resource` is what a worker of a Dask cluster must offer to be given this host; empty: any worker.
    """

    name: str
    address: str
    user: str = ""
    port: int | None = None
    hostname: str = ""
    roles: frozenset[Role] = frozenset()
    physical_functions: tuple[PhysicalFunction, ...] = ()
    password: Secret | None = None
    release: int | None = None
    worker_resource: str = ""
    settings: tuple[Setting, ...] = ()

    @property
    def label(self) -> str:
        """What people call it: `compute1 (root@10.0.0.2)`, or the host string alone."""
        return f"{self.hostname} ({self.name})" if self.hostname else self.name

    def words(self, key: str) -> tuple[str, ...]:
        """What the testbed says of this host under that key; empty if nothing."""
        return tuple(word for setting in self.settings if setting.key == key for word in setting.words)


class CloudLogin(NamedTuple):
    """How to log in to the cloud, as the testbed says it (`env.keystone`); the names are openstacksdk's."""

    auth_url: str
    username: str
    password: Secret
    project_name: str
    region_name: str = ""
    insecure: bool = False


class Testbed(NamedTuple):
    """A validated testbed. `hosts` holds the compute and openstack hosts only, in the order of the file.

    `scheduler_filters`: the exact list wanted, names and paths of classes, or None to extend what each host has.
    `vlan_ranges`: physical network -> its ranges (`100:199`), for ML2 only.
    `contrail_api`: URL of Contrail's api-server, empty: it is not asked. `contrail_register`: whether setup_all may
    write the pairs of physical network and interface into its virtual-router objects.
    `unknown_keys`: `env.*` names that were loaded and ignored (for a message, never an error).
    """

    path: str
    hosts: tuple[Host, ...]
    scheduler_filters: tuple[str, ...] | None = None
    key_filename: tuple[str, ...] = ()
    accept_new_host_keys: bool = False
    network_backend: str = CONTRAIL
    vlan_ranges: tuple[tuple[str, tuple[str, ...]], ...] = ()
    unknown_keys: tuple[str, ...] = ()
    cloud_login: CloudLogin | None = None
    contrail_api: str = ""
    contrail_register: bool = False

    def find(self, name: str) -> Host | None:
        """The host of that host string; a string without user or port also finds its only match by address."""
        for host in self.hosts:
            if host.name == name:
                return host
        matches = [host for host in self.hosts if name in (host.address, host.hostname, f"{host.user}@{host.address}")]
        return matches[0] if len(matches) == 1 else None

    def asking_nothing(self) -> Testbed:
        """The same hosts and ways in, of which nothing is asked."""
        hosts = tuple(host._replace(physical_functions=(), settings=()) for host in self.hosts)
        return self._replace(hosts=hosts, scheduler_filters=None)

    @property
    def physnets(self) -> tuple[str, ...]:
        """Every physical network that a port of this testbed serves, in the order of the file."""
        found = (name for host in self.hosts for pf in host.physical_functions for name in pf.physnets)
        return tuple(dict.fromkeys(found))

    @property
    def has_sriov(self) -> bool:
        return any(host.physical_functions for host in self.hosts)
