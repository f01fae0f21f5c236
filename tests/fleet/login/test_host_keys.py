"""Keys of hosts: where OpenSSH's client lets a host in, we do; where it refuses one, we do, and say why."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from openssh import Server, serve

from sriov.errors import ConnectError, UsageError
from sriov.model import Host, Testbed
from sriov.ssh.login import Login

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with serve(tmp_path_factory.mktemp("sshd")) as running:
        yield running


@pytest.fixture(autouse=True)
def own_files(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("SRIOV_KNOWN_HOSTS", raising=False)
    monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)
    (tmp_path / "known_hosts").write_text("")


def refusal(config: Path, accept_new: bool = False, name: str = "judged") -> str:
    """Why we do not log in to the host; empty where we do."""
    bed = Testbed("", (), accept_new_host_keys=accept_new)
    try:
        Login(bed, ssh_config=str(config)).connect(Host(name, name, "", None)).close()
    except ConnectError as error:
        return str(error)
    return ""


def filled(text: str, server: Server) -> str:
    words = {name: getattr(server, name) for name in ("ed25519", "ecdsa", "ca", "stranger")}
    return text.format_map(words | {"at": f"[127.0.0.1]:{server.port}", "port": server.port})


# configuration; known_hosts; what the refusal says ("" where the host is let in)
SAME = {
    "on file": ("", "{at} {ed25519}", ""),
    "the kind that is not preferred": ("", "{at} {ecdsa}", ""),
    "several": ("", "{at} {stranger}\n{at} {ed25519}", ""),
    "one kind changed": ("", "{at} {stranger}\n{at} {ecdsa}", "has changed"),
    "unknown": ("", "", "is unknown .ssh-ed25519 SHA256:"),
    "changed": ("", "{at} {stranger}", "has changed: .*known_hosts:1"),
    "of another kind only": ("", "{at} ssh-dss AAAAB3NzaC1kc3MAAAAA", "has changed|is unknown"),
    "without the port": ("", "127.0.0.1 {ed25519}", ""),
    "another one without the port": ("", "127.0.0.1 {stranger}", "is unknown"),
    # shown a certificate, OpenSSH looks without the port first; so it is not shown one
    "changed, though right without the port": (
        "HostKeyAlgorithms ssh-ed25519", "{at} {stranger}\n127.0.0.1 {ed25519}", "has changed",
    ),
    "revoked": ("", "{at} {ed25519}\n@revoked * {ed25519}", "is revoked .* see .*known_hosts:2"),
    "revoked for another": ("", "{at} {ed25519}\n@revoked other {ed25519}", ""),
    "one of two revoked": ("HostKeyAlgorithms ecdsa-sha2-nistp256", "{at} {ecdsa}\n@revoked * {ed25519}", ""),
    "pattern": ("", "[127.0.0.?]:{port} {ed25519}", ""),
    "negated": ("", "*,!*127.0.0.1* {ed25519}", "is unknown"),
    "broken line beside": ("", "{at} ssh-ed25519 AAAA\n{at} {ecdsa} and\tmore\r\n{at}", ""),
    "alias": ("HostKeyAlias known", "known {ed25519}", ""),
    "alias has no port": ("HostKeyAlias known", "[known]:{port} {ed25519}", "is unknown"),
    "alias hides the address": ("HostKeyAlias known", "{at} {ed25519}", "is unknown"),
    "second file": ("UserKnownHostsFile /nonexistent {folder}/%h", "", "", "127.0.0.1"),
    "file by alias": ('HostKeyAlias known\n UserKnownHostsFile "{folder}/a b%k"', "", "", "a bknown"),
    "two quoted files": ('UserKnownHostsFile "{folder}/x y" "{folder}/a b"', "", "", "a b"),
    "global file": ("UserKnownHostsFile none\n GlobalKnownHostsFile {folder}/all", "", "", "all"),
    "no file": ("UserKnownHostsFile none", "{at} {ed25519}", "is unknown"),
    "strict": ("StrictHostKeyChecking yes", "{at} {ed25519}", ""),
    "strict and unknown": ("StrictHostKeyChecking yes", "", "is unknown"),
    "wrong value": ("StrictHostKeyChecking maybe", "{at} {ed25519}", "StrictHostKeyChecking maybe"),
    "algorithm": ("HostKeyAlgorithms ecdsa-sha2-nistp256", "{at} {ecdsa}", ""),
    "algorithm of another key": ("HostKeyAlgorithms ecdsa-sha2-nistp256", "{at} {ed25519}", "has changed"),
    "algorithms by pattern": ("HostKeyAlgorithms ecdsa-*", "{at} {ecdsa}", ""),
    "algorithm put first": ("HostKeyAlgorithms ^ecdsa-sha2-nistp256", "{at} {ecdsa}", ""),
    "algorithm taken out": ("HostKeyAlgorithms -ssh-ed25519*", "{at} {ecdsa}", ""),
    "algorithm added": ("HostKeyAlgorithms +ssh-rsa", "{at} {ed25519}", ""),
    "algorithm that the host lacks": ("HostKeyAlgorithms rsa-sha2-512", "{at} {ed25519}", "no SSH with"),
    "updates": ("UpdateHostKeys yes", "{at} {ed25519}", ""),
    "nothing asked for": ("CheckHostIP no\n KnownHostsCommand none\n RevokedHostKeys none", "{at} {ed25519}", ""),
    "revoked certificate authority": ("", "@cert-authority {at} {stranger}", "is unknown"),
}  # fmt: skip


@pytest.mark.parametrize("case", SAME)
def test_host_is_let_in_where_openssh_lets_it_in(case: str, server: Server, tmp_path: Path) -> None:
    more, known, wanted, *other = SAME[case]
    (tmp_path / "known_hosts").write_text(filled(known, server) + "\n")
    for name in other:
        (tmp_path / name).write_text(filled("{at} {ed25519}\nknown {ed25519}\n", server))
    config = server.config(tmp_path / "config", " " + more.replace("{folder}", str(tmp_path)))
    said = refusal(config)
    assert bool(re.search(wanted, said)) if wanted else not said, said
    assert server.lets_in_ssh(config) is not bool(wanted)
    for key in (server.ed25519, server.ecdsa, server.stranger):
        assert key.split()[1] not in said


# what OpenSSH would do, and we do not: each is said
STRICTER = {
    "signed by a CA": ("", "@cert-authority {at},judged {ca}", "known_hosts:1 trusts a certificate authority for it"),
    "no checking": ("StrictHostKeyChecking no", "", "StrictHostKeyChecking no of the SSH .* does not make"),
    "off": ("StrictHostKeyChecking off", "", "StrictHostKeyChecking off of the SSH"),
    "new ones": ("StrictHostKeyChecking accept-new", "", "accept-new of the SSH .* does not make"),
    "address": ("CheckHostIP yes", "{at} {ed25519}", "CheckHostIP yes of the SSH configuration is not supported"),
    "command": ("KnownHostsCommand /bin/echo {at} {ed25519}", "", "KnownHostsCommand .* is not supported"),
    "revoked file": ("RevokedHostKeys {folder}/revoked", "{at} {ed25519}", "RevokedHostKeys .* is not supported"),
    "token": ("UserKnownHostsFile {folder}/%C {folder}/known_hosts", "{at} {ed25519}", "%C in .* is not known here"),
}  # fmt: skip


@pytest.mark.parametrize("case", STRICTER)
def test_what_openssh_would_do_otherwise_is_refused_by_name(case: str, server: Server, tmp_path: Path) -> None:
    more, known, wanted = STRICTER[case]
    (tmp_path / "known_hosts").write_text(filled(known, server) + "\n")
    (tmp_path / "revoked").write_text(server.stranger + "\n")
    more = filled(more.replace("{folder}", str(tmp_path)), server)
    config = server.config(tmp_path / "config", " " + more)
    before = (tmp_path / "known_hosts").read_text()
    said = refusal(config)
    assert re.search(wanted, said), said
    assert (tmp_path / "known_hosts").read_text() == before
    assert server.lets_in_ssh(config)


@pytest.mark.parametrize(("word", "plain"), [("no", True), ("yes", False)])
def test_new_key_is_recorded_in_the_first_file_as_openssh_would(
    word: str, plain: bool, server: Server, tmp_path: Path
) -> None:
    more = f" HashKnownHosts {word}\n UserKnownHostsFile {tmp_path}/first {tmp_path}/known_hosts"
    config = server.config(tmp_path / "config", more)
    assert not refusal(config, accept_new=True)
    line = (tmp_path / "first").read_text()
    assert line.startswith(f"[127.0.0.1]:{server.port} " if plain else "|1|")
    assert line.endswith(f" {server.ed25519}\n")
    assert server.lets_in_ssh(config)
    assert not refusal(config)
    assert (tmp_path / "known_hosts").read_text() == ""


@pytest.mark.parametrize(
    ("known", "wanted"),
    [
        ("{at} {stranger}", "has changed"),
        ("@revoked * {ed25519}", "is revoked"),
        ("@cert-authority {at} {ca}", "certificates of hosts cannot be checked here"),
    ],
)
def test_key_that_is_not_new_is_never_recorded(known: str, wanted: str, server: Server, tmp_path: Path) -> None:
    text = filled(known, server) + "\n"
    (tmp_path / "known_hosts").write_text(text)
    assert wanted in refusal(server.config(tmp_path / "config"), accept_new=True)
    assert (tmp_path / "known_hosts").read_text() == text


def test_key_that_cannot_be_recorded_is_refused(server: Server, tmp_path: Path) -> None:
    config = server.config(tmp_path / "config", " UserKnownHostsFile /proc/nowhere")
    assert "cannot be recorded in /proc/nowhere" in refusal(config, accept_new=True)
    config = server.config(tmp_path / "config", " UserKnownHostsFile none")
    assert "is unknown" in refusal(config, accept_new=True)


INCLUDED = {
    "at the top": "Include {folder}/part\n",
    "by pattern": "Include {folder}/par*\n",
    "after a host": "Host other\n Port 1\nInclude {folder}/none\nHost judged\nInclude {folder}/part\n",
    "from there": "Include {folder}/way\n",
    "under a condition": "Match originalhost judged\n Include {folder}/part\n",
}


@pytest.mark.parametrize("case", INCLUDED)
def test_included_files_count_as_for_openssh(case: str, server: Server, tmp_path: Path) -> None:
    (tmp_path / "known_hosts").write_text(filled("{at} {ed25519}\n", server))
    (tmp_path / "part").write_text("Host judged\n HostName 127.0.0.1\nHost *\n")
    (tmp_path / "way").write_text(f"Include {tmp_path}/part\n")
    config = server.config(tmp_path / "config")
    config.write_text(
        INCLUDED[case].replace("{folder}", str(tmp_path)) + "Host judged\n" +
        config.read_text().replace(" HostName 127.0.0.1\n", "")
    )  # fmt: skip
    assert not refusal(config)
    assert server.lets_in_ssh(config)


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("Match tagged x\n User y\n", "config:1: Match tagged is not supported"),
        ("Include {folder}/config\n", "more than 16 files include each other"),
        ("Include {folder}\n", "Is a directory"),
        ("Match host\n", "Missing parameter to Match"),
        ('Host "x\n', "No closing quotation"),
    ],
)
def test_configuration_that_cannot_be_followed_is_named(text: str, wanted: str, tmp_path: Path) -> None:
    (tmp_path / "config").write_text(text.replace("{folder}", str(tmp_path)))
    with pytest.raises(UsageError, match=wanted):
        Login(Testbed("", ()), ssh_config=str(tmp_path / "config"))


def test_match_user_is_told_the_user_of_the_testbed(server: Server, tmp_path: Path) -> None:
    (tmp_path / "known_hosts").write_text(filled("{at} {ed25519}\n", server))
    config = server.config(tmp_path / "config", " User wrong")
    config.write_text("Match user stranger\n HostName 127.0.0.9\n" + config.read_text())
    login = Login(Testbed("", ()), ssh_config=str(config))
    with pytest.raises(ConnectError, match=r"127\.0\.0\.9"):
        login.connect(Host("stranger@judged", "judged", "stranger", None))
    with pytest.raises(ConnectError, match=r"wrong@127\.0\.0\.1 was refused"):
        login.connect(Host("judged", "judged", "", None))
