"""Reboots: one host first, then so many at once; the first that does not come back as wanted stops the rest."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from faults.bench import SEVEN, Bench

from sriov.errors import RebootError
from sriov.report.documents import exit_code
from sriov.run.context import Limits
from sriov.run.outcome import Outcome, Status
from sriov.simulation import Fleet, HostSpec, Nic

pytestmark = pytest.mark.slow

NAMES = tuple(f"compute{number}" for number in range(1, 6))
GUESTS = ("guests-before", "guests-meanwhile")
BRIEF = Limits(probe=30, apply=30, reboot=6, settle=10, pause=0.1)


@pytest.fixture(scope="module")
def fleet() -> Iterator[Fleet]:
    names = (*NAMES, *GUESTS, "first", "second", "stubborn", "beside", "early", "cut", "full", "mute")
    with Fleet([HostSpec(name, nics=(Nic(up=True),)) for name in names]) as running:
        yield running


@pytest.fixture(scope="module")
def bench(fleet: Fleet, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SRIOV_KNOWN_HOSTS", str(fleet.known_hosts_path))
        bench = Bench(fleet, tmp_path_factory.mktemp("waves"))
        bench.write({host.name: SEVEN for host in fleet.hosts})
        yield bench


def _most_at_once(events: list[tuple[str, str]]) -> list[int]:
    """How many hosts were away at each moment, in order."""
    away: set[str] = set()
    counts = []
    for name, words in events:
        if words == "rebooting":
            away.add(name)
        elif words in ("as wanted", "failed"):
            away.discard(name)
        counts.append(len(away))
    return counts


def test_one_host_goes_first_and_then_no_more_than_allowed_at_once(bench: Bench, fleet: Fleet) -> None:
    runs = bench.converge(*NAMES, max_unavailable="2")
    assert {run.status for run in runs.values()} == {Status.CHANGED}
    assert [len(fleet[name].boots) for name in NAMES] == [2] * 5
    reboots = [(name, words) for name, words in bench.events if words in ("rebooting", "as wanted")]
    canary = reboots[0][0]
    assert reboots[1] == (canary, "as wanted")
    assert max(_most_at_once(bench.events)) == 2


def told(outcome: Outcome) -> str:
    return "\n".join(note.message for note in outcome.notes)


def test_host_that_does_not_come_back_stops_the_reboots(bench: Bench, fleet: Fleet) -> None:
    fleet["first"].fail(never_returns=True)
    runs = bench.converge("first", "second", limits=BRIEF)
    error = runs["first"].error
    assert isinstance(error, RebootError)
    assert "did not come back within 6 s" in error.message
    assert runs["second"].status is Status.PENDING
    assert "another host did not come back" in told(runs["second"])
    assert len(fleet["second"].boots) == 1
    assert not runs["second"].plan.changes  # all but the reboot is done
    assert exit_code(runs.values()) == 1
    fleet["first"].clear_faults()
    fleet["first"].reboot()
    again = bench.converge("first", "second")
    assert {run.status for run in again.values()} <= {Status.CHANGED, Status.UNCHANGED}
    assert len(fleet["second"].boots) == 2
    assert exit_code(again.values()) == 0


def test_reboot_without_effect_is_told_with_evidence_and_never_made_again(bench: Bench, fleet: Fleet) -> None:
    fleet["stubborn"].fail(old_boot_entry=True)
    runs = bench.converge("stubborn", "beside")
    error = runs["stubborn"].error
    assert isinstance(error, RebootError)
    assert "/proc/cmdline" in error.message
    assert "intel_iommu=on iommu=pt" in error.message  # what the boot entry holds
    assert runs["beside"].status is Status.PENDING
    boots = len(fleet["stubborn"].boots)
    for _ in range(2):
        again = bench.converge("stubborn")
        assert again["stubborn"].status is Status.FAILED
        assert exit_code(again.values()) == 1
    assert len(fleet["stubborn"].boots) == boots == 2
    fleet["stubborn"].clear_faults()
    fleet["stubborn"].reboot()
    assert bench.converge("stubborn")["stubborn"].status is Status.UNCHANGED


def test_instances_hold_a_reboot_back_and_are_named(bench: Bench, fleet: Fleet) -> None:
    host = fleet["guests-before"]
    host.run("mkdir -p /run/libvirt/qemu; echo '<domstatus/>' >/run/libvirt/qemu/instance-0000002a.xml")
    runs = bench.converge(host.name)
    assert runs[host.name].status is Status.PENDING
    assert "instance-0000002a" in runs[host.name].notes[0].message
    assert exit_code(runs.values()) == 3
    assert len(host.boots) == 1
    assert bench.converge(host.name, reboot_with_instances=True)[host.name].rebooted


def test_instance_that_starts_while_the_host_waits_holds_the_reboot_back(bench: Bench, fleet: Fleet) -> None:
    host = fleet["guests-meanwhile"]

    def start(name: str, words: str) -> None:
        if words == "waiting for its reboot":
            host.run("mkdir -p /run/libvirt/qemu; echo '<domstatus/>' >/run/libvirt/qemu/instance-0000002b.xml")

    runs = bench.converge(host.name, at=start)
    assert runs[host.name].status is Status.PENDING
    assert "an instance was started meanwhile: instance-0000002b" in told(runs[host.name])
    assert len(host.boots) == 1
    assert exit_code(runs.values()) == 3


def test_reboot_that_was_not_allowed_is_done_without_an_error(bench: Bench, fleet: Fleet) -> None:
    runs = bench.converge("guests-meanwhile", may_reboot=False)
    assert [note.id for note in runs["guests-meanwhile"].notes] == ["reboot-not-allowed"]
    assert exit_code(runs.values()) == 0


def test_host_whose_connection_was_lost_while_it_waited_is_pending_and_the_others_go_on(
    bench: Bench, fleet: Fleet
) -> None:
    def cut(name: str, words: str) -> None:
        if (name, words) == ("early", "rebooting"):
            fleet["cut"].drop_connections()

    runs = bench.converge("early", "cut", limits=BRIEF._replace(reboot=12), at=cut)
    assert runs["early"].status is Status.CHANGED
    assert runs["cut"].status is Status.PENDING, runs["cut"].error
    assert "its connection was lost while it waited for its turn" in told(runs["cut"])
    assert len(fleet["cut"].boots) == 1
    assert bench.converge("cut")["cut"].rebooted


def test_host_that_cannot_note_its_reboot_is_not_rebooted(bench: Bench, fleet: Fleet) -> None:
    def fill(name: str, words: str) -> None:
        if words == "waiting for its reboot":
            fleet["full"].fail(read_only=("/var/lib/sriov",))

    error = bench.converge("full", at=fill)["full"].error
    assert error is not None
    assert "/var/lib/sriov/rebooted cannot be written" in error.message
    assert len(fleet["full"].boots) == 1
    fleet["full"].clear_faults()
    assert bench.converge("full")["full"].rebooted


def test_progress_that_nobody_reads_loses_no_host(bench: Bench, fleet: Fleet) -> None:
    def nobody(name: str, words: str) -> None:
        raise BrokenPipeError

    run = bench.converge("mute", at=nobody)["mute"]
    assert (run.status, run.error) == (Status.CHANGED, None)
