"""`fab setup_all` from bare hosts to SR-IOV hosts: what it leaves, what it costs, what it does not do again."""

from __future__ import annotations

import hashlib
import json
import os
import time

import pytest
from conftest import Operator, Visit
from nova_files import nova_reads

from sriov.formats.nova.releases import PCI_FILTER
from sriov.formats.oslo.options import ConfigFile
from sriov.simulation import Fleet, HostSpec, SimulatedHost

SEVEN = [
    {"interface": "eth0", "VF": 7, "physnets": ["physnet1"]},
    {"interface": "eth1", "VF": 7, "physnets": ["physnet2"]},
]
WHOLE = {"compute1": SEVEN, "compute2": SEVEN[:1], "both": SEVEN}
COMPUTES = ("compute1", "compute2", "both")
UNIT = "/etc/systemd/system/sriov-vfs-{}.service"
NOVA_CONF = "/etc/nova/nova.conf"


@pytest.fixture(scope="module")
def hosts() -> tuple[HostSpec, ...]:
    return (
        HostSpec("openstack1", roles=("openstack",)),
        HostSpec("compute1", cmdline="console=ttyS0 intel_iommu=off"),
        HostSpec("compute2", family="rhel", cpu="amd", release=18),
        HostSpec("both", roles=("compute", "openstack"), release=34),
    )


@pytest.fixture(scope="module")
def bare(operator: Operator) -> Visit:
    """`fab plan` before anything was done."""
    operator.write(WHOLE)
    return operator.fab("plan")


@pytest.fixture(scope="module")
def first(operator: Operator, bare: Visit) -> Visit:
    visit = operator.fab("setup_all")
    assert visit.code == 0, visit.said
    return visit


@pytest.fixture
def cloud(fleet: Fleet, operator: Operator, first: Visit) -> Operator:
    """The fleet as the first run left it; a test that changes it brings it back by `setup_all`."""
    for host in fleet.hosts:
        host.clear_faults()
    operator.write(WHOLE)
    return operator


def reboot(host: SimulatedHost) -> None:
    """Until its last service has started again."""
    host.reboot()
    deadline = time.monotonic() + 20
    while not any("nova-compute" in start.unit for start in host.journal) and time.monotonic() < deadline:
        time.sleep(0.02)


def entries(host: SimulatedHost) -> list[object]:
    """nova-compute's whitelist, as oslo.config reads it."""
    return [json.loads(value) for value in reads(host, "nova-compute")[0]]


def reads(host: SimulatedHost, reader: str) -> tuple[list[str], list[str], list[str]]:
    text = host.path(NOVA_CONF).read_bytes()
    return nova_reads((ConfigFile(NOVA_CONF, text, frozenset((reader,))),), host.spec.release, reader)


def grub_configuration(host: SimulatedHost) -> str:
    """What the next boot takes its command line from."""
    if host.spec.family == "debian":
        return host.path("/boot/grub/grub.cfg").read_text()
    return "".join(path.read_text() for path in host.path("/boot/loader/entries").glob("*.conf"))


def test_plan_names_every_change_with_its_effect_and_touches_nothing(bare: Visit) -> None:
    assert bare.code == 3
    assert not bare.touched
    assert set(bare.executions.values()) == {1}
    for words in ("+intel_iommu=on", "[VF reset]", "[reboot]", "+device_spec = ", "services nova-scheduler"):
        assert (words in bare.out) == (words != "[VF reset]"), words


def test_setup_all_gives_every_kernel_its_arguments_by_one_reboot(fleet: Fleet, first: Visit) -> None:
    assert first.reboots == {"openstack1": 0, "compute1": 1, "compute2": 1, "both": 1}
    for name in ("compute1", "both"):
        assert {"intel_iommu=on", "iommu=pt"} < set(fleet[name].cmdline.split())
        assert "intel_iommu=on iommu=pt" in grub_configuration(fleet[name])
    assert "iommu=pt" in fleet["compute2"].cmdline.split()
    assert "amd_iommu" not in fleet["compute2"].cmdline
    assert fleet["openstack1"].cmdline.count("iommu") == 0


def test_setup_all_replaces_a_conflicting_argument_and_keeps_the_others(fleet: Fleet, first: Visit) -> None:
    words = fleet["compute1"].cmdline.split()
    assert "console=ttyS0" in words
    assert "quiet" in words
    assert "intel_iommu=off" not in words
    assert "crashkernel=1G-4G:192M,4G-64G:256M,64G-:512M" in fleet["compute2"].cmdline.split()


def test_setup_all_makes_the_vfs_and_an_enabled_unit_for_them(fleet: Fleet, first: Visit) -> None:
    for name in ("compute1", "both"):
        assert [fleet[name].numvfs(port) for port in ("eth0", "eth1")] == [7, 7]
    assert [fleet["compute2"].numvfs(port) for port in ("eth0", "eth1")] == [7, 0]
    wanted = fleet["compute1"].run("systemctl is-enabled sriov-vfs-eth0.service sriov-vfs-eth1.service")
    assert wanted.stdout == b"enabled\nenabled\n"


def test_vfs_stand_before_nova_compute_starts_at_boot(fleet: Fleet, first: Visit) -> None:
    for name, unit in (("compute1", "nova-compute"), ("compute2", "openstack-nova-compute"), ("both", "nova-compute")):
        start = next(start for start in fleet[name].journal if start.unit == f"{unit}.service")
        assert start.vfs["eth0"] == 7


def test_nova_compute_reads_exactly_the_entries_wanted(fleet: Fleet, first: Visit) -> None:
    eth0 = {"devname": "eth0", "physical_network": "physnet1"}
    eth1 = {"devname": "eth1", "physical_network": "physnet2"}
    assert entries(fleet["compute1"]) == entries(fleet["both"]) == [eth0, eth1]
    assert entries(fleet["compute2"]) == [eth0]


def test_scheduler_has_the_filter_beside_those_of_its_release(fleet: Fleet, first: Visit) -> None:
    for name in ("openstack1", "both"):
        filters = reads(fleet[name], "nova-scheduler")[1]
        assert filters[-1] == PCI_FILTER
        assert "ComputeFilter" in filters[:-1]


def test_no_service_runs_with_a_file_that_it_has_not_read(fleet: Fleet, first: Visit) -> None:
    for host in fleet.hosts:
        current = hashlib.sha256(host.path(NOVA_CONF).read_bytes()).hexdigest()
        running = [service for service in host.services.values() if NOVA_CONF in service["read"]]
        assert running
        assert {service["read"][NOVA_CONF] for service in running} >= {current}
        for service in running:
            if "nova-compute" in service["name"] or "nova-scheduler" in service["name"]:
                assert (service["active"], service["read"][NOVA_CONF]) == ("active", current)


def test_mode_and_owner_of_nova_conf_stay(fleet: Fleet, first: Visit) -> None:
    for host in fleet.hosts:
        at = host.path(NOVA_CONF).stat()
        assert at.st_mode & 0o7777 == 0o640
        if os.geteuid() == 0:
            assert at.st_gid == 64060


def test_changed_hosts_cost_two_commands_and_a_reboot_one_more(first: Visit) -> None:
    assert first.connections == {"openstack1": 1, "compute1": 2, "compute2": 2, "both": 2}
    assert first.executions == {"openstack1": 2, "compute1": 3, "compute2": 3, "both": 3}


def test_second_run_costs_one_command_and_writes_nothing(cloud: Operator) -> None:
    again = cloud.fab("setup_all")
    assert again.code == 0
    assert not again.touched
    assert set(again.connections.values()) == set(again.executions.values()) == {1}
    assert not any(again.reboots.values())
    assert not any(again.restarted.values())


def test_drift_of_the_compute_side_restarts_the_compute_service_alone(cloud: Operator, fleet: Fleet) -> None:
    cloud.write({**WHOLE, "both": [{**SEVEN[0], "physnets": ["other"]}, SEVEN[1]]})
    seen = cloud.fab("verify")
    assert (seen.code, seen.touched) == (3, frozenset())
    visit = cloud.fab("setup_all")
    assert visit.code == 0, visit.said
    assert visit.touched == {"both"}
    # one look more: who holds the VFs, for which other lines are written
    assert (visit.connections["both"], visit.executions["both"], visit.reboots["both"]) == (1, 3, 0)
    assert "nova-compute" in visit.restarted["both"]
    assert entries(fleet["both"])[0] == {"devname": "eth0", "physical_network": "other"}
    cloud.write(WHOLE)
    assert cloud.fab("setup_all").code == 0


def test_file_edited_by_hand_later_restarts_its_reader_once(cloud: Operator, fleet: Fleet) -> None:
    with fleet["compute1"].path(NOVA_CONF).open("ab") as file:
        file.write(b"# a note\n")
    visit = cloud.fab("setup_all")
    assert visit.code == 0, visit.said
    assert visit.restarted == {"openstack1": (), "compute1": ("nova-compute",), "compute2": (), "both": ()}
    assert visit.touched == {"compute1"}
    assert fleet["compute1"].path(NOVA_CONF).read_bytes().endswith(b"# a note\n")
    assert not cloud.fab("verify").code


def test_log_that_cannot_be_written_is_told_and_loses_no_host(cloud: Operator, fleet: Fleet) -> None:
    for name in ("compute1", "both"):
        fleet[name].run(f"echo '# again' >>{NOVA_CONF}")
    visit = cloud.fab("setup_all", "--log", "/dev/full")
    assert visit.code == 0, visit.said
    assert visit.said.count("--log /dev/full has lost lines: No space left on device") == 1
    assert "Exception" not in visit.said
    assert visit.restarted["compute1"] == ("nova-compute",)


def test_modification_time_in_the_future_does_not_restart_for_ever(cloud: Operator, fleet: Fleet) -> None:
    later = time.time() + 10_000
    os.utime(fleet["openstack1"].path(NOVA_CONF), (later, later))
    once = cloud.fab("setup_all")
    assert once.restarted["openstack1"] == ("nova-scheduler",)
    twice = cloud.fab("setup_all")
    assert (twice.code, twice.touched) == (0, frozenset())


def test_stopped_service_is_started(cloud: Operator, fleet: Fleet) -> None:
    fleet["compute2"].run("systemctl stop openstack-nova-compute")
    visit = cloud.fab("setup_all")
    assert visit.code == 0, visit.said
    assert visit.restarted["compute2"] == ("openstack-nova-compute",)


def test_restart_that_failed_is_made_by_the_next_run(cloud: Operator, fleet: Fleet) -> None:
    cloud.write({**WHOLE, "both": SEVEN[:1]})
    fleet["both"].fail(failing_units=("nova-compute.service",))
    broken = cloud.fab(f"add_vrouter_node:{fleet['compute1'].login},{fleet['both'].login}", "--remove")
    assert broken.code == 1
    assert "nova-compute does not start: ActiveState=failed" in broken.out
    fleet["both"].clear_faults()
    again = cloud.fab("setup_all")
    assert again.code == 0, again.said
    assert again.restarted["both"] == ("nova-compute", "nova-scheduler")  # the call before was not about the latter
    cloud.write(WHOLE)
    assert cloud.fab("setup_all").code == 0


def test_restart_that_failed_is_made_where_nothing_else_of_ours_is_left(cloud: Operator, fleet: Fleet) -> None:
    host = fleet["compute1"]
    cloud.write({**WHOLE, "compute1": []})
    host.fail(failing_units=("nova-compute.service",))
    assert cloud.fab("setup_all", "--remove").code == 1
    assert b"sriov-fab" not in host.path(NOVA_CONF).read_bytes()
    host.clear_faults()
    again = cloud.fab("setup_all")
    assert (again.code, again.restarted["compute1"]) == (0, ("nova-compute",)), again.said
    last = cloud.fab("setup_all")
    assert (last.code, last.restarted["compute1"]) == (0, ()), last.said
    cloud.write(WHOLE)
    assert cloud.fab("setup_all").code == 0


def test_fewer_vfs_stay_fewer_after_a_reboot_and_more_come_back(cloud: Operator, fleet: Fleet) -> None:
    host = fleet["compute1"]
    cloud.write({**WHOLE, "compute1": [{**SEVEN[0], "VF": 5}, SEVEN[1]]})
    visit = cloud.fab("setup_all")
    assert visit.code == 0, visit.said
    assert (visit.touched, visit.executions["compute1"]) == (frozenset({"compute1"}), 3)  # a look for who holds the VFs
    assert (host.numvfs("eth0"), host.numvfs("eth1")) == (5, 7)
    reboot(host)
    assert (host.numvfs("eth0"), host.numvfs("eth1")) == (5, 7), host.report()
    assert cloud.fab("verify").code == 0
    cloud.write(WHOLE)
    assert cloud.fab("setup_all").code == 0
    assert host.numvfs("eth0") == 7


def test_interface_that_leaves_the_testbed_takes_its_vfs_entry_and_unit_along(cloud: Operator, fleet: Fleet) -> None:
    host = fleet["compute1"]
    other, file = host.path(UNIT.format("eth0")).stat(), host.path(NOVA_CONF).read_text()
    cloud.write({**WHOLE, "compute1": SEVEN[:1]})
    kept = cloud.fab("setup_all")
    assert (kept.code, kept.touched) == (3, frozenset()), kept.said
    assert "1 host would lose virtual-functions eth1 (7 VFs -> no VFs, no unit): compute1" in kept.err
    visit = cloud.fab("setup_all", "--remove")
    assert visit.code == 0, visit.said
    assert visit.touched == {"compute1"}
    assert (host.numvfs("eth0"), host.numvfs("eth1")) == (7, 0)
    assert entries(host) == [{"devname": "eth0", "physical_network": "physnet1"}]
    assert not host.path(UNIT.format("eth1")).exists()
    assert not [path for path in host.path("/etc/systemd/system").rglob("*eth1*") if path.is_symlink()]
    assert host.path(UNIT.format("eth0")).stat() == other
    gone = set(file.splitlines()) - set(host.path(NOVA_CONF).read_text().splitlines())
    assert not [line for line in gone if not line.startswith("#") and "eth1" not in line]
    assert len(gone) == 2  # the entry, and the mark at the block's end
    reboot(host)
    assert (host.numvfs("eth0"), host.numvfs("eth1")) == (7, 0), host.report()
    cloud.write(WHOLE)
    assert cloud.fab("setup_all").code == 0
    assert host.path(NOVA_CONF).read_text() == file


def test_host_whose_stanza_is_gone_loses_what_is_ours(cloud: Operator, fleet: Fleet) -> None:
    host = fleet["compute2"]
    cloud.write({name: ports for name, ports in WHOLE.items() if name != "compute2"})
    kept = cloud.fab(f"add_vrouter_node:{host.login}")
    assert (kept.code, kept.touched, kept.restarted["compute2"]) == (3, frozenset(), ()), kept.said
    visit = cloud.fab(f"add_vrouter_node:{host.login}", "--remove")
    assert visit.code == 0, visit.said
    assert visit.touched == {"compute2"}
    assert host.numvfs("eth0") == 0
    assert entries(host) == []
    assert b"sriov" not in host.path(NOVA_CONF).read_bytes()
    assert not host.path(UNIT.format("eth0")).exists()
    assert "iommu" not in grub_configuration(host)
    again = cloud.fab("setup_all")
    assert (again.code, again.touched) == (0, frozenset())
    cloud.write(WHOLE)
    assert cloud.fab("setup_all").code == 0
