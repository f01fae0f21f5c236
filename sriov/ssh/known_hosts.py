"""Known host keys, read once. paramiko would parse the file again for each connection, in quadratic time.

Formats: sshd(8), SSH_KNOWN_HOSTS FILE FORMAT - plain names, `[name]:port`, patterns, hashed names, `@revoked`.
"""

from __future__ import annotations

import base64
import fnmatch
import hashlib
import hmac
import os
import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import paramiko

from sriov.errors import UsageError


class UnknownHostKey(paramiko.SSHException):
    """The host showed a key that is not on file, or is revoked; `fingerprint` as `ssh-keygen -l` prints it."""

    def __init__(self, fingerprint: str, is_revoked: bool) -> None:
        super().__init__(f"unknown host key {fingerprint}")
        self.fingerprint = fingerprint
        self.is_revoked = is_revoked


def fingerprint(key: Any) -> str:
    digest = base64.b64encode(hashlib.sha256(key.asbytes()).digest()).decode().rstrip("=")
    return f"{key.get_name()} SHA256:{digest}"


def name_of(host: str, port: int) -> str:
    """How the file names a host: `host` on port 22, else `[host]:port`."""
    return host if port == 22 else f"[{host}]:{port}"


@dataclass(eq=False, repr=False)
class KnownHosts:
    """`path` is where new keys go. Entries by plain name; the few that are hashed or patterns, in lists."""

    path: Path
    accept_new: bool
    _plain: dict[str, list[str]] = field(default_factory=dict)
    _other: list[tuple[str, str]] = field(default_factory=list)
    _revoked: set[str] = field(default_factory=set)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @classmethod
    def load(cls, accept_new: bool) -> KnownHosts:
        """From `$SRIOV_KNOWN_HOSTS`, else the user's and the system's files. Broken lines are left out, as by ssh."""
        override = os.environ.get("SRIOV_KNOWN_HOSTS")
        own = Path(override) if override else Path("~/.ssh/known_hosts").expanduser()
        known = cls(own, accept_new)
        for path in (own,) if override else (own, Path("/etc/ssh/ssh_known_hosts")):
            try:
                known._read(path.read_text(errors="replace"))
            except FileNotFoundError:
                continue
            except OSError as error:
                words = f"the known hosts in {path} cannot be read: {error.strerror}"
                raise UsageError("known-hosts-unreadable", words, hint="make the file readable for you") from None
        return known

    def _read(self, text: str) -> None:
        for line in text.split("\n"):
            words = line.split()
            if len(words) >= 4 and words[0] == "@revoked":
                self._revoked.add(words[3])
            if len(words) < 3 or words[0][0] in "#@":
                continue
            entry = f"{words[1]} {words[2]}"
            for name in words[0].split(","):
                if name.startswith("|1|") or "*" in name or "?" in name or name.startswith("!"):
                    self._other.append((words[0], entry))
                    break
                self._plain.setdefault(name.lower(), []).append(entry)

    def introduce(self, host_keys: paramiko.HostKeys, host: str, port: int) -> None:
        """Gives a client the keys on file for one host, under the name that paramiko will look for."""
        name = name_of(host, port)
        for entry in self._entries(name.lower()):
            parsed = _parsed(name, entry)
            if parsed is not None and entry.split()[1] not in self._revoked:
                host_keys.add(name, parsed.key.get_name(), parsed.key)

    def _entries(self, name: str) -> list[str]:
        return [*self._plain.get(name, ()), *(entry for names, entry in self._other if _matches(names, name))]

    @property
    def policy(self) -> paramiko.MissingHostKeyPolicy:
        return _Policy(self)

    def meet(self, name: str, key: Any) -> None:
        """A key that is not on file: recorded if the operator said so, else refused."""
        is_revoked = key.get_base64() in self._revoked
        if not self.accept_new or is_revoked:
            raise UnknownHostKey(fingerprint(key), is_revoked)
        entry = f"{key.get_name()} {key.get_base64()}"
        with self._lock:
            self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            with self.path.open("ab+") as file:
                file.seek(0)
                old = file.read()
                file.write(b"" if not old or old.endswith(b"\n") else b"\n")
                file.write(f"{name} {entry}\n".encode())
            self._plain.setdefault(name.lower(), []).append(entry)


class _Policy(paramiko.MissingHostKeyPolicy):
    def __init__(self, known: KnownHosts) -> None:
        self._known = known

    def missing_host_key(self, client: paramiko.SSHClient, hostname: str, key: Any) -> None:
        # paramiko asks here too when another *type* of key is on file: that is a changed key, not a new one
        on_file = client.get_host_keys().lookup(hostname)
        if on_file:
            raise paramiko.BadHostKeyException(hostname, key, next(iter(on_file.values())))
        self._known.meet(hostname, key)


def _parsed(name: str, entry: str) -> paramiko.hostkeys.HostKeyEntry | None:
    try:
        return paramiko.hostkeys.HostKeyEntry.from_line(f"{name} {entry}")
    except Exception:  # paramiko's own errors differ by key type; ssh too leaves such a line out
        return None


def _matches(names: str, name: str) -> bool:
    found = False
    for pattern in names.split(","):
        if pattern.startswith("|1|"):
            found = found or _hash_matches(pattern, name)
        elif pattern.startswith("!"):
            if fnmatch.fnmatchcase(name, _glob(pattern[1:])):
                return False
        else:
            found = found or fnmatch.fnmatchcase(name, _glob(pattern))
    return found


def _glob(pattern: str) -> str:
    return pattern.lower().replace("[", "[[]")


def _hash_matches(pattern: str, name: str) -> bool:
    try:
        _, _, salt, digest = pattern.split("|")
        return hmac.compare_digest(hmac.digest(base64.b64decode(salt), name.encode(), "sha1"), base64.b64decode(digest))
    except ValueError:
        return False
