"""Who uses a virtual function, by the functions that a host runs: each sign of a user, and each way to be blind."""

from __future__ import annotations

import os
import shlex
import shutil
from pathlib import Path

import pytest
from shells import SHELLS, fake, processes, run

# what a look does where no one asks for guests (templates/probe.sh)
HOST_USERS = """host_users() {
    for f in "$1"/virtfn*; do
        target "$f"
        vf=$there
        target "$vf/driver"
        host_user "$vf" "$v"
        [ -z "$holder" ] || printf 'holder=%s %s %s\\n' "${f##*/virtfn}" "${vf##*/}" "$holder"
    done
}
"""
each_shell = pytest.mark.parametrize("shell", SHELLS)
# busybox takes its own applet before a program of that name, whatever PATH says
no_applets = pytest.mark.parametrize("shell", [shell for shell in SHELLS if shell != "busybox"])
VF0, VF1 = "0000:01:10.0", "0000:01:10.2"


@pytest.fixture
def port(tmp_path: Path) -> Path:
    """eth0 with two VFs in IOMMU groups 10 and 11, each with a network device that is down."""
    device = tmp_path / "pci/0000:01:00.0"
    (device / "net/eth0").mkdir(parents=True)
    for index, address in enumerate((VF0, VF1)):
        vf = tmp_path / "pci" / address
        netdev = vf / f"net/eth0v{index}"
        (netdev / "statistics").mkdir(parents=True)
        (netdev / "ifindex").write_text(f"{20 + index}\n")
        (netdev / "flags").write_text("0x1002\n")
        (netdev / "statistics/tx_packets").write_text("0\n")
        for name, target in (("driver", "drivers/igbvf"), ("iommu_group", f"groups/{10 + index}")):
            (tmp_path / target).mkdir(parents=True, exist_ok=True)
            (vf / name).symlink_to(tmp_path / target)
        (device / f"virtfn{index}").symlink_to(vf)
    (tmp_path / "net/eth0").mkdir(parents=True)
    (tmp_path / "net/eth0/device").symlink_to(device)
    for name in ("domains", "defined/networks", "networks", "dev"):
        (tmp_path / name).mkdir(parents=True)
    processes(tmp_path)
    fake(tmp_path, "ip", "echo '1: lo    inet 127.0.0.1/8 scope host lo'")
    return device


def vf(root: Path, index: int) -> Path:
    return root / "pci" / (VF0, VF1)[index]


def bind(root: Path, index: int, driver: str) -> None:
    """A driver for guests or programs in place of the network driver."""
    (root / "drivers" / driver).mkdir()
    (vf(root, index) / "driver").unlink()
    (vf(root, index) / "driver").symlink_to(root / "drivers" / driver)
    shutil.rmtree(vf(root, index) / "net")


def said(shell: str, root: Path, function: str = "vf_holders", path: str = "") -> list[str]:
    """The holders of both VFs, '' for a free one."""
    script = f"{HOST_USERS}{path and 'PATH=' + path}\n{function} $net/eth0/device\n"
    ended = run(shell, root, ("common", "host_users", "holders"), script)
    assert ended.stderr == b""
    lines = dict(line.removeprefix("holder=").split(" ", 1) for line in ended.stdout.decode().splitlines())
    return [
        lines.get(str(index), f"{address} ").removeprefix(f"{address} ") for index, address in enumerate((VF0, VF1))
    ]


@each_shell
def test_vfs_without_users_are_free(shell: str, tmp_path: Path, port: Path) -> None:
    assert said(shell, tmp_path) == ["", ""]


# --- guests ---


def hostdev(kind: str, function: str = "0x2", quote: str = "'") -> str:
    address = f"domain='0x0000' bus='0x01' slot='0x10' function='{function}'"
    inner = (
        f"<source><address type='pci' {address}/></source>"
        if kind == "interface"
        else f"<source>\n<address {address}/>"
    )
    closing = "" if kind == "interface" else "\n</source>"
    guest_side = "<address type='pci' domain='0x0000' bus='0x01' slot='0x10' function='0x0'/>"
    opening = f"<domain><devices>\n<{kind} type='hostdev' managed='yes'>"
    text = f"{opening}\n{inner}{closing}\n{guest_side}</{kind}></devices></domain>\n"
    return text.replace("'", quote)


POOL = """<network>
  <name>pool</name>
  <forward mode='hostdev' managed='yes'>
    <pf dev='eth0'/>
  </forward>
</network>
"""
FROM_POOL = "<domain><interface type='network'>\n<source network='pool'/>\n</interface></domain>\n"


@each_shell
@pytest.mark.parametrize("kind", ["interface", "hostdev"])
@pytest.mark.parametrize("quote", ["'", '"'])
def test_guest_that_is_shut_off_keeps_its_vf(shell: str, tmp_path: Path, port: Path, kind: str, quote: str) -> None:
    (tmp_path / "defined/instance 1.xml").write_text(hostdev(kind, quote=quote))
    assert said(shell, tmp_path) == ["", "shut-off domain instance 1"]


@pytest.mark.parametrize("program", ["gawk", "mawk", "busybox awk"])
def test_every_awk_reads_the_same(tmp_path: Path, port: Path, program: str) -> None:
    fake(tmp_path, "awk", f'exec {program} "$@"')
    (tmp_path / "defined/networks/pool.xml").write_text(POOL)
    (tmp_path / "defined/a.xml").write_text(hostdev("hostdev"))
    (tmp_path / "defined/b.xml").write_text(FROM_POOL)
    assert said("dash", tmp_path) == ["shut-off domain b (network pool)", "shut-off domain a"]


@each_shell
def test_guest_that_runs_is_told_as_such_though_it_is_defined_too(shell: str, tmp_path: Path, port: Path) -> None:
    for folder in ("defined", "domains"):
        (tmp_path / folder / "instance-1.xml").write_text(hostdev("interface"))
    assert said(shell, tmp_path) == ["", "libvirt domain instance-1"]


@each_shell
def test_guest_of_a_pool_has_the_first_free_vf(shell: str, tmp_path: Path, port: Path) -> None:
    (tmp_path / "defined/networks/pool.xml").write_text(POOL)
    (tmp_path / "defined/a.xml").write_text(hostdev("interface", "0x0"))
    (tmp_path / "defined/b.xml").write_text(FROM_POOL)
    assert said(shell, tmp_path) == ["shut-off domain a", "shut-off domain b (network pool)"]


@each_shell
def test_guest_of_a_pool_that_runs_has_what_its_state_says(shell: str, tmp_path: Path, port: Path) -> None:
    (tmp_path / "networks/pool.xml").write_text(f"<networkstatus>{POOL}</networkstatus>")
    (tmp_path / "defined/b.xml").write_text(FROM_POOL)
    actual = f"<actual type='hostdev'>{hostdev('interface')}</actual>"
    (tmp_path / "domains/b.xml").write_text(FROM_POOL.replace("</interface>", f"{actual}</interface>"))
    assert said(shell, tmp_path) == ["", "libvirt domain b"]


@each_shell
def test_pool_of_addresses_and_guest_of_a_netdev(shell: str, tmp_path: Path, port: Path) -> None:
    address = "<address type='pci' domain='0x0000' bus='0x01' slot='0x10' function='0x2'/>"
    (tmp_path / "defined/networks/pool.xml").write_text(POOL.replace("<pf dev='eth0'/>", address))
    (tmp_path / "defined/b.xml").write_text(FROM_POOL)
    direct = "<domain><interface type='direct'><source dev='eth0v0' mode='passthrough'/></interface></domain>"
    (tmp_path / "defined/c.xml").write_text(direct)
    assert said(shell, tmp_path) == ["shut-off domain c", "shut-off domain b (network pool)"]


@each_shell
def test_other_devices_of_guests_are_no_vfs(shell: str, tmp_path: Path, port: Path) -> None:
    usb = "<hostdev mode='subsystem' type='usb'><source><address bus='1' device='2'/></source></hostdev>"
    disk = (
        "<disk type='block'><source dev='/dev/sda'/><address type='pci' bus='0x01' slot='0x10' function='0x0'/></disk>"
    )
    (tmp_path / "defined/a.xml").write_text(
        f"<domain>{usb}{disk}<interface type='bridge'><source bridge='br0'/></interface></domain>"
    )
    assert said(shell, tmp_path) == ["", ""]


# --- processes ---


@each_shell
@pytest.mark.parametrize(
    ("node", "is_held"),
    [
        ("/dev/vfio/10", True),
        ("/dev/vfio/noiommu-10", True),
        ("/dev/vfio/devices/vfio3", True),
        ("/dev/vfio/devices/noiommu-vfio3", True),
        ("/dev/infiniband/uverbs5", True),
        ("/dev/vfio/1", False),
        ("/dev/vfio/110", False),
        ("/dev/infiniband/uverbs55", False),
        ("/dev/vfio/vfio", False),
    ],
)
def test_open_device_is_a_user(shell: str, tmp_path: Path, port: Path, node: str, is_held: bool) -> None:
    bind(tmp_path, 0, "vfio-pci")
    for name in ("vfio-dev/vfio3", "infiniband_verbs/uverbs5"):
        (vf(tmp_path, 0) / name).mkdir(parents=True)
    (tmp_path / "dev/vfio").mkdir()
    (tmp_path / "dev/vfio/10").touch()
    (tmp_path / "proc/7/fd/9").symlink_to(node)
    assert said(shell, tmp_path) == ["process 7 (qemu-system-x86)" if is_held else "", ""]


@each_shell
def test_vdpa_device_and_user_space_driver_are_users(shell: str, tmp_path: Path, port: Path) -> None:
    (vf(tmp_path, 0) / "vdpa0").mkdir()
    bind(tmp_path, 1, "igb_uio")
    assert said(shell, tmp_path) == ["vDPA device vdpa0", "user-space driver igb_uio"]


@each_shell
@pytest.mark.parametrize("driver", ["vhost_vdpa", "virtio_vdpa"])
def test_vdpa_device_is_told_with_its_driver(shell: str, tmp_path: Path, port: Path, driver: str) -> None:
    (tmp_path / "drivers" / driver).mkdir()
    (vf(tmp_path, 0) / "vdpa0").mkdir()
    (vf(tmp_path, 0) / "vdpa0/driver").symlink_to(tmp_path / "drivers" / driver)
    assert said(shell, tmp_path) == [f"vDPA device vdpa0 ({driver})", ""]


# --- the host's own network ---


def upper(root: Path, index: int, link: str, device: str) -> None:
    """Something stands on the VF's device, which is up."""
    (vf(root, index) / f"net/eth0v{index}/flags").write_text("0x1003\n")
    (root / device).mkdir()
    (vf(root, index) / f"net/eth0v{index}" / link).symlink_to(root / device)


def test_functions_that_look_at_the_host_alone_need_no_program(tmp_path: Path, port: Path) -> None:
    upper(tmp_path, 1, "upper_eth0v1.5", "eth0v1.5")
    script = f"{HOST_USERS}PATH=/nowhere\nhost_users $net/eth0/device\n"
    ended = run("dash", tmp_path, ("common", "host_users"), script)
    assert ended.stderr == b""
    assert ended.stdout == f"holder=1 {VF1} network device eth0v1, which carries eth0v1.5\n".encode()


@each_shell
@pytest.mark.parametrize("function", ["vf_holders", "host_users"])
def test_master_and_vlan_are_users(shell: str, tmp_path: Path, port: Path, function: str) -> None:
    upper(tmp_path, 0, "upper_bond0", "bond0")
    (vf(tmp_path, 0) / "net/eth0v0/master").symlink_to(tmp_path / "bond0")
    upper(tmp_path, 1, "upper_eth0v1.5", "eth0v1.5")
    found = ["network device eth0v0, part of bond0", "network device eth0v1, which carries eth0v1.5"]
    assert said(shell, tmp_path, function) == found


@each_shell
@pytest.mark.parametrize("function", ["vf_holders", "host_users"])
def test_address_route_and_traffic_of_a_device_that_is_up(
    shell: str, tmp_path: Path, port: Path, function: str
) -> None:
    for index in range(2):
        (vf(tmp_path, index) / f"net/eth0v{index}/flags").write_text("0x1003\n")
    lines = "21: eth0v1    inet6 fe80::1/64 scope link", "20: eth0v0    inet 10.0.0.1/24 scope global eth0v0"
    fake(tmp_path, "ip", "".join(f"echo '{line}'\n" for line in lines))
    assert said(shell, tmp_path, function) == ["network device eth0v0, which has an address", ""]
    (vf(tmp_path, 1) / "net/eth0v1/statistics/tx_packets").write_text("1234\n")
    assert said(shell, tmp_path, function)[1] == "host traffic on eth0v1"
    with (tmp_path / "proc/net/route").open("a") as table:
        table.write("eth0v1 0000000A 00000000 0001\n")
    assert said(shell, tmp_path, function)[1] == "network device eth0v1, which has a route"


@each_shell
def test_device_in_another_namespace_is_a_user(shell: str, tmp_path: Path, port: Path) -> None:
    (vf(tmp_path, 0) / "net/eth0v0").rename(tmp_path / "gone")
    assert said(shell, tmp_path) == ["another network namespace", ""]
    assert said(shell, tmp_path, "host_users") == ["another network namespace", ""]


KINDS = {
    "vlan": "5: x@if21: <UP> mtu 1500 \\\\    link/ether 02:00 link-netnsid 0 vlan protocol 802.1Q id 5 <REORDER_HDR>",
    "macvlan": "5: x@if21: <UP> mtu 1500 \\\\    link/ether 02:00 link-netnsid 0 macvlan mode bridge",
    "ipvlan": "5: x@if21: <UP> mtu 1500 \\\\    link/ether 02:00 link-netnsid 0 ipvlan  mode l2 bridge",
}


@each_shell
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("place", ["tenant", "of process 8"])
def test_device_on_a_vf_that_is_in_another_namespace_is_a_user(
    shell: str, tmp_path: Path, port: Path, kind: str, place: str
) -> None:
    """The kernel takes its link away (net/core/dev.c, `netdev_adjacent_del_links`): only that namespace shows it."""
    if place == "tenant":
        mount = "400 29 0:4 net:[2] /run/netns/tenant rw shared:5 - nsfs nsfs rw\n"
        (tmp_path / "proc/self/mountinfo").write_text(mount)
    else:
        (tmp_path / "proc/8/ns").mkdir(parents=True)
        (tmp_path / "proc/8/ns/net").symlink_to("net:[2]")
    veth = "4: eth0@if20: <UP> mtu 1500 \\\\    link/ether 02:00 link-netnsid 0 veth numtxqueues 1"
    fake(tmp_path, "nsenter", f"printf '%b\\n' '{veth}' '{KINDS[kind]}'")
    assert said(shell, tmp_path) == ["", f"network device eth0v1, which carries x (network namespace {place})"]


# --- what is missing, or cannot be read ---

ALL = ("awk", "find", "ip", "nsenter")


def programs(root: Path, without: str) -> str:
    """A PATH with nothing in it but what the search needs, less one."""
    folder = root / "only"
    folder.mkdir()
    for name in {*ALL, "printf"} - {without, "ip", "nsenter"}:  # mksh has no printf of its own
        (folder / name).symlink_to(shutil.which(name) or os.devnull)
    for name in {"ip", "nsenter"} - {without}:
        fake(root, name, "exit 0")
        (root / "bin" / name).rename(folder / name)
    return str(folder)


@no_applets
@pytest.mark.parametrize("missing", ALL)
def test_program_that_is_missing_makes_no_vf_free(shell: str, tmp_path: Path, port: Path, missing: str) -> None:
    (tmp_path / "defined/other.xml").write_text("<domain/>")
    (tmp_path / "proc/8/ns").mkdir(parents=True)
    (tmp_path / "proc/8/ns/net").symlink_to("net:[2]")
    found = said(shell, tmp_path, path=programs(tmp_path, missing))
    assert found == [f"cannot be determined: this host has no {missing}"] * 2


@each_shell
def test_search_is_made_with_these_programs_and_no_others(shell: str, tmp_path: Path, port: Path) -> None:
    (tmp_path / "defined/instance-1.xml").write_text(hostdev("interface"))
    assert said(shell, tmp_path, path=programs(tmp_path, "")) == ["", "shut-off domain instance-1"]


@no_applets
@pytest.mark.parametrize("failing", ALL)
def test_program_that_fails_makes_no_vf_free(shell: str, tmp_path: Path, port: Path, failing: str) -> None:
    (tmp_path / "defined/other.xml").write_text("<domain/>")
    (tmp_path / "proc/8/ns").mkdir(parents=True)
    (tmp_path / "proc/8/ns/net").symlink_to("net:[2]")
    fake(tmp_path, "nsenter", ":")
    fake(tmp_path, failing, "echo 'no such thing' >&2; exit 3")
    assert [words.startswith("cannot be determined: ") for words in said(shell, tmp_path)] == [True, True]


@each_shell
@pytest.mark.parametrize("place", ["domains", "defined", "networks", "defined/networks"])
def test_file_that_cannot_be_read_makes_no_vf_free(shell: str, tmp_path: Path, port: Path, place: str) -> None:
    (tmp_path / place / "gone.xml").symlink_to(tmp_path / "nowhere")
    found = said(shell, tmp_path)
    assert [words.startswith("cannot be determined: libvirt's configuration") for words in found] == [True, True]


@each_shell
@pytest.mark.parametrize("place", ["domains", "defined", "networks", "defined/networks"])
@pytest.mark.parametrize("kind", ["link", "file"])
def test_folder_that_is_none_makes_no_vf_free(shell: str, tmp_path: Path, port: Path, place: str, kind: str) -> None:
    shutil.rmtree(tmp_path / place)
    if kind == "link":
        (tmp_path / place).symlink_to(tmp_path / "nowhere")
    else:
        (tmp_path / place).touch()
    assert (
        said(shell, tmp_path)
        == [f"cannot be determined: libvirt's configuration cannot be read: {tmp_path / place}"] * 2
    )


@each_shell
@pytest.mark.parametrize("kind", ["folder", "pipe"])
def test_definition_that_is_no_file_hides_no_other(shell: str, tmp_path: Path, port: Path, kind: str) -> None:
    """gawk passes a folder over without an error; each awk waits for a pipe that no one writes to."""
    (os.mkdir if kind == "folder" else os.mkfifo)(tmp_path / "defined/a.xml")
    (tmp_path / "defined/b.xml").write_text(hostdev("hostdev"))
    words = f"cannot be determined: libvirt's configuration cannot be read: {tmp_path}/defined/a.xml"
    assert said(shell, tmp_path) == [words, "shut-off domain b"]


@no_applets
def test_processes_that_cannot_be_seen_make_no_vf_free(shell: str, tmp_path: Path, port: Path) -> None:
    fake(
        tmp_path,
        "find",
        f'cd {shlex.quote(str(tmp_path))}; /usr/bin/find "$@"; echo "find: \'/proc/9/fd\': Permission denied" >&2',
    )
    assert said(shell, tmp_path) == ["cannot be determined: find: '/proc/9/fd': Permission denied"] * 2


@no_applets
def test_process_that_ends_meanwhile_hides_nothing(shell: str, tmp_path: Path, port: Path) -> None:
    broken = (
        "/proc/9/ns/netfind: '/proc/9/ns/net': No such file or directory\\n \\nfind: '/proc/9/fd': No such process\\n"
    )
    fake(tmp_path, "find", f'/usr/bin/find "$@"; printf "{broken}" >&2')
    assert said(shell, tmp_path) == ["", ""]


@each_shell
def test_user_that_is_found_is_named_though_others_cannot_be_seen(shell: str, tmp_path: Path, port: Path) -> None:
    upper(tmp_path, 0, "master", "bond0")
    (tmp_path / "defined/gone.xml").symlink_to(tmp_path / "nowhere")
    first, second = said(shell, tmp_path)
    assert first == "network device eth0v0, part of bond0"
    assert second.startswith("cannot be determined: ")
