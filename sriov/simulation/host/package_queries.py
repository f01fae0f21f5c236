"""The answers of `dpkg-query` and `rpm -q` for the packages of nova and of the services that a host has."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ..disk.packages import nova_version, packaged_services
from ..machine.answer import Answer
from ..spec import HostSpec

DPKG_LAYOUT = "${Package}\t${Version}\n"
RPM_LAYOUT = "%{NAME}-%{VERSION}-%{RELEASE}.%{ARCH}\n"


def dpkg_query(spec: HostSpec, words: Sequence[str]) -> Answer:
    """Exit status 1 if a package is missing."""
    names, layout = [], DPKG_LAYOUT
    pending = list(words)
    while pending:
        word = pending.pop(0)
        if word in ("-f", "--showformat"):
            layout = pending.pop(0)
        elif word.startswith(("-f=", "--showformat=", "-f")):
            layout = word.partition("=")[2] or word[2:]
        elif not word.startswith("-"):
            names.append(word)
    found, missing = _installed(spec, names)
    fields = {
        "${Version}": f"2:{nova_version(spec)}-0+deb12u1",
        "${Status}": "install ok installed",
        "${db:Status-Status}": "installed",
    }
    out = "".join(_fill(layout, {**fields, "${Package}": name, "${binary:Package}": name}) for name in found)
    return int(bool(missing)), out, "".join(f"dpkg-query: no packages found matching {name}\n" for name in missing)


def rpm(spec: HostSpec, words: Sequence[str]) -> Answer:
    """Exit status is the number of packages that are missing."""
    names, layout = [], RPM_LAYOUT
    pending = list(words)
    while pending:
        word = pending.pop(0)
        if word in ("--qf", "--queryformat"):
            layout = pending.pop(0)
        elif word.startswith(("--qf=", "--queryformat=")):
            layout = word.partition("=")[2]
        elif not word.startswith("-"):
            names.append(word)
    found, missing = _installed(spec, names)
    fields = {
        "%{VERSION}": nova_version(spec),
        "%{RELEASE}": "1.el9",
        "%{ARCH}": "noarch",
        "%{EPOCH}": "1",
    }
    out = "".join(_fill(layout, {**fields, "%{NAME}": name}) for name in found)
    return len(missing), out + "".join(f"package {name} is not installed\n" for name in missing), ""


def _fill(layout: str, fields: Mapping[str, str]) -> str:
    layout = layout.replace("\\n", "\n").replace("\\t", "\t")
    for field, value in fields.items():
        layout = layout.replace(field, value)
    return layout


def _installed(spec: HostSpec, names: Sequence[str]) -> tuple[list[str], list[str]]:
    """Those of the names that are installed, and those that are not."""
    services = {service.removesuffix(".service") for service in packaged_services(spec)}
    prefix = "openstack-" if spec.family == "rhel" else ""
    installed = {"python3-nova", f"{prefix}nova-common", *services} if services else set()
    return [name for name in names if name in installed], [name for name in names if name not in installed]
