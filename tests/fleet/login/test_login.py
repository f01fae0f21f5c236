"""Ways to log in, as operators have them; and passwords, which are seen nowhere but by who asks for them."""

from __future__ import annotations

import os
import subprocess
import threading
import time
from pathlib import Path

import paramiko
import pytest
from conftest import CHECKOUT, FAB, Operator, Visit

from sriov.errors import ConnectError
from sriov.model import Host, Testbed
from sriov.simulation import Fleet, HostSpec, User
from sriov.ssh.login import Login

PORT = [{"interface": "eth0", "VF": 7, "physnets": ["physnet1"]}]
SUDO, SHARED, ROOT = "planted-sudo-passw0rd", "planted $'\"shared pass", "planted-root-passw0rd"


@pytest.fixture(scope="module")
def hosts() -> tuple[HostSpec, ...]:
    users = (
        User("ops", 1001, sudo="nopasswd"),
        User("careful", 1002, password=SUDO, sudo="password"),
        User("typist", 1003, password=SHARED, sudo="password", key=False),
    )
    return (HostSpec("compute1", users=users), HostSpec("jump", users=users, root_password=ROOT))


@pytest.fixture(autouse=True)
def plain(operator: Operator) -> None:
    """Each test begins with known_hosts of the fleet and no ~/.ssh/config."""
    (operator.home / ".ssh/known_hosts").write_bytes(operator.fleet.known_hosts_path.read_bytes())
    (operator.home / ".ssh/config").unlink(missing_ok=True)


def write(operator: Operator, login: str, more: str = "", key: bool = True) -> None:
    operator.bed.write_text(
        f"from fabric.api import env\nenv.roledefs = {{'compute': [{login!r}]}}\nenv.sriov = {{{login!r}: {PORT!r}}}\n"
        + (f"env.key_filename = {str(operator.fleet.key_path)!r}\n" if key else "")
        + more
    )


def passed(visit: Visit, host: str = "compute1") -> None:
    assert visit.code == 0, visit.said
    assert visit.connections[host] == 1
    assert "planted" not in visit.said


@pytest.fixture(scope="module")
def changed(operator: Operator, fleet: Fleet) -> Visit:
    """A host that was bare, through sudo without a password."""
    write(operator, fleet["compute1"].login_of("ops"))
    return operator.fab("setup_all", "--reboot", "never")


def test_user_with_free_sudo_brings_a_host_all_the_way(changed: Visit, fleet: Fleet) -> None:
    passed(changed)
    assert fleet["compute1"].numvfs("eth0") == 7
    assert fleet["compute1"].path("/etc/nova/nova.conf").stat().st_uid == fleet["compute1"].path("/etc").stat().st_uid


def test_sudo_gets_the_password_of_the_testbed(operator: Operator, fleet: Fleet, changed: Visit) -> None:
    login = fleet["compute1"].login_of("careful")
    write(operator, login, f"env.passwords = {{{login!r}: {SUDO!r}}}\n")
    passed(operator.fab("setup_all", "--reboot", "never"))


def test_change_through_sudo_with_password_is_made(operator: Operator, fleet: Fleet, changed: Visit) -> None:
    login = fleet["compute1"].login_of("careful")
    write(operator, login, f"env.password = {SUDO!r}\n")
    operator.bed.write_text(operator.bed.read_text().replace("physnet1", "physnet9"))
    visit = operator.fab("setup_all", "--reboot", "never")
    passed(visit)
    assert visit.executions["compute1"] == 3
    assert '"physnet9"' in fleet["compute1"].path("/etc/nova/nova.conf").read_text()


def test_login_by_password_alone_whatever_its_characters(operator: Operator, fleet: Fleet, changed: Visit) -> None:
    write(operator, fleet["compute1"].login_of("typist"), f"env.password = {SHARED!r}\n", key=False)
    passed(operator.fab("status"))


def test_root_by_password(operator: Operator, fleet: Fleet) -> None:
    write(operator, fleet["jump"].login, f"env.password = {ROOT!r}\n", key=False)
    passed(operator.fab("status"), "jump")


def test_ssh_config_gives_name_port_user_and_key(operator: Operator, fleet: Fleet, changed: Visit) -> None:
    host = fleet["compute1"]
    (operator.home / ".ssh/config").write_text(
        f"Host alias\n  HostName {host.address}\n  Port {host.port}\n  User ops\n  IdentityFile {fleet.key_path}\n"
    )
    write(operator, "alias", key=False)
    passed(operator.fab("status"))


def test_jump_host_of_ssh_config_is_gone_through_once(operator: Operator, fleet: Fleet, changed: Visit) -> None:
    host, jump = fleet["compute1"], fleet["jump"]
    (operator.home / ".ssh/config").write_text(
        f"Host inner\n  HostName {host.address}\n  Port {host.port}\n  User root\n  ProxyJump gate\n"
        f"Host gate\n  HostName {jump.address}\n  Port {jump.port}\n  User root\n"
        f"Host *\n  IdentityFile {fleet.key_path}\n"
    )
    write(operator, "inner", key=False)
    visit = operator.fab("status")
    passed(visit)
    assert visit.connections["jump"] == 1
    assert visit.executions["jump"] == 0


def test_key_files_that_are_missing_or_not_taken_hold_nobody_up(
    operator: Operator, fleet: Fleet, changed: Visit, tmp_path: Path
) -> None:
    other = tmp_path / "id_rsa"
    paramiko.RSAKey.generate(2048).write_private_key_file(str(other))
    (operator.home / ".ssh/config").write_text(f"Host *\n  IdentityFile {tmp_path}/missing\n  IdentityFile {other}\n")
    write(operator, fleet["compute1"].login)
    passed(operator.fab("status"))
    write(operator, fleet["compute1"].login, key=False)
    visit = operator.fab("status")
    assert visit.code == 2
    assert "was refused: no key, agent or password was accepted" in visit.said


def test_refused_logins_leave_no_connection(fleet: Fleet, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)
    monkeypatch.setenv("SRIOV_KNOWN_HOSTS", str(fleet.known_hosts_path))
    there = fleet["compute1"]
    login = Login(Testbed(path="", hosts=()))
    for _ in range(3):
        with pytest.raises(ConnectError, match="no key, agent or password was accepted"):
            login.connect(Host(there.login, there.address, "root", there.port))
    deadline = time.monotonic() + 10
    while (
        left := [t for t in threading.enumerate() if isinstance(t, paramiko.Transport)]
    ) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert left == []


def test_new_host_keys_are_recorded_once_if_the_operator_says_so(operator: Operator, fleet: Fleet) -> None:
    known = operator.home / ".ssh/known_hosts"
    known.write_text("# mine")
    (operator.home / ".ssh/config").write_text("HashKnownHosts no\n")  # Debian's own configuration has yes
    write(operator, fleet["compute1"].login)
    assert operator.fab("status").code == 2
    assert known.read_text() == "# mine"
    passed(operator.fab("status", "--accept-new-host-keys"))
    lines = known.read_text().splitlines()
    assert lines[0] == "# mine"
    assert [line.split()[0] for line in lines[1:]] == [f"[{fleet['compute1'].address}]:{fleet['compute1'].port}"]
    passed(operator.fab("status"))
    assert known.read_text().splitlines() == lines


def test_keyword_that_cannot_be_followed_ends_the_call_before_any_host_is_called(
    operator: Operator, fleet: Fleet
) -> None:
    (operator.home / ".ssh/config").write_text("Host *\n  KnownHostsCommand /bin/true\n")
    write(operator, fleet["compute1"].login)
    visit = operator.fab("setup_all", "--accept-new-host-keys")
    assert visit.code == 2
    assert "KnownHostsCommand /bin/true of the SSH configuration is not supported" in visit.said
    assert not visit.connections["compute1"]


def words_of_processes() -> str:
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            found.append(path.read_bytes().replace(b"\0", b" ").decode(errors="replace"))
        except OSError:
            continue
    return "\n".join(found)


def test_password_is_in_no_process_list_no_debug_output_and_no_command(
    operator: Operator, fleet: Fleet, changed: Visit
) -> None:
    host = fleet["compute1"]
    login = host.login_of("careful")
    write(operator, login, f"env.passwords = {{{login!r}: {SUDO!r}}}\n")
    operator.bed.write_text(operator.bed.read_text().replace("physnet1", "physnet7"))
    host.reset_counts()
    seen: list[str] = []
    done = threading.Event()

    def watch() -> None:
        while not done.is_set():
            seen.append(words_of_processes())
            time.sleep(0.03)

    watcher = threading.Thread(target=watch)
    watcher.start()
    ended = subprocess.run(
        [str(FAB), "setup_all", "--reboot", "never", "--debug", "--testbed", str(operator.bed)],
        cwd=CHECKOUT,
        env={"HOME": str(operator.home), "PATH": os.environ["PATH"]},
        capture_output=True,
        text=True,
        start_new_session=True,
    )
    done.set()
    watcher.join()
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert any("sudo -S" in text for text in (*seen, *host.executions))
    assert SUDO not in ended.stdout + ended.stderr
    assert not [text for text in seen if SUDO in text]
    assert not [text for text in host.executions if SUDO in text]
    kept = [path for path in host.path("/var/lib/sriov").rglob("*") if path.is_file()]
    assert kept
    assert not [path for path in kept if SUDO.encode() in path.read_bytes()]


def test_nova_s_own_passwords_are_not_shown(operator: Operator, fleet: Fleet, changed: Visit) -> None:
    write(operator, fleet["compute1"].login)
    operator.bed.write_text(operator.bed.read_text().replace("physnet1", "physnet5"))
    for call in (("plan", "--debug"), ("plan", "--json"), ("setup_all", "--reboot", "never", "--debug")):
        visit = operator.fab(*call)
        assert "physnet5" in visit.out or call[0] == "setup_all"
        assert "s3cr3t" not in visit.said
