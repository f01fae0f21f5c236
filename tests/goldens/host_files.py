"""What a set-up leaves on the disk of a host: the files that it made or changed, with their modes.

`/run` and `/tmp` are left out: they do not outlive a boot. So are owners: only root can give files away.
"""

from __future__ import annotations

import shutil
import stat
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from sriov.simulation import Fleet, HostSpec, SimulatedHost

from .book import GOLDEN, IS_RECORDING, Book
from .desk import ARGUMENTS, BY_ADDRESS, ETH0, ETH1, ML2, Desk

_FOLDERS = ("boot", "etc", "home", "opt", "root", "var")
_OURS = "var/lib/sriov/"
KEPT = GOLDEN / "host-1.0.0"
LIST = "LIST.txt"
HOSTS = (
    HostSpec("bare"),
    HostSpec("bare-red", family="rhel", release=18),
    HostSpec("compute1", cmdline=ARGUMENTS),
    HostSpec("red1", family="rhel", release=18, cmdline=ARGUMENTS),
    HostSpec("openstack1", roles=("openstack",)),
    HostSpec("ml2-compute", cmdline=ARGUMENTS),
    HostSpec("ml2-openstack", roles=("openstack",)),
)
CONTRAIL = {"bare": [ETH0, ETH1], "bare-red": BY_ADDRESS, "compute1": [ETH0, ETH1], "red1": [ETH0], "openstack1": []}
NEUTRON = {"ml2-compute": [ETH0, ETH1], "ml2-openstack": []}
# what stands for the values of one run in the files of the host that 1.0.0 left
_VALUES = {"RUN": "20260101T000000Z-a1b2c3", "TIME": "2026-01-01T00:00:00Z", "PID": "4711",
           "BOOT": "7d3c6a52-1f0e-4b8a-9c64-2e5d8f9a0b1c"}  # fmt: skip


class OnDisk(NamedTuple):
    """`link`: where a symbolic link leads; `data` None: a folder, or a link."""

    mode: int
    link: str
    data: bytes | None


Disk = Mapping[str, OnDisk]


def disk(host: SimulatedHost) -> Disk:
    """Everything on it, by path."""
    top = host.path("/")
    found: dict[str, OnDisk] = {}
    for folder in _FOLDERS:
        for path in sorted((top / folder).rglob("*")):
            mode = path.lstat().st_mode
            link = str(path.readlink()) if stat.S_ISLNK(mode) else ""
            data = path.read_bytes() if stat.S_ISREG(mode) else None
            found[str(path.relative_to(top))] = OnDisk(0 if link else stat.S_IMODE(mode), link, data)
    return found


def tell(fleet: Fleet, home: Path, book: Book) -> None:
    desk = Desk(fleet, home)
    before = {host.name: disk(host) for host in fleet.hosts}
    for sriov, more in ((CONTRAIL, ""), (NEUTRON, ML2)):
        desk.write(sriov, more)
        ended = desk.fab("setup_all")
        assert ended.returncode == 0, ended.stdout + ended.stderr
    for host in fleet.hosts:
        folder = f"kernel/{host.name}" if host.name.startswith("bare") else host.name
        changed = dict(_changed(desk, host, before[host.name]))
        book.put(f"{folder}/{LIST}", _listing(changed))
        for path, item in changed.items():
            if item.data is not None:
                book.put(f"{folder}/{path}", desk.normal(item.data.decode("utf-8", "surrogateescape")))
        if IS_RECORDING and host.name.startswith("bare") and not (KEPT / host.spec.family).exists():
            _keep(KEPT / host.spec.family, changed)


def _changed(desk: Desk, host: SimulatedHost, before: Disk) -> Iterator[tuple[str, OnDisk]]:
    """What is new or different; names of runs and boots are replaced in paths and in our own files."""
    now = disk(host)
    assert before.keys() <= now.keys(), f"gone: {sorted(before.keys() - now.keys())}"
    for path, item in now.items():
        if item == before.get(path):
            continue
        if path.startswith(_OURS) and item.data is not None:
            text = desk.normal(item.data.decode("utf-8", "surrogateescape"))
            for boot in host.boots:
                text = text.replace(boot, "BOOT")
            item = item._replace(data=text.encode("utf-8", "surrogateescape"))
        yield desk.normal(path), item


def _listing(items: Disk) -> str:
    """A line for each: mode, kind, path, and where a link leads."""
    kinds = {path: "link" if item.link else "folder" if item.data is None else "file" for path, item in items.items()}
    return "".join(
        f"{item.mode:04o} {kinds[path]:6} {path}{f' -> {item.link}' if item.link else ''}\n"
        for path, item in items.items()
    )


# --- a host that was set up by 1.0.0 ---


def _keep(folder: Path, items: Disk) -> None:
    """Recorded once, and never again: no later version may change what 1.0.0 has left."""

    def valued(text: str) -> str:
        for word, value in _VALUES.items():
            text = text.replace(word, value)
        return text

    named = {valued(path) if path.startswith(_OURS) else path: item for path, item in items.items()}
    for path, item in named.items():
        if item.data is not None:
            place = folder / path
            place.parent.mkdir(parents=True, exist_ok=True)
            is_ours = path.startswith(_OURS)
            place.write_bytes(valued(item.data.decode()).encode() if is_ours else item.data)
    (folder / LIST).write_text(_listing(named))


def lay(host: SimulatedHost) -> None:
    """The files of a host that 1.0.0 has set up onto a bare one of its family; its next boot makes them true."""
    folder = KEPT / host.spec.family
    for line in (folder / LIST).read_text().splitlines():
        mode, kind, rest = line.split(maxsplit=2)
        path, _, link = rest.partition(" -> ")
        place = host.path(path)
        if kind == "link":
            place.symlink_to(link)
            continue
        if kind == "folder":
            place.mkdir(exist_ok=True)
        else:
            shutil.copyfile(folder / path, place)  # into the file, where there is one: its owner stays
        place.chmod(int(mode, 8))
