"""Files of a run, by the functions that a host runs: staged whole, put in their place, taken back. In four shells."""

from __future__ import annotations

import hashlib
import os
import shlex
import stat
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from shells import NONCE, SHELLS, run

from sriov.planning import host_failures
from sriov.planning.host_failures import HostFailure, Reach

LIBRARIES = ("common", "failures", "file_transaction")
EVERY_BYTE = bytes(range(256)) + b"\n-n %s %% \\n \\0 it's $HOME `id`\r\n\n"
pytestmark = pytest.mark.parametrize("shell", SHELLS)


def sum_of(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def printf_format(content: bytes) -> bytes:
    text = content.replace(b"\\", b"\\\\").replace(b"%", b"%%").replace(b"\0", b"\\000")
    return b"'" + text.replace(b"'", b"'\"'\"'") + b"'"


def stage(path: Path | str, found: bytes | None, wanted: bytes | None, number: int = 0) -> bytes:
    sums = ["-" if content is None else sum_of(content) for content in (found, wanted)]
    call = shlex.join(["stage", str(number), str(path), *sums]).encode() + b"\n"
    return call if wanted is None else call + b"fill " + printf_format(wanted) + b"\n"


def attempt(
    shell: str, root: Path, *calls: bytes, before: str = "", after: str = ""
) -> subprocess.CompletedProcess[bytes]:
    """What a host does with a payload of these calls, and then with its steps."""
    (root / "run").mkdir(exist_ok=True)
    body = b"\n".join((b":", *calls))
    script = f"{before}\ntidy_cut_off\nbegin_attempt\n".encode() + b"{\n" + body + b'\n} 2>"$state/output"\n'
    return run(shell, root, LIBRARIES, script + after.encode())


def refusal(ended: subprocess.CompletedProcess[bytes]) -> HostFailure:
    failure = host_failures.read(ended.stdout, NONCE)
    assert failure is not None, ended
    assert failure.reach is Reach.STAGING
    return failure


def left_beside(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir() if path.name.endswith(".sriov-new")]


def test_file_takes_its_place_with_every_byte_and_its_mode(shell: str, tmp_path: Path) -> None:
    old = tmp_path / "it's $x.conf"
    old.write_bytes(b"old")
    old.chmod(0o640)
    new = tmp_path / "folder/new"
    calls = [
        stage(old, b"old", EVERY_BYTE),
        stage(new, None, b"new\n", 1),
        shlex.join(["modes", "0604", str(new)]).encode(),
        b"settle",
    ]
    steps = "".join(
        shlex.join(["write_file", str(path), found]) + "\n" for path, found in ((old, sum_of(b"old")), (new, "-"))
    )
    ended = attempt(shell, tmp_path, *calls, after=f"{steps}tidy\n")
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, b"", b"")
    assert (old.read_bytes(), stat.S_IMODE(old.stat().st_mode)) == (EVERY_BYTE, 0o640)
    assert (new.read_bytes(), stat.S_IMODE(new.stat().st_mode)) == (b"new\n", 0o604)
    kept = tmp_path / "runs/r1"
    assert (kept / "0").read_bytes() == b"old"
    assert (kept / "manifest").read_text() == (
        f"0 {sum_of(b'old')} {sum_of(EVERY_BYTE)} {old}\n1 - {sum_of(b'new' + bytes([10]))} {new}\n"
    )
    assert (kept / "attempt").read_bytes() == b""


@pytest.mark.parametrize(
    ("meanwhile", "is_kept"),
    [
        (":", True),
        ("echo hand >{path}", False),
        ("mkdir -p $restarts_due; : >$restarts_due/nova-compute", False),
        ("touch -d '2999-01-01' {copy}", False),
    ],
    ids=["written", "changed since", "another restart to come", "an old time that is yet to come"],
)
def test_file_that_concerns_no_one_else_is_as_old_as_before(
    shell: str, tmp_path: Path, meanwhile: str, is_kept: bool
) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"old")
    os.utime(path, ns=(10**18, 10**18 + 123456789))
    words = meanwhile.format(path=path, copy=tmp_path / "runs/r1/0")
    steps = f"write_file {path} {sum_of(b'old')}\n{words}\nkeep_time {path} {sum_of(b'new')}\ntidy\n"
    ended = attempt(shell, tmp_path, stage(path, b"old", b"new"), b"settle", after=steps)
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, b"", b"")
    assert (path.stat().st_mtime_ns == 10**18 + 123456789) is is_kept


def test_file_that_changed_since_it_was_read_stops_the_staging(shell: str, tmp_path: Path) -> None:
    path, other = tmp_path / "a", tmp_path / "b"
    path.write_bytes(b"by hand")
    ended = attempt(shell, tmp_path, stage(other, None, b"x"), stage(path, b"read", b"wanted", 7), b"settle")
    failure = refusal(ended)
    assert (failure.id, failure.step) == ("file-changed", 7)
    assert failure.words == f"{path} was changed since it was read; nothing was written. Run again"
    assert path.read_bytes() == b"by hand"
    assert not other.exists()


def test_file_that_changed_after_the_staging_fails_its_step_and_is_tidied(shell: str, tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"old")
    steps = f"echo hand >{path}\n(write_file {path} {sum_of(b'old')})\ntidy\nvalue $state/failure; echo $v\n"
    ended = attempt(shell, tmp_path, stage(path, b"old", b"new"), b"settle", after=steps)
    said = f"{path} was changed since it was read; it was not written. Run again"
    assert ended.stdout.decode().split("\n") == [said, "file-changed", ""]
    assert path.read_bytes() == b"hand\n"
    assert left_beside(tmp_path) == []
    assert not (tmp_path / "runs/r1").exists()


@pytest.mark.parametrize("link", ["symbolic", "hard"])
def test_link_is_followed_or_parted_and_the_other_name_is_no_second_file(shell: str, tmp_path: Path, link: str) -> None:
    (tmp_path / "there").mkdir()
    real, name = tmp_path / "there/real", tmp_path / "name"
    real.write_bytes(b"old")
    if link == "symbolic":
        name.symlink_to(real)
    else:
        name.hardlink_to(real)
    ended = attempt(
        shell, tmp_path, stage(name, b"old", b"new"), b"settle", after=f"write_file {name} {sum_of(b'old')}\n"
    )
    assert (ended.stdout, ended.stderr) == (b"", b"")
    assert name.read_bytes() == b"new"
    assert name.is_symlink() == (link == "symbolic")
    assert real.read_bytes() == (b"new" if link == "symbolic" else b"old")


def test_two_names_of_one_file_are_refused(shell: str, tmp_path: Path) -> None:
    real, name = tmp_path / "real", tmp_path / "name"
    real.write_bytes(b"old")
    name.symlink_to(real)
    ended = attempt(shell, tmp_path, stage(real, b"old", b"new"), stage(name, b"old", b"other", 1), b"settle")
    assert refusal(ended).id == "file-twice"
    assert real.read_bytes() == b"old"


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """Of sixteen pages."""
    disk = tmp_path / "small"
    disk.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(disk)], check=True)
    yield disk
    subprocess.run(["umount", str(disk)], check=True)


@pytest.mark.skipif(os.getuid() != 0, reason="only root mounts")
def test_full_disk_stops_the_staging_and_leaves_the_old_file(shell: str, small_disk: Path, tmp_path: Path) -> None:
    path = small_disk / "a"
    path.write_bytes(b"old")
    ended = attempt(
        shell,
        tmp_path,
        stage(path, b"old", b"n" * 100_000, 3),
        b"settle",
        before="trap '[ -n \"$tidied\" ] || tidy' EXIT",
    )
    failure = refusal(ended)
    assert (failure.id, failure.step) == ("disk-full", 3)
    assert path.read_bytes() == b"old"
    assert left_beside(small_disk) == []


@pytest.mark.skipif(os.getuid() != 0, reason="only root mounts")
def test_mount_point_is_no_file_to_replace(shell: str, tmp_path: Path) -> None:
    path, over = tmp_path / "a", tmp_path / "over"
    path.write_bytes(b"old")
    over.write_bytes(b"old")
    subprocess.run(["mount", "--bind", str(over), str(path)], check=True)
    try:
        ended = attempt(shell, tmp_path, stage(path, b"old", b"new"), b"settle")
    finally:
        subprocess.run(["umount", str(path)], check=True)
    assert refusal(ended).id == "file-unwritable"


def test_immutable_file_is_not_replaced(shell: str, tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"old")
    if subprocess.run(["chattr", "+i", str(path)], capture_output=True, check=False).returncode:
        pytest.skip("this file system knows no immutable files")
    step = f"(write_file {path} {sum_of(b'old')})\ntidy\nvalue $state/failure; echo $v\n"
    try:
        ended = attempt(shell, tmp_path, stage(path, b"old", b"new"), b"settle", after=step)
    finally:
        subprocess.run(["chattr", "-i", str(path)], check=True)
    if shell == "busybox":  # its `[ -w` is true for root whatever the file is
        assert ended.stdout.decode().endswith(f"cannot replace {path}\nfile-unwritable\n")
    else:
        assert refusal(ended).id == "file-unwritable"
    assert path.read_bytes() == b"old"
    assert left_beside(tmp_path) == []


def test_payload_that_lost_bytes_is_found_before_anything_is_replaced(shell: str, tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"old")
    whole = stage(path, b"old", b"wanted", 5)
    ended = attempt(shell, tmp_path, whole.replace(b"fill 'wanted'", b"fill 'want'"), b"settle")
    failure = refusal(ended)
    assert (failure.id, failure.step) == ("disk-full", 5)
    assert failure.words == f"the new {path} did not arrive whole: is the disk full?"
    assert path.read_bytes() == b"old"


def test_attempt_that_was_cut_off_is_taken_out_of_its_manifest(shell: str, tmp_path: Path) -> None:
    """What was replaced stays in it; what only waited is gone, beside its target and in the manifest."""
    done, waiting = tmp_path / "done", tmp_path / "waiting"
    for path in (done, waiting):
        path.write_bytes(b"old")
    calls = [stage(done, b"old", b"new"), stage(waiting, b"old", b"new", 1), b"settle"]
    ended = attempt(shell, tmp_path, *calls, after=f"write_file {done} {sum_of(b'old')}\nkill -9 $$\n")
    assert ended.returncode == -9
    assert left_beside(tmp_path) == [".waiting.sriov-new"]
    again = run(shell, tmp_path, LIBRARIES, "run=$runs/r2\ntidy_cut_off\necho $run\n")
    assert (again.stdout, again.stderr) == (f"{tmp_path}/runs/r2\n".encode(), b"")
    assert left_beside(tmp_path) == []
    kept = tmp_path / "runs/r1"
    assert (kept / "manifest").read_text() == f"0 {sum_of(b'old')} {sum_of(b'new')} {done}\n"
    assert sorted(path.name for path in kept.iterdir()) == ["0", "attempt", "manifest"]
    assert (kept / "attempt").read_bytes() == b""


def test_second_attempt_at_a_run_goes_on_in_its_manifest(shell: str, tmp_path: Path) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    for path in (one, two):
        path.write_bytes(b"old")
        calls = [stage(path, b"old", b"new"), b"settle"]
        attempt(shell, tmp_path, *calls, after=f"write_file {path} {sum_of(b'old')}\ntidy\n")
    lines = (tmp_path / "runs/r1/manifest").read_text().splitlines()
    assert [line.split()[0::3] for line in lines] == [["0", str(one)], ["1", str(two)]]


def test_file_comes_back_from_the_copy_of_a_run_or_not_at_all(shell: str, tmp_path: Path) -> None:
    path, copy = tmp_path / "a", tmp_path / "runs/old/4"
    copy.parent.mkdir(parents=True)
    copy.write_bytes(EVERY_BYTE)
    copy.chmod(0o604)
    call = stage(path, None, EVERY_BYTE).split(b"fill")[0]
    for wanted, is_whole in ((EVERY_BYTE, True), (b"another", False)):
        filled = shlex.join(["fill_from", "old", "4", "-", sum_of(wanted)]).encode()
        ended = attempt(shell, tmp_path, call, filled, b"settle", after=f"write_file {path} -\ntidy\n")
        if is_whole:
            assert (path.read_bytes(), stat.S_IMODE(path.stat().st_mode)) == (EVERY_BYTE, 0o604)
            path.unlink()
        else:
            assert refusal(ended).id == "copy-damaged"
            assert not path.exists()


def test_file_is_removed_only_as_it_was_read(shell: str, tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"old")
    ended = attempt(
        shell, tmp_path, after=f"(remove_file {path} {sum_of(b'other')})\nremove_file {path} {sum_of(b'old')}\n"
    )
    assert ended.stdout.decode().strip() == f"{path} was changed since it was read; it was not removed. Run again"
    assert not path.exists()
