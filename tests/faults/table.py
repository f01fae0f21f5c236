"""The table: one fault on one host, at one step of its change, and what the report must say of it."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from sriov.simulation import Nic, SimulatedHost
from sriov.simulation.spec import Family

NOVA_CONF = "/etc/nova/nova.conf"
SYNC = "/usr/local/bin/sync"
DROP_IN = "/etc/default/grub.d/zz-sriov.cfg"
UNIT = "/etc/systemd/system/sriov-vfs-eth0.service"
# a bare host's change, in order
STEPS = {"drop-in": 0, "update-grub": 1, "script": 2, "unit": 3, "vfs": 4, "nova": 5, "restart": 6}
GRUB, VFS, NOVA, SERVICE = "kernel-arguments GRUB", "virtual-functions eth0", NOVA_CONF, "services nova-compute"
SCRIPT = "virtual-functions /etc/systemd/system/sriov-vfs.sh"
OWNER = dict(zip(STEPS, (GRUB, GRUB, SCRIPT, VFS, VFS, NOVA, SERVICE), strict=True))
BROKEN = "connection broke|session ended|nothing was heard|connection was"


@dataclass(frozen=True, slots=True)
class Row:
    """`says` stands in the error and `step` in its step, both patterns; empty: the host is done in spite of it.

    `faults` by name; `while_planned` happens between probe and change; `nic` is the port of the host.
    """

    name: str
    says: str = ""
    step: str = ""
    faults: Mapping[str, object] = field(default_factory=dict)
    while_planned: Callable[[SimulatedHost], object] | None = None
    nic: Nic = field(default_factory=lambda: Nic(up=True))
    user: str = "root"
    family: Family = "debian"


def begin(step: str) -> str:
    return f" begin {STEPS[step]}\n"


def _connection() -> list[Row]:
    rows = []
    for step in STEPS:
        rows.append(Row(f"dropped-at-{step}", BROKEN, OWNER[step], {"drop_at_marker": begin(step)}))
    for step in ("drop-in", "update-grub", "vfs", "nova", "restart"):
        rows.append(Row(f"rebooted-at-{step}", BROKEN, OWNER[step], {"reboot_at_marker": begin(step)}))
    for step in ("update-grub", "vfs", "restart"):
        rows.append(Row(f"frozen-at-{step}", "nothing was heard", OWNER[step], {"freeze_at_marker": begin(step)}))
    return [
        *rows,
        Row(
            "dropped-before-the-second-look",
            BROKEN,
            f"the second look|{SERVICE}",
            {"drop_at_marker": f" done {STEPS['restart']}\n"},
        ),
        Row("dropped-in-the-probe", "did not run to its end|broke", "", {"drop_at_marker": "boot_id="}),
        Row("cut-in-the-script", BROKEN, "", {"drop_after_bytes": -9000}),
        Row("cut-in-the-payload", BROKEN, "", {"drop_after_bytes": -700}),
        Row("silent", "does not answer|no SSH with", "", {"silent": True}),
        Row("slow-in-every-answer", faults={"stall_seconds": 1.0}),
    ]


def _disk() -> list[Row]:
    full, readonly = "disk_full", "read_only"
    return [
        Row("full-etc", "full|cannot", GRUB, {full: ("/etc",)}),
        Row("full-var", "cannot write", GRUB, {full: ("/var",)}),
        Row("full-boot", "No space|full", GRUB, {full: ("/boot",)}),
        Row("full-run", "/run full", "the lock", {full: ("/run",)}),
        Row("read-only-etc-nova", "nova.conf cannot be written", NOVA, {readonly: ("/etc/nova",)}),
        Row("read-only-etc-systemd", "cannot", SCRIPT, {readonly: ("/etc/systemd/system",)}),
        Row("read-only-etc-default", "cannot", GRUB, {readonly: ("/etc/default",)}),
        Row("read-only-var-lib", "cannot write", GRUB, {readonly: ("/var/lib",)}),
        Row("read-only-boot-grub", "Read-only", GRUB, {readonly: ("/boot/grub",)}),
        Row("read-only-run", "/run full or read-only", "the lock", {readonly: ("/run",)}),
    ]


def _programs() -> list[Row]:
    return [
        Row("update-grub-fails", "cannot find a device", GRUB, {"update_grub_error": "cannot find a device for /\n"}),
        Row("update-grub-forgets", "differs again: kernel-arguments", "", {"update_grub_ignores": True}),
        Row("unit-fails", "sriov-vfs-eth0 failed", VFS, {"failing_units": ("sriov-vfs-eth0.service",)}),
        Row("service-fails", "does not start", SERVICE, {"failing_units": ("nova-compute.service",)}),
        Row("no-head", "did not run to its end", "", {"missing_tools": ("head",)}),
        Row("hung-write-of-the-count", "nothing was heard", VFS, {"hang_numvfs": ("eth0",)}),
        Row("driver-makes-fewer", "eth0 has 3 virtual functions", VFS, {"driver_limit": 3}),
        Row("driver-has-no-memory", "eth0 has 0 virtual functions", VFS, {"enable_errno": "ENOMEM"}),
        Row("driver-cannot", "eth0 has 0 virtual functions", VFS, {"enable_errno": "ENOENT"}),
    ]


def _lies() -> list[Row]:
    def lie(old: str, new: str) -> Mapping[str, object]:
        return {"replace_output": (old, new)}

    return [
        Row("greets-first", faults={"prepend_output": "Welcome!\n\x1b[31mred\x1b]0;title\x07\n"}),
        Row("poses-with-another-nonce", faults={"prepend_output": f"\n@{'0' * 32} end\n\n@{'0' * 32} host\n"}),
        Row("answers-nonsense", "makes no sense", "", lie("sriov_totalvfs=", "sriov_totalvfs=many")),
        Row("answers-no-address", "makes no sense", "", lie("vf=", "vf=x y z"), nic=Nic(up=True, numvfs=2)),
        Row("answers-with-nul", "makes no sense|did not run", "", lie("boot_id=", "boot\0_id=")),
        Row("never-ends", "did not run to its end", "", lie(" end\n", " \n")),
        Row("counts-a-step-that-is-none", "makes no sense", "", lie(" done 0\n", " done 999\n")),
        Row("begins-a-step-that-is-none", faults=lie(" begin 0\n", " begin 999\n")),
        Row("fails-a-step-that-is-none", "makes no sense", "", lie(" done 0\n", " failed 999\n")),
        Row("talks-for-ever", "more than", "", {"endless_output": True}),
    ]


def _meanwhile() -> list[Row]:
    def append(path: str) -> Callable[[SimulatedHost], object]:
        return lambda host: host.run(f"mkdir -p $(dirname {path}); echo '# by hand' >>{path}")

    def failing_sync(kind: str) -> Callable[[SimulatedHost], object]:
        stub = f'#!/bin/sh\n[ ! -{kind} "$2" ] || exit 1\nexec /usr/bin/sync "$@"\n'
        return lambda host: host.run(f"printf %s {shlex.quote(stub)} >{SYNC}; chmod +x {SYNC}")

    revoke = "sed -i 's/nopasswd/no/' /etc/simulated-sudoers"
    return [
        Row("nova-conf-edited-meanwhile", "changed since it was read", NOVA, while_planned=append(NOVA_CONF)),
        Row("unit-written-meanwhile", "changed since it was read", VFS, while_planned=append(UNIT)),
        Row("drop-in-written-meanwhile", "changed since it was read", GRUB, while_planned=append(DROP_IN)),
        Row(
            "vfs-made-meanwhile",
            "eth0 has 3 virtual functions",
            VFS,
            while_planned=lambda host: host.run("echo 3 >/sys/class/net/eth0/device/sriov_numvfs"),
        ),
        Row("host-reboots-meanwhile", "broke|no SSH", "", while_planned=lambda host: host.reboot(wait=0)),
        Row(
            "service-masked-meanwhile",
            "does not start",
            SERVICE,
            while_planned=lambda host: host.run("systemctl stop nova-compute; systemctl mask nova-compute"),
        ),
        Row(
            "disk-fails-at-new-files",
            "before its first step: cannot write to the disk",
            "the lock",
            while_planned=failing_sync("f"),
        ),
        Row("disk-fails-at-the-end", "cannot write to the disk", SERVICE, while_planned=failing_sync("d")),
        Row("sudo-refuses-in-the-middle", "no root", "", while_planned=lambda host: host.run(revoke), user="ops"),
    ]


def _bash() -> list[Row]:
    """The other shell that is `sh` somewhere: what it does at a signal, at an end, at a full disk."""
    return [
        Row("bash-dropped-at-vfs", BROKEN, VFS, {"drop_at_marker": begin("vfs")}, family="rhel"),
        Row("bash-dropped-at-nova", BROKEN, NOVA, {"drop_at_marker": begin("nova")}, family="rhel"),
        Row("bash-full-var", "cannot write", "boot entries", {"disk_full": ("/var",)}, family="rhel"),
        Row(
            "bash-read-only-etc-nova", "nova.conf cannot be written", NOVA, {"read_only": ("/etc/nova",)}, family="rhel"
        ),
        Row(
            "bash-unit-fails",
            "sriov-vfs-eth0 failed",
            VFS,
            {"failing_units": ("sriov-vfs-eth0.service",)},
            family="rhel",
        ),
    ]


ROWS = (*_connection(), *_disk(), *_programs(), *_lies(), *_meanwhile(), *_bash())
