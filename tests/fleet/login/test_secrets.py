"""Planted secrets: no byte of them is printed, logged, stored here, or shown by a process list, at any verbosity."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from conftest import CHECKOUT, FAB

from sriov.simulation import Fleet, HostSpec, Nic, SimulatedHost, User

pytestmark = pytest.mark.slow

PASSWORD = "canary-login-4711"  # of the user, for login and sudo
IN_NOVA_CONF = ("s3cr3t-rabbit-passw0rd", "s3cr3t-keystone-passw0rd", "s3cr3t-placement-passw0rd")
HELD = "canary-held-by-an-entry-0815"
ENTRY = 'device_spec = {"devname": "eth0", "physical_network": "old\\u001b[31mred"}\n'


@dataclass(frozen=True)
class Heard:
    """All that came out of some calls of `fab`: what was printed, and every command line that was seen meanwhile."""

    printed: bytes
    lines: bytes
    stored: bytes
    codes: tuple[int, ...]


@pytest.fixture(scope="module")
def fleet() -> Iterator[Fleet]:
    user = User("ops", password=PASSWORD, sudo="password", key=False)
    files = {"/etc/nova/nova.conf.d/extra.conf": f"[DEFAULT]\ntransport_url = rabbit://a:{HELD}@b/\n".encode()}
    specs = [
        HostSpec("good", nics=(Nic(up=True),), users=(user,), files=files),
        HostSpec("failing", nics=(Nic(up=True),), users=(user,), files=files),
        HostSpec("lying", nics=(Nic(up=True),), users=(user,), files=files),
    ]
    with Fleet(specs) as running:
        yield running


def _cmdlines() -> bytes:
    """The command lines of all processes of this machine; those of the simulated hosts are among them."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            found.append(path.read_bytes())
        except OSError:
            continue
    return b"\n".join(found)


def _fab(fleet: Fleet, home: Path, words: tuple[str, ...]) -> tuple[int, bytes, set[bytes]]:
    seen = set()
    with (home / "printed").open("wb") as printed:
        process = subprocess.Popen(
            [str(FAB), *words, "--testbed", str(home / "testbed.py")],
            cwd=CHECKOUT,
            env={
                "PATH": os.environ["PATH"],
                "HOME": str(home),
                "SRIOV_KNOWN_HOSTS": str(fleet.known_hosts_path),
                "PYTHONDONTWRITEBYTECODE": "1",
            },
            stdout=printed,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        while process.poll() is None:
            seen.add(_cmdlines())
            time.sleep(0.05)
    said = (home / "printed").read_bytes()
    (home / "printed").unlink()
    return process.returncode, said, seen


@pytest.fixture(scope="module")
def heard(fleet: Fleet, tmp_path_factory: pytest.TempPathFactory) -> Heard:
    home = tmp_path_factory.mktemp("secrets")
    ports = [{"interface": "eth0", "VF": 7, "physnets": ["physnet1"]}]
    text = fleet.testbed({host.name: ports for host in fleet.hosts})
    for host in fleet.hosts:
        text = text.replace(repr(host.login), repr(host.login_of("ops")))
    text = text.replace(f"env.key_filename = {str(fleet.key_path)!r}\n", "")
    text += "env.passwords = {" + ", ".join(f"{h.login_of('ops')!r}: {PASSWORD!r}" for h in fleet.hosts) + "}\n"
    (home / "testbed.py").write_text(text)
    fleet["failing"].fail(update_grub_error="cannot find a device\n\x1b]0;owned\x07\x1b[31mred\n")
    fleet["lying"].fail(replace_output=("cmdline=", "cmdline=\x1b[2J\x1b]0;owned\x07"))
    _plant_an_entry(fleet["good"])
    printed, lines, codes = [], set(), []
    log = ("--log", str(home / "log.jsonl"))
    for words in (
        ("plan", "--debug"),
        ("plan", "--json"),
        ("setup_all", "--debug", *log),
        ("setup_all", "--json", *log),
        ("verify", "--debug"),
        ("status",),
        ("rollback", fleet["good"].login_of("ops"), "--debug", *log),
    ):
        code, said, seen = _fab(fleet, home, words)
        codes.append(code)
        printed.append(said)
        lines |= seen
    files = [path.read_bytes() for path in home.rglob("*") if path.is_file() and path.name != "testbed.py"]
    return Heard(b"\n".join(printed), b"\n".join(lines), b"\n".join(files), tuple(codes))


def _plant_an_entry(host: SimulatedHost) -> None:
    """An entry for the same port, by hand: the diff shows that it goes."""
    path = host.path("/etc/nova/nova.conf")
    path.write_text(path.read_text().replace("[pci]\n", "[pci]\n" + ENTRY, 1))


@pytest.mark.parametrize("secret", [PASSWORD, *IN_NOVA_CONF, HELD])
def test_secret_is_never_printed_stored_or_seen_in_a_process_list(heard: Heard, secret: str) -> None:
    assert secret.encode() not in heard.printed
    assert secret.encode() not in heard.stored
    assert secret.encode() not in heard.lines


def test_key_is_never_printed_or_stored(heard: Heard, fleet: Fleet) -> None:
    key = fleet.key_path.read_bytes().splitlines()[1]
    assert key not in heard.printed + heard.stored + heard.lines


def test_calls_that_were_listened_to_did_their_work(heard: Heard) -> None:
    assert heard.codes[0] == 3, heard.printed.decode()
    assert heard.codes[2] == 1  # one of the hosts fails
    assert b"+device_spec" in heard.printed
    assert b"device_spec" in heard.stored  # the log
    assert b"fab" in heard.lines


def test_escapes_of_a_host_do_not_reach_the_terminal(heard: Heard) -> None:
    assert b"\x1b" not in heard.printed
    assert b"\x07" not in heard.printed
