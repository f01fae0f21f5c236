"""Hosts behind jump hosts: the way there, one login on each, and what a dead one costs."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import paramiko
import pytest
from conftest import Operator
from fabric import Config

from sriov.simulation import Fleet, HostSpec
from sriov.ssh.jump_hosts import HostConnection, JumpError, JumpHosts

PORT = [{"interface": "eth0", "VF": 7, "physnets": ["physnet1"]}]


@pytest.fixture(scope="module")
def hosts() -> tuple[HostSpec, ...]:
    return (HostSpec("compute1"), HostSpec("compute2"), HostSpec("outer"), HostSpec("inner"))


@pytest.fixture(autouse=True)
def plain(operator: Operator) -> None:
    (operator.home / ".ssh/known_hosts").write_bytes(operator.fleet.known_hosts_path.read_bytes())


def write(operator: Operator, config: str, *logins: str) -> None:
    operator.bed.write_text(
        f"from fabric.api import env\nenv.roledefs = {{'compute': {list(logins)!r}}}\n"
        f"env.sriov = {dict.fromkeys(logins, PORT)!r}\n"
    )
    (operator.home / ".ssh/config").write_text(
        config + "".join(entry(operator.fleet, host.name) for host in operator.fleet.hosts)
        + f"Host *\n  User root\n  IdentityFile {operator.fleet.key_path}\n"
    )  # fmt: skip


def entry(fleet: Fleet, name: str) -> str:
    return f"Host {name}\n  HostName {fleet[name].address}\n  Port {fleet[name].port}\n"


BOTH = "Host compute*\n  ProxyJump outer,inner\n"


def test_two_jump_hosts_are_each_logged_in_to_once(operator: Operator) -> None:
    write(operator, BOTH, "compute1", "compute2")
    visit = operator.fab("status")
    assert visit.code == 0, visit.said
    assert {name: visit.connections[name] for name in ("outer", "inner", "compute1", "compute2")} == {
        "outer": 1, "inner": 1, "compute1": 1, "compute2": 1,
    }  # fmt: skip


@pytest.mark.parametrize("name", ["outer", "inner"])
def test_unknown_key_of_a_jump_host_is_refused(operator: Operator, name: str) -> None:
    write(operator, BOTH, "compute1")
    known = operator.home / ".ssh/known_hosts"
    address = operator.fleet[name].address
    known.write_text("".join(line for line in known.read_text().splitlines(True) if f"[{address}]" not in line))
    visit = operator.fab("status")
    assert visit.code != 0
    assert f"the host key of {address}:{operator.fleet[name].port} is unknown" in visit.said
    assert visit.connections["compute1"] == 0


def test_jump_hosts_in_either_order_are_gone_through_side_by_side(operator: Operator) -> None:
    """Each of the two is on another way there, so nobody waits for what the other one holds."""
    write(operator, BOTH.replace("*", "1") + "Host compute2\n  ProxyJump inner,outer\n", "compute1", "compute2")
    visit = operator.fab("status")
    assert visit.code == 0, visit.said
    assert [visit.connections[name] for name in ("outer", "inner")] == [2, 2]


def test_two_ways_to_one_address_are_two_jump_hosts() -> None:
    """Sites number their hosts alike."""
    jumps = JumpHosts(lambda connection: None)
    config = Config(ssh_config=paramiko.SSHConfig.from_text("Host a\n ProxyJump x,gate\nHost b\n ProxyJump y,gate"))
    a, again, b = (jumps.through(HostConnection(name, config=config).gateway) for name in ("a", "a", "b"))
    assert a is again
    assert a is not b


def _gateways(config: str, name: str) -> list[str]:
    connection: Any = HostConnection(name, config=Config(ssh_config=paramiko.SSHConfig.from_text(config)))
    found = []
    while connection.gateway:
        connection = connection.gateway
        found.append(connection.host)
    return found


@pytest.mark.parametrize(
    ("config", "wanted"),
    [
        ("Host far\n ProxyJump one,two,three", ["three", "two", "one"]),
        ("Host far\n ProxyJump ssh://one:2200", ["one"]),
        ("Host far\n ProxyJump two\nHost two\n ProxyJump one", ["two", "one"]),
        ("Host far\n ProxyJump none\nHost *\n ProxyJump one", []),
        ("Host *\n ProxyJump one\nHost one\n HostName 10.0.0.1", ["10.0.0.1"]),
        ("Host far\n HostName one\n Port 2201\n ProxyJump one:2200", ["one"]),
        ("Host far\n ProxyJump admin@[fd00::1]:2222,SSH://two:22/,fd00::3", ["fd00::3", "two", "fd00::1"]),
        ("Host far\n ProxyCommand none\nHost *\n ProxyJump one", []),
    ],
)
def test_last_jump_host_is_the_one_before_the_host(config: str, wanted: list[str]) -> None:
    assert _gateways(config, "far") == wanted


def test_proxy_command_that_comes_first_counts() -> None:
    for text in (
        "Host far\n ProxyCommand nc %h %p\n ProxyJump one",
        "Host far\n ProxyJump none\n ProxyCommand nc %h %p",
    ):
        config = Config(ssh_config=paramiko.SSHConfig.from_text(text))
        assert HostConnection("far", config=config).gateway == "nc far 22"


def test_keys_of_one_host_are_not_offered_to_the_next() -> None:
    config = Config(ssh_config=paramiko.SSHConfig.from_text("Host a\n IdentityFile /a\nHost b\n IdentityFile /b"))
    found = [HostConnection(name, config=config).connect_kwargs["key_filename"] for name in ("a", "b", "a", "b")]
    assert found == [["/a"], ["/b"], ["/a"], ["/b"]]


def test_jump_hosts_that_lead_to_each_other_are_told(operator: Operator) -> None:
    write(
        operator,
        "Host compute*\n  ProxyJump outer\nHost outer\n  ProxyJump inner\nHost inner\n  ProxyJump outer\n",
        "compute1",
    )
    visit = operator.fab("status")
    assert visit.code != 0
    assert "its jump hosts lead to each other" in visit.said


def test_jump_host_that_refuses_is_named(operator: Operator) -> None:
    write(operator, "Host compute*\n  ProxyJump outer\nHost outer\n  User stranger\n", "compute1")
    outer = operator.fleet["outer"]
    visit = operator.fab("status")
    assert visit.code == 2
    assert f"its jump host stranger@{outer.address}:{outer.port} refused the login" in visit.said


@contextlib.contextmanager
def _deaf() -> Iterator[str]:
    """`address:port` where nobody ever answers: the queue of those who want in is full."""
    with socket.create_server(("127.0.0.1", 0), backlog=0) as listener, contextlib.ExitStack() as waiting:
        for _ in range(3):
            one = waiting.enter_context(socket.socket())
            one.setblocking(False)
            one.connect_ex(listener.getsockname())
        yield "{}:{}".format(*listener.getsockname())


def test_dead_host_behind_a_jump_host_ends_at_the_connect_timeout(operator: Operator) -> None:
    with _deaf() as dead:
        address, port = dead.split(":")
        write(operator, f"Host dead\n  HostName {address}\n  Port {port}\n  ProxyJump outer\n", "dead", "compute1")
        visit = operator.fab("status", "--timeout", "2")
    assert visit.code == 1
    assert (
        f"{dead} (behind {operator.fleet['outer'].address}:{operator.fleet['outer'].port}) does not answer within 2 s"
        in visit.said
    )
    assert visit.connections["compute1"] == 1


class _Line:
    """Stands for a connection to a jump host."""

    user, host, port, gateway, is_connected = "root", "jump", 22, None, False


def test_dead_jump_host_is_waited_for_once_by_all_who_need_it() -> None:
    tries = []

    def dial(connection: object) -> None:
        tries.append(connection)
        time.sleep(1)  # all the others have come by now
        raise TimeoutError

    jumps = JumpHosts(dial)
    together = threading.Barrier(8)

    def go() -> JumpError | None:
        together.wait()
        try:
            jumps.through(_Line())
        except JumpError as error:
            return error
        return None

    with ThreadPoolExecutor(8) as pool:
        failures = [future.result() for future in [pool.submit(go) for _ in range(8)]]
    assert [type(failure.error) for failure in failures if failure] == [TimeoutError] * 8
    assert len(tries) == 1
    with pytest.raises(JumpError):
        jumps.through(_Line())
    assert len(tries) == 2  # who comes later tries anew
