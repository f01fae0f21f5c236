"""What a host, its log and the documents say of the version that changed it, and how an older version heeds that."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from conftest import Operator

from sriov import __version__
from sriov.simulation import Fleet, HostSpec

BED = {"compute1": [{"interface": "eth0", "VF": 7, "physnets": ["physnet1"]}]}
MARK = "/var/lib/sriov/version"


@pytest.fixture
def fleet() -> Iterator[Fleet]:
    with Fleet([HostSpec("compute1")]) as fleet:
        yield fleet


@pytest.fixture
def operator(fleet: Fleet, tmp_path: Path) -> Operator:
    operator = Operator(fleet, tmp_path)
    operator.write(BED)
    return operator


def test_change_marks_the_host_its_log_and_the_document(operator: Operator, fleet: Fleet) -> None:
    log = operator.home / "log.jsonl"
    document = operator.fab("setup_all", "--json", "--log", str(log)).document
    assert (document["format"], document["version"]) == (1, __version__)
    host = fleet["compute1"]
    assert host.path(MARK).read_text() == f"{__version__}\n"
    assert not host.path(f"{MARK}-new").exists()
    (on_host,) = host.path("/var/lib/sriov/runs").glob("*/log.jsonl")
    for path in (log, on_host):
        assert {json.loads(line)["version"] for line in path.read_text().splitlines()} == {__version__}
    assert operator.fab("setup_all").touched == frozenset()


def test_older_mark_gives_way_at_the_next_change_alone(operator: Operator, fleet: Fleet) -> None:
    operator.fab("setup_all")
    host = fleet["compute1"]
    host.path(MARK).write_text("1.0.0\n")
    assert operator.fab("setup_all").touched == frozenset()
    operator.write({"compute1": [{**BED["compute1"][0], "VF": 5}]})
    assert operator.fab("setup_all").code == 0
    assert host.path(MARK).read_text() == f"{__version__}\n"


def test_host_of_a_newer_version_is_refused_shown_and_changed_by_force(operator: Operator, fleet: Fleet) -> None:
    host = fleet["compute1"]
    host.path(MARK).parent.mkdir(parents=True)
    host.path(MARK).write_text("99.0\n")
    plan = operator.fab("plan")
    assert plan.code == 2
    assert "eth0" in plan.out  # what would change is shown all the same
    for visit in (plan, operator.fab("verify"), operator.fab("status"), operator.fab("setup_all")):
        assert f"{MARK}: a newer version has set this host up: wanted at most {__version__}, found 99.0" in visit.said
        assert visit.touched == frozenset()
    assert operator.fab("setup_all").code == 2
    assert operator.fab(f"rollback:{host.login}").code == 2
    forced = operator.fab("setup_all", "--force-version")
    assert forced.code == 0, forced.said
    assert host.path(MARK).read_text() == "99.0\n"
    assert operator.fab(f"rollback:{host.login}", "--force-version").code == 0


def test_damaged_mark_is_told_and_nothing_more(operator: Operator, fleet: Fleet) -> None:
    host = fleet["compute1"]
    host.path(MARK).parent.mkdir(parents=True)
    host.path(MARK).write_bytes(b"\x1b[2J\xff\x00 no version\n")
    visit = operator.fab("setup_all")
    assert visit.code == 0, visit.said
    assert "it does not hold a version" in visit.said
    assert "\x1b[2J" not in visit.said
    assert host.path(MARK).read_text() == f"{__version__}\n"


def test_mark_that_cannot_be_written_stops_the_host_before_its_first_step(operator: Operator, fleet: Fleet) -> None:
    host = fleet["compute1"]
    before = host.path("/etc/nova/nova.conf").read_bytes()
    host.path(f"{MARK}-new").mkdir(parents=True)
    visit = operator.fab("setup_all")
    assert visit.code == 1
    assert f"cannot write {MARK}" in visit.said
    assert host.path("/etc/nova/nova.conf").read_bytes() == before
