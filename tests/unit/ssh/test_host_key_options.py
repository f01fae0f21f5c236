"""What of the SSH configuration reaches the check of a key, without a server. The judge is in test_host_keys.py."""

from __future__ import annotations

import getpass
import os
from pathlib import Path

import paramiko
import pytest

from sriov.ssh.config_file import read_config
from sriov.ssh.host_key_options import OptionError, rules_of
from sriov.ssh.host_keys import HostKeyCheck, HostKeyError, HostKeyRules
from sriov.ssh.jump_hosts import HostConnection
from sriov.ssh.known_hosts import KnownHosts

OFFERED = ("ssh-ed25519", "ecdsa-sha2-nistp256", "rsa-sha2-512", "rsa-sha2-256")


def rules(
    text: str, folder: Path, user: str | None = None, override: str = "", accept_new: bool = False
) -> HostKeyRules:
    (folder / "config").write_text(text)
    connection = HostConnection("Far", user=user, config=read_config(str(folder / "config")))
    return rules_of(connection, override, accept_new)


def test_plain_host_has_the_files_of_openssh(tmp_path: Path) -> None:
    found = rules("", tmp_path)
    home = Path("~/.ssh").expanduser()
    system = Path("/etc/ssh")
    assert found.files == (
        home / "known_hosts",
        home / "known_hosts2",
        *(system / f"ssh_known_hosts{n}" for n in ("", 2)),
    )
    assert (found.name, found.plain, found.record, found.remark) == ("far", "", None, "")


def test_port_makes_two_names_and_an_alias_one(tmp_path: Path) -> None:
    found = rules("Port 2222\n", tmp_path)
    assert (found.name, found.plain) == ("[far]:2222", "far")
    found = rules("Port 2222\nHostKeyAlias Known\n", tmp_path)
    assert (found.name, found.plain) == ("Known", "")


def test_file_of_the_environment_takes_the_place_of_all_others(tmp_path: Path) -> None:
    found = rules("UserKnownHostsFile /a\n", tmp_path, override="/with blank", accept_new=True)
    assert (found.files, found.record) == ((Path("/with blank"),), Path("/with blank"))


def test_tokens_stand_for_what_openssh_puts_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KEYS_BELOW", "/keys")
    text = "HostName near\nPort 7\nUserKnownHostsFile %d/%h.%n.%p.%r.%u.%i.%k%% ${KEYS_BELOW}/x\n"
    home, own = os.path.expanduser("~"), f"{getpass.getuser()}.{os.getuid()}"
    found = rules(text, tmp_path, user="ops").files
    assert found[:2] == (Path(f"{home}/near.Far.7.ops.{own}.Far%"), Path("/keys/x"))


@pytest.mark.parametrize("text", ["%z", "%", "${NOT_SET_ANYWHERE}", '"open'])
def test_file_name_that_cannot_be_made_out_is_refused(text: str, tmp_path: Path) -> None:
    with pytest.raises(OptionError) as refused:
        rules(f"UserKnownHostsFile {text}\n", tmp_path)
    assert refused.value.hint


@pytest.mark.parametrize("word", ["no", "off", "accept-new"])
def test_weaker_checking_adds_a_remark_and_no_file_to_record_in(word: str, tmp_path: Path) -> None:
    found = rules(f"StrictHostKeyChecking {word}\n", tmp_path)
    assert found.record is None
    assert f"StrictHostKeyChecking {word}" in found.remark


@pytest.mark.parametrize(
    ("stated", "wanted"),
    [
        ("", (1, 0, 2, 3)),
        ("ssh-ed25519,rsa-*", (0, 2, 3)),
        ("-ssh-ed25519", (1, 2, 3)),
        ("+ssh-dss", (1, 0, 2, 3)),
        ("^rsa-sha2-256", (3, 0, 1, 2)),
        ("ssh-dss", ()),
    ],
)
def test_algorithms_are_those_allowed_with_the_kind_on_file_first(
    stated: str, wanted: tuple[int, ...], tmp_path: Path
) -> None:
    key = paramiko.ECDSAKey.generate()
    (tmp_path / "known").write_text(f"far {key.get_name()} {key.get_base64()}\n")
    check = HostKeyCheck(KnownHosts(), HostKeyRules("[far]:2222", "far", (tmp_path / "known",), algorithms=stated))
    assert check.algorithms(OFFERED) == tuple(OFFERED[number] for number in wanted)


def test_error_holds_the_fingerprint_and_not_the_key(tmp_path: Path) -> None:
    key = paramiko.ECDSAKey.generate()
    check = HostKeyCheck(KnownHosts(), HostKeyRules("far", files=(tmp_path / "known",)))
    with pytest.raises(HostKeyError) as refused:
        check.missing_host_key(paramiko.SSHClient(), "far", key)
    assert "ecdsa-sha2-nistp256 SHA256:" in refused.value.what
    assert key.get_base64() not in refused.value.what + refused.value.hint


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("Include {folder}/part\nPort 9\n", "7"),
        ("Host other\n Include {folder}/part\nHost *\n Port 9\n", "9"),
        ("Match originalhost Far\n Include {folder}/part\n Port 9\n", "7"),
        ("Host other\n Include {folder}/block\nHost Far\n Port 9\n", "9"),
        ("Host Far\n Include {folder}/block\n Port 9\n", "8"),
        ("Match all\n Include {folder}/block\n Port 9\n", "8"),
        ("Match user ops\n Port 6\n", "6"),
        ("Match user root\n Port 6\nMatch all\n Port 5\n", "5"),
    ],
)
def test_included_lines_hold_under_the_conditions_around_them(text: str, wanted: str, tmp_path: Path) -> None:
    (tmp_path / "part").write_text("Port 7\n")
    (tmp_path / "block").write_text("Host Fa*\n Port 8\n")
    (tmp_path / "config").write_text(text.replace("{folder}", str(tmp_path)))
    connection = HostConnection("Far", user="ops", config=read_config(str(tmp_path / "config")))
    assert str(connection.port) == wanted
