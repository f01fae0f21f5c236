"""Each fault of the table strikes one host of a run over all of them; nothing is lost, and the next run ends it."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from faults.bench import SEVEN, Bench, Tree, leftovers, torn, tree, untrue_lines
from faults.table import NOVA_CONF, ROWS, STEPS, SYNC, Row

from sriov.planning import script
from sriov.report.documents import exit_code
from sriov.run.context import Limits
from sriov.run.outcome import Outcome, Status
from sriov.simulation import Fleet, HostSpec, Nic, User

pytestmark = pytest.mark.slow

HEALTHY = ("healthy-1", "healthy-2")


@dataclass(frozen=True)
class Story:
    """What happened: `struck` is the run with the faults, `plain` the one after them, by host name."""

    before: dict[str, Tree]
    struck: dict[str, Outcome]
    between: dict[str, Tree]
    left: dict[str, list[str]]
    kept: dict[str, list[str]]
    plain: dict[str, Outcome]
    after: dict[str, Tree]
    left_at_last: dict[str, list[str]]


def _specs() -> list[HostSpec]:
    rows = [
        HostSpec(
            row.name,
            family=row.family,
            nics=(row.nic,),
            users=(User("ops"),) if row.user == "ops" else (),
            reboot_seconds=0.05,
        )
        for row in ROWS
    ]
    return [*rows, *(HostSpec(name, nics=(Nic(up=True),)) for name in HEALTHY)]


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Story]:
    with Fleet(_specs()) as fleet, pytest.MonkeyPatch.context() as patch:
        patch.setenv("SRIOV_KNOWN_HOSTS", str(fleet.known_hosts_path))
        bench = Bench(fleet, tmp_path_factory.mktemp("faults"))
        bench.write(
            {host.name: SEVEN for host in fleet.hosts}, {row.name: row.user for row in ROWS if row.user != "root"}
        )
        yield _live(fleet, bench)


def _live(fleet: Fleet, bench: Bench) -> Story:
    rows = {row.name: row for row in ROWS}
    before = {host.name: tree(host) for host in fleet.hosts}
    lengths = _lengths(bench)
    for row in ROWS:
        faults = dict(row.faults)
        if int(str(faults.get("drop_after_bytes", 0))) < 0:
            faults["drop_after_bytes"] = lengths + int(str(faults["drop_after_bytes"]))
        if faults:
            fleet[row.name].fail(**faults)

    def strike(name: str, words: str) -> None:
        row = rows.get(name)
        if row and row.while_planned and words == "differs":
            row.while_planned(fleet[name])

    struck = bench.converge(at=strike, may_reboot=False, limits=Limits(20, 20, 40, 20, 0.1))
    for row in ROWS:
        _mend(fleet, row)
    between = {host.name: tree(host) for host in fleet.hosts}
    left = {host.name: leftovers(host) for host in fleet.hosts}
    kept = {host.name: untrue_lines(host) for host in fleet.hosts}
    plain = bench.converge(max_unavailable="100%")
    return Story(
        before,
        struck,
        between,
        left,
        kept,
        plain,
        {host.name: tree(host) for host in fleet.hosts},
        {host.name: leftovers(host) for host in fleet.hosts},
    )


def _lengths(bench: Bench) -> int:
    """Bytes of the script and the files that a bare host is sent."""
    run = bench.look(HEALTHY[0])[HEALTHY[0]]
    assert len(run.first_plan.steps) == len(STEPS), [str(change) for change in run.first_plan.changes]
    sent = script.apply(
        run.request, run.first_plan, "0" * 32, run_id="20260101T000000Z-000001", who="operator@desk", may_reboot=False
    )
    return len(sent.text) + len(sent.payload)


def _mend(fleet: Fleet, row: Row) -> None:
    """The cause is gone, as an operator would see to it."""
    host = fleet[row.name]
    host.clear_faults()
    deadline = time.monotonic() + 20
    while not host.is_settled and time.monotonic() < deadline:
        time.sleep(0.05)
    host.run(f"rm -f {SYNC}; systemctl unmask nova-compute; sed -i 's/ no / nopasswd /' /etc/simulated-sudoers")


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_fault_is_told_with_its_host_and_its_step(story: Story, row: Row) -> None:
    run = story.struck[row.name]
    if not row.says:
        assert (run.status, run.error) == (Status.PENDING, None)
        return
    assert run.error is not None, run.status
    assert run.status is Status.FAILED
    assert re.search(row.says, run.error.message), run.error.message
    assert run.error.host == run.name
    assert re.search(row.step, run.error.step), run.error.step
    assert run.error.hint


def leftovers_of_a_crash(row: Row) -> frozenset[str]:
    """A host that dies while it writes cannot tidy up; the next run does."""
    crashed = "reboot_at_marker" in row.faults
    staged = (
        "/etc/default/grub.d/.zz-sriov.cfg",
        "/etc/systemd/system/.sriov-vfs.sh",
        "/etc/systemd/system/.sriov-vfs-eth0.service",
        "/etc/nova/.nova.conf",
    )
    return frozenset([f"{path}.sriov-new" for path in staged] * crashed)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_every_file_is_old_or_new_after_a_fault(story: Story, row: Row) -> None:
    old, new = story.before[row.name], story.after[row.name]
    by_hand = {name: text for name, text in story.between[row.name].items() if text.endswith(b"# by hand\n")}
    allowed = leftovers_of_a_crash(row)
    assert [name for name in torn(story.between[row.name], old, new, {**old, **by_hand}) if name not in allowed] == []


def test_fault_before_the_first_step_touches_nothing(story: Story) -> None:
    refused = [row for row in ROWS if "before its first step" in str(story.struck[row.name].error)]
    assert {row.step for row in refused} > {"the lock", NOVA_CONF}  # the last file of a change among them
    by_hand = {row.name: row.while_planned is not None for row in refused}
    assert [r.name for r in refused if not by_hand[r.name] and story.between[r.name] != story.before[r.name]] == []


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_manifest_names_what_was_replaced_and_nothing_else(story: Story, row: Row) -> None:
    """After a crash also what was to be replaced: it stands as before, and there is nothing to take back."""
    assert [line for line in story.kept[row.name] if not leftovers_of_a_crash(row)] == []


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_no_temporary_file_and_no_lock_stays_after_a_fault(story: Story, row: Row) -> None:
    assert set(story.left[row.name]) <= leftovers_of_a_crash(row)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_next_plain_run_finishes_what_a_fault_broke_off(story: Story, row: Row) -> None:
    run = story.plain[row.name]
    assert run.error is None, run.error
    assert run.plan.is_converged
    assert run.status in (Status.CHANGED, Status.UNCHANGED)
    assert story.left_at_last[row.name] == []


@pytest.mark.parametrize("name", HEALTHY)
def test_hosts_beside_the_struck_ones_are_done(story: Story, name: str) -> None:
    assert story.struck[name].status is Status.PENDING  # the run was told not to reboot
    assert not story.struck[name].plan.changes
    assert story.plain[name].status is Status.CHANGED


def test_run_with_a_struck_host_ends_with_exit_code_1(story: Story) -> None:
    assert exit_code(story.struck.values()) == 1
    assert exit_code(story.plain.values()) == 0
