"""The key that a host shows, held against the keys on file, as OpenSSH does it (sshconnect.c, check_host_key)."""

from __future__ import annotations

import base64
import fnmatch
import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import paramiko

from sriov.ssh.known_hosts import AUTHORITY, REVOKED, Entry, KnownHosts

_RSA = ("rsa-sha2-512", "rsa-sha2-256")  # the algorithms that a key of the kind ssh-rsa is used with


class HostKeyRules(NamedTuple):
    """What the SSH configuration says of one host's key."""

    name: str  # under which the host stands in the files
    plain: str = ""  # looked for where `name` is not on file
    files: tuple[Path, ...] = ()
    record: Path | None = None  # where a new key goes; None: it is refused
    is_hashed: bool = False  # its name, when it is recorded
    algorithms: str = ""  # HostKeyAlgorithms
    remark: str = ""  # goes behind the hint about an unknown key


class HostKeyError(paramiko.SSHException):
    """The key of a host is not accepted. `what` goes on behind "the host key of NAME ", `hint` has the place of
    `{address}` and `{port}`."""

    def __init__(self, id: str, what: str, hint: str) -> None:
        super().__init__(f"host key {what}")
        self.id = id
        self.what = what
        self.hint = hint


def fingerprint(key: paramiko.PKey) -> str:
    """As `ssh-keygen -l` prints it."""
    digest = base64.b64encode(hashlib.sha256(key.asbytes()).digest()).decode().rstrip("=")
    return f"{key.get_name()} SHA256:{digest}"


@dataclass(eq=False, repr=False)
class HostKeyCheck(paramiko.MissingHostKeyPolicy):
    """Of one connection. paramiko is given no keys of its own, so it asks here whatever the host shows."""

    known: KnownHosts
    rules: HostKeyRules

    def _entries(self, name: str) -> tuple[Entry, ...]:
        return self.known.entries(name, self.rules.files)

    def missing_host_key(self, client: paramiko.SSHClient, hostname: str, key: paramiko.PKey) -> None:
        """Raises HostKeyError unless the key is on file, or was recorded because the operator said so."""
        entries = self._entries(self.rules.name)
        if self._is_known(entries, key):
            return
        if self.rules.plain and self._is_on_file_without_port(key):
            return
        authority = next((entry for entry in entries if entry.marker == AUTHORITY), None)
        if self.rules.record is None or authority is not None:
            raise _unknown(self.rules, key, authority)
        try:
            self.known.record(self.rules.record, self.rules.name, key, self.rules.is_hashed)
        except OSError as error:
            raise HostKeyError(
                "known-hosts-unwritable",
                f"is unknown ({fingerprint(key)}) and cannot be recorded in {self.rules.record}: {error.strerror}",
                "let the file be written, or record the key by hand",
            ) from None

    def _is_known(self, entries: tuple[Entry, ...], key: paramiko.PKey) -> bool:
        blob = key.asbytes()
        for entry in entries:
            if entry.marker == REVOKED and entry.blob == blob:
                raise HostKeyError(
                    "host-key-revoked",
                    f"is revoked ({fingerprint(key)}): see {entry.where}",
                    "give the host a new key; if it has one, the connection may be intercepted",
                )
        others = [entry for entry in entries if not entry.marker]
        if any(entry.blob == blob for entry in others):
            return True
        if others:  # also one of another kind: what the host showed before was not this
            raise _changed(self.rules.name, key, others[0])
        return False

    def _is_on_file_without_port(self, key: paramiko.PKey) -> bool:
        try:
            return self._is_known(self._entries(self.rules.plain), key)
        except HostKeyError:
            return False  # another server of the same machine: the key is unknown, as for OpenSSH

    def algorithms(self, offered: tuple[str, ...]) -> tuple[str, ...]:
        """Of the algorithms that paramiko offers those that HostKeyAlgorithms allows, the kinds on file first."""
        stated = self.rules.algorithms
        chosen = _chosen(offered, stated)
        if stated and stated[0] not in "+-":
            return chosen
        entries = self._entries(self.rules.name) or (self._entries(self.rules.plain) if self.rules.plain else ())
        kinds = {entry.kind for entry in entries if not entry.marker}
        return tuple(sorted(chosen, key=lambda name: ("ssh-rsa" if name in _RSA else name) not in kinds))


def _chosen(offered: tuple[str, ...], stated: str) -> tuple[str, ...]:
    """HostKeyAlgorithms of ssh_config(5): a list, or what to add (`+`), remove (`-`) or put first (`^`)."""
    if not stated:
        return offered
    patterns = [word for word in stated.lstrip("+-^").split(",") if word]
    named = tuple(
        dict.fromkeys(name for word in patterns for name in offered if fnmatch.fnmatchcase(name, word.strip()))
    )
    rest = tuple(name for name in offered if name not in named)
    return {"+": offered, "-": rest, "^": named + rest}.get(stated[0], named)


def _unknown(rules: HostKeyRules, key: paramiko.PKey, authority: Entry | None) -> HostKeyError:
    what = f"is unknown ({fingerprint(key)})"
    into = rules.files[0] if rules.files else "the file that UserKnownHostsFile names"
    hint = "compare it, then: ssh-keyscan -p {port} {address}" + f" >> {into}"
    if authority is not None:
        what += (
            f": {authority.where} trusts a certificate authority for it (@cert-authority), "
            "and certificates of hosts cannot be checked here"
        )
    else:
        hint += "; or pass --accept-new-host-keys"
    return HostKeyError("host-key-unknown", what, hint + rules.remark)


def _changed(name: str, key: paramiko.PKey, entry: Entry) -> HostKeyError:
    path = entry.where.rpartition(":")[0] or entry.where
    return HostKeyError(
        "host-key-changed",
        f"has changed: it shows {fingerprint(key)}, which is not the one in {entry.where}",
        f"if the host was reinstalled: ssh-keygen -R '{name}' -f {path}; if not, the connection may be intercepted",
    )
