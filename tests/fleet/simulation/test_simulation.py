"""The fleet: real SSH, real commands, reboots and faults. OpenSSH's client is the witness."""

from __future__ import annotations

import hashlib
import os
import random
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import paramiko
import pytest
from conftest import CHECKOUT

from sriov.errors import SriovError, UsageError
from sriov.simulation import Fleet, HostSpec, Nic, SimulatedHost, User

NUMVFS = "/sys/class/net/eth0/device/sriov_numvfs"
UNIT = """[Unit]
BindsTo=sys-subsystem-net-devices-eth0.device
After=sys-subsystem-net-devices-eth0.device
Before=nova-compute.service
[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/bin/sh -c 'test "$$(cat /sys/class/net/eth0/device/sriov_numvfs)" = 5 || echo 5 > \\
    /sys/class/net/eth0/device/sriov_numvfs'
[Install]
WantedBy=multi-user.target
"""
SPECS = (
    HostSpec(
        "compute1",
        users=(
            User("ops", 1000, "pass word", "password"),
            User("free", 1001, sudo="nopasswd"),
            User("guest", 1002, "secret", "no"),
        ),
        reboot_seconds=0.02,
    ),
    HostSpec("openstack1", roles=("openstack",), root_password="r00t"),
    HostSpec("red1", family="rhel", cpu="amd", release=18),
)


@pytest.fixture(scope="module")
def fleet() -> Iterator[Fleet]:
    with Fleet(SPECS) as running:
        yield running


@pytest.fixture
def compute(fleet: Fleet) -> Iterator[SimulatedHost]:
    """A host as new: no faults, no VFs, counters at zero."""
    host = fleet["compute1"]
    yield host
    host.clear_faults()
    host.run("rm -f /etc/systemd/system/*.service /etc/systemd/system/*/sriov* /etc/default/grub.d/*; update-grub")
    host.reboot()
    host.reset_counts()


@pytest.fixture
def make_fleet() -> Iterator[Callable[..., SimulatedHost]]:
    """A fleet of one host, for what must not happen to the shared one."""
    fleets: list[Fleet] = []

    def make(spec: HostSpec) -> SimulatedHost:
        fleets.append(Fleet([spec]))
        fleets[-1].start()
        return fleets[-1].hosts[0]

    yield make
    for made in fleets:
        made.stop()


def ssh(
    fleet: Fleet, name: str, command: str, *, user: str = "root", data: bytes = b"", seconds: float = 30
) -> subprocess.CompletedProcess[bytes]:
    words = ["ssh", "-F", str(fleet.ssh_config_path), "-l", user, "-o", "BatchMode=yes", name, command]
    return subprocess.run(words, input=data, capture_output=True, timeout=seconds, check=False)


def wait_for(condition: Callable[[], bool], seconds: float = 10.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited too long"
        time.sleep(0.02)


# --- commands over SSH ---


def test_exec_passes_binary_data_both_ways(fleet: Fleet) -> None:
    data = random.Random(7).randbytes(1 << 20)
    answer = ssh(fleet, "compute1", f"head -c {len(data)}", data=data)
    assert answer.returncode == 0
    assert hashlib.sha256(answer.stdout).digest() == hashlib.sha256(data).digest()


def test_exec_keeps_streams_and_status_apart(fleet: Fleet) -> None:
    answer = ssh(fleet, "compute1", "echo out; echo err >&2; exit 7")
    assert (answer.stdout, answer.stderr, answer.returncode) == (b"out\n", b"err\n", 7)


def test_exec_tells_the_end_of_input(fleet: Fleet) -> None:
    assert ssh(fleet, "compute1", "wc -c", data=b"x" * 70000).stdout.strip() == b"70000"


def test_exec_environment_is_the_hosts_own(fleet: Fleet) -> None:
    answer = ssh(fleet, "compute1", "pwd; hostname; id -u; echo $HOME; env | grep -c PYTHON")
    assert answer.stdout == b"/root\ncompute1\n0\n/root\n0\n"


def test_exec_detached_child_outlives_its_session(fleet: Fleet) -> None:
    ssh(fleet, "compute1", "setsid sh -c 'sleep 0.3; echo done >/root/late' >/dev/null 2>&1 </dev/null &")
    host = fleet["compute1"]
    wait_for(lambda: host.path("/root/late").exists())


def test_exec_is_counted_with_its_text(fleet: Fleet) -> None:
    host = fleet["openstack1"]
    host.reset_counts()
    ssh(fleet, "openstack1", "echo counted")
    assert (host.connections, host.executions, host.bytes_sent) == (1, ["echo counted"], len("counted\n"))


def test_exec_writer_meets_sigpipe_when_the_client_leaves(fleet: Fleet) -> None:
    host = fleet["compute1"]
    words = ["ssh", "-F", str(fleet.ssh_config_path), "compute1", "yes; echo $? >/root/ended"]
    with subprocess.Popen(words, stdout=subprocess.PIPE) as client:
        assert client.stdout is not None
        client.stdout.read(1000)
        client.kill()
    wait_for(lambda: host.path("/root/ended").exists() and bool(host.path("/root/ended").read_text()))
    assert host.path("/root/ended").read_text().strip() in ("141", "1")


def test_forwarding_reaches_another_host_through_one(fleet: Fleet) -> None:
    words = ["ssh", "-F", str(fleet.ssh_config_path), "-J", "openstack1", "compute1", "hostname"]
    assert subprocess.run(words, capture_output=True, timeout=30, check=True).stdout == b"compute1\n"


def test_login_with_a_password_is_checked(fleet: Fleet) -> None:
    host = fleet["openstack1"]
    for password, works in (("r00t", True), ("wrong", False)):
        with paramiko.SSHClient() as client:
            client.load_host_keys(str(fleet.known_hosts_path))
            try:
                client.connect(host.address, host.port, "root", password, look_for_keys=False, allow_agent=False)
                worked = True
            except paramiko.AuthenticationException:
                worked = False
        assert worked is works


def test_login_without_the_key_is_refused(fleet: Fleet) -> None:
    assert ssh(fleet, "compute1", "true", user="nobody").returncode == 255


def test_terminal_is_given_to_who_asks(fleet: Fleet) -> None:
    words = ["ssh", "-tt", "-F", str(fleet.ssh_config_path), "compute1", "tty; exit 3"]
    answer = subprocess.run(words, capture_output=True, timeout=30, check=False, stdin=subprocess.DEVNULL)
    assert (answer.stdout.startswith(b"/dev/pts/"), answer.returncode) == (True, 3)


# --- sudo ---


def test_sudo_asks_on_stderr_and_takes_the_password_from_stdin(fleet: Fleet) -> None:
    answer = ssh(fleet, "compute1", "sudo -S -p 'Pw:' -- sh -c 'id -u; cat'", user="ops", data=b"pass word\nrest")
    assert (answer.stdout, answer.stderr, answer.returncode) == (b"0\nrest", b"Pw:", 0)


def test_sudo_refuses_a_wrong_password_three_times(fleet: Fleet) -> None:
    answer = ssh(fleet, "compute1", "sudo -S id", user="ops", data=b"a\nb\nc\n")
    assert answer.returncode == 1
    assert answer.stderr.count(b"Sorry, try again.") == 2
    assert answer.stderr.endswith(b"sudo: 3 incorrect password attempts\n")


def test_sudo_without_a_way_to_ask_says_so(fleet: Fleet) -> None:
    assert ssh(fleet, "compute1", "sudo -n id", user="ops").stderr == b"sudo: a password is required\n"


def test_sudo_reads_joined_options_and_assignments(fleet: Fleet) -> None:
    command = "sudo -kSp '' -- LANG=C sh -c 'echo $LANG $SUDO_USER'; sudo -S; sudo -n nothing-like-it"
    answer = ssh(fleet, "compute1", command, user="ops", data=b"pass word\n")
    assert answer.stdout == b"C ops\n"
    assert answer.stderr.startswith(b"usage: sudo")
    assert answer.returncode == 1


def test_sudo_nopasswd_runs_at_once(fleet: Fleet) -> None:
    assert ssh(fleet, "compute1", "sudo -n cat /etc/nova/nova.conf", user="free").stdout.startswith(b"[DEFAULT]")


def test_sudo_refuses_a_user_without_the_right(fleet: Fleet) -> None:
    answer = ssh(fleet, "compute1", "sudo -S id", user="guest", data=b"secret\n")
    assert b"guest is not in the sudoers file" in answer.stderr


def test_user_without_sudo_cannot_change_the_host(fleet: Fleet, compute: SimulatedHost) -> None:
    command = f"echo 1 >{NUMVFS}; echo x >>/etc/nova/nova.conf; systemctl stop libvirtd"
    said = ssh(fleet, "compute1", command, user="free").stderr
    held_back = (said.count(b"Permission denied"), b"authentication required" in said)
    # without real root there is one user id only, as the package says
    assert held_back == ((2, True) if os.geteuid() == 0 else (0, False))


# --- sysfs seen by a shell ---


def test_numvfs_errors_reach_the_shell(compute: SimulatedHost) -> None:
    answer = compute.run(f'for n in 4 5 9 x 0; do bash -c "echo $n >{NUMVFS}"; done; cat {NUMVFS}')
    reasons = [line.rsplit(b": ", 1)[1] for line in answer.stderr.splitlines()]
    assert reasons == [b"Device or resource busy", b"Numerical result out of range", b"Invalid argument"]
    assert answer.stdout == b"0\n"


def test_hung_write_cannot_be_killed_and_hangs_readers(compute: SimulatedHost) -> None:
    compute.run(f"echo 4 >{NUMVFS}")
    compute.hold_vf("eth0", 2)
    compute.run(f"setsid sh -c 'echo $$ >/run/writer; echo 0 >{NUMVFS}; echo $? >/run/wrote' >/dev/null 2>&1 &")
    wait_for(lambda: compute.stuck == ["eth0"])
    compute.run("kill -9 $(cat /run/writer)")
    compute.run(f"setsid sh -c 'cat {NUMVFS} >/run/read' >/dev/null 2>&1 &")
    state = compute.run("sed -n 's/^State:.//p' /proc/$(cat /run/writer)/status").stdout
    assert state.startswith(b"D")
    assert (
        compute.run("cat /sys/class/net/eth0/device/sriov_totalvfs; cat /sys/class/net/eth1/device/sriov_numvfs").stdout
        == b"7\n0\n"
    )
    assert (compute.path("/run/read").read_text(), compute.numvfs("eth0")) == ("", 4)
    compute.release_vf("eth0", 2)
    wait_for(lambda: compute.path("/run/read").read_text() == "0\n")
    assert compute.numvfs("eth0") == 0


def test_hung_write_ends_with_a_reboot(compute: SimulatedHost) -> None:
    compute.fail(hang_numvfs=("eth0",))
    compute.run(f"setsid sh -c 'echo 4 >{NUMVFS}' >/dev/null 2>&1 &")
    wait_for(lambda: compute.stuck == ["eth0"])
    compute.clear_faults()
    wait_for(lambda: compute.numvfs("eth0") == 4)
    compute.fail(hang_numvfs=("eth0",))
    compute.run(f"setsid sh -c 'echo 0 >{NUMVFS}' >/dev/null 2>&1 &")
    wait_for(lambda: compute.stuck == ["eth0"])
    compute.reboot()
    assert (compute.stuck, compute.numvfs("eth0")) == ([], 0)


def test_guest_leaves_the_signs_of_a_real_one(compute: SimulatedHost) -> None:
    compute.run(f"echo 4 >{NUMVFS}")
    compute.hold_vf("eth0", 1, name="instance-0000002a")
    group = compute.run("basename $(readlink /sys/bus/pci/devices/0000:01:10.2/iommu_group)").stdout.decode().strip()
    seen = compute.run(
        "for fd in /proc/[0-9]*/fd/*; do t=$(readlink $fd) || continue; "
        'case $t in /dev/vfio/*) echo "$t $(cat ${fd%/fd/*}/comm)";; esac; done'
    ).stdout.decode()
    assert seen == f"/dev/vfio/{group} qemu-system-x86\n"
    assert b"bus='0x01' slot='0x10' function='0x2'" in compute.run("virsh dumpxml instance-0000002a").stdout
    assert compute.run("basename $(readlink /sys/bus/pci/devices/0000:01:10.2/driver)").stdout == b"vfio-pci\n"
    compute.release_vf("eth0", 1, name="instance-0000002a")
    assert compute.run("ls /run/libvirt/qemu; ls /sys/class/net | grep -c eth0v").stdout == b"4\n"


@pytest.mark.parametrize(
    ("kind", "sign"),
    [
        ("bond", "test -d /sys/class/net/eth0v0/bonding_slave && test -e /sys/class/net/eth0v0/master/bonding"),
        ("bridge", "test -d /sys/class/net/eth0v0/brport && test -e /sys/class/net/eth0v0/master/bridge"),
        ("ovs", "test $(basename $(readlink /sys/class/net/eth0v0/master)) = ovs-system"),
        ("netns", "test ! -e /sys/class/net/eth0v0 && test -e /sys/class/net/eth0/device/virtfn0/driver"),
        ("address", "test $(cat /sys/class/net/eth0v0/operstate) = up"),
    ],
)
def test_netdev_of_a_vf_shows_who_has_it(compute: SimulatedHost, kind: str, sign: str) -> None:
    compute.run(f"echo 1 >{NUMVFS}")
    compute.hold_vf("eth0", 0, kind, "master0")
    assert compute.run(sign).returncode == 0


def test_sysfs_takes_no_new_files(fleet: Fleet) -> None:
    answer = fleet["compute1"].run("echo 1 >/sys/class/net/new; mkdir /sys/new; rm /sys/class/net/eth0")
    assert [line.rsplit(b": ", 1)[1] for line in answer.stderr.splitlines()] == [
        b"Permission denied",
        b"Operation not permitted",
        b"Operation not permitted",
    ]


# --- boots ---


def test_reboot_over_ssh_brings_a_new_boot_id_and_no_vfs(fleet: Fleet, compute: SimulatedHost) -> None:
    compute.run(f"echo 4 >{NUMVFS}; touch /run/mark /etc/mark")
    before = compute.boot_id
    assert ssh(fleet, "compute1", "reboot").returncode in (0, 255)
    wait_for(lambda: compute.boot_id != before and compute.is_settled)
    after = ssh(fleet, "compute1", f"cat /proc/sys/kernel/random/boot_id {NUMVFS}; ls /run/mark; ls /etc/mark")
    assert after.stdout.decode().split() == [compute.boot_id, "0", "/etc/mark"]


def test_reboot_takes_its_arguments_from_grub_cfg(compute: SimulatedHost) -> None:
    script = (
        "mkdir -p /etc/default/grub.d; "
        "echo 'GRUB_CMDLINE_LINUX=\"$GRUB_CMDLINE_LINUX intel_iommu=on iommu=pt\"' >/etc/default/grub.d/90.cfg"
    )
    compute.run(script)
    compute.reboot()
    assert "iommu=pt" not in compute.cmdline
    assert compute.run("update-grub && cat /sys/kernel/iommu_groups/0/type").stdout == b"DMA-FQ\n"
    compute.reboot()
    assert compute.cmdline.split()[-3:] == ["intel_iommu=on", "iommu=pt", "quiet"]
    assert compute.run("cat /sys/kernel/iommu_groups/0/type; cat /proc/cmdline").stdout.startswith(
        b"identity\nBOOT_IMAGE="
    )


def test_grub_cfg_has_normal_and_recovery_entries(compute: SimulatedHost) -> None:
    text = compute.path("/boot/grub/grub.cfg").read_text()
    assert text.count("\tlinux\t/boot/vmlinuz-") == 5
    assert text.count("(recovery mode)' --class") == 2
    assert "\tlinux\t/boot/vmlinuz-6.1.0-18-amd64 root=UUID=" in text


def test_reboot_takes_the_entry_that_grub_default_names(compute: SimulatedHost) -> None:
    compute.run("mkdir -p /etc/default/grub.d; echo 'GRUB_DEFAULT=\"1>1\"' >/etc/default/grub.d/d.cfg; update-grub")
    compute.reboot()
    assert " ro single" in compute.cmdline


def test_reboot_may_be_slow(compute: SimulatedHost) -> None:
    compute.fail(reboot_seconds=0.5)
    compute.reboot(wait=0)
    wait_for(lambda: not compute.is_up)
    assert not compute.answers()
    wait_for(lambda: compute.is_settled)


def test_rhel_host_boots_what_grubby_wrote(fleet: Fleet) -> None:
    host = fleet["red1"]
    assert host.run("grubby --update-kernel=ALL --args='iommu=pt a=1' --remove-args=crashkernel").returncode == 0
    assert host.run("grep -c iommu=pt /etc/default/grub /boot/loader/entries/*").returncode == 0
    host.reboot()
    assert host.cmdline.endswith("ro iommu=pt a=1")
    assert (
        host.run("cat /sys/kernel/iommu_groups/0/type; test -e /sys/firmware/acpi/tables/IVRS").stdout == b"identity\n"
    )


def test_boot_runs_units_in_order_with_the_device_there(compute: SimulatedHost) -> None:
    compute.path("/etc/systemd/system/sriov-eth0.service").write_text(UNIT)
    assert compute.run("systemctl daemon-reload && systemctl enable --now sriov-eth0.service").returncode == 0
    assert compute.numvfs("eth0") == 5
    compute.reboot()
    starts = {start.unit: start for start in compute.journal}
    assert compute.numvfs("eth0") == 5
    assert starts["sriov-eth0.service"].at < starts["nova-compute.service"].at
    assert starts["nova-compute.service"].vfs["eth0"] == 5
    assert (
        compute.run(
            "systemctl disable sriov-eth0; ls /etc/systemd/system/multi-user.target.wants | grep sriov-eth0"
        ).stdout
        == b""
    )


def test_boot_unit_that_names_no_device_comes_too_early(compute: SimulatedHost) -> None:
    text = "\n".join(line for line in UNIT.splitlines() if ".device" not in line)
    compute.path("/etc/systemd/system/sriov-early.service").write_text(text)
    compute.run("systemctl daemon-reload; systemctl enable sriov-early")
    compute.reboot()
    assert compute.numvfs("eth0") == 0
    assert compute.run("systemctl is-failed sriov-early").stdout == b"failed\n"


# --- systemctl ---


def test_systemctl_show_separates_units_by_a_blank_line(fleet: Fleet) -> None:
    words = "systemctl show -p Id,LoadState --property=ActiveState nova-compute.service nothing.service"
    assert fleet["compute1"].run(words).stdout.decode() == (
        "Id=nova-compute.service\nLoadState=loaded\nActiveState=active\n\n"
        "Id=nothing.service\nLoadState=not-found\nActiveState=inactive\n"
    )


def test_systemctl_restart_reads_the_configuration_again(compute: SimulatedHost) -> None:
    service = "nova-compute.service"
    before = compute.services[service]
    with compute.path("/etc/nova/nova.conf").open("ab") as file:
        file.write(b"# changed\n")
    assert compute.run("systemctl restart nova-compute").returncode == 0
    after = compute.services[service]
    assert (
        after["read"]["/etc/nova/nova.conf"]
        == hashlib.sha256(compute.path("/etc/nova/nova.conf").read_bytes()).hexdigest()
    )
    assert after["read"] != before["read"]
    assert after["started"] > before["started"]


def test_systemctl_sees_a_unit_file_that_changed(compute: SimulatedHost) -> None:
    path = compute.path("/etc/systemd/system/sriov-eth0.service")
    path.write_text(UNIT)
    show = "systemctl show -p NeedDaemonReload sriov-eth0"
    assert compute.run(show).stdout == b"NeedDaemonReload=no\n"
    path.write_text(UNIT + "# more\n")
    assert compute.run(show).stdout == b"NeedDaemonReload=yes\n"
    assert compute.run(f"systemctl daemon-reload; {show}").stdout == b"NeedDaemonReload=no\n"


@pytest.mark.parametrize(
    ("command", "status", "said"),
    [
        ("systemctl start nothing", 5, "Unit nothing.service not found"),
        ("systemctl enable nothing", 1, "does not exist"),
        ("systemctl is-active nothing", 3, ""),
        ("systemctl is-enabled nothing", 1, "Failed to get unit file state"),
        ("systemctl frobnicate", 1, "Unknown command verb"),
        ("dpkg-query -W nothing", 1, "no packages found"),
        ("ip link set nothing up", 1, "does not exist"),
    ],
)
def test_commands_fail_as_the_real_ones(fleet: Fleet, command: str, status: int, said: str) -> None:
    answer = fleet["compute1"].run(command)
    assert answer.returncode == status
    assert said in answer.stderr.decode()


def test_unit_fails_as_its_command_fails(compute: SimulatedHost) -> None:
    unit = "[Service]\nType=oneshot\nExecStart=/bin/sh -c 'exit 3'\n"
    compute.path("/etc/systemd/system/sriov-bad.service").write_text(unit)
    answer = compute.run("systemctl start sriov-bad")
    assert answer.returncode == 1
    assert b"control process exited with error code" in answer.stderr


def test_unit_is_ended_after_its_timeout(compute: SimulatedHost) -> None:
    unit = "[Service]\nType=oneshot\nTimeoutStartSec=200ms\nExecStart=/bin/sleep 60\n"
    compute.path("/etc/systemd/system/sriov-slow.service").write_text(unit)
    assert b"timeout was exceeded" in compute.run("systemctl start sriov-slow").stderr
    assert compute.services["sriov-slow.service"]["result"] == "timeout"


def test_release_is_told_by_packages_and_by_egg_info(fleet: Fleet) -> None:
    told = fleet["compute1"].run(
        "dpkg-query -W -f='${Version}' nova-compute; echo /usr/lib/python3/dist-packages/nova-*"
    )
    assert told.stdout == b"2:26.2.1-0+deb12u1/usr/lib/python3/dist-packages/nova-26.2.1.egg-info\n"
    told = fleet["red1"].run(
        "rpm -q --qf '%{VERSION}' openstack-nova-common; echo /usr/lib/python3.9/site-packages/nova-*"
    )
    assert told.stdout == b"18.2.1/usr/lib/python3.9/site-packages/nova-18.2.1-py3.9.egg-info\n"


def test_commands_that_provisioning_needs_are_there(fleet: Fleet) -> None:
    needed = (
        "sh head cat sed grep stat date sha256sum cp mv rm ln mkdir chmod chown sync readlink flock setsid sleep awk"
    )
    answer = fleet["compute1"].run(
        f"for c in {needed} systemctl update-grub ip virsh; do command -v $c >/dev/null || echo $c; done"
    )
    assert answer.stdout == b""


# --- faults ---


def test_fault_full_disk_answers_enospc_and_is_mended(compute: SimulatedHost) -> None:
    kept = compute.run("cat /etc/nova/nova.conf").stdout
    compute.fail(disk_full=("/etc/nova",))
    full = compute.run("head -c 5000 /dev/zero >/etc/nova/new")
    assert full.returncode != 0
    assert compute.run("cat /etc/nova/nova.conf; rm /etc/nova/new").stdout == kept
    compute.clear_faults()
    assert (
        compute.run("head -c 5000 /dev/zero >/etc/nova/new; rm /etc/nova/new; ls -A /etc/nova").stdout == b"nova.conf\n"
    )
    assert compute.path("/etc/nova/nova.conf").read_bytes() == kept


def test_fault_full_disk_stays_full_over_a_reboot(compute: SimulatedHost) -> None:
    compute.fail(disk_full=("/etc/nova",))
    compute.reboot()
    assert compute.run("head -c 5000 /dev/zero >/etc/nova/new").returncode != 0


def test_fault_full_disk_stops_update_grub_and_leaves_grub_cfg(compute: SimulatedHost) -> None:
    before = compute.path("/boot/grub/grub.cfg").read_text()
    compute.fail(disk_full=("/boot/grub",))
    assert compute.run("update-grub").returncode != 0
    compute.clear_faults()
    assert compute.path("/boot/grub/grub.cfg").read_text() == before
    assert compute.run("ls /boot/grub").stdout == b"grub.cfg\n"


def test_fault_read_only_folder(compute: SimulatedHost) -> None:
    compute.fail(read_only=("/etc/nova",))
    assert b"Read-only file system" in compute.run("touch /etc/nova/new").stderr
    compute.clear_faults()
    assert compute.run("touch /etc/nova/new && rm /etc/nova/new").returncode == 0


def test_fault_update_grub_fails_or_does_nothing(compute: SimulatedHost) -> None:
    before = compute.path("/boot/grub/grub.cfg").read_text()
    compute.run("sed -i 's/quiet/quiet new=1/' /etc/default/grub")
    compute.fail(update_grub_error="grub-probe: error: cannot find a device for /\n")
    failed = compute.run("update-grub")
    assert (failed.returncode, b"cannot find a device" in failed.stderr) == (1, True)
    compute.fail(update_grub_error="", update_grub_ignores=True)
    assert compute.run("update-grub").returncode == 0
    assert compute.path("/boot/grub/grub.cfg").read_text() == before
    compute.run("sed -i 's/ new=1//' /etc/default/grub")


def test_fault_missing_tool_is_not_found(compute: SimulatedHost) -> None:
    compute.fail(missing_tools=("flock", "update-grub"))
    assert compute.run("flock /run/x true").returncode in (126, 127)
    assert compute.run("command -v update-grub").returncode == 127
    compute.clear_faults()
    assert compute.run("flock /run/x true && command -v update-grub").returncode == 0


def test_fault_failing_unit(compute: SimulatedHost) -> None:
    compute.fail(failing_units=("nova-compute.service",))
    assert compute.run("systemctl restart nova-compute").returncode == 1
    assert compute.run("systemctl is-active nova-compute").stdout == b"failed\n"


def test_fault_old_boot_entry_lacks_the_new_arguments(compute: SimulatedHost) -> None:
    compute.fail(old_boot_entry=True)
    compute.run("mkdir -p /etc/default/grub.d; echo 'GRUB_CMDLINE_LINUX=new=1' >/etc/default/grub.d/n.cfg; update-grub")
    compute.reboot()
    assert "new=1" not in compute.cmdline


def test_fault_host_never_returns_until_it_is_started(compute: SimulatedHost) -> None:
    compute.fail(never_returns=True)
    compute.reboot(wait=0)
    wait_for(lambda: not compute.answers())
    assert not compute.is_up
    compute.clear_faults()
    compute.reboot()
    assert compute.answers()


def test_fault_connection_drops_at_a_marker(fleet: Fleet, compute: SimulatedHost) -> None:
    compute.fail(drop_at_marker="step 2")
    answer = ssh(fleet, "compute1", "echo step 1; sleep 0.2; echo step 2; sleep 20; echo step 3", seconds=15)
    assert answer.returncode == 255
    assert b"step 3" not in answer.stdout


def test_fault_connection_drops_after_lines(fleet: Fleet, compute: SimulatedHost) -> None:
    compute.fail(drop_after_lines=3)
    assert ssh(fleet, "compute1", "echo 1; echo 2; echo 3; sleep 20", seconds=15).returncode == 255
    assert ssh(fleet, "compute1", "echo 1").returncode == 0


def test_fault_host_reboots_in_the_middle(fleet: Fleet, compute: SimulatedHost) -> None:
    compute.fail(reboot_at_marker="now")
    before = len(compute.boots)
    assert ssh(fleet, "compute1", "echo now; sleep 20", seconds=15).returncode == 255
    wait_for(lambda: len(compute.boots) > before and compute.answers())


def test_fault_host_lies(fleet: Fleet, compute: SimulatedHost) -> None:
    compute.fail(prepend_output="motd\n", replace_output=("true", "\x1b[31mfalse"))
    assert ssh(fleet, "compute1", "echo true").stdout == b"motd\n\x1b[31mfalse\n"


def test_fault_silent_sshd_accepts_and_says_nothing(fleet: Fleet, compute: SimulatedHost) -> None:
    compute.fail(silent=True)
    with socket.create_connection((compute.address, compute.port)) as connection:
        connection.settimeout(0.3)
        with pytest.raises(TimeoutError):
            connection.recv(10)
    compute.clear_faults()
    assert ssh(fleet, "compute1", "true").returncode == 0


def test_fault_changed_host_key_is_noticed(fleet: Fleet, make_fleet: Callable[[HostSpec], SimulatedHost]) -> None:
    host = make_fleet(HostSpec("changed"))
    config = host.path("/").parent.parent / "ssh_config"
    words = ["ssh", "-F", str(config), "-o", "BatchMode=yes", "changed", "true"]
    assert subprocess.run(words, capture_output=True, timeout=30, check=False).returncode == 0
    host.change_host_key()
    answer = subprocess.run(words, capture_output=True, timeout=30, check=False)
    assert b"HOST IDENTIFICATION HAS CHANGED" in answer.stderr


# --- the fleet itself ---


def leftovers(folder: Path) -> list[str]:
    """Processes that name the fleet's folder, and mounts of it."""
    found = [line for line in Path("/proc/mounts").read_text().splitlines() if str(folder) in line]
    for process in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            if str(folder).encode() in process.read_bytes():
                found.append(str(process))
        except OSError:
            continue
    return found


def test_fleet_leaves_nothing_behind_even_with_a_hung_write() -> None:
    with Fleet([HostSpec()]) as fleet:
        folder, host = fleet.directory, fleet.hosts[0]
        host.fail(hang_numvfs=("eth0",))
        host.run(f"setsid sh -c 'echo 4 >{NUMVFS}' >/dev/null 2>&1 &")
        wait_for(lambda: host.stuck == ["eth0"])
        assert leftovers(folder)
    assert (folder.exists(), leftovers(folder)) == (False, [])


def test_fleet_ends_when_its_owner_is_killed(tmp_path: Path) -> None:
    program = "import time\nfrom sriov.simulation import Fleet, HostSpec\nf = Fleet([HostSpec()]); f.start()\n"
    program += "print(f.directory, flush=True)\ntime.sleep(60)\n"
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path or os.getcwd() for path in sys.path)}
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, env=environment, text=True) as owner:
        assert owner.stdout is not None
        folder = Path(owner.stdout.readline().strip())
        assert folder.is_dir()
        owner.kill()
    wait_for(lambda: not folder.exists() and not leftovers(folder))


def test_fleet_command_line_runs_until_sigterm(tmp_path: Path) -> None:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path or os.getcwd() for path in sys.path)}
    words = [
        sys.executable,
        "-m",
        "sriov.simulation",
        "up",
        "--hosts",
        "openstack1,compute1",
        "--directory",
        str(tmp_path),
    ]
    with subprocess.Popen(words, stdout=subprocess.PIPE, env=environment, text=True) as fleet:
        assert fleet.stdout is not None
        line = fleet.stdout.readline()
        assert line.startswith("ready ")
        assert f"SRIOV_KNOWN_HOSTS={tmp_path}/known_hosts" in line
        answer = subprocess.run(
            ["ssh", "-F", str(tmp_path / "ssh_config"), "compute1", "hostname"], capture_output=True, check=False
        )
        assert answer.stdout == b"compute1\n"
        fleet.send_signal(signal.SIGTERM)
    assert fleet.returncode == 0
    assert "compute1: [" in (tmp_path / "testbed.py").read_text()
    assert leftovers(tmp_path) == []


@pytest.mark.parametrize(("words", "told"), [("--hosts control1", "[simulation-call]"), ("--release 99", "--release")])
def test_fleet_command_line_refuses_what_it_cannot_simulate(tmp_path: Path, words: str, told: str) -> None:
    call = [sys.executable, "-m", "sriov.simulation", "up", "--directory", str(tmp_path / "fleet"), *words.split()]
    answer = subprocess.run(call, capture_output=True, text=True, cwd=CHECKOUT, timeout=60)
    assert (answer.returncode, told in answer.stderr) == (2, True), answer.stderr
    assert not (tmp_path / "fleet").exists()


def test_two_fleets_run_side_by_side(fleet: Fleet) -> None:
    with Fleet([HostSpec("other")]) as second:
        assert second.hosts[0].address == fleet.hosts[0].address
        assert ssh(second, "other", "hostname").stdout == b"other\n"
        assert ssh(fleet, "compute1", "hostname").stdout == b"compute1\n"


def test_fleet_says_what_the_machine_lacks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(SriovError, match="install the package util-linux"), Fleet([HostSpec()]):
        pass


def test_fleet_refuses_two_hosts_of_one_name() -> None:
    with pytest.raises(UsageError):
        Fleet([HostSpec("a"), HostSpec("a")])


def test_fleet_that_was_stopped_answers_with_an_error() -> None:
    fleet = Fleet([HostSpec()])
    fleet.start()
    host = fleet.hosts[0]
    fleet.stop()
    with pytest.raises(SriovError, match="not running"):
        host.run("true")


def test_host_shows_a_card_that_is_no_sriov_card(make_fleet: Callable[[HostSpec], SimulatedHost]) -> None:
    nics = (Nic("ens3", "0000:00:03.0", sriov=False, driver="virtio_net"), Nic("eth9", numvfs=2))
    host = make_fleet(HostSpec("mixed", nics=nics, files={"/etc/nova/extra.conf": b"x", "/etc/fstab": None}))
    assert host.run("ls /sys/class/net").stdout.split() == [b"ens3", b"eth9", b"eth9v0", b"eth9v1", b"lo"]
    assert host.run("cat /sys/class/net/ens3/device/sriov_totalvfs").returncode == 1
    assert host.run("cat /etc/nova/extra.conf; ls /etc/fstab").stdout == b"x"
