"""The host loses power in the middle of a run, at ten moments: it boots, and the next run goes on from there."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from . import observe
from .guest import Guest
from .product import Fab, entry, single_host_testbed

pytestmark = [pytest.mark.lab, pytest.mark.slow]

# What `fab` reports when it has begun; the power goes half a second later. Two hosts, so that they can be tried side
# by side.
MOMENTS = (
    ("probing", "kernel-arguments GRUB", "virtual-functions enp2s0", "services nova-compute", "verifying"),
    (
        "differs",
        "virtual-functions enp1s0",
        "nova-options /etc/nova/nova.conf",
        "services nova-scheduler",
        "rebooting",
    ),
)
END_SECONDS = 1200


def came(moment: str, run: subprocess.Popen[str], log: Path) -> bool:
    """Wait until the run reports that moment; False if it ends without."""
    deadline = time.monotonic() + END_SECONDS
    while time.monotonic() < deadline:
        has_ended = run.poll() is not None
        if moment in log.read_text():
            return True
        if has_ended:
            return False
        time.sleep(0.1)
    raise TimeoutError(f"the run neither came to {moment!r} nor ended")


def lose_power_at(moment: str, guest: Guest, fab: Fab, testbed: Path) -> bool:
    """Begin a run, take the power at that moment, give it back. False if the run ended without coming to it."""
    run = fab.start("setup_all", testbed=testbed)
    if not came(moment, run, testbed.with_name("fab.log")):
        return False
    time.sleep(0.5)
    guest.power_off_hard()
    guest.power_on()
    run.wait(END_SECONDS)  # it fails, or, having waited for the host anyway, goes on
    return True


@pytest.mark.parametrize("moments", MOMENTS, ids=["one-host", "another-host"])
def test_power_loss_at_ten_moments_is_survived(
    moments: tuple[str, ...], guest: Guest, fab: Fab, proved: Callable[[str], None]
) -> None:
    """Each run starts from what the power loss before left; where that leaves nothing to do, from a fresh host."""
    testbed = single_host_testbed(guest, entry("enp1s0", 7, "physnet1"), entry("enp2s0", 7, "physnet2"))
    whole_file = len(guest.read("/etc/nova/nova.conf"))
    for moment in moments:
        if not lose_power_at(moment, guest, fab, testbed):
            guest.load()
            assert lose_power_at(moment, guest, fab, testbed), f"a run on a fresh host never came to {moment!r}"
        assert len(guest.read("/etc/nova/nova.conf")) >= whole_file, f"nova.conf is cut off after {moment!r}"

    assert fab("setup_all", testbed=testbed).returncode == 0
    assert observe.counts(guest) == (7, 7)
    assert observe.iommu_types(guest) == {"identity"}
    assert fab("verify", testbed=testbed).returncode == 0
    proved(f"power lost at {', '.join(moments)}: booted each time, the last run converged")
