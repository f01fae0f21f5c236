"""nova.conf as operators, deployers and other programs leave it, at random from a seed: whitelist entries of every kind
under every name, and edits of a file that we have written."""

from __future__ import annotations

import functools
import json
import random
from collections.abc import Callable, Mapping
from typing import NamedTuple

from sriov.facts.model import Facts, Port, VirtualFunction
from sriov.formats.nova.devices import Device, Hardware, Kind
from sriov.formats.oslo.options import ConfigFile
from sriov.model import Host, PhysicalFunction, Role, Testbed
from sriov.resources.contract import Request

PATHS = ("/etc/nova/nova.conf", "/etc/nova/nova-compute.conf", "/etc/nova/nova.conf.d/90-site.conf")
NAMES = (("DEFAULT", "pci_passthrough_whitelist"), ("pci", "passthrough_whitelist"), ("pci", "device_spec"))
SECRETS = ("rabbit://nova:hunter2@mq", "mysql://nova:hunter2@db")
TAGS: tuple[tuple[str, tuple[object, ...]], ...] = (
    ("trusted", ("true", "false", "True")),
    ("resource_class", ("CUSTOM_NET",)),
    ("traits", ("CUSTOM_A,CUSTOM_B",)),
    ("managed", ("no", "yes")),
    ("live_migratable", ("yes",)),
    ("remote_managed", ("false", "False", "no")),
    ("parent_ifname", ("eth0",)),
    ("site_tag", ("a$$b", "x")),
)
VFS = 4
Content = tuple[str, ...]


class Site(NamedTuple):
    """A host, its files by `PATHS`, and what the testbed asks of it."""

    pfs: tuple[PhysicalFunction, ...]
    product: str  # of VFs, as far as the kernel tells
    vf_names: bool

    @property
    def ports(self) -> tuple[Port, ...]:
        return _ports(self)

    def _made_ports(self) -> tuple[Port, ...]:
        """eth0 and eth1, interleaved as those of an 82576, and ens9 on another bus, which no testbed names."""
        return tuple(
            Port(
                name,
                address,
                "igb",
                vendor="8086",
                device="10c9",
                vf_device=self.product,
                total_vfs=7,
                offset=128,
                stride=2,
                vfs=tuple(self._vf(name, address, index) for index in range(VFS)),
            )
            for name, address in (("eth0", "0000:01:00.0"), ("eth1", "0000:01:00.1"), ("ens9", "0000:81:00.0"))
        )

    def _vf(self, name: str, address: str, index: int) -> VirtualFunction:
        place = Port(name, address, offset=128, stride=2).vf_address(index)
        return VirtualFunction(index, place, "igbvf", None, (f"{name}v{index}",) if self.vf_names else ())

    @property
    def hardware(self) -> Hardware:
        return _hardware(self)

    def request(self, release: int) -> Request:
        host = Host(
            "root@a", "a", "root", roles=frozenset({Role.COMPUTE}), physical_functions=self.pfs, release=release
        )
        return Request(host, Testbed("testbed.py", (host,)), frozenset({Role.COMPUTE}))

    def facts(self, files: Content) -> Facts:
        named = {pf.interface for pf in self.pfs}
        found = {path: text.encode() for path, text in zip(PATHS, files, strict=True) if text}
        return Facts("b", "", ports=tuple(port for port in self.ports if port.interface in named), files=found)

    def wanted(self) -> Mapping[str, tuple[str | None, PhysicalFunction]]:
        """By address of a VF, the physical network that it is for, or None if the host keeps it; and its port."""
        return _wanted(self)


@functools.cache
def _ports(host: Site) -> tuple[Port, ...]:
    return host._made_ports()


@functools.cache
def _hardware(host: Site) -> Hardware:
    devices: list[Device] = []
    for port in host.ports:
        devices.append(Device(port.pci_address, "8086", "10c9", Kind.PHYSICAL))
        devices += [Device(vf.pci_address, "8086", "10ca", Kind.VIRTUAL, port.pci_address) for vf in port.vfs]
    return Hardware(tuple(devices), {name: address for port in host.ports for name, address in port.netdevs})


@functools.cache
def _wanted(host: Site) -> Mapping[str, tuple[str | None, PhysicalFunction]]:
    found: dict[str, tuple[str | None, PhysicalFunction]] = {}
    for pf in host.pfs:
        vfs = next(port for port in host.ports if port.interface == pf.interface).vfs
        found |= {vf.pci_address: (None, pf) for vf in vfs}
        found |= {vfs[index].pci_address: (physnet, pf) for physnet, indexes in pf.shares() for index in indexes}
    return found


def site(random_: random.Random) -> Site:
    pfs = []
    for name, physnet in (("eth0", "physnet1"), ("eth1", "physnet2")):
        if name == "eth0" or random_.random() < 0.4:
            both = random_.random() < 0.2
            kept = (random_.randrange(VFS),) if random_.random() < 0.15 else ()
            trusted = random_.choice((None, None, None, True, False))
            nets = (physnet, "physnet3") if both else (physnet,)
            pfs.append(PhysicalFunction(VFS, nets, interface=name, exclude_vfs=kept, trusted=trusted))
    return Site(tuple(pfs), random_.choice(("10ca", "10ca", "")), random_.random() < 0.5)


def _address(random_: random.Random, address: str) -> object:
    domain, bus, rest = address.split(":")
    slot, function = rest.split(".")
    return random_.choice(
        (
            address,
            address,
            f"{bus}:{slot}.{function}",
            f"*:{bus}:{slot}.{function}",
            f"{domain}:{bus}:{slot}.*",
            f"{domain}:{bus}:{slot}",
            f"{domain}:{bus}:*.*",
            {"domain": ".*", "bus": bus, "slot": slot, "function": random_.choice((".*", "[0246]", function))},
            {"domain": domain, "bus": bus, "slot": random_.choice((slot, "1[01]", ".*")), "function": function},
        )
    )


def entry(random_: random.Random, host: Site) -> dict[str, object]:
    made: dict[str, object] = {}
    hardware = host.hardware
    port = random_.choice(("eth0", "eth0", "eth0", "eth1", "ens9"))
    near = [
        one.address
        for one in hardware.devices
        if hardware.names[port] in (one.address, one.parent) and (one.parent or random_.random() < 0.4)
    ]
    kind = random_.choice(("devname", "devname", "vf name", "address", "address", "ids", "both"))
    if kind in ("devname", "both"):
        made["devname"] = random_.choice((port, port, port, "bond0"))
    elif kind == "vf name":
        made["devname"] = f"{port}v{random_.randrange(VFS)}"
    elif kind == "address":
        made["address"] = _address(random_, random_.choice(near))
    if kind in ("ids", "both"):
        made["vendor_id"] = random_.choice(("8086", "8086", "15b3"))
        made["product_id"] = random_.choice(("10ca", "10ca", "10CA", "10c9"))
    if random_.random() < 0.9:
        right = {"eth0": "physnet1", "eth1": "physnet2"}.get(port, "other")
        made["physical_network"] = random_.choice((right, right, right, right.upper(), "other"))
    for tag, values in TAGS:
        if random_.random() < 0.12:
            made[tag] = random_.choice(values)
    pairs = list(made.items())
    random_.shuffle(pairs)
    return dict(pairs)


def option(random_: random.Random, host: Site, key: str) -> str:
    entries = [entry(random_, host) for _ in range(random_.choice((1, 1, 1, 2, 3)))]
    value: object = entries[0] if len(entries) == 1 and random_.random() < 0.8 else entries
    text = json.dumps(value, separators=random_.choice(((", ", ": "), (",", ":"))))
    if random_.random() < 0.1:
        text = json.dumps(value, indent=4).replace("\n", "\n  ")
    return f"{key}{random_.choice((' = ', '=', ': '))}{text}\n"


def files(random_: random.Random, host: Site) -> Content:
    made = []
    for number in range(len(PATHS)):
        if number and random_.random() < 0.6:
            made.append("")
            continue
        sections = {"DEFAULT": [f"transport_url = {SECRETS[0]}\n"], "database": [f"connection = {SECRETS[1]}\n"]}
        sections["pci"] = ["# aliases\n", 'alias = {"name": "gpu"}\n'] if random_.random() < 0.5 else []
        for _ in range(random_.choice((0, 1, 1, 2)) if number == 0 else random_.choice((0, 1))):
            section, key = random_.choice(NAMES)
            lines = sections[section]
            lines.insert(random_.randrange(len(lines) + 1), option(random_, host, key))
        made.append("".join(f"[{name}]\n{''.join(lines)}\n" for name, lines in sections.items() if lines))
    return tuple(made)


def _inside(text: str, random_: random.Random, added: str) -> str:
    """As crudini does it: behind the last option of [pci], which may be ours."""
    lines = text.splitlines(keepends=True)
    section, last = "", None
    for number, line in enumerate(lines):
        if line.startswith("["):
            section = line.strip()
        if section == "[pci]" and line.strip() and not line.startswith("#"):
            last = number
    if last is None:
        return f"{text}\n[pci]\n{added}"
    if not lines[last].endswith("\n"):
        lines[last] += "\n"
    return "".join((*lines[: last + 1], added, *lines[last + 1 :]))


def _new_option(text: str, random_: random.Random, host: Site, release: int) -> str:
    added = random_.choice(("report_interval = 60\n", f"password = {SECRETS[0]}\n", 'alias = {"name": "qat"}\n'))
    return _inside(text, random_, added)


def _new_entry(text: str, random_: random.Random, host: Site, release: int) -> str:
    return _inside(text, random_, option(random_, host, random_.choice(NAMES[1:])[1]))


def _line_of_ours(text: str) -> list[int]:
    """Entries of ours; not what is left of an option that a block replaces."""
    found, inside = [], False
    for number, line in enumerate(text.splitlines()):
        if line.startswith("# BEGIN sriov-fab whitelist"):
            inside = True
        elif line.startswith("# END"):
            inside = False
        elif inside and line[0] != "#" and '= {"' in line and '"*:' not in line and '"physical_network": "phys' in line:
            found.append(number)
    return found


def _edited_line(text: str, random_: random.Random, host: Site, release: int) -> str:
    lines, ours = text.splitlines(keepends=True), _line_of_ours(text)
    if ours:
        place = random_.choice(ours)
        changed = random_.choice(
            (
                lines[place].replace('"physnet', '"wrongnet'),
                lines[place].replace('"}', '", "site_tag": "by hand"}'),
                lines[place].replace('"}', '", "trusted": "true"}'),
                "",
            )
        )
        lines[place] = changed
    return "".join(lines)


def _set_line(text: str, random_: random.Random, host: Site, release: int) -> str:
    """As crudini sets an option that is there: the value of one of our lines becomes another."""
    lines, ours = text.splitlines(keepends=True), _line_of_ours(text)
    if ours:
        place = random_.choice(ours)
        lines[place] = lines[place].partition("=")[0] + "= " + json.dumps(entry(random_, host)) + "\n"
    return "".join(lines)


def _without_comments(text: str, random_: random.Random, host: Site, release: int) -> str:
    return "".join(line for line in text.splitlines(keepends=True) if not line.startswith("#"))


def _crlf(text: str, random_: random.Random, host: Site, release: int) -> str:
    return text.replace("\n", "\r\n")


def _twice(text: str, random_: random.Random, host: Site, release: int) -> str:
    """Our block once more, at the end of its section."""
    start, end = text.find("# BEGIN sriov-fab whitelist"), text.find("# END sriov-fab whitelist")
    if start < 0 or "[pci]" in text[start:end]:
        return text
    stop = text.index("\n", end) + 1 if "\n" in text[end:] else len(text)
    return text[:stop].rstrip("\n") + "\n" + text[start:stop].rstrip("\n") + "\n" + text[stop:]


def _no_checksum(text: str, random_: random.Random, host: Site, release: int) -> str:
    lines = text.splitlines(keepends=True)
    return "".join(f"{line.rpartition(' ')[0]}\n" if line.startswith("# END sriov-fab") else line for line in lines)


def _reordered(text: str, random_: random.Random, host: Site, release: int) -> str:
    """Sections in the order of their names; what is between two headers stays together."""
    parts = ["[" + part for part in ("\n" + text).split("\n[")[1:]]
    if any(part.count("# BEGIN") != part.count("# END") for part in parts):
        return text
    return "".join(part if part.endswith("\n") else part + "\n" for part in sorted(parts))


Edit = Callable[[str, random.Random, Site, int], str]
EDITS: tuple[Edit, ...] = (
    _new_option,
    _new_entry,
    _new_entry,
    _edited_line,
    _set_line,
    _without_comments,
    _crlf,
    _twice,
    _no_checksum,
    _reordered,
)


def edited(random_: random.Random, host: Site, content: Content, release: int) -> tuple[Content, tuple[str, ...]]:
    """The files after one to three edits of the first, and the names of these."""
    text = content[0]
    done = []
    for _ in range(random_.choice((1, 1, 2, 3))):
        edit = random_.choice(EDITS)
        text = edit(text, random_, host, release)
        done.append(edit.__name__)
    return (text, *content[1:]), tuple(done)


def config_files(content: Content) -> tuple[ConfigFile, ...]:
    return tuple(
        ConfigFile(path, text.encode(), frozenset({"nova-compute"}))
        for path, text in zip(PATHS, content, strict=True)
        if text
    )
