"""The files that lead a client to a fleet: an OpenSSH configuration, and a testbed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from .simulated_host import SimulatedHost


def ssh_config(hosts: Iterable[SimulatedHost], directory: Path) -> str:
    """Text for `ssh -F`."""
    return "".join(
        f"Host {host.name}\n  HostName {host.address}\n  Port {host.port}\n  User root\n"
        f"  IdentityFile {directory}/id_ed25519\n  IdentitiesOnly yes\n"
        f"  UserKnownHostsFile {directory}/known_hosts\n\n"
        for host in hosts
    )


def testbed(hosts: Sequence[SimulatedHost], sriov: Mapping[str, Sequence[Mapping[str, object]]], key_path: Path) -> str:
    """A testbed as an operator would write it."""
    variables = {host.name: "".join(c if c.isalnum() else "_" for c in host.name) for host in hosts}
    lines = ["from fabric.api import env", ""]
    lines += [f"{variables[host.name]} = {host.login!r}" for host in hosts]
    roles = {"all": [variables[host.name] for host in hosts]}
    for role in ("openstack", "compute"):
        roles[role] = [variables[host.name] for host in hosts if role in host.spec.roles]
    lines += ["", "env.roledefs = {"]
    lines += [f"    {role!r}: [{', '.join(names)}]," for role, names in roles.items()]
    lines += [
        "}",
        f"env.hostnames = {{'all': {[host.name for host in hosts]!r}}}",
        f"env.key_filename = {str(key_path)!r}",
        "",
        "env.sriov = {",
    ]
    for name, entries in sriov.items():
        lines.append(f"    {variables[name]}: [")
        lines += [f"        {dict(entry)!r}," for entry in entries]
        lines.append("    ],")
    return "\n".join([*lines, "}", ""])
