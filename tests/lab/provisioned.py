"""The guest that most scenarios start from: one on which `fab setup_all` has run once, reboot and all."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path

from . import observe
from .guest import BOOTED, Guest
from .product import Fab, entry, single_host_testbed

PROVISIONED = "provisioned"
PORTS = (entry("enp1s0", 7, "physnet1"), entry("enp2s0", 7, "physnet2"))
# 64 MiB of the guest's 1024, and what the kernel would not have by itself: Debian's default is `always`.
HUGE_PAGES = 32
KERNEL_ARGUMENTS = ("hugepagesz=2M", f"hugepages={HUGE_PAGES}", "transparent_hugepage=never")


@dataclass(frozen=True, slots=True)
class FirstRun:
    """How the run on a fresh host went. `disk` holds the guest's state after it, saved as `PROVISIONED`.

    `boots` counts the guest's boots by its own journal: 2 when the run rebooted it once.
    """

    answer: subprocess.CompletedProcess[str]
    boots: int
    disk: Path


def run_on_fresh_guest(guest: Guest, fab: Fab) -> FirstRun:
    """Provision both ports, with further kernel arguments, save what came of it, switch the guest off.

    The answer is for a scenario to judge.
    """
    try:
        guest.load(BOOTED)
        testbed = single_host_testbed(guest, *PORTS, kernel_arguments=KERNEL_ARGUMENTS)
        answer = fab("setup_all", testbed=testbed)
        guest.settle()
        boots = observe.boots(guest)
        guest.save(PROVISIONED)
    finally:
        guest.power_off_hard()
    return FirstRun(answer, boots, guest.machine.disk)
