"""What a testbed says beside roles and interfaces: keys, release, workers, login defaults."""

from __future__ import annotations

import os.path
import re
from collections.abc import Mapping
from typing import NamedTuple

from sriov.errors import SriovError
from sriov.formats.nova.releases import release_number
from sriov.testbed import host_strings
from sriov.testbed.host_strings import LoginDefaults
from sriov.testbed.readers import one_of, read_by_name, read_text
from sriov.testbed.sources.source import FaultList, Keys
from sriov.testbed.wording import as_text, kind, shown

_UNKNOWN_HOST = "is not a compute or openstack host of this testbed"
_RELEASE = "write 'wallaby', '2024.1' or nova's number, such as 23"


def read_key_filename(values: Mapping[str, object], faults: FaultList) -> tuple[str, ...]:
    """Paths of private keys, `~` expanded; whether they exist is seen when they are used."""
    value = values.get("key_filename")
    listed = (value,) if isinstance(value, str) else value
    if not listed:
        return ()
    if not isinstance(listed, list | tuple) or not all(isinstance(path, str) and path for path in listed):
        faults.note(
            "wrong-type", ("key_filename",), "is neither a path nor a list of paths", "write '~/.ssh/id_ed25519'"
        )
        return ()
    return tuple(os.path.expanduser(path) for path in listed)


class Releases(NamedTuple):
    """nova's major number for all hosts, or by host string."""

    for_all: int | None
    by_host: Mapping[str, int]

    def of(self, host: str) -> int | None:
        return self.by_host.get(host, self.for_all)


def read_releases(values: Mapping[str, object], hosts: frozenset[str], faults: FaultList) -> Releases:
    value, at = values.get("openstack_release"), ("openstack_release",)
    if not isinstance(value, Mapping):
        return Releases(_release(value, at, faults), {})
    by_host = read_by_name(value, at, _RELEASE, one_of(hosts, _UNKNOWN_HOST), _release, faults)
    return Releases(None, by_host)


def _release(value: object, at: Keys, faults: FaultList) -> int | None:
    if value is None:
        return None
    if isinstance(value, float):  # 2024.1 without quotes
        value = str(value)
    if isinstance(value, bool) or not isinstance(value, str | int):
        faults.note("wrong-type", at, f"is {kind(value)}, not a release", _RELEASE)
        return None
    try:
        return release_number(value)
    except SriovError as error:
        faults.note(error.id, at, error.message, error.hint)
    except ValueError:  # of int and str, for more than 4300 digits
        faults.note("unknown-release", at, f"{shown(value)} has too many digits for a release", _RELEASE)
    return None


def read_worker_resources(values: Mapping[str, object], hosts: frozenset[str], faults: FaultList) -> dict[str, str]:
    """`{'root@10.0.0.2': 'rack1'}`: what a Dask worker must offer (`--resources rack1=100`) to be given that host."""
    value, hint = values.get("worker_resources") or {}, "write {host1: 'rack1'}"
    return read_by_name(value, ("worker_resources",), hint, one_of(hosts, _UNKNOWN_HOST), _worker_resource, faults)


def _worker_resource(value: object, at: Keys, faults: FaultList) -> str | None:
    if isinstance(value, str) and re.fullmatch(r"[A-Za-z0-9_.-]{1,64}", value):
        return value
    what = shown(value) if isinstance(value, str) else kind(value)
    faults.note("invalid-name", at, f"{what} is not the name of a worker's resource", "write a name such as 'rack1'")
    return None


def read_login_defaults(values: Mapping[str, object], faults: FaultList) -> LoginDefaults:
    """Fabric 1's `env.user` and `env.port`: for host strings that say neither."""
    user, port = values.get("user"), values.get("port")
    user_text = "" if user is None else read_text(user, ("user",), faults)
    if user_text is None:
        return LoginDefaults("", None)
    prefix = "" if user is None else f"{user_text}@"
    suffix = "" if port is None else f":{as_text(port)}"  # no text is no port either
    try:
        host = host_strings.parse(f"{prefix}host{suffix}")
    except host_strings.HostStringError as reason:
        is_port = reason.part is host_strings.Part.PORT
        faults.note("invalid-host-string", ("port" if is_port else "user",), str(reason))
        return LoginDefaults("", None)
    return LoginDefaults(host.user, host.port)
