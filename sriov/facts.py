"""What the probe saw: the sections of its output, as values.

The probe (`templates/probe.sh.j2`) prints sections that begin with `@<nonce> <name> [<argument>]`; the nonce
is new for each execution, so that no file on the host can pose as a section. Content is bytes: files are
taken as they are. Nothing here decides anything.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from sriov.errors import HostError

FILE_LIMIT = 8 << 20  # bytes of one file; RDO's nova.conf, all comments, has some 400 KB
ABSENT = "-"  # in place of a checksum: no such file
_PCI_ADDRESS = re.compile(r"[0-9a-f]{4,8}:[0-9a-f]{2}:[0-9a-f]{2}\.[0-7]")
_PROC = "/proc/self/comm"  # stands first among the files: its times are those of the moment
_MENU = re.compile(rb"^[ \t]*(?:menuentry|submenu|linux|set default|[}]|if|fi|else|blscfg).*\n?", re.MULTILINE)
_ESCAPES = re.compile(r"\x1b\[[0-9;?]*[ -/]*[@-~]|\x1b[@-_]|[\x00-\x08\x0b-\x1f\x7f-\x9f]")


def printable(text: str) -> str:
    """A host's words without terminal escapes and control characters."""
    return _ESCAPES.sub("", text)


def sections(output: bytes, nonce: str) -> Iterator[tuple[str, str, bytes]]:
    """(name, argument, content) of each section, in order; what stands before the first one is left out."""
    mark = f"\n@{nonce} ".encode()
    for part in (b"\n" + output).split(mark)[1:]:
        head, _, content = part.partition(b"\n")
        name, _, argument = head.decode(errors="replace").partition(" ")
        yield name, printable(argument), content


def checksum(content: bytes | None) -> str:
    """SHA-256 in hex, or `-` for a file that is not there."""
    return ABSENT if content is None else hashlib.sha256(content).hexdigest()


class _TornError(Exception):
    """A file changed between its measure and its reading."""


class VirtualFunction(NamedTuple):
    """A VF as seen. `holder` says in words who uses it; empty: nobody, or it was not asked."""

    index: int  # type: ignore[assignment] # hides the method of tuples
    pci_address: str
    driver: str = ""
    holder: str = ""


class Port(NamedTuple):
    """A PCI network port as seen. `total_vfs` is None without SR-IOV. `hung_writer` is the pid of a write to
    `sriov_numvfs` that the kernel has not answered yet, 0 if there is none."""

    interface: str
    pci_address: str
    driver: str = ""
    mac: str = ""
    vendor: str = ""
    device: str = ""
    vf_device: str = ""
    total_vfs: int | None = None
    offset: int = 0
    stride: int = 0
    is_up: bool = False
    is_virtual_function: bool = False
    has_iommu_group: bool = False
    iommu_type: str = ""
    hung_writer: int = 0
    vfs: tuple[VirtualFunction, ...] = ()

    @property
    def num_vfs(self) -> int:
        return len(self.vfs)

    def vf_address(self, index: int) -> str:
        """PCI address of VF `index`, also before it exists: routing id + offset + index * stride
        (PCI Express SR-IOV 1.1, 2.1.2; drivers/pci/iov.c `pci_iov_virtfn_bus`)."""
        for vf in self.vfs:
            if vf.index == index:
                return vf.pci_address
        domain, bus, slot, function = re.split(r"[:.]", self.pci_address)
        routing = (int(bus, 16) << 8 | int(slot, 16) << 3 | int(function)) + self.offset + index * self.stride
        return f"{domain}:{routing >> 8:02x}:{routing >> 3 & 31:02x}.{routing & 7}"


class Unit(NamedTuple):
    """A systemd unit. `started_at` in seconds since boot; None if it does not run."""

    name: str
    is_loaded: bool
    active_state: str
    file_state: str = ""
    needs_reload: bool = False
    started_at: float | None = None

    @property
    def is_active(self) -> bool:
        return self.active_state == "active"


class Replaced(NamedTuple):
    """A file that a run replaced, and the number under which it kept the old one. `-`: there was or is none."""

    number: str
    before: str
    after: str
    path: str


class Facts(NamedTuple):
    """One look at a host. `files` are taken whole, by path; `changed` says when, in seconds since boot.
    `lock` says who is changing this host just now, and since when; empty: nobody."""

    boot_id: str
    uptime: float
    cmdline: str
    cpu_vendor: str = ""
    acpi_tables: frozenset[str] = frozenset()
    has_iommu_groups: bool = False
    nova_versions: tuple[str, ...] = ()
    instances: tuple[str, ...] = ()
    lock: str = ""
    tools: frozenset[str] = frozenset()
    missing_tools: tuple[str, ...] = ()
    ports: tuple[Port, ...] = ()
    files: Mapping[str, bytes] = {}
    unreadable: tuple[str, ...] = ()
    changed: Mapping[str, float] = {}
    units: tuple[Unit, ...] = ()
    other_setters: tuple[str, ...] = ()
    run_id: str = ""
    replaced: tuple[Replaced, ...] = ()

    def port(self, *, interface: str = "", pci: str = "", mac: str = "") -> Port | None:
        for port in self.ports:
            if (
                (interface and port.interface == interface)
                or (pci and port.pci_address == pci)
                or (mac and port.mac == mac)
            ):
                return port
        return None

    def unit(self, name: str) -> Unit | None:
        return next((unit for unit in self.units if unit.name == name and unit.is_loaded), None)

    def text(self, path: str) -> str:
        return self.files.get(path, b"").decode(errors="replace")


def parse(output: bytes, nonce: str, host: str) -> Facts:
    """Facts from a probe's output; HostError if it did not run to its end or makes no sense."""
    found = list(sections(output, nonce))
    if not any(name == "end" for name, _, _ in found):
        before = printable(output.split(f"\n@{nonce} ".encode())[0].decode(errors="replace")).strip()
        raise HostError(
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
            host, "a file changed while it was read", hint="something else is at work there; run again"
        ) from None
    except (KeyError, ValueError, IndexError) as error:
        raise HostError(
            host,
            f"the probe's answer makes no sense ({type(error).__name__})",
            hint="does something on the host change what a shell prints?",
        ) from error


def _facts(found: list[tuple[str, str, bytes]]) -> Facts:
    lines = _pairs(_content(found, "host"))
    one = {key: values[0] for key, values in lines.items()}
    unreadable = tuple(argument for name, argument, _ in found if name == "unreadable")
    return Facts(
        boot_id=printable(one["boot_id"]),
        uptime=float(one["uptime"]),
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
        has_iommu_groups="iommu" in lines,
        nova_versions=tuple(sorted({printable(v) for v in lines.get("nova", ())})),
        instances=tuple(printable(name) for name in lines.get("instance", ())),
        lock=printable(lines.get("lock", [""])[0]),
        tools=frozenset(lines.get("tool", ())),
        missing_tools=tuple(printable(name) for name in lines.get("missing", ())),
        ports=tuple(_port(argument, content) for name, argument, content in found if name == "port"),
        files={path: content for path, content in _files(found) if path not in unreadable},
        unreadable=unreadable,
        changed=_changed(found),
        units=tuple(_units(printable(_content(found, "units")))),
        other_setters=tuple(printable(_content(found, "setters")).split("\n"))
        if _content(found, "setters").strip()
        else (),
        run_id=next((argument for name, argument, _ in found if name == "run"), ""),
        replaced=tuple(_replaced(printable(_content(found, "run")))),
    )


def _replaced(text: str) -> Iterator[Replaced]:
    """`0 - 9f86d0… /etc/default/grub.d/zz-sriov.cfg`, a line a file."""
    for line in text.split("\n"):
        words = line.split(" ", 3)
        if len(words) == 4:
            yield Replaced(*words)


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
        is_up=bool(int(one["flags"] or "0", 16) & 1),
        is_virtual_function="is_vf" in one,
        has_iommu_group="group" in one,
        iommu_type=one["group_type"],
        hung_writer=int(one.get("hung", 0)),
        vfs=tuple(sorted((_vf(line, holders) for line in lines.get("vf", ())), key=lambda vf: vf.index)),
    )


def _vf(line: str, holders: Mapping[str, str]) -> VirtualFunction:
    index, address, driver = printable(line).split(" ", 2)
    if not _PCI_ADDRESS.fullmatch(address):
        raise ValueError(address)
    return VirtualFunction(int(index), address, driver, printable(holders.get(index, "")))


def _table(found: list[tuple[str, str, bytes]]) -> Iterator[tuple[str, int, float, float]]:
    """`1239 1763865000.2500000000 1763865000.2500000000 /etc/nova/nova.conf`: path, bytes, and in seconds since 1970
    the last change of the content and of the inode."""
    for line in printable(_content(found, "files")).split("\n"):
        if line:
            size, modified, inode, path = line.split(" ", 3)
            yield path, int(size), float(modified), float(inode)


def _files(found: list[tuple[str, str, bytes]]) -> Iterator[tuple[str, bytes]]:
    """Each file whole; of a boot menu, which is long, the lines that matter."""
    one_by_one = [(path, content) for name, path, content in found if name == "file"]
    content = next((content for name, _, content in found if name == "content"), b"")
    yield from ((path, _menu(path, text)) for path, text in one_by_one or _parted(found, content))


def _parted(found: list[tuple[str, str, bytes]], content: bytes) -> Iterator[tuple[str, bytes]]:
    at = 0
    for path, size, _, _ in _table(found):
        if path != _PROC:
            yield path, content[at : at + min(size, FILE_LIMIT)]
            at += min(size, FILE_LIMIT)
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
    now = next((modified for path, _, modified, _ in times if path == _PROC), 0.0)
    uptime = next((float(argument) for name, argument, _ in found if name == "files"), 0.0)
    return {
        path: (modified if modified <= now else inode) - now + uptime
        for path, _, modified, inode in times
        if path != _PROC
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
        )
