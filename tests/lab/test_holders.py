"""A virtual function in use: no change takes it away unless the operator insists, and then it is gone."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from . import observe
from .guest import Guest
from .product import Fab, entry, single_host_testbed
from .provisioned import KERNEL_ARGUMENTS

pytestmark = pytest.mark.lab

# Opens the VF's group and keeps it open, as a guest's QEMU does; prints the group when it has it.
HOLD_GROUP = """
set -eu
vf=$(basename "$(readlink /sys/class/net/enp1s0/device/virtfn{index})")
modprobe vfio-pci
echo vfio-pci > "/sys/bus/pci/devices/$vf/driver_override"
echo "$vf" > "/sys/bus/pci/devices/$vf/driver/unbind"
echo "$vf" > /sys/bus/pci/drivers_probe
group=$(basename "$(readlink "/sys/bus/pci/devices/$vf/iommu_group")")
setsid python3 -c '
import os, sys, time
descriptor = os.open(sys.argv[1], os.O_RDWR)
open("/run/holding", "w").close()
time.sleep(3600)' "/dev/vfio/$group" >/dev/null 2>&1 </dev/null &
until [ -e /run/holding ]; do sleep 0.2; done
echo "$vf"
"""


def fewer(guest: Guest) -> Path:
    """A testbed that wants two VFs less on the first port."""
    ports = entry("enp1s0", 5, "physnet1"), entry("enp2s0", 7, "physnet2")
    return single_host_testbed(guest, *ports, kernel_arguments=KERNEL_ARGUMENTS)


def test_vf_in_a_network_namespace_is_kept_unless_forced(
    provisioned: Guest, fab: Fab, proved: Callable[[str], None]
) -> None:
    """The kernel itself would take it away: measured, a write of 0 succeeds while such a VF carries traffic."""
    provisioned.sh("ip netns add tenant && ip link set enp1s0v3 netns tenant && ip -n tenant link set enp1s0v3 up")
    testbed = fewer(provisioned)
    with observe.untouched(provisioned):
        refused = fab("setup_all", testbed=testbed)
    assert refused.returncode == 1
    said = refused.stdout + refused.stderr
    assert "tenant" in said or "namespace" in said
    assert "enp1s0v3" in provisioned.out("ip -n tenant -br link")

    forced = fab("setup_all", "--force-vf-reset", testbed=testbed)
    assert forced.returncode == 0
    assert observe.counts(provisioned) == (5, 7)
    assert "enp1s0v3" not in provisioned.out("ip -n tenant -br link")
    proved("a VF in a network namespace: change refused and the holder named; gone only with --force-vf-reset")


def test_vf_under_a_macvlan_of_another_namespace_is_kept(
    provisioned: Guest, fab: Fab, proved: Callable[[str], None]
) -> None:
    """The kernel takes the link between the two out of sysfs when one of them leaves for another namespace."""
    provisioned.sh(
        "ip netns add tenant && ip link add mv0 link enp1s0v2 type macvlan && ip link set mv0 netns tenant && "
        "! ls -d /sys/class/net/enp1s0v2/upper_*"
    )
    with observe.untouched(provisioned):
        refused = fab("setup_all", testbed=fewer(provisioned))
    assert refused.returncode == 1
    said = " ".join((refused.stdout + refused.stderr).split())
    assert "in use by network device enp1s0v2, which carries mv0 (network namespace tenant)" in said
    proved("a VF under a macvlan that is in another network namespace: change refused, macvlan and namespace named")


def test_number_that_the_kernel_refuses_leaves_the_old_one(
    provisioned: Guest, fab: Fab, proved: Callable[[str], None]
) -> None:
    """The card has 7. A file over sriov_totalvfs says 8, so that the kernel, and not the plan, refuses the eighth."""
    provisioned.sh("echo 8 >/run/eight && mount --bind /run/eight /sys/class/net/enp1s0/device/sriov_totalvfs")
    testbed = single_host_testbed(provisioned, entry("enp1s0", 8, "physnet1"), entry("enp2s0", 7, "physnet2"))
    refused = fab("setup_all", testbed=testbed)
    assert refused.returncode == 1
    said = " ".join((refused.stdout + refused.stderr).split())
    assert "the driver of enp1s0 refused them (Numerical result out of range); it has 0 of 8" in said
    assert "The 7 from before are back" in said
    assert observe.counts(provisioned) == (7, 7)
    provisioned.sh("umount /sys/class/net/enp1s0/device/sriov_totalvfs")
    ports = entry("enp1s0", 7, "physnet1"), entry("enp2s0", 7, "physnet2")
    again = single_host_testbed(provisioned, *ports, kernel_arguments=KERNEL_ARGUMENTS)
    assert fab("setup_all", testbed=again).returncode == 0
    proved("8 VFs refused by the kernel: told in its words, and the 7 from before are back")


def test_vf_that_a_process_holds_through_vfio_is_kept(
    provisioned: Guest, fab: Fab, proved: Callable[[str], None]
) -> None:
    address = provisioned.out(HOLD_GROUP.format(index=2))
    with observe.untouched(provisioned):
        refused = fab("setup_all", testbed=fewer(provisioned))
    assert refused.returncode == 1
    said = refused.stdout + refused.stderr
    assert address in said
    assert "python3" in said
    assert provisioned.out(f"basename $(readlink /sys/bus/pci/devices/{address}/driver)") == "vfio-pci"
    proved(f"a VF whose vfio group a process has open: change refused, {address} and the process named")


def test_run_that_keeps_the_count_leaves_a_held_vf_alone(provisioned: Guest, fab: Fab) -> None:
    """A VF in use is no reason to fail where nothing about the VFs has to change."""
    provisioned.sh("ip netns add tenant && ip link set enp1s0v3 netns tenant")
    ports = entry("enp1s0", 7, "physnet1"), entry("enp2s0", 7, "physnet2")
    testbed = single_host_testbed(provisioned, *ports, kernel_arguments=KERNEL_ARGUMENTS)
    with observe.untouched(provisioned):
        again = fab("setup_all", testbed=testbed)
    assert again.returncode == 0
