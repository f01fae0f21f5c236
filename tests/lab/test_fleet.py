"""Many hosts with real systemd at once: reboots in waves, one host's failure, two controllers, a hundred hosts."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import pytest

from .leftovers import left_after_a_moment, leftovers
from .nspawn import Container, Fleet, Visit
from .nspawn_tree import FLEET, Tree, build
from .product import entry

pytestmark = pytest.mark.lab

# A run of its own in a process of its own: starts containers, says so, and waits to be ended.
INTERRUPTED_RUN = """
import signal, sys, time
from pathlib import Path
from {package}.nspawn import Fleet
from {package}.nspawn_tree import FLEET, build
with Fleet(build(FLEET), ["one", "other"], Path(sys.argv[1])):
    print("up", flush=True)
    time.sleep(600)
"""

PORTS = (entry("enp1s0", 7, "physnet1"), entry("enp2s0", 7, "physnet2"))
AT_ONCE = 5
Proved = Callable[[str], None]


@pytest.fixture(scope="module")
def tree(run_directory: Path) -> Tree:
    return build(FLEET)


@pytest.fixture(scope="module")
def fleet(tree: Tree, run_directory: Path) -> Iterator[Fleet]:
    """Twenty hosts, fresh at the module's begin; what a scenario needs fresh it renews."""
    with Fleet(tree, [f"compute{number}" for number in range(1, 21)], run_directory / "fleet") as fleet:
        yield fleet


@pytest.fixture(scope="module")
def provisioned(fleet: Fleet) -> Visit:
    """The run over all hosts of the fresh fleet."""
    visit = fleet.fab(
        "setup_all", "--json", "--max-unavailable", str(AT_ONCE), testbed=fleet.testbed(fleet.hosts, PORTS)
    )
    fleet.settle(*fleet.hosts)
    return visit


def statuses(visit: Visit) -> dict[str, str]:
    """Host string -> how it ended."""
    return {name: host["status"] for name, host in visit.hosts.items()}


def names(hosts: Iterable[Container], status: str) -> dict[str, str]:
    return {host.login: status for host in hosts}


def vf_counts(host: Container) -> list[int]:
    return [int(word) for word in host.out("cat /sys/class/net/enp?s0/device/sriov_numvfs").split()]


def whitelist(host: Container) -> list[dict[str, str]]:
    """Entries of nova.conf, without nova."""
    lines = host.out("sed -n 's/^device_spec *= *//p' /etc/nova/nova.conf")
    return [json.loads(line) for line in lines.splitlines()]


def started(host: Container, unit: str) -> int:
    """When the unit's process began, in microseconds of the monotonic clock."""
    return int(host.out(f"systemctl show --value -p ExecMainStartTimestampMonotonic {unit}"))


def starts(host: Container, unit: str) -> int:
    """How often systemd has started the unit in this boot, by its journal."""
    return int(host.out(f"journalctl -b -q -o cat UNIT={unit}.service | grep -c '^Started '"))


def is_sriov_host(host: Container) -> bool:
    """All that the run is for, as the host's own kernel interface, systemd and files show it."""
    arguments = set(host.out("cat /proc/cmdline").split())
    units = host.out("systemctl is-active nova-compute nova-scheduler").split()
    vfs = max(started(host, f"sriov-vfs-{interface}") for interface in ("enp1s0", "enp2s0"))
    return (
        {"intel_iommu=on", "iommu=pt"} <= arguments
        and vf_counts(host) == [7, 7]
        and {spec["physical_network"] for spec in whitelist(host)} == {"physnet1", "physnet2"}
        and units == ["active", "active"]
        and 0 < vfs < started(host, "nova-compute")
    )


def most_at_once(intervals: Iterable[tuple[float, float]]) -> int:
    """How many of them overlap at most; one that begins when another ends does not."""
    edges = sorted((at, step) for begin, end in intervals for at, step in ((begin, 1), (end, -1)))
    count = most = 0
    for _, step in edges:
        count += step
        most = max(most, count)
    return most


def judge_waves(hosts: Iterable[Container], at_once: int) -> int:
    """One host was away and back before any other left; then no more than `at_once`. The most that were away."""
    absences = []
    for host in hosts:
        (absence,) = host.absences()
        absences.append(absence)
    canary, *others = sorted(absences)
    assert canary[1] < min(begin for begin, _ in others)
    most = most_at_once(others)
    assert 2 <= most <= at_once
    return most


def identity(host: Container) -> set[str]:
    """Lines that differ after any write to the host's disk, after a boot, and after a start of a service.

    Logs do not count, nor what systemd keeps of its own timers.
    """
    pruned = " ".join(f"-path {path} -prune -o" for path in ("/run", "/var/log", "/var/lib/systemd"))
    script = (
        "cat /proc/sys/kernel/random/boot_id; find /run/systemd/system -printf '%p %T@\\n';"
        "systemctl show -p MainPID,ExecMainStartTimestampMonotonic nova-compute nova-scheduler 'sriov-vfs-*';"
        f"find / -xdev {pruned} -printf '%p %i %m %s %T@ %C@\\n'"
    )
    return set(host.out(script).splitlines())


def test_twenty_hosts_reboot_one_first_and_then_five_at_once(fleet: Fleet, provisioned: Visit, proved: Proved) -> None:
    assert provisioned.code == 0
    assert statuses(provisioned) == names(fleet.hosts, "changed")
    assert all(host["rebooted"] for host in provisioned.hosts.values())
    assert set(fleet.boots().values()) == {2}
    assert [host.name for host in fleet.hosts if not is_sriov_host(host)] == []
    most = judge_waves(fleet.hosts, AT_ONCE)
    proved(f"20 fresh hosts, one reboot each: one first, then at most {most} away at once (allowed: {AT_ONCE})")


def test_second_run_over_twenty_hosts_changes_nothing(fleet: Fleet, provisioned: Visit, proved: Proved) -> None:
    assert provisioned.code == 0
    before = [identity(host) for host in fleet.hosts]
    again = fleet.fab("setup_all", "--json", testbed=fleet.testbed(fleet.hosts, PORTS))
    assert again.code == 0
    assert statuses(again) == names(fleet.hosts, "unchanged")
    after = [identity(host) for host in fleet.hosts]
    assert [sorted(one ^ other) for one, other in zip(before, after, strict=True) if one != other] == []
    proved("second run over 20 hosts: no inode, no time of a file, no service, no boot differs")


def test_failing_hosts_are_theirs_alone(fleet: Fleet, provisioned: Visit, proved: Proved) -> None:
    """One host cannot write nova's files, on another nova-compute does not start; eighteen are brought on."""
    assert provisioned.code == 0
    read_only, failing, *others = fleet.hosts
    read_only.sh("mount --bind /etc/nova /etc/nova && mount -o remount,ro,bind /etc/nova")
    drop_in = "/run/systemd/system/nova-compute.service.d"
    failing.sh(f"mkdir {drop_in}; printf '[Service]\\nExecStartPre=/bin/false\\n' >{drop_in}/fail.conf")
    failing.sh("systemctl daemon-reload")
    testbed = fleet.testbed(fleet.hosts, (entry("enp1s0", 5, "physnet9"), PORTS[1]))
    visit = fleet.fab("setup_all", "--json", testbed=testbed)
    assert visit.code == 1
    assert statuses(visit) == names(others, "changed") | names((read_only, failing), "failed")
    assert "/etc/nova" in visit.hosts[read_only.login]["error"]["message"]
    assert "nova-compute" in visit.hosts[failing.login]["error"]["message"]
    for host in others:
        assert vf_counts(host) == [5, 7]
        assert {spec["physical_network"] for spec in whitelist(host)} == {"physnet9", "physnet2"}
        assert host.out("systemctl is-active nova-compute") == "active"
    read_only.sh("umount /etc/nova")
    failing.sh(f"rm -r {drop_in}; systemctl daemon-reload")
    mended = fleet.fab("setup_all", "--json", testbed=testbed)
    assert mended.code == 0
    assert statuses(mended) == names(others, "unchanged") | names((read_only, failing), "changed")
    assert set(fleet.boots().values()) == {2}
    proved("a read-only /etc/nova and a failing nova-compute: 18 others done, 2 named; once mended only these 2 change")


def test_two_controllers_at_once_make_each_change_once(fleet: Fleet, provisioned: Visit, proved: Proved) -> None:
    assert provisioned.code == 0
    wanted = (entry("enp1s0", 6, "physnet7"), PORTS[1])
    before = {host.name: host.out("ls /var/lib/sriov/runs").split() for host in fleet.hosts}
    starts_before = {host.name: starts(host, "nova-compute") for host in fleet.hosts}
    calls = [fleet.start_fab("setup_all", "--json", testbed=fleet.testbed(fleet.hosts, wanted)) for _ in range(2)]
    one, other = (fleet.end_fab(call) for call in calls)
    refused = 0
    for host in fleet.hosts:
        ends = [visit.hosts[host.login] for visit in (one, other)]
        assert {end["status"] for end in ends} & {"changed", "unchanged"}
        for error in (end["error"]["message"] for end in ends if end["status"] == "failed"):
            assert "another run is changing this host" in error or "Run again" in error
            refused += 1
        assert vf_counts(host) == [6, 7]
        assert {spec["physical_network"] for spec in whitelist(host)} == {"physnet7", "physnet2"}
        assert len(host.out("ls /var/lib/sriov/runs").split()) == min(len(before[host.name]) + 1, 10)
        assert starts(host, "nova-compute") == starts_before[host.name] + 1
    third = fleet.fab("setup_all", "--json", testbed=fleet.testbed(fleet.hosts, wanted))
    assert statuses(third) == names(fleet.hosts, "unchanged")
    proved(
        "two controllers over 20 hosts: each change made once; "
        f"the other run was refused {refused} times, else it had nothing to do"
    )


def test_host_that_does_not_come_back_stops_the_reboots(fleet: Fleet, proved: Proved) -> None:
    """The third of six, one at a time; all that did not get its turn is done but for the reboot."""
    hosts = fleet.hosts[:6]
    fleet.renew(*hosts)
    lost = hosts[2]
    fleet.stay_down(lost)
    testbed = fleet.testbed(hosts, PORTS)
    visit = fleet.fab("setup_all", "--json", "--max-unavailable", "1", "--reboot-timeout", "10", testbed=testbed)
    assert visit.code == 1
    back = [host for host in hosts if fleet.boots()[host.name] == 2]
    waiting = [host for host in hosts if host not in (*back, lost)]
    assert hosts[0] in back
    assert statuses(visit) == names(back, "changed") | names(waiting, "pending") | names((lost,), "failed")
    assert "did not come back within 10 s" in visit.hosts[lost.login]["error"]["message"]
    for host in waiting:
        told = [note["message"] for note in visit.hosts[host.login]["notes"]]
        assert any("another host did not come back" in message for message in told)
        assert host.absences() == []
        assert vf_counts(host) == [7, 7]
        assert len(whitelist(host)) == 2
    fleet.power_on(lost)
    (went,) = (begin for begin, _ in lost.absences())
    assert all(end < went for host in back for _, end in host.absences())
    again = fleet.fab("setup_all", "--json", testbed=testbed)
    fleet.settle(*hosts)
    assert again.code == 0
    assert statuses(again) == names((*back, lost), "unchanged") | names(waiting, "changed")
    assert {fleet.boots()[host.name] for host in hosts} == {2}
    assert [host.name for host in hosts if not is_sriov_host(host)] == []
    proved(
        f"a host of six does not come back: {len(waiting)} pending and not rebooted; the next run reboots just these"
    )


def test_jobs_bound_how_many_hosts_are_worked_on_at_once(fleet: Fleet, proved: Proved) -> None:
    """Each host's nova-compute takes three seconds to start; systemd says when that was."""
    hosts = fleet.hosts[6:14]
    fleet.renew(*hosts)
    drop_in = "/etc/systemd/system/nova-compute.service.d"
    for host in hosts:
        host.sh(f"mkdir {drop_in}; printf '[Service]\\nExecStartPre=/bin/sleep 3\\n' >{drop_in}/slow.conf")
        host.sh("systemctl daemon-reload")
    testbed = fleet.testbed(hosts, PORTS)
    visit = fleet.fab("setup_all", "--json", "--reboot", "never", "--jobs", "4", testbed=testbed)
    assert visit.code == 0
    show = "systemctl show --value -p InactiveExitTimestampMonotonic -p ActiveEnterTimestampMonotonic nova-compute"
    times = [host.out(show).split() for host in hosts]
    most = most_at_once((int(begin), int(end)) for begin, end in times)
    assert 2 <= most <= 4
    proved(f"--jobs 4 over 8 hosts: {most} restarts of nova-compute under way at once, by systemd's own times")


@pytest.mark.parametrize("ending", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_containers_end_with_an_interrupted_run(tree: Tree, run_directory: Path, ending: signal.Signals) -> None:
    """Ctrl-C, a polite and an impolite kill of the run itself."""
    directory = run_directory / f"interrupted-{ending.name}"
    package = __name__.rpartition(".")[0]
    root = Path(__file__).parents[package.count(".") + 1]
    command = [sys.executable, "-c", INTERRUPTED_RUN.format(package=package), str(directory)]
    environment = {**os.environ, "PYTHONPATH": str(root)}
    with subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as run:
        try:
            assert run.stdout is not None
            assert run.stdout.readline() == "up\n"
            assert {line.split()[0] for line in leftovers(directory)} == {"process", "mount", "control"}
            run.send_signal(ending)
            run.wait(60)
        finally:
            run.kill()
    assert left_after_a_moment(directory) == []


@pytest.mark.lab_slow
def test_hundred_hosts_in_waves_of_ten(tree: Tree, run_directory: Path, proved: Proved) -> None:
    with Fleet(tree, [f"compute{number}" for number in range(1, 101)], run_directory / "hundred") as fleet:
        testbed = fleet.testbed(fleet.hosts, PORTS)
        visit = fleet.fab("setup_all", "--json", "--max-unavailable", "10%", testbed=testbed)
        fleet.settle(*fleet.hosts)
        assert visit.code == 0
        assert statuses(visit) == names(fleet.hosts, "changed")
        assert set(fleet.boots().values()) == {2}
        assert [host.name for host in fleet.hosts if not is_sriov_host(host)] == []
        most = judge_waves(fleet.hosts, 10)
        before = [identity(host) for host in fleet.hosts]
        again = fleet.fab("setup_all", "--json", testbed=testbed)
        assert again.code == 0
        assert statuses(again) == names(fleet.hosts, "unchanged")
        assert [identity(host) for host in fleet.hosts] == before
    proved(f"100 fresh hosts: one first, then at most {most} away at once (10%); the second run changes nothing")
