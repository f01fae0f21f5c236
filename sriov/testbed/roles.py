"""`env.roledefs` and the labels that go with it: which hosts there are, what they do, what they are called."""

from __future__ import annotations

import re
from collections.abc import Mapping

from sriov.errors import nearest
from sriov.model import Role
from sriov.testbed import host_strings
from sriov.testbed.host_strings import HostString, LoginDefaults
from sriov.testbed.readers import read_mapping
from sriov.testbed.sources.source import FaultList
from sriov.testbed.wording import kind, shown

IN_ORDER = (Role.OPENSTACK, Role.COMPUTE)


def read_roles(
    values: Mapping[str, object], defaults: LoginDefaults, faults: FaultList
) -> dict[HostString, frozenset[Role]]:
    """The openstack and compute hosts, in the order of these lists, openstack first; other roles are ignored."""
    at, hint = ("roledefs",), "write {'compute': [host1, host2]}"
    roledefs = read_mapping(values.get("roledefs", {}), at, hint, faults)
    if roledefs is None:
        return {}
    roles: dict[HostString, frozenset[Role]] = {}
    count_before = len(faults.found)
    for role in IN_ORDER:
        for host in _members(roledefs, role, defaults, faults):
            roles[host] = roles.get(host, frozenset()) | {role}
    if not roles and len(faults.found) == count_before:
        names = [role.value for role in IN_ORDER]
        near = [key for key in roledefs if key not in names and nearest(key, names)]
        hint = f"is {near[0]!r} meant to be one of them?" if near else "add env.roledefs = {'compute': [host1]}"
        faults.note("no-hosts", at, "names no host with the role compute or openstack", hint)
    _refuse_two_names_of_one_host(roledefs, roles, faults)
    return roles


def _members(
    roledefs: Mapping[object, object], role: Role, defaults: LoginDefaults, faults: FaultList
) -> list[HostString]:
    at = ("roledefs", role.value)
    listed = roledefs.get(role.value, ())
    if not isinstance(listed, list | tuple):
        hint = f"write [{shown(listed)}]" if isinstance(listed, str) else "write a list of host strings"
        faults.note("wrong-type", at, f"is {kind(listed)}, not a list", hint)
        return []
    hosts: dict[HostString, None] = {}  # a set that keeps the order
    for index, text in enumerate(listed):
        host = read_host(text, (*at, index), faults)
        if host:
            hosts[defaults.completed(host)] = None
    return list(hosts)


def read_host(text: object, at: tuple[object, ...], faults: FaultList) -> HostString | None:
    """A host string, or None after the fault was noted."""
    if not isinstance(text, str):
        faults.note(
            "wrong-type", at, f"is {kind(text)}, not a host string", "write it as text, such as 'root@10.0.0.1'"
        )
        return None
    try:
        return host_strings.parse(text)
    except host_strings.HostStringError as reason:
        what = "a host string" if reason.part is host_strings.Part.LOGIN else shown(text)
        faults.note(
            "invalid-host-string", at, f"{what} {reason}", "write user@host, user@host:port or user@[IPv6]:port"
        )
        return None


def _refuse_two_names_of_one_host(
    roledefs: Mapping[object, object], roles: Mapping[HostString, frozenset[Role]], faults: FaultList
) -> None:
    first: dict[tuple[str, int], HostString] = {}
    for host in roles:
        other = first.setdefault(host.endpoint, host)
        if other is host:
            continue
        role = Role.COMPUTE if Role.COMPUTE in roles[host] else Role.OPENSTACK
        listed = roledefs[role.value]
        index = list(listed).index(host.name) if isinstance(listed, list | tuple) else 0
        faults.note(
            "duplicate-host",
            ("roledefs", role.value, index),
            f"{shown(host.name)} and {shown(other.name)} are the same host",
            "write it the same way everywhere, or two runs would work on it at once",
        )


def read_hostnames(values: Mapping[str, object], faults: FaultList) -> dict[str, str]:
    """Labels by host string, from `{'all': ['a', 'b']}` (the order of that role; lengths may differ) or by host."""
    hostnames, roledefs = values.get("hostnames"), values.get("roledefs")
    if hostnames is None:
        return {}
    if isinstance(hostnames, list | tuple):
        hostnames = {"all": hostnames}
    labels: dict[str, str] = {}
    by_name = read_mapping(hostnames, ("hostnames",), "write {'all': ['name1', 'name2']}", faults) or {}
    for key, named in by_name.items():
        if isinstance(named, str):
            _add_label(labels, key, named, faults)
        elif isinstance(named, list | tuple):
            members = roledefs.get(key, ()) if isinstance(roledefs, Mapping) else ()
            for host, name in zip(members if isinstance(members, list | tuple) else (), named, strict=False):
                _add_label(labels, host, name, faults)
        elif named is not None:
            faults.note(
                "wrong-type", ("hostnames", key), f"is {kind(named)}, not a list of names", "write ['name1', 'name2']"
            )
    return labels


def _add_label(labels: dict[str, str], host: object, name: object, faults: FaultList) -> None:
    if not isinstance(host, str):  # the role list says what is wrong with it
        return
    if isinstance(name, str) and re.fullmatch(r"[A-Za-z0-9_.-]*", name):
        labels.setdefault(host, name)
    else:
        faults.note(
            "invalid-name",
            ("hostnames",),
            f"{shown(name)} is not a host name",
            "write text of letters, digits, '-' and '.'",
        )
