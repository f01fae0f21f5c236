"""The output of the probe, as facts.

The probe (`templates/probe.sh`) prints sections that begin with `@<nonce> <name> [<argument>]`; the nonce
is new for each execution, so that no file on the host can pose as a section. Content is bytes: files are
taken as they are. Nothing here decides anything.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

from sriov.errors import HostError, printable
from sriov.facts.counters import PortCounters
from sriov.facts.model import Facts, Holder, HolderKind, NetDevice, Port, Replaced, Unit, VirtualFunction

FILE_LIMIT = 8 << 20  # bytes of one file; RDO's nova.conf, all comments, has some 400 KB
_PCI_ADDRESS = re.compile(r"[0-9a-f]{4,8}:[0-9a-f]{2}:[0-9a-f]{2}\.[0-7]")
_TRAFFIC = "host traffic on "  # no user that keeps a VF, but one to tell of
_PROC = "/proc/self/comm"  # stands first among the files: its times are those of the moment
_MENU = re.compile(rb"^[ \t]*(?:menuentry|submenu|linux|set default|[}]|if|fi|else|blscfg).*\n?", re.MULTILINE)


def sections(output: bytes, nonce: str) -> Iterator[tuple[str, str, bytes]]:
    """(name, argument, content) of each section, in order; what stands before the first one is left out."""
    mark = f"\n@{nonce} ".encode()
    for part in (b"\n" + output).split(mark)[1:]:
        head, _, content = part.partition(b"\n")
        name, _, argument = head.decode(errors="replace").partition(" ")
        yield name, printable(argument), content


class _TornError(Exception):
    """A file changed between its measure and its reading."""


def parse(output: bytes, nonce: str, host: str) -> Facts:
    """Facts from a probe's output; HostError if it did not run to its end or makes no sense."""
    found = list(sections(output, nonce))
    if not any(name == "end" for name, _, _ in found):
        before = printable(output.split(f"\n@{nonce} ".encode())[0].decode(errors="replace")).strip()
        raise HostError(
            "probe-incomplete",
            host,
            "the probe did not run to its end" + (f": {before[-200:]}" if before and not found else ""),
            hint="is the host going down, or the network? Run again"
            if found
            else "is the login shell a shell, and does it print nothing of its own?",
        )
    try:
        return _facts(found)
    except _TornError:
        raise HostError(
            "file-changed-while-read",
            host,
            "a file changed while it was read",
            hint="another program is writing to it; run again",
        ) from None
    except (KeyError, ValueError, IndexError) as error:
        raise HostError(
            "unexpected-answer",
            host,
            f"the probe's answer makes no sense ({type(error).__name__})",
            hint="does something on the host change what a shell prints?",
        ) from error


def _facts(found: list[tuple[str, str, bytes]]) -> Facts:
    lines = _pairs(_content(found, "host"))
    one = {key: values[0] for key, values in lines.items()}
    unreadable = tuple(argument for name, argument, _ in found if name == "unreadable")
    ports = tuple(_port(argument, content) for name, argument, content in found if name == "port")
    return Facts(
        boot_id=printable(one["boot_id"]),
        cmdline=printable(one["cmdline"]),
        cpu_vendor=next(
            (
                value.split(":", 1)[1].strip()
                for key, values in lines.items()
                for value in values
                if key.startswith("vendor_id") and ":" in value
            ),
            "",
        ),
        acpi_tables=frozenset(lines.get("acpi", ())),
        nova_versions=tuple(sorted({printable(v) for v in lines.get("nova", ())})),
        instances=tuple(printable(name) for name in lines.get("instance", ())),
        lock=printable(lines.get("lock", [""])[0]),
        values=_values(lines.get("value", ())),
        tools=frozenset(lines.get("tool", ())),
        missing_tools=tuple(printable(name) for name in lines.get("missing", ())),
        ports=ports,
        netdevs=tuple(map(_netdev, lines.get("netdev", ()))),
        files={path: content for path, content in _files(found) if path not in unreadable},
        unreadable=unreadable,
        changed=_changed(found),
        hard_linked={one.path: one.names for one in _table(found) if one.names > 1 and one.path != _PROC},
        oversized=_oversized(found),
        units=tuple(_units(printable(_content(found, "units")))),
        other_setters=tuple(printable(_content(found, "setters")).split("\n"))
        if _content(found, "setters").strip()
        else (),
        run_id=next((argument for name, argument, _ in found if name == "run"), ""),
        replaced=tuple(_replaced(printable(_content(found, "run")), printable(_content(found, "kept")))),
        counters=_counters(found, ports),
    )


def _counters(found: list[tuple[str, str, bytes]], ports: tuple[Port, ...]) -> tuple[PortCounters, ...]:
    if not any(name == "kernel" for name, _, _ in found):
        return ()
    from sriov.facts import counters_parser  # late: few runs ask for counters

    return counters_parser.parse(found, {port.pci_address: port.driver for port in ports})


def _values(lines: Iterable[str]) -> dict[str, str]:
    """`/sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages 512`: path and the first line of the file."""
    return {path: value for path, _, value in (printable(line).partition(" ") for line in lines)}


def _replaced(text: str, kept: str) -> Iterator[Replaced]:
    """`0 - 9f86d0… /etc/default/grub.d/zz-sriov.cfg`, a line a file; of old ones, `RUN/3:Description=7 SR-IOV …`."""
    lines: dict[str, str] = {}
    for line in kept.split("\n"):
        copy, _, content = line.partition(":")
        name = copy.rpartition("/")[2]
        lines[name] = lines.get(name, "") + f"{content}\n"
    for line in text.split("\n"):
        words = line.split(" ", 3)
        if len(words) == 4:
            number, before, after, path = words
            yield Replaced(number, before, after, path, lines.get(number, ""))


def _netdev(line: str) -> NetDevice:
    """`eth0 0000:01:00.0 pf`; without the last word no physical function, without the last two a VF."""
    interface, device, kind = printable(line).split(" ")
    return NetDevice(interface, device, kind == "pf")


def _content(found: list[tuple[str, str, bytes]], wanted: str) -> str:
    return next((content.decode(errors="replace") for name, _, content in found if name == wanted), "")


def _pairs(text: str) -> dict[str, list[str]]:
    """`key=value` lines; a key may come more than once. A line without `=` is its own key (`vendor_id\t: X`)."""
    pairs: dict[str, list[str]] = {}
    for line in text.split("\n"):
        key, equals, value = line.partition("=")
        if line.startswith("vendor_id"):
            key, value = "vendor_id", line
        elif not equals:
            continue
        pairs.setdefault(key, []).append(value)
    return pairs


def _port(interface: str, content: bytes) -> Port:
    lines = _pairs(content.decode(errors="replace"))
    one = {key: printable(values[0]) for key, values in lines.items()}
    if not _PCI_ADDRESS.fullmatch(one["pci"]):
        # a virtio port hangs below virtioN, which is no PCI address; it has no VFs either
        one["sriov_totalvfs"] = ""
    holders = {
        words[0]: words[2] for words in (line.split(" ", 2) for line in lines.get("holder", ())) if len(words) > 2
    }
    return Port(
        interface=interface,
        pci_address=one["pci"],
        driver=one["driver"],
        mac=one["mac"].lower(),
        vendor=one["vendor"].removeprefix("0x"),
        device=one["device"].removeprefix("0x"),
        vf_device=one["sriov_vf_device"].removeprefix("0x"),
        total_vfs=int(one["sriov_totalvfs"]) if one["sriov_totalvfs"] else None,
        offset=int(one["sriov_offset"] or 0),
        stride=int(one["sriov_stride"] or 0),
        is_virtual_function="is_vf" in one,
        has_iommu_group="group" in one,
        iommu_type=one["group_type"],
        shared_group=one.get("group_shared", ""),
        hung_writer=int(one.get("hung", 0)),
        vfs=tuple(sorted((_vf(line, holders) for line in lines.get("vf", ())), key=lambda vf: vf.index)),
        beside=tuple(printable(name) for name in lines.get("beside", ())),
    )


def _vf(line: str, holders: Mapping[str, str]) -> VirtualFunction:
    """`0 0000:01:10.0 igbvf eth0v0`: index, address, driver, and its network interfaces."""
    index, address, driver, *interfaces = printable(line).split(" ")
    if not _PCI_ADDRESS.fullmatch(address):
        raise ValueError(address)
    words, names = printable(holders.get(index, "")), tuple(filter(None, interfaces))
    if words.startswith(_TRAFFIC):
        return VirtualFunction(int(index), address, driver, None, names, words.removeprefix(_TRAFFIC))
    return VirtualFunction(int(index), address, driver, _holder(words), names)


def _holder(words: str) -> Holder | None:
    """`libvirt domain instance-00000001`, as `vf_holder` in `templates/lib/holders.sh` says it."""
    for kind in HolderKind:
        if kind.value and (words == kind.value or words.startswith(f"{kind.value} ")):
            return Holder(kind, words.removeprefix(kind.value).lstrip(" "))
    return Holder(HolderKind.OTHER, words) if words else None


class _Measured(NamedTuple):
    """A file as `stat` tells it; times in seconds since 1970, of its content and of its inode."""

    path: str
    size: int
    modified: float
    inode: float
    names: int


def _table(found: list[tuple[str, str, bytes]]) -> Iterator[_Measured]:
    """`1239 1763865000.2500000000 1763865000.2500000000 1 /etc/nova/nova.conf`: the last number counts its names."""
    for line in printable(_content(found, "files")).split("\n"):
        if line:
            numbers, slash, path = line.partition(" /")
            size, modified, inode, *names = numbers.split(" ")
            yield _Measured(slash[1:] + path, int(size), float(modified), float(inode), int(names[0]) if names else 1)


def _oversized(found: list[tuple[str, str, bytes]]) -> dict[str, int]:
    """Files that were not read to their end, and their bytes; of one that was read by itself only so much is known."""
    measured = {one.path: one.size for one in _table(found) if one.size > FILE_LIMIT and one.path != _PROC}
    by_itself = {path: len(text) for name, path, text in found if name == "file" and len(text) >= FILE_LIMIT}
    return by_itself | measured


def _files(found: list[tuple[str, str, bytes]]) -> Iterator[tuple[str, bytes]]:
    """Each file whole; of a boot menu, which is long, the lines that matter."""
    one_by_one = [(path, content) for name, path, content in found if name == "file"]
    content = next((content for name, _, content in found if name == "content"), b"")
    yield from ((path, _menu(path, text)) for path, text in one_by_one or _parted(found, content))


def _parted(found: list[tuple[str, str, bytes]], content: bytes) -> Iterator[tuple[str, bytes]]:
    at = 0
    for one in _table(found):
        if one.path != _PROC:
            yield one.path, content[at : at + min(one.size, FILE_LIMIT)]
            at += min(one.size, FILE_LIMIT)
    if at != len(content):
        raise _TornError


def _menu(path: str, text: bytes) -> bytes:
    return b"".join(_MENU.findall(text)) if path.endswith("/grub.cfg") else text


def _changed(found: list[tuple[str, str, bytes]]) -> dict[str, float]:
    """Time of the last change of each file's content, in seconds since boot.

    A modification time in the future (a copied file, a clock that was set back) would ask for a restart
    for ever: there the inode's own time counts.
    """
    times = list(_table(found))
    now = next((one.modified for one in times if one.path == _PROC), 0.0)
    uptime = next((float(argument) for name, argument, _ in found if name == "files"), 0.0)
    return {
        one.path: (one.modified if one.modified <= now else one.inode) - now + uptime
        for one in times
        if one.path != _PROC
    }


def _units(text: str) -> Iterator[Unit]:
    for block in text.split("\n\n"):
        one = {key: values[0] for key, values in _pairs(block).items()}
        if "Id" not in one:
            continue
        started = int(one.get("ExecMainStartTimestampMonotonic") or 0) or int(
            one.get("ActiveEnterTimestampMonotonic") or 0
        )
        active = one.get("ActiveState", "")
        yield Unit(
            name=one["Id"].removesuffix(".service"),
            is_loaded=one.get("LoadState") in ("loaded", "masked"),
            active_state=active,
            file_state=one.get("UnitFileState", ""),
            needs_reload=one.get("NeedDaemonReload") == "yes",
            started_at=started / 1e6 if active in ("active", "activating", "reloading") and started else None,
            environment=tuple(dict.fromkeys(one.get("Environment", "").split())),
        )
