"""The answers of `ip link` and `ip addr`, in the words of iproute2."""

from __future__ import annotations

from collections.abc import Sequence

from ..machine.answer import Answer
from ..sysfs.netdevs import Netdev
from ..sysfs.sysfs import Sysfs
from . import ip_json

WORDS = ("show", "list", "set", "dev", "up", "down")  # of the grammar of `ip link`; any other is an interface


def answer(sysfs: Sysfs, words: Sequence[str], uid: int) -> Answer:
    """The answer to the words after `ip`; `set NAME up` or `down` changes the interface."""
    netdevs = sysfs.netdevs.by_name
    bare = [word for word in words if not word.startswith("-")]
    if bare and bare[0] in ("addr", "address", "a"):
        return 0, "".join(_address(netdev) for netdev in netdevs.values()), ""
    if not bare or not "link".startswith(bare[0]):
        return 1, "", "Object is not simulated.\n"
    names = [word for word in bare[1:] if word not in WORDS][:1]
    missing = [name for name in names if name not in netdevs or not netdevs[name].visible]
    if missing:
        return 1, "", f'Device "{missing[0]}" does not exist.\n'
    if "set" in bare:
        if uid != 0:
            return 2, "", "RTNETLINK answers: Operation not permitted\n"
        if "up" in bare or "down" in bare:
            netdevs[names[0]].up = "up" in bare
        return 0, "", ""
    one_line = any(word.startswith("-") and "o" in word for word in words)
    chosen = [netdevs[name] for name in names] or [netdev for netdev in netdevs.values() if netdev.visible]
    if "-j" in words or "-json" in words:
        return 0, ip_json.links(chosen, sysfs.ports, has_counters="-s" in words), ""
    return 0, "".join(_link(netdev, "\\" if one_line else "\n") for netdev in chosen), ""


def _address(netdev: Netdev) -> str:
    """A line of `ip -o addr show`; nothing for an interface without an address."""
    if not (netdev.address and netdev.visible):
        return ""
    flags = f"inet {netdev.address} brd 192.0.2.255 scope global {netdev.name}"
    return f"{netdev.index}: {netdev.name}    {flags}\\       valid_lft forever preferred_lft forever\n"


def _link(netdev: Netdev, separator: str) -> str:
    flags = ["LOOPBACK" if netdev.name == "lo" else "BROADCAST", *([] if netdev.name == "lo" else ["MULTICAST"])]
    state = "UNKNOWN" if netdev.name == "lo" else "UP" if netdev.up else "DOWN"
    if netdev.up:
        flags += ["UP", "LOWER_UP"]
    kind = "loopback" if netdev.name == "lo" else "ether"
    master = f"master {netdev.master} " if netdev.master else ""
    return (
        f"{netdev.index}: {netdev.name}: <{','.join(flags)}> mtu 1500 qdisc mq {master}state {state} mode DEFAULT "
        f"group default qlen 1000{separator}    link/{kind} {netdev.mac} brd ff:ff:ff:ff:ff:ff\n"
    )
