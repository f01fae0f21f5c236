"""The last mile: VMs inside a host hold its virtual functions, use them, and keep them while they run."""

from __future__ import annotations

import dataclasses
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from sriov.cloud import host_checks
from sriov.cloud.checks import Check, Result
from sriov.cloud.host_checks import Expected

from . import image as images
from . import nested, observe
from .conftest import GUEST
from .guest import BOOTED, Guest
from .nested import LibvirtVM, PlainVM, Report
from .product import Fab, entry, single_host_testbed
from .snapshot import booted_disk

pytestmark = [pytest.mark.lab, pytest.mark.lab_slow]

VLAN = 100
COUNT = 5
RUNNING = "vms"  # the state in which both VMs run and have told what they see


@dataclasses.dataclass(frozen=True, slots=True)
class Hypervisor:
    """A host with `COUNT` VFs on enp1s0, two of them with VMs, and what these said."""

    guest: Guest
    plain: PlainVM
    libvirt: LibvirtVM
    reports: dict[str, Report]

    @property
    def holders(self) -> tuple[str, str]:
        """As the product names them."""
        return (
            f"VF 0 ({self.plain.pci}) is in use by process {self.plain.pid} (qemu-system-x86)",
            f"VF 3 ({self.libvirt.pci}) is in use by libvirt domain {self.libvirt.name}",
        )


@pytest.fixture(scope="module")
def vms(run_directory: Path) -> Iterator[Hypervisor]:
    """Both VMs run, and so the host is saved."""
    image = images.build(images.HYPERVISOR)
    guest = Guest.copy("hypervisor", image, run_directory / "hypervisor", booted_disk(image, run_directory))
    try:
        guest.load(BOOTED)
        done = Fab()("setup_all", testbed=wanting(guest, COUNT))
        assert done.returncode == 0, done.stdout + done.stderr
        nested.prepare(guest, VLAN)
        vfs = observe.vf_addresses(guest, "enp1s0")
        plain = PlainVM(guest, "plain", 0, vfs[0], "52:54:00:aa:bb:01", VLAN, "10.9.0.7")
        libvirt = LibvirtVM(guest, "instance-00000001", 3, vfs[3], "fa:16:3e:aa:bb:02", VLAN, "10.9.0.8")
        reports = {}
        for vm in (plain, libvirt):
            vm.start()
            reports[vm.name] = vm.report()
        guest.save(RUNNING)
        yield Hypervisor(guest, plain, libvirt, reports)
    finally:
        guest.power_off_hard()


@pytest.fixture
def hypervisor(vms: Hypervisor, request: pytest.FixtureRequest) -> Hypervisor:
    """The host with both VMs, whatever an earlier scenario did to it."""
    request.node.stash[GUEST] = vms.guest
    vms.guest.load(RUNNING)
    return vms


def wanting(guest: Guest, count: int) -> Path:
    """A testbed that wants so many VFs on enp1s0."""
    return single_host_testbed(guest, entry("enp1s0", count, "physnet1"))


def test_vm_sees_its_virtual_function_and_talks_over_its_vlan(vms: Hypervisor, proved: Callable[[str], None]) -> None:
    for report in vms.reports.values():
        assert "0x8086 0x10ca igbvf" in report.pci
        assert report.answers == {nested.PEERS[0]: 3, nested.PEERS[1]: 0}
    proved(f"VMs of plain QEMU and of libvirt: VF 8086:10ca with igbvf; VLAN {VLAN} answers, another VLAN does not")


def of_host(guest: Guest, expected: Expected) -> tuple[Check, ...]:
    """What `smoke` asks of a host and makes of the answer."""
    return host_checks.of_host(guest.sh(host_checks.question(expected), check=False).stdout, expected)


def test_smoke_judges_a_real_domain_link_and_console_rightly(
    hypervisor: Hypervisor, proved: Callable[[str], None]
) -> None:
    """Right is passed, and each wrong expectation fails the check that it concerns, alone."""
    guest, right = hypervisor.guest, hypervisor.libvirt.expected
    free = observe.vf_addresses(guest, "enp1s0")[1]
    verdicts = {
        right: (Result.PASSED, Result.PASSED),
        dataclasses.replace(right, vlan=VLAN + 1): (Result.FAILED, Result.FAILED),
        dataclasses.replace(right, mac="fa:16:3e:aa:bb:03"): (Result.PASSED, Result.FAILED),
        dataclasses.replace(right, pci_slot=free): (Result.FAILED, Result.FAILED),
        dataclasses.replace(right, server_id="0" * 8, instance="instance-00000002"): (Result.NOT_MADE, Result.PASSED),
        hypervisor.plain.expected: (Result.NOT_MADE, Result.PASSED),
    }
    for expected, outcomes in verdicts.items():
        checks = of_host(guest, expected)
        assert tuple(check.outcome for check in checks) == outcomes, (expected, checks)

    console = hypervisor.reports[hypervisor.libvirt.name].console
    assert host_checks.of_guest(console, right).outcome is Result.PASSED
    assert host_checks.of_guest(console, hypervisor.plain.expected).outcome is Result.FAILED
    assert host_checks.of_guest(console, dataclasses.replace(right, pci_ids="8086:10c9")).outcome is Result.FAILED
    proved(f"smoke's judges, on a real domain, ip link and console: right passed; {len(verdicts) - 1} wrong ones not")


def refusal(done: subprocess.CompletedProcess[str], hypervisor: Hypervisor) -> str:
    """What was said, in one line; asserts that it is a refusal and names who holds which VF."""
    said = " ".join((done.stdout + done.stderr).split())
    assert done.returncode == 1, said
    assert [holder for holder in hypervisor.holders if holder not in said] == [], said
    return said


def test_changes_that_remove_a_running_vms_function_are_refused(
    hypervisor: Hypervisor, fab: Fab, proved: Callable[[str], None]
) -> None:
    """Fewer, more, the way back, none: each says who holds which VF."""
    guest = hypervisor.guest
    with observe.untouched(guest):
        for count in (3, 7):
            assert f"cannot become {count} VFs" in refusal(fab("setup_all", testbed=wanting(guest, count)), hypervisor)
    # the way back, and nothing wanted of this port any more: its whitelist entry goes, what the VMs hold stays
    drivers = observe.vf_drivers(guest, "enp1s0")
    assert [drivers[index] for index in (0, 3)] == ["vfio-pci"] * 2
    refusal(fab("rollback", f"root@127.0.0.1:{guest.login.port}", testbed=wanting(guest, COUNT)), hypervisor)
    assert "cannot become 0 VFs" in refusal(fab("setup_all", testbed=wanting(guest, 0)), hypervisor)
    assert observe.vf_drivers(guest, "enp1s0") == drivers
    proved("while the VMs run, 3 VFs, 7, none and rollback are refused, process and libvirt domain named; none hangs")


def test_vm_that_is_shut_off_keeps_its_function(
    hypervisor: Hypervisor, fab: Fab, proved: Callable[[str], None]
) -> None:
    """libvirt has given the VF back to its driver: only the domain's configuration tells whose it is."""
    guest, name = hypervisor.guest, hypervisor.libvirt.name
    hypervisor.plain.end()
    guest.sh(f"virsh destroy {name}")
    assert observe.vf_drivers(guest, "enp1s0")[3] == "igbvf"
    with observe.untouched(guest):
        refused = fab("setup_all", testbed=wanting(guest, 7))
    assert refused.returncode == 1
    said = " ".join((refused.stdout + refused.stderr).split())
    assert f"VF 3 ({hypervisor.libvirt.pci}) is in use by shut-off domain {name}" in said
    guest.sh(f"virsh undefine {name}")
    assert fab("setup_all", testbed=wanting(guest, 7)).returncode == 0
    assert observe.vf_count(guest, "enp1s0") == 7
    proved("a libvirt domain that is shut off keeps its VF: change refused and the domain named, until it is undefined")


def test_change_goes_through_once_the_vms_have_ended(
    hypervisor: Hypervisor, fab: Fab, proved: Callable[[str], None]
) -> None:
    """One VM's end is not enough where another still holds a VF."""
    guest = hypervisor.guest
    _, domain = hypervisor.holders
    hypervisor.plain.end()
    refused = fab("setup_all", testbed=wanting(guest, 7))
    assert refused.returncode == 1
    said = " ".join((refused.stdout + refused.stderr).split())
    assert domain in said
    assert "in use by process" not in said
    hypervisor.libvirt.end()
    assert fab("setup_all", testbed=wanting(guest, 7)).returncode == 0
    assert observe.vf_count(guest, "enp1s0") == 7
    assert set(observe.vf_drivers(guest, "enp1s0")) == {"igbvf"}
    proved("one of two VMs ended: still refused, for the other; both ended: 5 -> 7 VFs")


def test_forced_change_under_a_running_vm_ends_and_is_completed_later(
    hypervisor: Hypervisor, fab: Fab, proved: Callable[[str], None]
) -> None:
    """The kernel does not answer a write of 0 while QEMU holds a VF, nor any read of the file after it."""
    guest = hypervisor.guest
    hypervisor.libvirt.end()
    forced = fab("setup_all", "--force-vf-reset", testbed=wanting(guest, 3))
    assert forced.returncode == 1
    assert "has not answered" in forced.stdout + forced.stderr
    for task, code in {"status": 0, "verify": 3, "setup_all": 1}.items():
        meanwhile = fab(task, testbed=wanting(guest, 3))
        assert meanwhile.returncode == code, task
    assert "an earlier write of 0" in meanwhile.stdout + meanwhile.stderr
    hypervisor.plain.end()
    assert observe.vf_count(guest, "enp1s0") == 0  # answered once the write of 0 has been
    assert fab("setup_all", testbed=wanting(guest, 3)).returncode == 0
    assert observe.vf_count(guest, "enp1s0") == 3
    proved("--force-vf-reset under a running VM: fab ends with an error, so do later runs; after the VM's end, 3 VFs")
