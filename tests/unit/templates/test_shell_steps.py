"""Steps, lock and units, by the functions that a host runs. In four shells."""

from __future__ import annotations

import fcntl
import re
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
    ended = run(shell, root, ("common", "failures", "vfs", "units", "steps", "host_users", "holders"), TRAPS + script)
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


# --- units ---


@pytest.fixture
def port(tmp_path: Path) -> Path:
    """eth0 with two VFs."""
    device = tmp_path / "net/eth0/device"
    for index in range(2):
        (device / f"virtfn{index}").mkdir(parents=True)
    return device


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
