"""Files of known host keys, read once for a run. paramiko parses the file again for each connection, in quadratic time.

Formats: sshd(8), SSH_KNOWN_HOSTS FILE FORMAT - plain names, `[name]:port`, patterns, hashed names, `@revoked`,
`@cert-authority`. What counts is what OpenSSH makes of a line (its hostfile.c): a broken line is no line.
"""

from __future__ import annotations

import base64
import binascii
import contextlib
import fnmatch
import hmac
import os
import re
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import paramiko

from sriov.errors import UsageError

REVOKED, AUTHORITY = "@revoked", "@cert-authority"
_SPECIAL = re.compile(r"[*?!]")
_PATTERN_LIMIT = 1023  # characters; OpenSSH takes a list with a longer pattern for no list
_FOREIGN = re.compile(r"ssh-dss|sk-(ssh-ed25519|ecdsa-sha2-nistp256)@openssh\.com")  # OpenSSH's, unknown to paramiko


class Entry(NamedTuple):
    """One key on file. `marker` is empty, REVOKED or AUTHORITY; `where` is `path:line`."""

    marker: str
    kind: str
    blob: bytes
    where: str


class _Line(NamedTuple):
    """A line as it was read: its key is looked at once it is asked for."""

    names: str
    marker: str
    key: str
    number: int


def name_of(host: str, port: int) -> str:
    """How the file names a host: `host` on port 22, else `[host]:port`."""
    return host if port == 22 else f"[{host}]:{port}"


@dataclass(eq=False, repr=False)
class KnownHostsFile:
    """One file. Lines by plain name; hashed ones with salt and digest; lines with patterns in a list."""

    path: Path
    _plain: dict[str, list[_Line]] = field(default_factory=dict)
    _hashed: list[tuple[bytes, bytes, _Line]] = field(default_factory=list)
    _patterns: list[_Line] = field(default_factory=list)

    @classmethod
    def read(cls, path: Path) -> KnownHostsFile:
        """A file that is not there is empty. Raises UsageError where it cannot be read."""
        known = cls(path)
        try:
            text = path.read_bytes().decode("latin-1")
        except (FileNotFoundError, NotADirectoryError):
            return known
        except OSError as error:
            words = f"the known hosts in {path} cannot be read: {error.strerror}"
            raise UsageError("known-hosts-unreadable", words, hint="make the file readable for you") from None
        for number, line in enumerate(text.split("\n"), 1):
            known._take(line, number)
        return known

    def _take(self, text: str, number: int) -> None:
        line = _line(text, number)
        if line is None:
            return
        if line.names.startswith("|"):
            with contextlib.suppress(ValueError):  # another kind of hash, or a broken one
                _, kind, salt, digest = line.names.split("|")
                if kind == "1":
                    self._hashed.append((base64.b64decode(salt), base64.b64decode(digest), line))
        elif _SPECIAL.search(line.names) or len(line.names) >= _PATTERN_LIMIT:
            self._patterns.append(line)
        else:
            for name in dict.fromkeys(line.names.lower().split(",")):
                self._plain.setdefault(name, []).append(line)

    def entries(self, name: str) -> Iterator[Entry]:
        """All keys of that name. It costs one HMAC for each hashed line of the file."""
        lines = list(self._plain.get(name.lower(), ()))
        spelled = name.encode()
        lines += [line for salt, digest, line in self._hashed if hmac.digest(salt, spelled, "sha1") == digest]
        lines += [line for line in self._patterns if _matches(line.names, name.lower())]
        for line in lines:
            entry = _entry(line, f"{self.path}:{line.number}")
            if entry is not None:
                yield entry


@dataclass(eq=False, repr=False)
class KnownHosts:
    """All files that a run reads, and what was found in them: a name is looked for once in each file."""

    _files: dict[Path, KnownHostsFile] = field(default_factory=dict)
    _found: dict[tuple[Path, str], tuple[Entry, ...]] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def entries(self, name: str, paths: tuple[Path, ...]) -> tuple[Entry, ...]:
        """The keys of that name in these files. Raises UsageError."""
        return tuple(entry for path in paths for entry in self._entries(name, path))

    def _entries(self, name: str, path: Path) -> tuple[Entry, ...]:
        found = self._found.get((path, name))
        if found is None:
            with self._lock:
                if path not in self._files:
                    self._files[path] = KnownHostsFile.read(path)
            found = tuple(self._files[path].entries(name))
            with self._lock:
                found = self._found.setdefault((path, name), found)
        return found

    def record(self, path: Path, name: str, key: paramiko.PKey, hashed: bool) -> None:
        """Adds a line at the end of the file, as OpenSSH writes it; once for all connections. Raises OSError."""
        entry = Entry("", key.get_name(), key.asbytes(), str(path))
        with self._lock:
            before = self._found.get((path, name), ())
            if any(entry.blob == known.blob for known in before):
                return
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            with path.open("ab+") as file:
                file.seek(0)
                old = file.read()
                file.write(b"" if not old or old.endswith(b"\n") else b"\n")
                file.write(f"{_hash(name) if hashed else name} {key.get_name()} {key.get_base64()}\n".encode())
            self._found[path, name] = (*before, entry)


def _hash(name: str) -> str:
    salt = os.urandom(20)
    return "|1|{}|{}".format(
        *(base64.b64encode(part).decode() for part in (salt, hmac.digest(salt, name.encode(), "sha1")))
    )


def _line(text: str, number: int) -> _Line | None:
    words = text.strip(" \t\r").replace("\t", " ").split(" ", 1)
    marker = ""
    if words[0].startswith("@"):
        marker = words[0]
        words = words[1].strip(" ").split(" ", 1) if len(words) == 2 else []
        if marker not in (REVOKED, AUTHORITY):
            return None
    if len(words) < 2 or words[0][0] in "#@":
        return None
    return _Line(words[0], marker, words[1], number)


def _entry(line: _Line, where: str) -> Entry | None:
    kind, _, rest = line.key.strip(" ").partition(" ")
    words = rest.split()
    try:
        blob = base64.b64decode(words[0], validate=True)
    except (IndexError, binascii.Error):
        return None
    if not _FOREIGN.fullmatch(kind):
        try:
            paramiko.PKey.from_type_string(kind, blob)
        except Exception:  # paramiko's own errors differ by key type
            return None
    elif blob[4 : 4 + int.from_bytes(blob[:4])] != kind.encode():
        return None
    return Entry(line.marker, kind, blob, where)


def _matches(names: str, name: str) -> bool:
    """As OpenSSH's match_hostname(): a negated pattern that matches rules the name out, at any place in the list."""
    found = False
    for pattern in names.lower().split(","):
        if len(pattern.lstrip("!")) >= _PATTERN_LIMIT:
            return False
        matches = fnmatch.fnmatchcase(name, pattern.removeprefix("!").replace("[", "[[]"))
        if matches and pattern.startswith("!"):
            return False
        found = found or matches
    return found
