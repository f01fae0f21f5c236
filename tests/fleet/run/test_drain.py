"""Hosts are emptied before their reboot and take instances again after it; one that cannot be emptied stays up."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from sriov.errors import CloudError
from sriov.model import Host
from sriov.resources.contract import Request
from sriov.run import converge as run_core
from sriov.run.context import Limits
from sriov.run.converge import RunOptions
from sriov.run.outcome import Outcome, Status
from sriov.simulation import Fleet, HostSpec
from sriov.ssh.login import Login
from sriov.testbed import load

ENTRY = [{"interface": "eth0", "VF": 3, "physnets": ["physnet1"]}]


class Cloud:
    """Plays the Drain: `stay` cannot leave; `refuses` answers with an error. Remembers what it was asked."""

    def __init__(self, stay: tuple[str, ...] = (), refuses: bool = False) -> None:
        self.stay, self.refuses = stay, refuses
        self.asked: list[str] = []

    def drain(self, host: Host, watch: Callable[[str], None], stop: threading.Event) -> tuple[str, ...]:
        self.asked.append(f"empty {host.hostname}")
        if self.refuses:
            raise CloudError("compute-unknown-to-nova", "nova has no nova-compute of that name")
        return self.stay

    def undrain(self, host: Host) -> None:
        self.asked.append(f"refill {host.hostname}")


def converge(fleet: Fleet, folder: Path, cloud: Cloud, **allowed: Any) -> Outcome:
    bed_path = folder / "testbed.py"
    bed_path.write_text(fleet.testbed({"compute1": ENTRY}))
    bed = load(bed_path)
    host = bed.hosts[0]
    options = RunOptions(drain=cloud, limits=Limits(reboot=8, settle=8, pause=0.1), **allowed)
    connect = Login(bed, ssh_config=str(fleet.ssh_config_path)).connect
    (run,) = run_core.converge([Request(host, bed, host.roles)], connect, options, lambda *_: None, "run1", "me")
    return run


@pytest.fixture
def fleet(monkeypatch: pytest.MonkeyPatch) -> Iterator[Fleet]:
    with Fleet([HostSpec("compute1")]) as running:
        monkeypatch.setenv("SRIOV_KNOWN_HOSTS", str(running.known_hosts_path))
        yield running


def test_host_is_emptied_before_its_reboot_and_refilled_once_it_is_as_wanted(fleet: Fleet, tmp_path: Path) -> None:
    cloud = Cloud()
    run = converge(fleet, tmp_path, cloud)
    assert (run.status, run.rebooted) == (Status.CHANGED, True), run.error
    assert cloud.asked == ["empty compute1", "refill compute1"]


def test_host_whose_instances_stay_is_pending_with_their_names_and_refilled(fleet: Fleet, tmp_path: Path) -> None:
    cloud = Cloud(stay=("vm-with-vf",))
    run = converge(fleet, tmp_path, cloud)
    assert (run.status, run.rebooted) == (Status.PENDING, False)
    assert "vm-with-vf" in " ".join(note.message for note in run.notes)
    assert cloud.asked == ["empty compute1", "refill compute1"]
    assert len(fleet["compute1"].boots) == 1


def test_host_that_the_cloud_cannot_drain_is_pending_with_the_reason(fleet: Fleet, tmp_path: Path) -> None:
    run = converge(fleet, tmp_path, Cloud(refuses=True))
    assert (run.status, run.rebooted) == (Status.PENDING, False)
    assert "no nova-compute of that name" in " ".join(note.message for note in run.notes)


def test_host_that_does_not_come_back_is_not_refilled_before_a_later_run_finds_it_well(
    fleet: Fleet, tmp_path: Path
) -> None:
    cloud = Cloud()
    fleet["compute1"].fail(never_returns=True)
    run = converge(fleet, tmp_path, cloud)
    assert run.status is Status.FAILED
    assert cloud.asked == ["empty compute1"]
    fleet["compute1"].clear_faults()
    fleet["compute1"].reboot()
    assert converge(fleet, tmp_path, cloud).status in (Status.UNCHANGED, Status.CHANGED)
    assert cloud.asked == ["empty compute1", "refill compute1"]


def test_allowed_to_take_instances_down_reboots_although_some_stay(fleet: Fleet, tmp_path: Path) -> None:
    cloud = Cloud(stay=("vm-with-vf",))
    run = converge(fleet, tmp_path, cloud, reboot_with_instances=True)
    assert (run.status, run.rebooted) == (Status.CHANGED, True), run.error
