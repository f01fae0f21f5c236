"""The host loses power in the middle of a run, at ten moments: it boots, and the next run goes on from there."""

from __future__ import annotations

import contextlib
import subprocess
import time
from collections.abc import Callable

import pytest

from . import observe
from .guest import Guest
from .product import Fab, entry, single_host_testbed

pytestmark = pytest.mark.lab

MOMENTS = 10


def test_power_loss_at_ten_moments_is_survived(guest: Guest, fab: Fab, proved: Callable[[str], None]) -> None:
    """A chain: each run starts from what the power loss before left, and is let go a tenth further.

    How long a run takes until its reboot is measured first, so that the moments spread over it.
    """
    testbed = single_host_testbed(guest, entry("enp1s0", 7, "physnet1"), entry("enp2s0", 7, "physnet2"))
    started = time.monotonic()
    fab("setup_all", "--reboot", "never", testbed=testbed)
    whole = time.monotonic() - started
    guest.load()

    for moment in range(MOMENTS):
        run = fab.start("setup_all", testbed=testbed)
        with contextlib.suppress(subprocess.TimeoutExpired):
            run.wait(whole * (moment + 0.5) / MOMENTS)
        guest.power_off_hard()
        assert run.wait(300) != 0
        guest.power_on()
        assert b"[DEFAULT]" in guest.read("/etc/nova/nova.conf")

    assert fab("setup_all", testbed=testbed).returncode == 0
    assert observe.counts(guest) == (7, 7)
    assert observe.iommu_types(guest) == {"identity"}
    assert fab("verify", testbed=testbed).returncode == 0
    proved(f"power lost at {MOMENTS} moments of a run of {whole:.0f} s: booted each time, the last run converged")
