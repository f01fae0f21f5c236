"""A host that lets in and then freezes, at each word of SSH that it owes: the run goes on without it."""

from __future__ import annotations

import re
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import paramiko
import pytest

from sriov.errors import UnreachableError
from sriov.model import Host, Secret, Testbed
from sriov.ssh.login import Login
from sriov.transport import Script, Session


class Frozen(paramiko.ServerInterface):
    """Takes any password, then sticks at one moment."""

    def __init__(self, at: str) -> None:
        self._at = at
        self.thawed = threading.Event()

    def _stick(self, moment: str) -> bool:
        return self._at != moment or self.thawed.wait()

    def check_auth_password(self, username: str, password: str) -> int:
        self._stick("login")
        return paramiko.common.AUTH_SUCCESSFUL

    def get_allowed_auths(self, username: str) -> str:
        return "password"

    def check_channel_request(self, kind: str, chanid: int) -> int:
        self._stick("channel")
        return paramiko.common.OPEN_SUCCEEDED

    def check_channel_exec_request(self, channel: paramiko.Channel, command: bytes) -> bool:
        return self._stick("command")


@pytest.fixture
def frozen(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Callable[[str], Session]]:
    """`frozen(moment)`: a session with a host that sticks then."""
    monkeypatch.setenv("SRIOV_KNOWN_HOSTS", str(tmp_path / "known_hosts"))
    ends: list[Callable[[], None]] = []

    def make(moment: str) -> Session:
        listener = socket.create_server(("127.0.0.1", 0))
        server = Frozen(moment)
        ends.extend((listener.close, server.thawed.set))

        def serve() -> None:
            transport = paramiko.Transport(listener.accept()[0])
            ends.append(transport.close)
            transport.add_server_key(paramiko.ECDSAKey.generate())
            transport.start_server(event=threading.Event(), server=server)

        threading.Thread(target=serve, daemon=True).start()
        port = listener.getsockname()[1]
        host = Host(f"root@127.0.0.1:{port}", "127.0.0.1", "root", port, password=Secret("anything"))
        session = Login(Testbed("testbed.py", (host,)), timeout=1.0, accept_new_host_keys=True).connect(host)
        ends.append(session.close)
        return session

    yield make
    for end in ends:
        end()


@pytest.mark.parametrize("moment", ["login", "channel", "command", "input"])
def test_host_that_freezes_holds_nobody_up(frozen: Callable[[str], Session], moment: str) -> None:
    with pytest.raises(UnreachableError) as caught:
        frozen(moment).start(Script(b"exec cat", b"x" * (8 << 20)))
    assert re.search(
        "nothing was heard from it for 3 s|no SSH banner|Timeout opening|does not answer", caught.value.message
    )


def test_host_that_goes_between_two_words_holds_nobody_up(frozen: Callable[[str], Session]) -> None:
    """paramiko forgets that a channel has ended when it is asked for a command in the same moment."""
    session = frozen("nothing")
    transport = session.connection.transport  # type: ignore[attr-defined]
    open_session = transport.open_session

    def open_and_lose(**options: object) -> paramiko.Channel:
        channel: paramiko.Channel = open_session(**options)
        transport.close()
        channel.closed = False  # the moment before the other thread comes to this channel
        return channel

    transport.open_session = open_and_lose
    with pytest.raises(UnreachableError):
        session.start(Script(b"true"))
