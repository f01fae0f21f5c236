"""What a call asks of the cloud, as checked values. Pure: a wrong call ends here, before the cloud hears of it."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass

from sriov.errors import UsageError, did_you_mean
from sriov.model import Testbed

NAME_LIMIT = 255  # characters of a name in nova and neutron
_MAC = re.compile(r"[0-9a-f]{2}(:[0-9a-f]{2}){5}")


@dataclass(frozen=True, slots=True)
class WantedNetwork:
    """A VLAN provider network with one subnet. `vlan` 1..4094, 0 for untagged; None leaves the choice to neutron."""

    name: str
    physnet: str
    vlan: int | None
    cidr: str


@dataclass(frozen=True, slots=True)
class WantedPort:
    """A port for a VF (`binding:vnic_type` direct). `ip` and `mac` are empty where neutron is to choose."""

    network: str
    name: str
    ip: str = ""
    mac: str = ""
    is_trusted: bool = False


@dataclass(frozen=True, slots=True)
class WantedServer:
    """A VM. `port` names a port, or a network in which a port is to be made."""

    name: str
    port: str
    image: str
    flavor: str


def network(name: str, physnet: str, vlan: str, cidr: str, testbed: Testbed, lowest_vlan: int = 1) -> WantedNetwork:
    """Raises UsageError: no such physical network in the testbed, VLAN out of range, a subnet that is none."""
    check_physnet(physnet, testbed)
    return WantedNetwork(_name("network", name), physnet, vlan_number(vlan, lowest_vlan), subnet_range(cidr))


def port(network: str, name: str, ip: str = "", mac: str = "", *, is_trusted: bool = False) -> WantedPort:
    """Raises UsageError on an address that is none."""
    return WantedPort(_name("network", network), _name("port", name), _ip(ip), _mac(mac), is_trusted)


def server(name: str, port: str, image: str, flavor: str) -> WantedServer:
    return WantedServer(_name("VM", name), _name("port", port), _name("image", image), _name("flavor", flavor))


def check_physnet(physnet: str, testbed: Testbed) -> None:
    """Raises UsageError that names the nearest one."""
    known = testbed.physnets
    if physnet in known:
        return
    others = f"it has: {', '.join(known)}" if known else "its env.sriov has none"
    hint = did_you_mean(physnet, known) or others
    raise UsageError(
        "unknown-physnet", f"no interface of {testbed.path} serves the physical network {physnet!r}", hint=hint
    )


def vlan_number(text: str, lowest: int = 1) -> int:
    """`lowest` is 0 where the network backend takes that for an untagged network."""
    if not re.fullmatch(r"[0-9]{1,4}", text, re.ASCII) or not lowest <= int(text) <= 4094:
        hint = "write a number from 1 to 4094" + ("" if lowest else ", or 0 for an untagged network")
        raise UsageError("invalid-argument", f"{text!r} is not a VLAN", hint=hint)
    return int(text)


def subnet_range(text: str) -> str:
    """`10.1.0.0/24` in its plain spelling; host bits are a slip and refused."""
    try:
        if "/" not in text:
            raise ValueError("it has no prefix length")
        found = ipaddress.ip_network(text)
    except ValueError as reason:
        message = f"{text!r} is not a subnet: {reason}"
        raise UsageError("invalid-argument", message, hint="write it such as 10.1.0.0/24") from None
    if found.num_addresses < 4:
        raise UsageError(
            "invalid-argument", f"{text!r} has no room for a gateway and a port", hint="write /30 or larger"
        )
    return str(found)


def _name(what: str, text: str) -> str:
    """Names reach logs and terminals: no control characters."""
    if not text.strip() or len(text) > NAME_LIMIT or not text.isprintable():
        hint = f"write 1 to {NAME_LIMIT} printable characters"
        raise UsageError("invalid-argument", f"{text[:60]!r} is not a name for a {what}", hint=hint)
    return text.strip()


def _ip(text: str) -> str:
    try:
        return str(ipaddress.ip_address(text)) if text else ""
    except ValueError:
        raise UsageError(
            "invalid-argument", f"{text!r} is not an IP address", hint="write it such as 10.1.0.7"
        ) from None


def _mac(text: str) -> str:
    mac = text.lower().replace("-", ":")
    if not mac:
        return ""
    if not _MAC.fullmatch(mac) or int(mac[:2], 16) & 1 or mac == "00:00:00:00:00:00":
        reason = "" if not _MAC.fullmatch(mac) else ": it is not the address of one interface"
        message = f"{text!r} is not a MAC address{reason}"
        raise UsageError("invalid-argument", message, hint="write it such as 52:54:00:12:34:56")
    return mac
