"""The tree of /sys, without a fleet: what the kernel answers."""

from __future__ import annotations

import errno
from collections.abc import Callable
from pathlib import Path

import pytest

from sriov.simulation.spec import Cpu, Nic
from sriov.simulation.sysfs import BlockedError, Sysfs, vf_address
from sriov.simulation.sysfs.huge_pages import reserved
from sriov.simulation.sysfs.numvfs_table import NUMVFS_WRITES, NumvfsWrite

NUMVFS = "class/net/eth0/device/sriov_numvfs"
ASPM = "/sys/module/pcie_aspm/parameters/policy"
POLICIES = ("default", "performance", "powersave", "powersupersave")


def plugged(*nics: Nic, passthrough: bool = False) -> Sysfs:
    sysfs = Sysfs(nics or (Nic(),), passthrough=passthrough)
    sysfs.plug()
    return sysfs


@pytest.mark.parametrize("row", NUMVFS_WRITES, ids=str)
def test_sysfs_answers_numvfs_writes_as_the_kernel(row: NumvfsWrite) -> None:
    sysfs = plugged()
    sysfs.write(NUMVFS, str(row.active).encode())
    refused = None
    try:
        sysfs.write(NUMVFS, row.text.encode())
    except OSError as error:
        refused = errno.errorcode[error.errno or 0]
    assert (refused, int(sysfs.read(NUMVFS))) == (row.errno, row.after)


def test_sysfs_refuses_any_change_for_a_driver_without_sriov_configure() -> None:
    sysfs = plugged(Nic(configurable=False))
    with pytest.raises(OSError, match="No such file") as caught:
        sysfs.write(NUMVFS, b"3")
    assert caught.value.errno == errno.ENOENT
    sysfs.write(NUMVFS, b"0")  # the present value is accepted before the driver is asked


def test_sysfs_takes_a_write_without_error_when_the_driver_enables_fewer() -> None:
    sysfs = plugged(Nic(driver_limit=3))
    sysfs.write(NUMVFS, b"7")
    assert sysfs.read(NUMVFS) == "3\n"


def test_sysfs_names_the_drivers_own_error() -> None:
    sysfs = plugged(Nic(enable_errno="ENOMEM"))
    with pytest.raises(OSError, match="Cannot allocate") as caught:
        sysfs.write(NUMVFS, b"1")
    assert caught.value.errno == errno.ENOMEM


def test_sysfs_driver_refuses_more_than_it_can() -> None:
    sysfs = plugged(Nic(enable_errno="ENOSPC", refuses_above=3))
    with pytest.raises(OSError, match="No space left"):
        sysfs.write(NUMVFS, b"4")
    sysfs.write(NUMVFS, b"3")
    assert sysfs.read(NUMVFS) == "3\n"


def test_sysfs_vf_addresses_are_those_of_the_real_card() -> None:
    found = [vf_address(Nic(), index) for index in range(7)]
    assert found == [f"0000:01:{slot}" for slot in ("10.0", "10.2", "10.4", "10.6", "11.0", "11.2", "11.4")]


def test_sysfs_vfs_appear_with_their_links_and_vanish() -> None:
    sysfs = plugged()
    sysfs.write(NUMVFS, b"2")
    assert sysfs.read("class/net/eth0/device/virtfn1/vendor") == "0x8086\n"
    assert sysfs.read("bus/pci/devices/0000:01:10.2/physfn/sriov_totalvfs") == "7\n"
    assert sysfs.read("class/net/eth0v1/device/device") == "0x10ca\n"
    assert sysfs.read("bus/pci/devices/0000:01:10.2/iommu_group/type") == "DMA-FQ\n"
    sysfs.write(NUMVFS, b"0")
    for gone in ("bus/pci/devices/0000:01:10.2", "class/net/eth0v1", "class/net/eth0/device/virtfn0"):
        with pytest.raises(OSError, match="No such file"):
            sysfs.root.resolve(gone)


def test_sysfs_vfs_without_autoprobe_have_no_driver() -> None:
    sysfs = plugged()
    sysfs.write("class/net/eth0/device/sriov_drivers_autoprobe", b"0")
    sysfs.write(NUMVFS, b"1")
    assert sysfs.bus.driver("0000:01:10.0") == ""
    assert "eth0v0" not in sysfs.netdevs.by_name


def test_sysfs_links_and_netdevs_wait_for_their_delays() -> None:
    pending: list[tuple[float, Callable[[], None]]] = []
    sysfs = Sysfs((Nic(link_delay=1, netdev_delay=2),), later=lambda seconds, act: pending.append((seconds, act)))
    sysfs.plug()
    sysfs.write(NUMVFS, b"1")
    folder = sysfs.root.find(sysfs.root.resolve("class/net/eth0/device"))
    assert sysfs.read(NUMVFS) == "1\n"
    assert "virtfn0" not in str(folder)
    pending[0][1]()
    assert sysfs.read("class/net/eth0/device/virtfn0/device") == "0x10ca\n"
    assert "eth0v0" not in sysfs.netdevs.by_name
    pending[1][1]()
    assert "eth0v0" in sysfs.netdevs.by_name


def test_sysfs_write_of_zero_under_a_guest_sleeps_and_takes_effect_later() -> None:
    sysfs = plugged(Nic(), Nic("eth1", "0000:02:00.0"))
    port = sysfs.ports["eth0"]
    sysfs.write(NUMVFS, b"4")
    port.held.add(2)
    with pytest.raises(BlockedError) as caught:
        sysfs.write(NUMVFS, b"0")
    assert caught.value.finishes
    with pytest.raises(BlockedError):
        sysfs.read(NUMVFS)
    assert sysfs.read("class/net/eth0/device/sriov_totalvfs") == "7\n"
    assert sysfs.read("class/net/eth1/device/sriov_numvfs") == "0\n"
    woken = []
    port.wakeups.append(lambda: woken.append(True))
    sysfs.vfs.release(port)
    assert (sysfs.read(NUMVFS), woken) == ("0\n", [True])


def test_sysfs_vf_is_pulled_out_silently_where_the_guest_takes_hotplug() -> None:
    sysfs = plugged(Nic(hot_unplugs=True))
    sysfs.write(NUMVFS, b"4")
    sysfs.ports["eth0"].held.add(2)
    sysfs.write(NUMVFS, b"0")
    assert sysfs.read(NUMVFS) == "0\n"


def test_sysfs_domain_type_tells_passthrough() -> None:
    assert plugged(passthrough=True).read("kernel/iommu_groups/0/type") == "identity\n"


def test_sysfs_card_without_capability_has_no_sriov_files() -> None:
    sysfs = plugged(Nic(sriov=False, driver="virtio_net"))
    with pytest.raises(OSError, match="No such file"):
        sysfs.read("class/net/eth0/device/sriov_totalvfs")


def test_sysfs_without_iommu_has_neither_groups_nor_table() -> None:
    sysfs = Sysfs((Nic(),), iommu=False)
    for path in ("firmware/acpi/tables/DMAR", "kernel/iommu_groups/0", "class/iommu/dmar0"):
        with pytest.raises(OSError, match="No such file"):
            sysfs.root.find(path)


@pytest.mark.parametrize(("cpu", "unit"), [("intel", "dmar0"), ("amd", "ivhd0"), ("arm", "smmu3.0x0000000002b40000")])
def test_sysfs_names_the_unit_of_the_iommu(cpu: Cpu, unit: str) -> None:
    sysfs = Sysfs((Nic(),), cpu)
    assert sysfs.root.resolve(f"class/iommu/{unit}").endswith(f"iommu/{unit}")
    assert sysfs.read("bus/pci/devices/0000:01:00.0/ari_enabled") == "1\n"


@pytest.mark.parametrize(
    ("line", "memory", "pools"),
    [
        ("quiet", 4096, {2048: 0, 1048576: 0}),
        ("hugepages=64", 4096, {2048: 64, 1048576: 0}),
        ("default_hugepagesz=1G hugepagesz=1G hugepages=2", 4096, {2048: 0, 1048576: 2}),
        ("hugepagesz=1G hugepages=2 hugepagesz=2M hugepages=512", 8192, {2048: 512, 1048576: 2}),
        ("default_hugepagesz=1G hugepagesz=1G hugepages=64", 4096, {2048: 0, 1048576: 3}),
    ],
)
def test_huge_pages_are_reserved_as_told_and_as_far_as_memory_goes(
    line: str, memory: int, pools: dict[int, int]
) -> None:
    assert reserved(line, memory) == pools


def test_huge_pages_stand_in_sysfs() -> None:
    sysfs = Sysfs((), huge_pages={2048: 64})
    assert sysfs.read("kernel/mm/hugepages/hugepages-2048kB/nr_hugepages") == "64\n"


def test_sysfs_vfs_without_acs_share_the_group_of_their_port_and_leave_it_to_it() -> None:
    sysfs = plugged(Nic(acs=False), Nic("eth1", "0000:02:00.0"))
    sysfs.write(NUMVFS, b"2")
    groups = {pci: sysfs.bus.iommu_group(pci) for pci in ("0000:01:00.0", "0000:01:10.2", "0000:02:00.0")}
    assert list(groups.values()) == ["0", "0", "1"]
    sysfs.write(NUMVFS, b"0")
    assert sysfs.read("bus/pci/devices/0000:01:00.0/iommu_group/type") == "DMA-FQ\n"


@pytest.mark.parametrize(
    ("line", "chosen"),
    [
        ("quiet", "default"),
        ("pcie_aspm.policy=powersave pcie_aspm.policy=performance", "performance"),
        ("pcie_aspm=force pcie_aspm.policy=none", "default"),
        ("pcie_aspm.policy=performance pcie_aspm=off", "default"),
    ],
)
def test_policy_of_aspm_is_that_of_the_command_line(line: str, chosen: str) -> None:
    words = Sysfs((), cmdline=line).read(ASPM.removeprefix("/sys/")).split(" ")
    assert words == [*(f"[{name}]" if name == chosen else name for name in POLICIES), "\n"]


@pytest.mark.skipif(not Path(ASPM).exists(), reason="this kernel was built without ASPM, or shows no /sys here")
def test_policy_of_aspm_reads_as_that_of_this_kernel() -> None:
    shown = Path(ASPM).read_text()
    assert shown == Sysfs((), cmdline=f"pcie_aspm.policy={shown.split('[')[1].split(']')[0]}").read(ASPM[5:])
