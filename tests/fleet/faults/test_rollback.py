"""The way back: files, unit state and VFs as before the run, nothing that somebody has changed or uses since."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator

import pytest
from faults.bench import SEVEN, Bench, leftovers, torn, tree, untrue_lines
from faults.table import begin

from sriov.report.documents import exit_code
from sriov.resources.contract import Request
from sriov.run.context import Limits
from sriov.run.outcome import Outcome, Status
from sriov.simulation import Fleet, HostSpec, Nic

pytestmark = pytest.mark.slow

RUNS = "/var/lib/sriov/runs"
FIVE = ({"interface": "eth0", "VF": 5, "physnets": ["physnet1"]},)


@pytest.fixture(scope="module")
def fleet() -> Iterator[Fleet]:
    names = ("whole", "named", "edited", "used", "cut", "fresh", "many", "damaged", "crashed", "removed")
    with Fleet([HostSpec(name, nics=(Nic(up=True),), cmdline="iommu=pt") for name in names]) as running:
        yield running


@pytest.fixture(scope="module")
def bench(fleet: Fleet, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SRIOV_KNOWN_HOSTS", str(fleet.known_hosts_path))
        yield Bench(fleet, tmp_path_factory.mktemp("rollback"))


def _back(bench: Bench, name: str, run: str = "", **more: object) -> Outcome:
    def ask(request: Request) -> Request:
        return request._replace(rollback=run, all_ports=True)

    return bench.converge(name, request=ask, **more)[name]  # type: ignore[arg-type]


def _enabled(fleet: Fleet, name: str) -> bytes:
    return fleet[name].run("systemctl is-enabled sriov-vfs-eth0.service").stdout


def test_rollback_brings_back_files_vfs_and_unit_state_and_again_changes_nothing(bench: Bench, fleet: Fleet) -> None:
    host = fleet["whole"]
    before = tree(host)
    bench.write({"whole": SEVEN})
    assert bench.converge("whole", may_reboot=False)["whole"].error is None
    assert host.numvfs("eth0") == 7
    back = _back(bench, "whole")
    assert (back.status, back.error) == (Status.CHANGED, None)
    assert torn(tree(host), before) == []
    assert (host.numvfs("eth0"), _enabled(fleet, "whole")) == (0, b"")
    assert host.services["nova-compute.service"]["active"] == "active"
    again = _back(bench, "whole")
    assert (again.status, again.error) == (Status.UNCHANGED, None)
    assert torn(tree(host), before) == []
    assert leftovers(host) == []


def test_rollback_of_a_named_run_and_of_a_changed_count(bench: Bench, fleet: Fleet) -> None:
    host = fleet["named"]
    bench.write({"named": SEVEN})
    bench.converge("named", may_reboot=False)
    first = tree(host)
    bench.write({"named": FIVE})
    bench.converge("named", may_reboot=False)
    runs = sorted(path.name for path in host.path(RUNS).iterdir())
    back = _back(bench, "named", run=runs[-1])
    assert back.error is None
    assert torn(tree(host), first) == []
    assert (host.numvfs("eth0"), _enabled(fleet, "named")) == (7, b"enabled\n")


def test_file_that_was_edited_since_is_refused_and_the_others_come_back(bench: Bench, fleet: Fleet) -> None:
    host = fleet["edited"]
    before = tree(host)
    bench.write({"edited": SEVEN})
    bench.converge("edited", may_reboot=False)
    host.run("echo '# by hand' >>/etc/nova/nova.conf")
    edited = tree(host)["/etc/nova/nova.conf"]
    back = _back(bench, "edited")
    assert back.error is not None
    assert "/etc/nova/nova.conf: it was changed after run" in back.error.message
    assert "the old file is /var/lib/sriov/runs/" in back.error.hint
    assert torn(tree(host), {**before, "/etc/nova/nova.conf": edited}) == []


def test_rollback_never_takes_a_used_vf(bench: Bench, fleet: Fleet) -> None:
    host = fleet["used"]
    bench.write({"used": SEVEN})
    bench.converge("used", may_reboot=False)
    host.hold_vf("eth0", 2, "bond", "bond0")
    back = _back(bench, "used")
    assert back.error is not None
    assert "VF 2 (0000:01:10.4) is in use by network device eth0v2, part of bond0" in back.error.message
    assert (host.numvfs("eth0"), _enabled(fleet, "used")) == (7, b"enabled\n")
    host.release_vf("eth0", 2)
    assert _back(bench, "used").error is None
    assert host.numvfs("eth0") == 0


def test_rollback_that_was_cut_off_goes_on_with_the_same_run(bench: Bench, fleet: Fleet) -> None:
    host = fleet["cut"]
    before = tree(host)
    bench.write({"cut": SEVEN})
    bench.converge("cut", may_reboot=False)
    host.fail(drop_at_marker=" done 0\n")
    assert _back(bench, "cut", limits=Limits(20, 20, 20, 20, 0.1)).error is not None
    host.clear_faults()
    assert torn(tree(host), before) != []
    assert _back(bench, "cut").error is None
    assert torn(tree(host), before) == []


def test_damaged_copy_is_found_before_anything_is_taken_back(bench: Bench, fleet: Fleet) -> None:
    host = fleet["damaged"]
    bench.write({"damaged": SEVEN})
    bench.converge("damaged", may_reboot=False)
    done = tree(host)
    host.run(f"echo '# damaged' >>$(echo {RUNS}/*/3)")
    back = _back(bench, "damaged")
    assert back.error is not None
    assert "before its first step" in back.error.message
    assert "the copy of /etc/nova/nova.conf that run" in back.error.message
    assert torn(tree(host), done) == []
    assert host.numvfs("eth0") == 7


def test_second_attempt_of_a_run_on_a_host_that_crashed_keeps_one_true_manifest(bench: Bench, fleet: Fleet) -> None:
    """As a Dask worker's successor works on: under the same run."""
    host = fleet["crashed"]
    before = tree(host)
    bench.write({"crashed": SEVEN})
    host.fail(reboot_at_marker=begin("nova"))
    assert bench.converge("crashed", may_reboot=False, limits=Limits(20, 20, 20, 20, 0.1))["crashed"].error is not None
    host.clear_faults()
    while not (host.is_settled and host.answers()):
        time.sleep(0.05)
    bench.repeat()
    assert bench.converge("crashed", may_reboot=False)["crashed"].error is None
    assert (untrue_lines(host), leftovers(host)) == ([], [])
    assert len(list(host.path(RUNS).iterdir())) == 1
    assert _back(bench, "crashed").error is None
    assert torn(tree(host), before) == []


def test_rollback_without_a_run_says_so_and_touches_nothing(bench: Bench, fleet: Fleet) -> None:
    before = tree(fleet["fresh"])
    bench.write({"fresh": SEVEN})
    back = _back(bench, "fresh")
    assert [problem.message for problem in back.plan.impossible] == ["no run has replaced anything here"]
    assert exit_code([back]) == 2
    assert tree(fleet["fresh"]) == before


def test_runs_are_pruned_to_a_bound_and_hold_manifest_and_log(bench: Bench, fleet: Fleet) -> None:
    host = fleet["many"]
    host.run(
        f"for i in $(seq 10 40); do mkdir -p {RUNS}/20250101T0000$i; echo x >{RUNS}/20250101T0000$i/manifest; done"
    )
    bench.write({"many": SEVEN})
    bench.log.clear()
    run = bench.converge("many", may_reboot=False)["many"]
    kept = sorted(path.name for path in host.path(RUNS).iterdir())
    assert len(kept) == 20
    folder = host.path(RUNS) / kept[-1]
    manifest = [line.split(" ", 3)[3] for line in (folder / "manifest").read_text().splitlines()]
    assert manifest[-1] == "/etc/nova/nova.conf"
    on_host = [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]
    here = [json.loads(line) for line in bench.log]
    assert [line["target"] for line in on_host] == [change.target for change in run.first_plan.changes]
    assert [(line["target"], line["who"], line["run"]) for line in here] == [
        (line["target"], bench.who, kept[-1]) for line in on_host
    ]
    assert any("+device_spec" in text for line in here for text in line["diff"])


def test_rollback_of_a_removal_brings_vfs_unit_and_service_back(bench: Bench, fleet: Fleet) -> None:
    """Although the testbed has the port no more: it is the run that is taken back, not the testbed."""
    host = fleet["removed"]
    bench.write({"removed": SEVEN})
    assert bench.converge("removed", may_reboot=False)["removed"].error is None
    before = tree(host)
    bench.write({})
    removed = bench.converge("removed", may_reboot=False, request=lambda request: request._replace(removes=True))
    assert removed["removed"].error is None
    assert host.numvfs("eth0") == 0
    starts = host.services["nova-compute.service"]["starts"]
    back = _back(bench, "removed")
    assert (back.status, back.error) == (Status.CHANGED, None)
    assert torn(tree(host), before) == []
    assert (host.numvfs("eth0"), _enabled(fleet, "removed")) == (7, b"enabled\n")
    assert host.services["nova-compute.service"]["starts"] == starts + 1
