"""Hosts that lie, and many of them at once: what they send cannot break the run, nor the terminal of who reads it."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from sriov.errors import ConnectError, SriovError, UnreachableError
from sriov.model import Host, Secret, Testbed
from sriov.simulation import Fleet, HostSpec, User
from sriov.ssh import Login

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
