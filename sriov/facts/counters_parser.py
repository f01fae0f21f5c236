"""The output of `templates/vf-counters.sh`, as counters of VFs. Sections, of each port once for each reading:

    kernel 6.1.0-28-amd64          the release of the kernel
    counted 512.25 eth0            seconds since boot, interface; then lines:
        pci=0000:01:00.0
        sysfs=0 rx_bytes 12 …      or sysfs=0 rx_bytes : 12, one line for each counter
        netdev=0 eth0v0 rx_bytes 12 …
        away=1
    link 512.31 eth0               what `ip -s -j link show dev eth0` printed
    silent 255                     `ip` failed so; then what it said about that

A host is not trusted: a number, a VF or an answer that makes no sense is left out, with a note.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from itertools import pairwise

from sriov.errors import printable
from sriov.facts.counter_sources import PortReading, choose
from sriov.facts.counters import PortCounters, Reading, Traffic

Section = tuple[str, str, bytes]
_SECONDS = re.compile(r"([0-9]{1,12}(?:\.[0-9]{1,9})?) (.+)")
_INDEX = re.compile(r"[0-9]{1,5}")
_NUMBER = re.compile(r"[0-9]{1,20}")
_MOST = 1 << 64  # the kernel's counters have 64 bits
_VFS = 1 << 16  # NumVFs of the SR-IOV capability has 16
_KINDS = ("bytes", "packets", "dropped", "errors", "broadcast", "multicast")
_NAMES = frozenset(f"{way}_{kind}" for way in ("rx", "tx") for kind in _KINDS)
_SAID = 200  # characters of a host's own words in a note


def parse(found: Iterable[Section], drivers: Mapping[str, str]) -> tuple[PortCounters, ...]:
    """Counters by port, sorted by its PCI address. `drivers`: PCI address of a port -> its driver.

    ValueError if the head of a section makes no sense.
    """
    kernel, readings = "", list[PortReading]()
    for (name, argument, content), (after, status, said) in pairwise((*found, ("", "", b""))):
        if name == "kernel":
            kernel = argument[:_SAID]
        elif name == "counted":
            readings.append(_counted(argument, content))
        elif name == "link" and readings:
            trouble = _failure(status, said) if after == "silent" else ""
            readings[-1] = _linked(readings[-1], argument, content, trouble)
    ports: dict[str, dict[str, list[PortReading]]] = {}
    for reading in readings:
        ports.setdefault(reading.pci_address, {}).setdefault(reading.interface, []).append(reading)
    return tuple(
        choose(drivers.get(pci, ""), kernel, [*(mine := _of_the_port(ports[pci]))[:1], *mine[1:][-1:]])
        for pci in sorted(ports)
    )


def _of_the_port(by_interface: Mapping[str, list[PortReading]]) -> list[PortReading]:
    """The readings of the PF itself: interfaces that represent VFs in switchdev mode name the same device, no VFs."""
    return max(by_interface.values(), key=lambda readings: len(readings[-1].link))


def _head(argument: str) -> tuple[float, str]:
    """(seconds since boot, interface) of `512.25 eth0`."""
    head = _SECONDS.fullmatch(argument)
    if head is None:
        raise ValueError("a reading of counters without its time")
    return float(head[1]), head[2]


def _counted(argument: str, content: bytes) -> PortReading:
    uptime, interface = _head(argument)
    sysfs, netdevs, names, away, pci = _Numbers(), _Numbers(), dict[int, str](), set[int](), ""
    for line in printable(content.decode(errors="replace")).split("\n"):
        key, _, words = line.partition("=")
        index, *rest = words.replace(":", " ").split() or [""]
        if key == "pci":
            pci = words
        elif not _INDEX.fullmatch(index) or int(index) >= _VFS:
            continue
        elif key == "away":
            away.add(int(index))
        elif key == "sysfs":
            sysfs.add(int(index), _pairs(rest))
        elif key == "netdev" and rest and int(index) not in names:
            names[int(index)] = rest[0]
            netdevs.add(int(index), _pairs(rest[1:]))
    notes = tuple(filter(None, (sysfs.note, netdevs.note)))
    return PortReading(
        pci, interface, sysfs.readings(uptime), netdevs.readings(uptime), names, frozenset(away), notes=notes
    )


def _pairs(words: list[str]) -> Iterator[tuple[str, object]]:
    """`rx_bytes 12 multicast 3`; a number that is none is None."""
    for name, text in zip(words[::2], words[1::2], strict=False):
        yield name, int(text) if _NUMBER.fullmatch(text) else None


def _linked(reading: PortReading, argument: str, content: bytes, trouble: str) -> PortReading:
    """The same with what `ip` answered."""
    uptime, interface = _head(argument)
    if interface != reading.interface:
        raise ValueError("an answer about another port")
    numbers = _Numbers()
    trouble = trouble or _read_link(content, numbers)
    notes = (*reading.notes, numbers.note) if numbers.note and not trouble else reading.notes
    link = {} if trouble else numbers.readings(uptime)
    return reading._replace(link=link, trouble=trouble, notes=notes)


def _read_link(content: bytes, numbers: _Numbers) -> str:
    """Takes the counters of each VF; says what is wrong where there are none. As `ip` prints them (iproute2 6.1,
    ip/ipaddress.c, print_vf_stats64), where `tx` has `tx_bytes` and `tx_packets`, and only newer ones `dropped`:

    [{"ifname":"eth0","vfinfo_list":[{"vf":0,"stats":{
        "rx":{"bytes":12,"packets":1,"multicast":0,"broadcast":0,"dropped":0},
        "tx":{"tx_bytes":34,"tx_packets":2,"dropped":0}}}]}]
    """
    try:
        answer = json.loads(content)
    except (ValueError, RecursionError):
        return "`ip` answered no JSON: its iproute2 is too old, or it is another program"
    links = [link for link in answer if isinstance(link, dict)] if isinstance(answer, list) else []
    entries = [link.get("vfinfo_list") for link in links]
    vfs = [vf for listed in entries if isinstance(listed, list) for vf in listed if isinstance(vf, dict)]
    if not vfs:
        return "`ip` names no VFs"
    for vf in vfs:
        index, stats = vf.get("vf"), vf.get("stats")
        if type(index) is not int or not 0 <= index < _VFS or not isinstance(stats, dict):
            continue
        if index in numbers.by_vf:
            numbers.repeated += 1
        else:
            numbers.add(index, _stats(stats))
    return "" if any(numbers.by_vf.values()) else "`ip` gives no counters of VFs: its iproute2 or the kernel is too old"


def _stats(stats: Mapping[str, object]) -> Iterator[tuple[str, object]]:
    for way in ("rx", "tx"):
        side = stats.get(way)
        for name, value in side.items() if isinstance(side, dict) else ():
            yield f"{way}_{name.removeprefix(f'{way}_')}", value


def _failure(status: str, said: bytes) -> str:
    """What `ip` came to: its exit status, and its words."""
    words = " ".join(printable(said.decode(errors="replace")).split())[:_SAID]
    if status == "127":
        return "the host has no `ip`"
    if '"-j"' in words or "BusyBox" in words:
        return f"its `ip` does not know -j: it is BusyBox's, or of an iproute2 that is too old ({words})"
    return f"`ip` failed with status {status}: {words or 'it said nothing'}"


class _Numbers:
    """Counters by VF and name. `dropped` counts numbers that make no sense, `repeated` VFs that came once more."""

    def __init__(self) -> None:
        self.by_vf: dict[int, dict[str, int]] = {}
        self.dropped = 0
        self.repeated = 0

    def add(self, index: int, found: Iterable[tuple[str, object]]) -> None:
        mine = self.by_vf.setdefault(index, {})
        for name, value in found:
            name = "rx_multicast" if name == "multicast" else name  # of a network device: frames that it received
            if name not in _NAMES:
                continue
            if type(value) is int and 0 <= value < _MOST:
                mine[name] = value
            else:
                self.dropped += 1

    def readings(self, uptime: float) -> dict[int, Reading]:
        return {
            index: Reading(uptime, *(Traffic(*(mine.get(f"{way}_{kind}") for kind in _KINDS)) for way in ("rx", "tx")))
            for index, mine in self.by_vf.items()
            if mine
        }

    @property
    def note(self) -> str:
        words = []
        if self.dropped:
            words.append(f"{self.dropped} {'counter' if self.dropped == 1 else 'counters'} made no sense")
        if self.repeated:
            words.append(f"{self.repeated} {'VF was' if self.repeated == 1 else 'VFs were'} named twice")
        return " and ".join(words) + ": left out" if words else ""
