"""What a testbed says beside roles and interfaces: logins, release, scheduler filters."""

from __future__ import annotations

import os.path
import re
from collections.abc import Mapping
from typing import NamedTuple

from ..errors import SriovError
from ..formats.nova.releases import release_number
from ..model import CONTRAIL, NETWORK_BACKENDS, Secret
from . import host_strings
from .entries import nearest
from .host_strings import HostString, Login
from .source import FaultList, Keys, kind, shown


class Passwords(NamedTuple):
    """`env.passwords` under the key as written and under its parts, and `env.password`."""

    exact: Mapping[str, Secret]
    spelled: tuple[tuple[HostString, Secret], ...]
    for_all: Secret | None

    def of(self, host: HostString) -> Secret | None:
        """The password under the host's own string, else under another spelling of it, else the one for all."""
        if host.name in self.exact:
            return self.exact[host.name]
        candidates = [
            (bool(key.user) + bool(key.port), password)
            for key, password in self.spelled
            if key.address.lower() == host.address.lower()
            and key.port in (None, host.port or 22)
            and key.user in ("", host.user)
        ]
        return max(candidates, key=lambda pair: pair[0])[1] if candidates else self.for_all


def read_passwords(values: Mapping[str, object], faults: FaultList) -> Passwords:
    """Messages say the place and the kind of what is wrong, never a key or a value: people swap the two."""
    for_all = _secret(values.get("password"), ("password",), faults)
    listed = values.get("passwords") or {}
    if not isinstance(listed, Mapping):
        faults.add(("passwords",), f"is {kind(listed)}, not a dictionary", "write {host1: 'password'}")
        listed = {}
    exact: dict[str, Secret] = {}
    spelled: list[tuple[HostString, Secret]] = []
    for position, (key, value) in enumerate(listed.items(), start=1):
        secret = _secret(value, ("passwords",), faults, f"entry {position} ")
        try:
            host = host_strings.parse(key if isinstance(key, str) else "")
        except ValueError:
            if not isinstance(key, str):
                faults.add(("passwords",), f"the key of entry {position} is {kind(key)}, not a host string")
            continue
        if secret:
            exact[host.name] = secret
            spelled.append((host, secret))
    return Passwords(exact, tuple(spelled), for_all)


def _secret(value: object, at: Keys, faults: FaultList, entry: str = "") -> Secret | None:
    if value is None or value == "":
        return None
    if isinstance(value, str) and not re.search(r"[\r\n\0]", value):
        return Secret(value)
    what = "holds a line break" if isinstance(value, str) else f"is {kind(value)}, not text"
    faults.add(at, f"{entry}{what}", "put the password in quotes, in one line")
    return None


def read_key_filename(values: Mapping[str, object], faults: FaultList) -> tuple[str, ...]:
    """Paths of private keys, `~` expanded; whether they exist is seen when they are used."""
    value = values.get("key_filename")
    listed = (value,) if isinstance(value, str) else value
    if not listed:
        return ()
    if not isinstance(listed, list | tuple) or not all(isinstance(path, str) and path for path in listed):
        faults.add(("key_filename",), "is no path and no list of paths", "write '~/.ssh/id_ed25519'")
        return ()
    return tuple(os.path.expanduser(path) for path in listed)


class Releases(NamedTuple):
    """nova's major number for all hosts, or by host string."""

    for_all: int | None
    by_host: Mapping[str, int]

    def of(self, host: str) -> int | None:
        return self.by_host.get(host, self.for_all)


def read_releases(values: Mapping[str, object], hosts: frozenset[str], faults: FaultList) -> Releases:
    value = values.get("openstack_release")
    if not isinstance(value, Mapping):
        return Releases(_release(value, ("openstack_release",), faults), {})
    by_host: dict[str, int] = {}
    for host, release in value.items():
        at = ("openstack_release", host)
        if host not in hosts:
            near = nearest(host, sorted(hosts))
            faults.add(at, "is no compute or openstack host of this testbed", f"did you mean {near!r}?" if near else "")
        elif (number := _release(release, at, faults)) is not None:
            by_host[str(host)] = number
    return Releases(None, by_host)


def _release(value: object, at: Keys, faults: FaultList) -> int | None:
    if value is None:
        return None
    if isinstance(value, float):  # 2024.1 without quotes
        value = str(value)
    if isinstance(value, bool) or not isinstance(value, str | int):
        faults.add(at, f"is {kind(value)}, not a release", "write 'wallaby', '2024.1' or nova's number, such as 23")
        return None
    try:
        return release_number(value)
    except SriovError as error:
        faults.add(at, error.message, error.hint)
    except ValueError as error:
        faults.add(at, f"{shown(value)}: {error}")
    return None


def read_scheduler_filters(values: Mapping[str, object], faults: FaultList) -> tuple[str, ...] | None:
    """The exact list wanted, None if the testbed leaves it to what each host has."""
    value, at = values.get("scheduler_filters"), ("scheduler_filters",)
    if value is None:
        return None
    if not isinstance(value, list | tuple):
        faults.add(at, f"is {kind(value)}, not a list", "write ['ComputeFilter', 'PciPassthroughFilter']")
        return None
    for index, name in enumerate(value):
        if not isinstance(name, str) or not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_.]*", name):
            faults.add((*at, index), f"{shown(name)} is no name of a filter", "write it such as 'ComputeFilter'")
        elif name in value[:index]:
            faults.add((*at, index), f"{name} stands twice", "name each filter once")
    if "PciPassthroughFilter" not in value:
        hint = "add it, or leave the key out to extend what each host has"
        faults.add(at, "lacks PciPassthroughFilter, which SR-IOV needs", hint)
    return tuple(name for name in value if isinstance(name, str))


def read_network_backend(values: Mapping[str, object], faults: FaultList) -> str:
    """`contrail` (also where nothing is said) or `ml2`."""
    value, at = values.get("network_backend", CONTRAIL), ("network_backend",)
    if isinstance(value, str) and value in NETWORK_BACKENDS:
        return value
    near = nearest(value, NETWORK_BACKENDS)
    what = f"{shown(value)} is no network backend" if isinstance(value, str) else f"is {kind(value)}, not a name"
    faults.add(at, what, f"did you mean {near!r}?" if near else "write 'contrail' or 'ml2'")
    return CONTRAIL


def read_vlan_ranges(values: Mapping[str, object], faults: FaultList) -> tuple[tuple[str, tuple[str, ...]], ...]:
    """`{'physnet1': '100:199', 'physnet2': ['10:19', '30:39']}`; VLANs are 1 to 4094 (IEEE 802.1Q)."""
    value, at = values.get("vlan_ranges") or {}, ("vlan_ranges",)
    if not isinstance(value, Mapping):
        faults.add(at, f"is {kind(value)}, not a dictionary", "write {'physnet1': '100:199'}")
        return ()
    found = []
    for physnet, given in value.items():
        here = (*at, physnet)
        if not isinstance(physnet, str) or not physnet or re.search(r"[\s:,$]", physnet):
            faults.add(here, "the key is no name of a physical network", "write it such as 'physnet1'")
            continue
        listed = given if isinstance(given, list | tuple) else (given,)
        ranges = tuple(text for one in listed if (text := _vlan_range(one, here, faults)))
        found.append((physnet, ranges))
    return tuple(found)


def _vlan_range(value: object, at: Keys, faults: FaultList) -> str:
    match = re.fullmatch(r"\s*([0-9]{1,4})\s*[:-]\s*([0-9]{1,4})\s*", value) if isinstance(value, str) else None
    if match is None:
        what = shown(value) if isinstance(value, str) else kind(value)
        faults.add(at, f"{what} is no range of VLANs", "write '100:199' in quotes")
        return ""
    low, high = int(match[1]), int(match[2])
    if not 1 <= low <= high <= 4094:
        faults.add(
            at, f"{low}:{high} is no range of VLANs", "the first VLAN is 1, the last 4094, the lower comes first"
        )
        return ""
    return f"{low}:{high}"


def read_worker_resources(values: Mapping[str, object], hosts: frozenset[str], faults: FaultList) -> dict[str, str]:
    """`{'root@10.0.0.2': 'rack1'}`: what a Dask worker must offer (`--resources rack1=100`) to be given that host."""
    value, at = values.get("worker_resources") or {}, ("worker_resources",)
    if not isinstance(value, Mapping):
        faults.add(at, f"is {kind(value)}, not a dictionary", "write {host1: 'rack1'}")
        return {}
    found = {}
    for host, resource in value.items():
        here = (*at, host)
        if host not in hosts:
            near = nearest(host, sorted(hosts))
            what = "is no compute or openstack host of this testbed"
            faults.add(here, what, f"did you mean {near!r}?" if near else "")
        elif not isinstance(resource, str) or not re.fullmatch(r"[A-Za-z0-9_.-]{1,64}", resource):
            what = shown(resource) if isinstance(resource, str) else kind(resource)
            faults.add(here, f"{what} is no name of a worker's resource", "write a name such as 'rack1'")
        else:
            found[str(host)] = resource
    return found


def read_flag(values: Mapping[str, object], name: str, faults: FaultList) -> bool:
    value = values.get(name, False)
    if not isinstance(value, bool):
        faults.add((name,), f"is {kind(value)}, not True or False", "write True or False without quotes")
        return False
    return value


def read_login(values: Mapping[str, object], faults: FaultList) -> Login:
    """Fabric 1's `env.user` and `env.port`: for host strings that say neither."""
    user, port = values.get("user"), values.get("port")
    try:
        host = host_strings.parse(f"{'' if user is None else f'{user}@'}host{'' if port is None else f':{port}'}")
    except ValueError as reason:
        faults.add(("user" if "user" in str(reason) else "port",), str(reason))
        return Login("", None)
    return Login(host.user, host.port)
