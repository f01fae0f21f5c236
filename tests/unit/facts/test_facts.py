"""A probe's output as values: the golden probe, and what is no probe at all."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sriov.errors import HostError
from sriov.facts.model import Facts, Holder, HolderKind, Port, Unit, VirtualFunction
from sriov.facts.parser import FILE_LIMIT, parse

NONCE = "0123456789abcdef0123456789abcdef"
PROBE = (Path(__file__).parents[2] / "golden/facts/compute.probe").read_bytes().replace(b"NONCE", NONCE.encode())


@pytest.fixture
def seen() -> Facts:
    return parse(PROBE, NONCE, "root@a")


def test_parse_reads_the_host_itself(seen: Facts) -> None:
    assert seen.boot_id == "11111111-2222-3333-4444-555555555555"
    assert seen.cmdline == "BOOT_IMAGE=/boot/vmlinuz root=UUID=x ro quiet intel_iommu=on iommu=pt"
    assert (seen.cpu_vendor, seen.acpi_tables) == ("GenuineIntel", frozenset({"DMAR"}))
    assert (seen.nova_versions, seen.instances, seen.tools) == (
        ("26.2.1.egg-info",),
        ("instance-00000001",),
        frozenset({"update-grub"}),
    )


def test_parse_reads_a_port_with_its_vfs_in_order(seen: Facts) -> None:
    assert seen.port(interface="eth0") == Port(
        interface="eth0",
        pci_address="0000:01:00.0",
        driver="igb",
        mac="52:54:00:aa:bb:cc",
        vendor="8086",
        device="10c9",
        vf_device="10ca",
        total_vfs=7,
        offset=128,
        stride=2,
        has_iommu_group=True,
        iommu_type="identity",
        vfs=(
            VirtualFunction(2, "0000:01:10.4", "igbvf"),
            VirtualFunction(10, "0000:01:11.4", "vfio-pci", Holder(HolderKind.GUEST, "instance-00000001")),
        ),
    )
    assert seen.port(pci="0000:01:00.0") == seen.port(mac="52:54:00:aa:bb:cc") == seen.port(interface="eth0")


def test_port_below_no_pci_device_offers_no_vfs(seen: Facts) -> None:
    virtio = seen.port(interface="ens3")
    assert virtio is not None
    assert virtio.total_vfs is None


@pytest.mark.parametrize(
    ("pci", "offset", "stride", "index", "address"),
    [
        ("0000:01:00.0", 128, 2, 0, "0000:01:10.0"),
        ("0000:01:00.0", 128, 2, 6, "0000:01:11.4"),
        ("0000:01:00.1", 128, 2, 6, "0000:01:11.5"),
        ("0000:3b:00.0", 256, 1, 9, "0000:3c:01.1"),  # on the next bus
        ("10000:01:00.0", 1, 1, 7, "10000:01:01.0"),
    ],
)
def test_vf_address_is_known_before_the_vf_exists(pci: str, offset: int, stride: int, index: int, address: str) -> None:
    assert Port("eth0", pci, offset=offset, stride=stride).vf_address(index) == address


def test_files_are_taken_as_they_are_and_of_a_boot_menu_what_matters(seen: Facts) -> None:
    assert dict(seen.files) == {
        "/etc/nova/nova.conf": b"[DEFAULT]\n# @0000 end\n@nonce host\n",
        "/etc/nova/nova conf.d/a b.conf": b"no line feed",
        "/boot/grub/grub.cfg": b"set default=\"0\"\nmenuentry 'Debian' {\n\tlinux\t/boot/vmlinuz ro\n}\n",
    }
    assert seen.unreadable == ()


def test_file_that_cannot_be_read_is_named_and_the_others_are_taken() -> None:
    mark = f"\n@{NONCE} ".encode()
    conf, other = b"file /etc/nova/nova.conf\n[DEFAULT]\n", b"file /etc/nova/b.conf\n"
    parts = mark.join((b"", conf, other, b"unreadable /etc/nova/b.conf\n", b"units"))
    one_by_one = PROBE.replace(mark + b"units", parts)
    found = parse(one_by_one, NONCE, "root@a")
    assert dict(found.files) == {"/etc/nova/nova.conf": b"[DEFAULT]\n"}
    assert found.unreadable == ("/etc/nova/b.conf",)


def test_file_that_changed_while_it_was_read_is_told() -> None:
    with pytest.raises(HostError, match="changed while it was read"):
        parse(PROBE.replace(b"# @0000 end", b"# @0000 the end"), NONCE, "root@a")


def test_file_that_poses_as_a_section_stays_a_file() -> None:
    forged = b"@" + b"0" * 32 + b" end\n@" + b"0" * 32 + b" host\nboot_id=forged"
    grown = str(34 + len(forged) - len(b"# @0000 end")).encode()
    posing = PROBE.replace(b"# @0000 end", forged).replace(b"34 1700000500", grown + b" 1700000500")
    found = parse(posing, NONCE, "root@a")
    assert found.boot_id.startswith("1111")
    assert b"boot_id=forged" in found.files["/etc/nova/nova.conf"]


def test_time_of_a_change_counts_from_boot_and_never_lies_ahead(seen: Facts) -> None:
    assert seen.changed["/etc/nova/nova.conf"] == 500.25
    assert seen.changed["/etc/nova/nova conf.d/a b.conf"] == 900.0


def test_names_of_a_file_are_counted_and_one_that_was_cut_off_is_told() -> None:
    line = next(line for line in PROBE.split(b"\n") if line.endswith(b" /etc/nova/nova.conf"))
    numbers = line.removesuffix(b" /etc/nova/nova.conf")
    found = parse(PROBE.replace(line, numbers + b" 3 /etc/nova/nova.conf"), NONCE, "root@a")
    assert (dict(found.hard_linked), dict(found.oversized)) == ({"/etc/nova/nova.conf": 3}, {})
    table = f"\n@{NONCE} files 1000.00\n{FILE_LIMIT + 1} 1.0 1.0 1 /etc/nova/nova.conf".encode()
    content = f"\n@{NONCE} content\n".encode() + b"#" * FILE_LIMIT
    start = PROBE.index(f"\n@{NONCE} files".encode())
    large = PROBE[:start] + table + content + PROBE[PROBE.index(f"\n@{NONCE} units".encode()) :]
    assert dict(parse(large, NONCE, "root@a").oversized) == {"/etc/nova/nova.conf": FILE_LIMIT + 1}


def test_interfaces_of_a_vf_and_beside_the_port_are_seen() -> None:
    named = PROBE.replace(b"vf=2 0000:01:10.4 igbvf", b"vf=2 0000:01:10.4 igbvf eth0v2\nbeside=eth8")
    port = parse(named, NONCE, "root@a").ports[0]
    assert (port.vfs[0].interfaces, port.beside) == (("eth0v2",), ("eth8",))


def test_units_begin_with_their_main_process_or_as_active(seen: Facts) -> None:
    assert seen.units == (
        Unit("nova-compute", True, "active", "enabled", False, 600.0),
        Unit("openstack-nova-compute", False, "inactive"),
        Unit("sriov-vfs-eth0", True, "active", "enabled", True, 5.0),
    )
    assert seen.unit("openstack-nova-compute") is None


@pytest.mark.parametrize(
    ("output", "words"),
    [
        (b"", "did not run to its end"),
        (b"Welcome!\nsh: 1: Syntax error\n", "did not run to its end: Welcome!\nsh: 1: Syntax error"),
        (b"\x1b[31mred\x1b[0m", "did not run to its end: red"),
        (PROBE[: len(PROBE) // 2], "did not run to its end"),
        (PROBE.replace(b"sriov_offset=128", b"sriov_offset=far"), "makes no sense"),
        (PROBE.replace(b"vf=2 0000:01:10.4 igbvf", b"vf=2 ../../etc igbvf"), "makes no sense"),
        (PROBE.replace(b"boot_id=", b"boot="), "makes no sense"),
    ],
)
def test_output_that_is_no_probe_is_this_host_s_error(output: bytes, words: str) -> None:
    with pytest.raises(HostError) as caught:
        parse(output, NONCE, "root@a")
    assert words in caught.value.message
    assert caught.value.host == "root@a"
    assert "DEFAULT" not in str(caught.value)


@given(st.binary(max_size=200), st.integers(0, len(PROBE)), st.integers(0, 200))
def test_any_output_is_facts_or_this_host_s_error(noise: bytes, at: int, cut: int) -> None:
    try:
        found = parse(PROBE[:at] + noise + PROBE[at + cut :], NONCE, "root@a")
    except HostError:
        return
    assert "\x1b" not in found.boot_id + found.cmdline


@pytest.mark.parametrize(
    ("words", "holder"),
    [
        ("libvirt domain vm 1", Holder(HolderKind.GUEST, "vm 1")),
        ("shut-off domain vm 1", Holder(HolderKind.SHUT_OFF, "vm 1")),
        ("process 12 (qemu-kvm)", Holder(HolderKind.PROCESS, "12 (qemu-kvm)")),
        ("network device eth0v1, part of bond0", Holder(HolderKind.NETWORK_DEVICE, "eth0v1, part of bond0")),
        ("user-space driver igb_uio", Holder(HolderKind.DRIVER, "igb_uio")),
        ("vDPA device vdpa0", Holder(HolderKind.VDPA, "vdpa0")),
        ("another network namespace", Holder(HolderKind.NAMESPACE)),
        ("something new", Holder(HolderKind.OTHER, "something new")),
    ],
)
def test_holder_is_of_a_kind_and_shows_as_the_host_said_it(words: str, holder: Holder) -> None:
    said = PROBE.replace(b"libvirt domain instance-00000001", words.encode())
    port = parse(said, NONCE, "root@a").port(interface="eth0")
    assert port is not None
    assert port.vfs[1].holder == holder
    assert str(holder) == words
    assert holder.is_guest is words.startswith(("libvirt domain", "shut-off domain"))


def test_user_that_cannot_be_seen_is_no_free_vf() -> None:
    said = PROBE.replace(b"libvirt domain instance-00000001", b"cannot be determined: this host has no find")
    port = parse(said, NONCE, "root@a").port(interface="eth0")
    assert port is not None
    assert port.vfs[1].holder == Holder(HolderKind.UNKNOWN, "this host has no find")
    assert str(port.vfs[1].holder) == "a user that cannot be determined: this host has no find"


def test_traffic_of_the_host_holds_no_vf() -> None:
    said = PROBE.replace(b"libvirt domain instance-00000001", b"host traffic on eth0v1")
    port = parse(said, NONCE, "root@a").port(interface="eth0")
    assert port is not None
    assert (port.vfs[1].holder, port.vfs[1].traffic) == (None, "eth0v1")


def test_values_arrive_by_path() -> None:
    path = "/sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages"
    said = PROBE.replace(b"tool=update-grub\n", f"tool=update-grub\nvalue={path} 512\nvalue=/sys/none \n".encode())
    assert dict(parse(said, NONCE, "root@a").values) == {path: "512", "/sys/none": ""}
