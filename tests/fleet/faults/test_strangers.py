"""Hosts that lie, and many of them at once: what they send cannot break the run, nor the terminal of who reads it."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from faults.bench import SEVEN, Bench

from sriov.errors import ConnectError, SriovError, UnreachableError
from sriov.facts.parser import sections
from sriov.model import Host, Secret, Testbed
from sriov.report.documents import exit_code
from sriov.run.context import Limits
from sriov.simulation import Fleet, HostSpec, User
from sriov.ssh.login import Login
from sriov.transport import Script

pytestmark = pytest.mark.slow

PASSWORD = "s3cr3t-of-the-first"


@pytest.fixture(scope="module")
def fleet() -> Iterator[Fleet]:
    users = (User("ops", password=PASSWORD, key=False),)
    with Fleet([HostSpec("first", users=users), HostSpec("second", users=users)]) as running:
        yield running


@pytest.fixture
def login(fleet: Fleet, monkeypatch: pytest.MonkeyPatch) -> Login:
    monkeypatch.setenv("SRIOV_KNOWN_HOSTS", str(fleet.known_hosts_path))
    return Login(Testbed(path="", hosts=()))


def test_password_of_one_host_is_never_offered_to_another(fleet: Fleet, login: Login) -> None:
    first, second = fleet.hosts
    login.connect(Host("ops@first", first.address, "ops", first.port, password=Secret(PASSWORD))).close()
    with pytest.raises(ConnectError, match="was refused: no key, agent or password"):
        login.connect(Host("ops@second", second.address, "ops", second.port))


@pytest.fixture
def eager_threads() -> Iterator[None]:
    """Threads take turns so often that what they share without care breaks."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


def test_logins_side_by_side_share_nothing_that_one_of_them_changes(eager_threads: None) -> None:
    login = Login(Testbed(path="", hosts=()))

    def refused(number: int) -> type[BaseException]:
        try:
            login.connect(Host(f"root@127.0.0.1:{number}", "127.0.0.1", "root", 1))
        except (SriovError, AttributeError, KeyError) as error:
            return type(error)
        return BaseException

    with ThreadPoolExecutor(32) as pool:
        assert set(pool.map(refused, range(300))) == {UnreachableError}


@pytest.fixture
def bench(fleet: Fleet, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Bench:
    monkeypatch.setenv("SRIOV_KNOWN_HOSTS", str(fleet.known_hosts_path))
    bench = Bench(fleet, tmp_path)
    bench.write({host.name: SEVEN for host in fleet.hosts})
    return bench


def test_answer_that_comes_drop_by_drop_has_an_end(bench: Bench, fleet: Fleet) -> None:
    fleet["first"].fail(drip_seconds=0.2, replace_output=(" end\n", " \n"))
    error = bench.converge("first", limits=Limits(1.0, 1.0, 10, 1, 0.1))["first"].error
    fleet["first"].clear_faults()
    assert error is not None
    assert "it did not end within 10 s" in error.message


def test_flood_before_sudo_has_begun_has_an_end(fleet: Fleet, login: Login) -> None:
    host = fleet["first"]
    host.fail(prepend_output="Welcome! " * 20_000)
    session = login.connect(Host("ops@first", host.address, "ops", host.port, password=Secret(PASSWORD)))
    with pytest.raises(ConnectError, match="no root"):
        session.start(Script(b"true"))
    host.clear_faults()
    session.close()


def test_program_that_a_change_needs_is_missed_before_anything_is_touched(bench: Bench, fleet: Fleet) -> None:
    for tool in ("flock", "sha256sum", "setsid", "stat", "timeout"):
        fleet["second"].fail(missing_tools=(tool,))
        runs = bench.look("second")
        assert [problem.message for problem in runs["second"].plan.impossible] == [
            f"programs that every change needs are missing: {tool}"
        ]
        assert exit_code(runs.values()) == 2
    fleet["second"].clear_faults()


def test_names_that_a_host_gives_its_files_hold_no_escapes() -> None:
    output = b"\n@aa file /etc/nova/\x1b[31mx.conf\ntext\n@aa end\n"
    assert [argument for _, argument, _ in sections(output, "aa")] == ["/etc/nova/x.conf", ""]
