"""OpenSSH as judge of what is made of known_hosts and the SSH configuration: its server, its client, ssh-keygen."""

from __future__ import annotations

import getpass
import os
import re
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

SSHD = shutil.which("sshd", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin") or "/usr/sbin/sshd"


def make_key(path: Path, kind: str = "ed25519") -> str:
    """`kind base64` of a new key pair at that path."""
    subprocess.run(["ssh-keygen", "-q", "-t", kind, "-N", "", "-C", "", "-f", str(path)], check=True)
    return " ".join(path.with_name(path.name + ".pub").read_text().split()[:2])


def found_by_keygen(name: str, path: Path) -> list[int]:
    """The lines of a known_hosts file that OpenSSH takes for that name."""
    said = subprocess.run(["ssh-keygen", "-F", name, "-f", str(path)], capture_output=True, text=True).stdout
    return sorted(int(number) for number in re.findall(r"^# Host .* found: line (\d+)", said, re.MULTILINE))


class Server(NamedTuple):
    """An sshd on loopback that lets this user in by `login_key`; its host keys, as `kind base64`."""

    port: int
    login_key: Path
    ed25519: str
    ecdsa: str
    ca: str
    stranger: str

    def config(self, path: Path, more: str = "", name: str = "judged") -> Path:
        """An SSH configuration for it under that name. `more` comes first, so it wins."""
        path.write_text(
            f"Host {name}\n{more}\nHost {name}\n HostName 127.0.0.1\n Port {self.port}\n User {getpass.getuser()}\n"
            f" IdentityFile {self.login_key}\n IdentitiesOnly yes\n BatchMode yes\n"
            f" UserKnownHostsFile {path.parent}/known_hosts\n GlobalKnownHostsFile /dev/null\n"
        )
        return path

    def lets_in_ssh(self, config: Path, name: str = "judged") -> bool:
        """What OpenSSH's client says of the host's key."""
        call = ["ssh", "-n", "-F", str(config), name, "true"]
        return subprocess.run(call, capture_output=True, timeout=30).returncode == 0


@contextmanager
def serve(folder: Path) -> Iterator[Server]:
    keys = {kind: make_key(folder / kind, kind) for kind in ("ed25519", "ecdsa")}
    login, ca, stranger = (make_key(folder / name) for name in ("login", "ca", "stranger"))
    sign = ["ssh-keygen", "-q", "-s", str(folder / "ca"), "-I", "host", "-h", "-n", "judged,127.0.0.1"]
    subprocess.run([*sign, str(folder / "ed25519.pub")], check=True, capture_output=True)
    (folder / "authorized").write_text(login + "\n")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    (folder / "sshd_config").write_text(
        f"ListenAddress 127.0.0.1:{port}\nPidFile none\nStrictModes no\nUsePAM no\nPasswordAuthentication no\n"
        f"AuthorizedKeysFile {folder}/authorized\nHostKey {folder}/ed25519\nHostKey {folder}/ecdsa\n"
        f"HostCertificate {folder}/ed25519-cert.pub\nMaxStartups 100\n"
    )
    if os.getuid() == 0:
        Path("/run/sshd").mkdir(exist_ok=True)  # where it asks for it: Debian's package makes it at its start
    with (folder / "sshd.log").open("wb") as log:
        server = subprocess.Popen([SSHD, "-D", "-e", "-f", str(folder / "sshd_config")], stderr=log)
    try:
        _await(port, folder / "sshd.log")
        yield Server(port, folder / "login", keys["ed25519"], keys["ecdsa"], ca, stranger)
    finally:
        server.terminate()
        server.wait()


def _await(port: int, log: Path) -> None:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    raise TimeoutError(f"sshd does not listen: {log.read_text()}")
