"""What programs read: the document of every task, of hosts in each state, and of each kind of error."""

from __future__ import annotations

from pathlib import Path

from cloud_stand_in import StandIn

from sriov.simulation import Fleet, HostSpec, Nic

from .book import Book
from .desk import ARGUMENTS, BY_ADDRESS, ETH0, ETH1, Desk, side_by_side

HOSTS = (
    HostSpec("openstack1", roles=("openstack",)),
    HostSpec("compute1", cmdline=ARGUMENTS),
    HostSpec("red1", family="rhel", release=18, cmdline=ARGUMENTS),
    HostSpec("both", roles=("compute", "openstack"), release=34, cmdline=ARGUMENTS),
    HostSpec("bare"),
    HostSpec("held", cmdline=ARGUMENTS, nics=(Nic(numvfs=4, up=True),)),
)
CLOUD = {"openstack1": [], "compute1": [ETH0, ETH1], "red1": BY_ADDRESS, "both": [ETH0]}
NETWORK = "create_sriov_network:vn1,physnet1,100,10.1.0.0/24"
PORT = "create_sriov_port:vn1,port1"


def tell(fleet: Fleet, home: Path, book: Book) -> None:
    side_by_side(fleet, home, book, _cloud, _trouble)


def _cloud(desk: Desk, book: Book) -> None:
    """From hosts without VFs to a cloud as wanted, and one host back."""
    desk.write(CLOUD)
    for name, call in (
        ("plan", "plan"),
        ("setup_openstack_node", "setup_openstack_node:{openstack1}"),
        ("add_vrouter_node", "add_vrouter_node:{both}"),
        ("setup_all-first", "setup_all"),
        ("setup_all-second", "setup_all"),
        ("verify", "verify"),
        ("status", "status"),
        ("discover", "discover:{compute1},{red1}"),
        ("capacity", "capacity"),
        ("explain-found", "explain:physnet1,2"),
        ("explain-no_valid_host", "explain:physnet2,9"),
        ("explain-unknown_network", "explain:physnet9"),
        ("rollback", "rollback:{red1}"),
        ("rollback-again", "rollback:{red1}"),
        ("rollback-refused", "rollback:{compute1}"),
    ):
        book.put(f"{name}.json", desk.document(call))


def _trouble(desk: Desk, book: Book) -> None:
    """A VF that a guest holds, a port that cannot have so many, a reboot, and all that is refused."""
    desk.write({"bare": [ETH0]})
    book.put("kernel/plan.json", desk.document("plan"))
    book.put("kernel/setup_all.json", desk.document("setup_all"))
    desk.fleet["held"].hold_vf("eth0", 1)
    desk.write({"held": [{**ETH0, "VF": 2}]})
    book.put("setup_all-held.json", desk.document("setup_all"))
    desk.write({"held": [{**ETH0, "VF": 8}], "bare": [{**ETH0, "VF": 5}]})
    book.put("setup_all-impossible.json", desk.document("setup_all"))
    _errors(desk, book)


def _errors(desk: Desk, book: Book) -> None:
    bad = desk.fleet["held"]
    both = {"bare": [ETH0], "held": [{**ETH0, "VF": 4}]}
    desk.write(both)
    book.put("error-no_host.json", desk.document("add_vrouter_node"))
    book.put("error-unknown_option.json", desk.document("plan", "--jobs", "none"))
    book.put("error-host_not_in_testbed.json", desk.document("plan:root@10.9.9.9"))
    desk.write({"bare": [ETH0]}, bare="stranger")
    book.put("error-refused.json", desk.document("verify"))
    desk.write(both)
    desk.bed.write_text(desk.bed.read_text().replace(bad.address, "127.77.9.9"))
    book.put("error-unreachable.json", desk.document("verify"))
    desk.write(both)
    bad.change_host_key()
    book.put("error-host_key.json", desk.document("verify"))
    desk.bed.write_text(desk.bed.read_text().replace("'VF': 7", "'VFs': 'seven'"))
    book.put("error-testbed.json", desk.document("plan"))
    desk.bed.unlink()
    book.put("error-no_testbed.json", desk.document("plan"))


def tell_cloud(fleet: Fleet, home: Path, cloud: StandIn, book: Book) -> None:
    """Tasks of the cloud; `smoke` and the launch of a VM are proven on real services only."""
    desk = Desk(fleet, home)
    desk.write({"compute1": [ETH0, ETH1]})
    for name, call in (
        ("create_sriov_network-first", NETWORK),
        ("create_sriov_network-second", NETWORK),
        ("create_sriov_network-other", NETWORK.replace("100", "200")),
        ("create_sriov_port-first", PORT),
        ("create_sriov_port-second", PORT),
        ("show_sriov_port", "show_sriov_port:port1"),
        ("capacity", "capacity"),
        ("explain", "explain:physnet1"),
    ):
        said = desk.document(call, **cloud.environment())
        book.put(f"{name}.json", said.replace(cloud.url, "http://CLOUD"))
    book.put("no_credentials.json", desk.document(NETWORK))
