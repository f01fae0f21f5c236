"""What people read where no terminal is: standard output and standard error of each task, also in trouble."""

from __future__ import annotations

from pathlib import Path

from sriov.simulation import Fleet, HostSpec, Nic

from .book import Book
from .desk import ARGUMENTS, BY_ADDRESS, ETH0, ETH1, Desk, side_by_side

HELD = (Nic(numvfs=4, up=True), Nic("eth1", "0000:02:00.0", mac="52:54:00:12:34:99", up=True))
HOSTS = (
    HostSpec("openstack1", roles=("openstack",)),
    HostSpec("compute1", cmdline=ARGUMENTS),
    HostSpec("red1", family="rhel", release=18, cmdline=ARGUMENTS),
    HostSpec("held", cmdline=ARGUMENTS, nics=HELD),
    HostSpec("bare"),
    HostSpec("busy", nics=(Nic(numvfs=7, up=True),)),
)
CLOUD = {"openstack1": [], "compute1": [ETH0, ETH1], "red1": BY_ADDRESS}


def tell(fleet: Fleet, home: Path, book: Book) -> None:
    side_by_side(fleet, home, book, _cloud, _trouble)


def _cloud(desk: Desk, book: Book) -> None:
    desk.write(CLOUD)
    for name, call in (
        ("plan", "plan"),
        ("setup_all-first", "setup_all"),
        ("verify", "verify"),
        ("status", "status"),
        ("discover", "discover:{compute1}"),
        ("capacity", "capacity"),
        ("explain", "explain:physnet1,2"),
        ("rollback", "rollback:{red1}"),
    ):
        book.put(f"{name}.txt", desk.words(call))


def _trouble(desk: Desk, book: Book) -> None:
    """A VF that a guest holds, a warning, a port that cannot have so many VFs, faults of a testbed, a wrong call."""
    _kernel(desk, book)
    desk.fleet["held"].hold_vf("eth0", 1)
    eth1 = {"interface": "eth1", "VF": 7, "physnets": ["physnet2"]}
    desk.write({"held": [{**ETH0, "VF": 2}, eth1]})
    for task in ("plan", "setup_all", "capacity", "explain:physnet1,4", "status"):
        book.put(f"held-{task.partition(':')[0]}.txt", desk.words(task))
    book.put("held-forced.txt", desk.words("plan", "--force-vf-reset"))
    desk.write({"held": [{**ETH0, "VF": 8}], "bare": [{**ETH0, "VF": 5}]})
    book.put("impossible.txt", desk.words("setup_all"))
    desk.bed.write_text(desk.bed.read_text().replace("'VF'", "'VFs'"))
    book.put("testbed.txt", desk.words("plan"))
    book.put("call.txt", desk.words("plna"))


def _kernel(desk: Desk, book: Book) -> None:
    """A reboot that is made, left out by the call, left out for the sake of instances."""
    desk.fleet["busy"].hold_vf("eth0", 1)
    desk.write({"bare": [ETH0], "busy": [ETH0]})
    book.put("kernel/plan.txt", desk.words("plan"))
    book.put("kernel/never.txt", desk.words("setup_all", "--reboot", "never"))
    book.put("kernel/setup_all.txt", desk.words("setup_all"))
