"""Steps, lock, units and virtual functions, by the functions that a host runs. In four shells."""

from __future__ import annotations

import fcntl
import re
import shlex
from pathlib import Path

import pytest
from shells import LIB, NONCE, SHELLS, fake, run

from sriov.facts.parser import sections
from sriov.planning import host_failures
from sriov.planning.host_failures import IDS, STEP_FAILED, HostFailure, Reach
from sriov.resources.contract import RESTARTS_DUE

TRAPS = "mkdir -p $state; true >$state/failure\n"
each_shell = pytest.mark.parametrize("shell", SHELLS)


def said(output: bytes) -> list[tuple[str, str, str]]:
    return [(name, argument, content.decode().strip()) for name, argument, content in sections(output, NONCE)]


def steps(shell: str, root: Path, script: str) -> bytes:
    ended = run(shell, root, ("common", "failures", "vfs", "units", "steps", "holders"), TRAPS + script)
    assert ended.stderr == b""
    return ended.stdout


# --- ids ---


def test_ids_that_the_shell_says_are_those_with_a_meaning() -> None:
    texts = [path.read_text() for path in (*LIB.glob("*.sh"), LIB.parent / "apply.sh.j2")]
    code = "\n".join(re.sub(r"^\s*#.*", "", text, flags=re.MULTILINE) for text in texts)
    spoken = set(re.findall(r"\b(?:fail|stop) ([a-z][a-z-]*)\b", code)) | set(
        re.findall(r"printf '([a-z-]+)\\n'", code)
    )
    assert spoken | {"host-locked", STEP_FAILED} == IDS


def test_failure_of_an_unknown_id_is_a_failed_step() -> None:
    output = f"\n@{NONCE} failed 2 <script>\nwords\n".encode()
    assert host_failures.read(output, NONCE) == HostFailure(STEP_FAILED, Reach.STEP, 2, "words")


def test_folder_of_restarts_has_one_name() -> None:
    assert f"\nrestarts_due={RESTARTS_DUE}\n" in (LIB / "paths.sh").read_text()


# --- steps ---


@each_shell
def test_steps_are_told_in_order_and_logged(shell: str, tmp_path: Path) -> None:
    output = steps(shell, tmp_path, "step 0 change '' true\nstep 1 - '{\"a\": \"b\\\\n\"}' echo not told\n")
    assert said(output) == [("begin", "0", ""), ("done", "0", ""), ("begin", "1", ""), ("done", "1", "")]
    assert (tmp_path / "runs/r1/log.jsonl").read_text() == '{"a": "b\\\\n"}\n'


@each_shell
def test_failed_step_is_the_last_and_carries_its_id(shell: str, tmp_path: Path) -> None:
    script = "broken() { echo before; fail disk-full 'no   room'; }\nstep 0 change log broken\nstep 1 change log true\n"
    output = steps(shell, tmp_path, script)
    assert said(output) == [("begin", "0", ""), ("failed", "0 disk-full", "before\nno   room")]
    assert host_failures.read(output, NONCE) == HostFailure("disk-full", Reach.STEP, 0, "before no room")
    assert not (tmp_path / "runs").exists()


@each_shell
def test_command_that_fails_without_a_word_of_ours_is_a_failed_step(shell: str, tmp_path: Path) -> None:
    failure = host_failures.read(steps(shell, tmp_path, "step 4 change '' false\n"), NONCE)
    assert failure == HostFailure(STEP_FAILED, Reach.STEP, 4, "")


# --- the lock ---

TAKE = 'take_lock "it\'s me" now\necho inside\n'


@each_shell
def test_lock_is_taken_with_its_owner_and_released_at_the_end(shell: str, tmp_path: Path) -> None:
    for _ in range(2):
        ended = run(shell, tmp_path, ("common", "failures", "lock"), TAKE)
        assert (ended.stdout, ended.stderr) == (b"inside\n", b"")
    assert re.fullmatch(r"it's me since now \(process \d+ here\)\n", (tmp_path / "run/lock").read_text())


@each_shell
def test_lock_of_another_run_ends_the_script_with_its_owner(shell: str, tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    fake(tmp_path, "flock", 'exec /usr/bin/flock -w 0.05 "$3"')
    with (tmp_path / "run/lock").open("w") as lock:
        lock.write("you since then")
        lock.flush()
        fcntl.flock(lock, fcntl.LOCK_EX)
        ended = run(shell, tmp_path, ("common", "failures", "lock"), TAKE)
    assert host_failures.read(ended.stdout, NONCE) == HostFailure("host-locked", Reach.LOCK, None, "you since then")


@each_shell
def test_lock_that_cannot_be_written_stops_the_script(shell: str, tmp_path: Path) -> None:
    (tmp_path / "run").write_text("no folder")
    ended = run(shell, tmp_path, ("common", "failures", "lock"), TAKE)
    failure = host_failures.read(ended.stdout, NONCE)
    assert failure is not None
    assert (failure.id, failure.reach) == ("state-unwritable", Reach.STAGING)


# --- virtual functions ---


@pytest.fixture
def port(tmp_path: Path) -> Path:
    """eth0 with two VFs, the first with a network device; `ip` knows no address."""
    device = tmp_path / "pci/0000:01:00.0"
    for index in range(2):
        vf = tmp_path / f"pci/0000:01:10.{index}"
        (vf / "driver-of/igbvf").mkdir(parents=True)
        (vf / "driver").symlink_to(vf / "driver-of/igbvf")
        (vf / f"net/eth0v{index}").mkdir(parents=True)
        device.mkdir(exist_ok=True)
        (device / f"virtfn{index}").symlink_to(vf)
    (tmp_path / "net/eth0").mkdir(parents=True)
    (tmp_path / "net/eth0/device").symlink_to(device)
    (tmp_path / "domains").mkdir()
    fake(tmp_path, "ip", ":")
    return device


def clear(shell: str, root: Path, count: int = 2, seconds: int = 1, force: str = "free") -> HostFailure | None:
    return host_failures.read(steps(shell, root, f"step 0 change '' clear_vfs eth0 {count} {seconds} {force}\n"), NONCE)


@each_shell
def test_vfs_are_taken_away_by_one_write_of_0(shell: str, tmp_path: Path, port: Path) -> None:
    """In place of the kernel, `setsid` takes the links away before it writes."""
    fake(tmp_path, "setsid", f'rm {shlex.quote(str(port))}/virtfn*; exec /usr/bin/setsid "$@"')
    assert clear(shell, tmp_path) is None
    assert (port / "sriov_numvfs").read_text() == "0\n"
    assert list((tmp_path / "run").glob("writing*")) == []


@each_shell
def test_vfs_that_stay_in_spite_of_the_write_are_told(shell: str, tmp_path: Path, port: Path) -> None:
    failure = clear(shell, tmp_path)
    assert failure is not None
    assert (failure.id, failure.words) == ("vf-removal-refused", "virtual functions of eth0 are still there")


@each_shell
def test_count_that_differs_from_the_plan_stops_the_step(shell: str, tmp_path: Path, port: Path) -> None:
    failure = clear(shell, tmp_path, count=7)
    assert failure is not None
    assert (failure.id, failure.words) == (
        "vf-count-changed",
        "eth0 has 2 virtual functions, not the 7 that were seen. Run again",
    )
    assert not (port / "sriov_numvfs").exists()


GUEST = """<domain><devices><interface type='hostdev'><source>
  <address type='pci' domain='0x0000' bus='0x01' slot='0x10' function='0x1'/></source>
  <address type='pci' domain='0x0000' bus='0x00' slot='0x03' function='0x0'/></interface></devices></domain>
"""


@each_shell
def test_vf_of_a_guest_is_never_taken_away_unless_forced(shell: str, tmp_path: Path, port: Path) -> None:
    (tmp_path / "domains/instance-00000001.xml").write_text(GUEST)
    failure = clear(shell, tmp_path)
    assert failure is not None
    assert (failure.id, failure.words) == (
        "vf-in-use",
        "VF 1 (0000:01:10.1) is in use by libvirt domain instance-00000001.",
    )
    assert not (port / "sriov_numvfs").exists()
    clear(shell, tmp_path, force="force")
    assert (port / "sriov_numvfs").read_text() == "0\n"


@each_shell
def test_write_that_hangs_is_left_behind_with_its_mark(shell: str, tmp_path: Path, port: Path) -> None:
    fake(tmp_path, "setsid", "exec sleep 0.5")
    failure = clear(shell, tmp_path, seconds=0)
    assert failure is not None
    assert failure.id == "kernel-not-answering"


@each_shell
def test_each_sign_of_a_user_is_told_in_words(shell: str, tmp_path: Path, port: Path) -> None:
    (tmp_path / "domains/instance-00000001.xml").write_text(GUEST)
    fake(tmp_path, "ip", "echo '7: eth0v0    inet 10.0.0.1/24 scope global eth0v0'")
    output = steps(shell, tmp_path, "vf_holders $net/eth0/device\n")
    assert output.decode().splitlines() == [
        "0 0000:01:10.0 network device eth0v0, which has an address",
        "1 0000:01:10.1 libvirt domain instance-00000001",
    ]


# --- units ---


@each_shell
@pytest.mark.parametrize(
    ("command", "refused", "known", "words"),
    [
        ("start_unit u eth0", "enable", "unit-refused", "cannot enable u"),
        ("start_unit u eth0", "restart", "unit-failed", "u failed; eth0 has 2 virtual functions"),
        ("enable_unit u", "enable", "unit-refused", "cannot enable u"),
        ("stop_unit u", "disable", "unit-refused", "cannot disable u"),
        ("stop_unit u", "stop", "unit-refused", "cannot stop u"),
        ("restart u", "restart", "service-not-starting", "u does not start: ActiveState=failed Result=exit-code"),
        ("restart u", "is-active", "service-not-starting", "u does not start: ActiveState=failed Result=exit-code"),
    ],
)
def test_refusal_of_systemd_is_told_with_its_id(
    shell: str, tmp_path: Path, port: Path, command: str, refused: str, known: str, words: str
) -> None:
    show = "[ $1 != show ] || printf 'ActiveState=failed\\nResult=exit-code\\n'"
    fake(tmp_path, "systemctl", f"{show}; [ $1 != {refused} ]")
    fake(tmp_path, "journalctl", ":")
    failure = host_failures.read(steps(shell, tmp_path, f"step 0 change '' {command}\n"), NONCE)
    assert failure == HostFailure(known, Reach.STEP, 0, words)


@each_shell
def test_restart_that_was_made_is_due_no_more(shell: str, tmp_path: Path) -> None:
    fake(tmp_path, "systemctl", ":")
    (tmp_path / "due").mkdir()
    for name in ("u", "other"):
        (tmp_path / "due" / name).touch()
    assert said(steps(shell, tmp_path, "step 0 change '' restart u\n"))[-1] == ("done", "0", "")
    assert [path.name for path in (tmp_path / "due").iterdir()] == ["other"]
