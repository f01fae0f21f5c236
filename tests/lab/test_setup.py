"""Scenarios of a host's life: fresh, again, rebooted by hand, numbers changed, interfaces leaving and joining."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from . import observe
from .guest import Guest
from .product import Entry, Fab, entry, single_host_testbed
from .provisioned import HUGE_PAGES, KERNEL_ARGUMENTS, PORTS, FirstRun

pytestmark = pytest.mark.lab

FIRST, SECOND = PORTS
OURS = ("intel_iommu=on", "iommu=pt")
UNITS = ("sriov-vfs-enp1s0", "sriov-vfs-enp2s0")
UNIT_OF_1_0_0 = Path(__file__).parents[1] / "golden/host-1.0.0/debian/etc/systemd/system/sriov-vfs-eth0.service"


# What an operator would look at afterwards; shown beside what `fab` said.
LOOKS = (
    "cat /proc/cmdline",
    "cat /sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages",
    "cat /sys/kernel/mm/transparent_hugepage/enabled",
    "cat /sys/kernel/iommu_groups/*/type | sort | uniq -c",
    "head /sys/class/net/enp?s0/device/sriov_numvfs",
    "lspci -nnk -s 01:10.0",
    "sed -n '/^# BEGIN sriov-fab/,/^# END/p' /etc/nova/nova.conf",
    "systemctl list-units --no-legend 'sriov-vfs-*' 'nova-*'",
)


def specs(guest: Guest) -> list[dict[str, str]]:
    """The whitelist as nova reads it."""
    return [json.loads(text) for text in observe.nova_options(guest).device_specs]


def specs_of(guest: Guest, physnet: str) -> list[dict[str, str]]:
    return [spec for spec in specs(guest) if spec["physical_network"] == physnet]


def test_setup_all_turns_a_fresh_host_into_an_sriov_host(
    first_run: FirstRun, provisioned: Guest, proved: Callable[[str], None]
) -> None:
    """One run, one reboot; and what was wanted can be seen in the kernel, not only in files."""
    for command in LOOKS:
        print(f"# {command}\n{provisioned.sh(command, check=False).stdout}")
    assert first_run.answer.returncode == 0
    assert first_run.boots == 2
    assert set(OURS) <= set(observe.kernel_arguments(provisioned))
    assert observe.iommu_types(provisioned) == {"identity"}
    for interface in ("enp1s0", "enp2s0"):
        assert observe.vf_count(provisioned, interface) == 7
        assert observe.vf_drivers(provisioned, interface) == ["igbvf"] * 7
        assert observe.is_up(provisioned, interface)
    assert {(spec["devname"], spec["physical_network"]) for spec in specs(provisioned)} == {
        ("enp1s0", "physnet1"),
        ("enp2s0", "physnet2"),
    }
    filters = observe.nova_options(provisioned).enabled_filters
    assert {"PciPassthroughFilter", "ComputeFilter", "ImagePropertiesFilter"} <= set(filters)
    assert provisioned.out("stat -c '%a %U:%G' /etc/nova/nova.conf") == "640 root:nova"
    assert observe.is_active(provisioned, "nova-compute")
    assert observe.is_active(provisioned, "nova-scheduler")
    proved("one run, one reboot: IOMMU in passthrough, 2 x 7 VFs with igbvf, whitelist and filter as nova reads them")


def test_further_kernel_arguments_come_with_that_one_reboot(
    first_run: FirstRun, provisioned: Guest, guest: Guest, proved: Callable[[str], None]
) -> None:
    """The kernel was given them last, in their order, and does what they say."""
    assert first_run.boots == 2
    expected = [*OURS, *KERNEL_ARGUMENTS]
    assert observe.kernel_arguments(provisioned)[-len(expected) :] == expected
    assert (observe.huge_pages(guest), observe.huge_pages(provisioned)) == (0, HUGE_PAGES)
    assert (observe.transparent_huge_pages(guest), observe.transparent_huge_pages(provisioned)) == ("always", "never")
    proved(
        f"{' '.join(KERNEL_ARGUMENTS)} behind ours after the same reboot: {HUGE_PAGES} pages of 2 MiB, "
        "transparent huge pages from always to never"
    )


def test_second_run_changes_nothing(provisioned: Guest, fab: Fab, proved: Callable[[str], None]) -> None:
    testbed = single_host_testbed(provisioned, FIRST, SECOND, kernel_arguments=KERNEL_ARGUMENTS)
    observe.log_executions(provisioned)
    with observe.untouched(provisioned):
        for number, task in enumerate(("setup_all", "verify", "plan"), 1):
            assert fab(task, testbed=testbed).returncode == 0
            assert observe.executions(provisioned) == number
    proved("second run, verify and plan: exit code 0, one execution each, no file written, no unit started, no reboot")


def test_arguments_that_leave_the_testbed_stay_until_the_way_back(
    provisioned: Guest, fab: Fab, proved: Callable[[str], None]
) -> None:
    """Leaving the list takes nothing away; `rollback` takes them out of what GRUB gives the next boot."""
    testbed = single_host_testbed(provisioned, FIRST, SECOND)
    with observe.untouched(provisioned):
        kept = fab("setup_all", testbed=testbed)
    assert kept.returncode == 3
    assert f"would lose kernel-arguments GRUB ({' '.join(KERNEL_ARGUMENTS)} -> " in kept.stdout
    boot = provisioned.boot_id()
    assert fab("rollback", f"root@127.0.0.1:{provisioned.login.port}", testbed=testbed).returncode == 0
    menu = provisioned.read("/boot/grub/grub.cfg").decode()
    assert [word for word in (*OURS, *KERNEL_ARGUMENTS) if word in menu] == []
    assert observe.counts(provisioned) == (0, 0)
    assert provisioned.boot_id() == boot
    assert observe.huge_pages(provisioned) == HUGE_PAGES
    proved("without the list nothing changes; rollback takes all arguments out of grub.cfg, no VFs, no reboot")


def test_plan_of_a_fresh_host_touches_nothing(guest: Guest, fab: Fab) -> None:
    with observe.untouched(guest):
        planned = fab("plan", testbed=single_host_testbed(guest, FIRST, SECOND))
    assert planned.returncode == 3
    assert "intel_iommu=on" in planned.stdout


def test_vfs_are_back_before_nova_compute_after_a_plain_reboot(
    provisioned: Guest, fab: Fab, proved: Callable[[str], None]
) -> None:
    provisioned.reboot()
    provisioned.settle()
    assert observe.counts(provisioned) == (7, 7)
    assert observe.is_up(provisioned, "enp1s0")
    assert observe.is_up(provisioned, "enp2s0")
    made = observe.kernel_said(provisioned, "igb .*7 VFs allocated")
    assert len(made) == 2
    compute = observe.unit_started(provisioned, "nova-compute") / 1e6
    assert max(made) < compute
    testbed = single_host_testbed(provisioned, FIRST, SECOND, kernel_arguments=KERNEL_ARGUMENTS)
    assert fab("verify", testbed=testbed).returncode == 0
    proved(f"after a plain reboot VFs at {max(made):.1f} s, nova-compute at {compute:.1f} s")


def interruptions(guest: Guest) -> list[str]:
    """What differs once a VF was made again, a oneshot or a service has run again, or the host has booted."""
    show = "systemctl show -p Id,ActiveState,MainPID,ExecMainStartTimestampMonotonic,ActiveEnterTimestampMonotonic"
    script = (
        "cat /proc/sys/kernel/random/boot_id; stat -L -c '%n %i' /sys/class/net/enp?s0/device/virtfn*;"
        "for vf in /sys/class/net/enp?s0/device/virtfn*; do readlink $vf/driver; done;"
        f"{show} nova-compute nova-scheduler {' '.join(UNITS)}"
    )
    return guest.out(script).splitlines()


def test_host_of_1_0_0_moves_over_without_an_interruption(
    provisioned: Guest, fab: Fab, proved: Callable[[str], None]
) -> None:
    """Its units hold their script in themselves; they make the VFs of one boot before the run."""
    script, folder = "/etc/systemd/system/sriov-vfs.sh", "/etc/systemd/system"
    for unit in UNITS:
        text = UNIT_OF_1_0_0.read_bytes().replace(b"eth0", unit.rpartition("-")[2].encode())
        provisioned.write(f"{folder}/{unit}.service", text)
    provisioned.sh(f"rm {script}")
    provisioned.reboot()
    provisioned.settle()
    assert observe.counts(provisioned) == (7, 7)
    testbed = single_host_testbed(provisioned, FIRST, SECOND, kernel_arguments=KERNEL_ARGUMENTS)
    before = interruptions(provisioned)
    assert fab("setup_all", testbed=testbed).returncode == 0
    assert interruptions(provisioned) == before
    for unit in UNITS:
        line = f"ExecStart=/bin/sh {script} {unit.rpartition('-')[2]} 7"
        assert line in provisioned.read(f"{folder}/{unit}.service").decode().splitlines()
        assert observe.is_active(provisioned, unit)
    assert set(provisioned.out(f"systemctl show --value -p NeedDaemonReload {' '.join(UNITS)}").split()) == {"no"}
    with observe.untouched(provisioned):
        assert fab("setup_all", testbed=testbed).returncode == 0
    assert fab("rollback", f"root@127.0.0.1:{provisioned.login.port}", testbed=testbed).returncode == 0
    assert interruptions(provisioned) == before
    assert provisioned.sh(f"test -e {script}", check=False).returncode != 0
    proved("a host of 1.0.0 gets the script and its new units, and back: same VFs, oneshots, services and boot")


def _with_arguments(guest: Guest, *entries: Entry) -> Path:
    return single_host_testbed(guest, *entries, kernel_arguments=KERNEL_ARGUMENTS)


def test_count_goes_down_and_up_again(provisioned: Guest, fab: Fab, proved: Callable[[str], None]) -> None:
    boot = provisioned.boot_id()
    for count in (5, 7):
        testbed = _with_arguments(provisioned, entry("enp1s0", count, "physnet1"), SECOND)
        assert fab("setup_all", testbed=testbed).returncode == 0
        assert observe.counts(provisioned) == (count, 7)
        assert fab("verify", testbed=testbed).returncode == 0
    assert provisioned.boot_id() == boot
    proved("7 -> 5 -> 7 VFs without a reboot, the other port left alone")


def test_count_over_the_limit_touches_nothing(guest: Guest, fab: Fab, proved: Callable[[str], None]) -> None:
    testbed = single_host_testbed(guest, entry("enp1s0", 8, "physnet1"), SECOND)
    with observe.untouched(guest):
        refused = fab("setup_all", testbed=testbed)
    assert refused.returncode == 2
    said = refused.stdout + refused.stderr
    assert "enp1s0" in said
    assert "8" in said
    assert "7" in said
    proved("8 VFs on a port of 7: refused, nothing touched")


def test_interface_that_leaves_and_joins_again(provisioned: Guest, fab: Fab, proved: Callable[[str], None]) -> None:
    alone = _with_arguments(provisioned, FIRST)
    with observe.untouched(provisioned):
        assert fab("setup_all", testbed=alone).returncode == 3
    assert fab("setup_all", "--remove", testbed=alone).returncode == 0
    assert observe.counts(provisioned) == (7, 0)
    assert specs_of(provisioned, "physnet2") == []
    assert len(specs_of(provisioned, "physnet1")) == 1
    units = "systemctl list-unit-files --state=enabled --no-legend | grep -c enp2s0"
    assert provisioned.sh(units, check=False).stdout.strip() == "0"
    assert provisioned.sh("ls /etc/systemd/system | grep enp2s0", check=False).stdout == ""
    both = _with_arguments(provisioned, FIRST, SECOND)
    assert fab("setup_all", testbed=both).returncode == 0
    assert observe.counts(provisioned) == (7, 7)
    assert len(specs_of(provisioned, "physnet2")) == 1
    proved("a port leaves (VFs, unit, entry gone) and joins again; the other stays as it is")


def test_two_physnets_share_a_port_by_address(provisioned: Guest, fab: Fab, proved: Callable[[str], None]) -> None:
    testbed = _with_arguments(provisioned, entry("enp1s0", 7, "physnet1", "physnet3"), SECOND)
    assert fab("setup_all", testbed=testbed).returncode == 0
    addresses = observe.vf_addresses(provisioned, "enp1s0")
    one = [spec["address"] for spec in specs_of(provisioned, "physnet1")]
    other = [spec["address"] for spec in specs_of(provisioned, "physnet3")]
    assert one + other == addresses
    assert abs(len(one) - len(other)) == 1
    proved(f"two physnets on one port: {len(one)} + {len(other)} whitelist entries equal the addresses of virtfn0-6")
