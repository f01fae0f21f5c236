"""The commands of a host that the simulation answers itself: systemctl, ip, reboot, virsh, dpkg-query, rpm."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from . import poses
from .sysfs import Netdev
from .systemctl import Answer, Systemctl

if TYPE_CHECKING:
    from .host import Host


class Commands:
    """One per host; `answer` is what its /dev/simulation calls."""

    def __init__(self, host: Host) -> None:
        self._host = host
        self._systemctl = Systemctl(host.manager, host, host.reboot_soon)

    async def answer(self, words: tuple[str, ...], uid: int) -> bytes:
        """A line with the exit status, standard error, a line with \\001, standard output."""
        status, output, errors = await self._dispatch(words[0], words[1:], uid)
        return f"{status}\n{errors}\1\n{output}".encode("utf-8", "surrogateescape")

    async def _dispatch(self, name: str, words: Sequence[str], uid: int) -> Answer:
        match name:
            case "systemctl":
                return await self._systemctl.answer(words, uid)
            case "ip":
                return self._ip(words, uid)
            case "virsh":
                return self._virsh(words)
            case "dpkg-query":
                return self._dpkg_query(words)
            case "rpm":
                return self._rpm(words)
            case "reboot" | "shutdown":
                if uid != 0:
                    return 1, "", "Must be root.\n"
                self._host.reboot_soon()
                return 0, "", ""
        return 127, "", f"{name}: not simulated\n"

    # --- ip ---

    def _ip(self, words: Sequence[str], uid: int) -> Answer:
        bare = [word for word in words if not word.startswith("-")]
        if bare and bare[0] in ("addr", "address", "a"):
            return 0, "".join(_address(netdev) for netdev in self._host.sysfs.netdevs.values()), ""
        if not bare or not "link".startswith(bare[0]):
            return 1, "", "Object is not simulated.\n"
        names = [word for word in bare[1:] if word not in ("show", "list", "set", "dev", "up", "down")]
        netdevs = self._host.sysfs.netdevs
        missing = [name for name in names[:1] if name not in netdevs or not netdevs[name].visible]
        if missing:
            return 1, "", f'Device "{missing[0]}" does not exist.\n'
        if "set" in bare:
            if uid != 0:
                return 2, "", "RTNETLINK answers: Operation not permitted\n"
            if "up" in bare or "down" in bare:
                netdevs[names[0]].up = "up" in bare
            return 0, "", ""
        one_line = any(word.startswith("-") and "o" in word for word in words)
        chosen = [netdevs[name] for name in names[:1]] or [netdev for netdev in netdevs.values() if netdev.visible]
        return 0, "".join(_link(netdev, "\\" if one_line else "\n") for netdev in chosen), ""

    # --- guests and packages ---

    def _virsh(self, words: Sequence[str]) -> Answer:
        domains = sorted(path.stem for path in self._host.disk("/run/libvirt/qemu").glob("*.xml"))
        match [word for word in words if not word.startswith("-")]:
            case ["list", *_] if "--name" in words:
                return 0, "".join(f"{name}\n" for name in domains) + "\n", ""
            case ["list", *_]:
                rows = "".join(f" {index:<4} {name:<10} running\n" for index, name in enumerate(domains, 1))
                return 0, f" Id   Name       State\n----------------------------\n{rows}\n", ""
            case ["dumpxml", name] if name in domains:
                text = self._host.disk(f"/run/libvirt/qemu/{name}.xml").read_text()
                start = text.index("<domain ")
                return 0, text[start : text.index("</domain>") + len("</domain>")] + "\n\n", ""
            case ["dumpxml", name]:
                return 1, "", f"error: failed to get domain '{name}'\n"
        return 1, "", f"error: unknown command: '{' '.join(words)}'\n"

    def _packages(self, names: Sequence[str]) -> tuple[list[str], list[str]]:
        suffixes = {service.removesuffix(".service") for service in poses.packaged_services(self._host.spec)}
        prefix = "openstack-" if self._host.spec.family == "rhel" else ""
        installed = {"python3-nova", f"{prefix}nova-common", *suffixes} if suffixes else set()
        return [name for name in names if name in installed], [name for name in names if name not in installed]

    def _dpkg_query(self, words: Sequence[str]) -> Answer:
        names, layout = [], "${Package}\t${Version}\n"
        pending = list(words)
        while pending:
            word = pending.pop(0)
            if word in ("-f", "--showformat"):
                layout = pending.pop(0)
            elif word.startswith(("-f=", "--showformat=", "-f")):
                layout = word.partition("=")[2] or word[2:]
            elif not word.startswith("-"):
                names.append(word)
        found, missing = self._packages(names)
        version = f"2:{poses.nova_version(self._host.spec)}-0+deb12u1"
        layout = layout.replace("\\n", "\n").replace("\\t", "\t").replace("${Version}", version)
        layout = layout.replace("${Status}", "install ok installed").replace("${db:Status-Status}", "installed")
        out = "".join(layout.replace("${Package}", name).replace("${binary:Package}", name) for name in found)
        return int(bool(missing)), out, "".join(f"dpkg-query: no packages found matching {name}\n" for name in missing)

    def _rpm(self, words: Sequence[str]) -> Answer:
        names, layout = [], "%{NAME}-%{VERSION}-%{RELEASE}.%{ARCH}\n"
        pending = list(words)
        while pending:
            word = pending.pop(0)
            if word in ("--qf", "--queryformat"):
                layout = pending.pop(0)
            elif word.startswith(("--qf=", "--queryformat=")):
                layout = word.partition("=")[2]
            elif not word.startswith("-"):
                names.append(word)
        found, missing = self._packages(names)
        values = {"VERSION": poses.nova_version(self._host.spec), "RELEASE": "1.el9", "ARCH": "noarch", "EPOCH": "1"}
        layout = layout.replace("\\n", "\n").replace("\\t", "\t")
        for key, value in values.items():
            layout = layout.replace(f"%{{{key}}}", value)
        out = "".join(layout.replace("%{NAME}", name) for name in found)
        return len(missing), out + "".join(f"package {name} is not installed\n" for name in missing), ""


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
