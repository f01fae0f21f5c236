"""Lines of known_hosts: what OpenSSH takes for a name, we take, and nothing else. ssh-keygen is the judge."""

from __future__ import annotations

import subprocess
import time
from pathlib import Path

import paramiko
import pytest
from openssh import found_by_keygen, make_key

from sriov.errors import UsageError
from sriov.ssh.known_hosts import KnownHosts, KnownHostsFile


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, str, str]:
    folder = tmp_path_factory.mktemp("keys")
    return make_key(folder / "a"), make_key(folder / "b", "ecdsa"), make_key(folder / "c", "rsa")


def ours(name: str, path: Path) -> list[int]:
    return sorted(int(entry.where.rpartition(":")[2]) for entry in KnownHostsFile.read(path).entries(name))


NAMES = (
    "alpha", "ALPHA", "beta", "gate.example.org", "web.example.org", "10.0.0.7", "10.0.0.71", "[alpha]:2222",
    "[10.0.0.7]:2222", "fd00::1", "[fd00::1]:2222", "a[b]c", "abc", "",
)  # fmt: skip

LINES = (
    "alpha {a}", "Alpha {b}", "alpha,beta {a}", "alpha, beta {a}", "*.example.org {a}", "*.example.org,!gate.* {b}",
    "!gate.*,*.example.org {a}", "!alpha {a}", "10.0.0.? {c}", "10.0.0.7* {a}", "[alpha]:2222 {a}", "[*]:2222 {b}",
    "[10.0.0.?]:* {a}", "fd00::1,[fd00::1]:2222 {c}", "*:* {a}", "* {a}", "a[b]c {a}", "a[b]* {a}", "?lpha {b} words",
    "  alpha {a}", "\talpha\t{a}", "alpha   {a}   a comment here", "alpha {a}\r", "beta\t{b} comment\r", "#alpha {a}",
    "# alpha", "", "   ", "\r", "alpha", "alpha ssh-ed25519",
    "alpha ssh-unknown AAAAC3NzaC1lZDI1NTE5AAAAI", "alpha {a} {b}", "alpha # {a}",
    "@revoked alpha {a}", "@cert-authority *.example.org {b}", "@cert-authority alpha,beta {a}", "@other alpha {a}",
    "@revoked @cert-authority alpha {a}", "@revoked", "@revoked * {c}", "|1|broken|hash {a}",
    "|1|c2FsdA==|YWJj,alpha {a}", "alpha,|1|x|y {a}", "|2|c2FsdA==|YWJj {a}", "alpha 1024 35 123456789 old",
    "alph\u00e9 {a}", "alpha\x0b{a}", "alpha\x0c {a}", "x" * 1100 + "* {a}", "x" * 1100 + ",alpha {a}",
    "x" * 1100 + ",al*a {a}", "!" + "x" * 1023 + ",al*a {a}", ",alpha {a}", "alpha,,beta {a}", "al**a {a}", "! {a}",
)  # fmt: skip


@pytest.fixture(scope="module")
def file(keys: tuple[str, str, str], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """All the lines; those with a plain name once more, hashed by ssh-keygen."""
    folder = tmp_path_factory.mktemp("file")
    values = dict(zip("abc", keys, strict=True)) | {"a64": keys[0].split()[1]}
    (folder / "hashed").write_text("".join(f"{name} {keys[0]}\n" for name in NAMES if name and "," not in name))
    subprocess.run(["ssh-keygen", "-q", "-H", "-f", str(folder / "hashed")], check=True, capture_output=True)
    text = "\n".join(line.format_map(values) for line in LINES) + "\n" + (folder / "hashed").read_text()
    (folder / "known_hosts").write_bytes(text.encode())
    return folder / "known_hosts"


@pytest.mark.parametrize("name", [name for name in NAMES if name])
def test_lines_of_a_name_are_those_that_openssh_takes(name: str, file: Path) -> None:
    assert ours(name, file) == found_by_keygen(name, file)


@pytest.mark.parametrize("line", ["alpha ssh-ed25519 AAAA", "alpha ssh-ed25519 !!!!", "alpha ssh-rsa {a64}"])
def test_line_without_a_whole_key_is_none(line: str, keys: tuple[str, str, str], tmp_path: Path) -> None:
    """ssh-keygen looks at the names alone; the client takes no key from such a line."""
    (tmp_path / "file").write_text(line.format(a64=keys[0].split()[1]))
    assert ours("alpha", tmp_path / "file") == []


def test_tab_behind_a_marker_does_not_hide_it(keys: tuple[str, str, str], tmp_path: Path) -> None:
    """OpenSSH overlooks such a line; a key that is revoked is worth more than that."""
    (tmp_path / "file").write_text(f"@revoked\talpha {keys[0]}")
    assert [entry.marker for entry in KnownHostsFile.read(tmp_path / "file").entries("alpha")] == ["@revoked"]


def test_hashed_names_are_found(file: Path) -> None:
    assert any(number > len(LINES) for number in ours("[10.0.0.7]:2222", file))


def test_markers_are_kept_apart(file: Path) -> None:
    known = KnownHostsFile.read(file)
    entries = [(entry.marker, int(entry.where.rpartition(":")[2])) for entry in known.entries("alpha")]
    found = {(marker, LINES[number - 1]) for marker, number in entries if number <= len(LINES)}
    assert ("@revoked", "@revoked alpha {a}") in found
    assert ("@cert-authority", "@cert-authority alpha,beta {a}") in found
    assert ("", "alpha {a}") in found


def test_several_files_add_up(keys: tuple[str, str, str], tmp_path: Path) -> None:
    one, two, none = tmp_path / "one", tmp_path / "two", tmp_path / "none"
    one.write_text(f"alpha {keys[0]}")
    two.write_text(f"alpha {keys[1]}\n@revoked alpha {keys[0]}\n")
    found = KnownHosts().entries("alpha", (one, none, two))
    assert [entry.where for entry in found] == [f"{one}:1", f"{two}:1", f"{two}:2"]


def test_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=f"{tmp_path} cannot be read"):
        KnownHosts().entries("alpha", (tmp_path,))


@pytest.mark.parametrize("hashed", [False, True])
def test_recorded_key_is_found_by_openssh_and_recorded_once(hashed: bool, tmp_path: Path) -> None:
    known, key, file = KnownHosts(), paramiko.ECDSAKey.generate(), tmp_path / "ssh/known_hosts"
    for _ in range(2):
        known.record(file, "[alpha]:2222", key, hashed)
    assert found_by_keygen("[alpha]:2222", file) == [1]
    assert ("alpha" in file.read_text()) is not hashed
    assert [entry.blob for entry in known.entries("[alpha]:2222", (file,))] == [key.asbytes()]
    assert file.parent.stat().st_mode & 0o777 == 0o700


def test_ten_thousand_hashed_lines_cost_a_name_one_scan(keys: tuple[str, str, str], tmp_path: Path) -> None:
    file = tmp_path / "known_hosts"
    file.write_text("".join(f"host{number} {keys[0]}\n" for number in range(10_000)))
    subprocess.run(["ssh-keygen", "-q", "-H", "-f", str(file)], check=True, capture_output=True)
    known = KnownHosts()
    known.entries("warm", (file,))
    began = time.process_time()
    assert len(known.entries("host9999", (file,))) == 1
    scan, began = time.process_time() - began, time.process_time()
    for _ in range(100):
        known.entries("host9999", (file,))
    again = (time.process_time() - began) / 100
    assert again < scan / 20
    assert scan < 0.5  # measured: 15 ms
