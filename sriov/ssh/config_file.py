"""The SSH configuration: `~/.ssh/config` and the system's, read by paramiko once `Include` has been carried out.

paramiko takes `Include` for a keyword without a meaning and a `Match` that it does not know for one that matches, and
tells `Match user` the local user where a testbed names another. Here an included file stands in the place of its
line; under a `Host` or `Match` each of its own conditions holds only together with that one, as in OpenSSH.
"""

from __future__ import annotations

import glob
import io
import os
import re
import shlex
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import paramiko
from fabric import Config

from sriov.errors import UsageError

_WORD = re.compile(r"\s*(\w+)(?:\s*=\s*|\s+)(.+?)\s*$")
_CONDITIONS = ("all", "canonical", "final", "host", "originalhost", "user", "localuser", "exec")
_DEPTH = 16  # files within files; OpenSSH's own limit
_EVERYWHERE = "all"


class UserConfig(paramiko.SSHConfig):
    """paramiko's, with the user that the connection is made for."""

    def __init__(self) -> None:
        super().__init__()
        self.login = threading.local()

    def _lookup(self, hostname: str, options: Any = None, canonical: bool = False, final: bool = False) -> Any:
        user = getattr(self.login, "user", None)
        if options is None and user:
            options = paramiko.SSHConfigDict(user=user)
        return super()._lookup(hostname, options, canonical, final)  # type: ignore[misc] # unknown to its types


def read_config(path: str) -> Any:
    """Fabric's configuration with the SSH configuration of that file, else of the user and the system. Raises
    UsageError."""
    ssh = UserConfig()
    config = Config(ssh_config=ssh)
    named = path or config.ssh_config_path
    places = [Path("~/.ssh/config"), Path("/etc/ssh/ssh_config")] if config.load_ssh_configs else []
    for place in [Path(named)] if named else places:
        file = place.expanduser()
        if named or file.is_file():
            folder = Path("/etc/ssh") if file == Path("/etc/ssh/ssh_config") else Path("~/.ssh").expanduser()
            try:
                ssh.parse(io.StringIO("\n".join(_lines(file, folder, _EVERYWHERE, 0))))
            except (OSError, ValueError, paramiko.ConfigParseError) as error:
                words = f"the SSH configuration {place} cannot be read: {error}"
                hint = "correct it, or name another one: -S PATH, SRIOV_SSH_CONFIG"
                raise UsageError("ssh-config-unreadable", words, hint=hint) from None
    return config


def _lines(file: Path, folder: Path, around: str, depth: int) -> Iterator[str]:
    """The lines of a file as paramiko may read them. `around` are the conditions of `Match` that it stands under."""
    if depth > _DEPTH:
        raise ValueError(f"{file}: more than {_DEPTH} files include each other")
    here = around
    for number, line in enumerate(file.read_text(errors="replace").splitlines(), 1):
        parts = _WORD.match(line)
        word, value = (parts[1].lower(), parts[2]) if parts else ("", "")
        if word == "include":
            for included in _included(value, folder):
                yield from _lines(included, folder, here, depth + 1)
            yield f"Match {here}"  # what follows belongs to the block of before
        elif word in ("host", "match"):
            own = _conditions(word, value, f"{file}:{number}")
            here = _both(around, own)
            # as it stands where nothing is around it: paramiko's own errors are about its words
            yield line if around == _EVERYWHERE else f"Match {here}"
        elif word in ("userknownhostsfile", "globalknownhostsfile"):
            yield f"{line} #"  # else paramiko takes the outer quotes off a list of quoted names
        else:
            yield line


def _conditions(word: str, value: str, where: str) -> str:
    if word == "host":
        return f"originalhost {shlex.quote(','.join(shlex.split(value)))}"
    words = iter(shlex.split(value, comments=False))
    for condition in words:
        kind = condition.lower().removeprefix("!")
        if kind not in _CONDITIONS:
            raise ValueError(f"{where}: Match {kind} is not supported; supported are {', '.join(_CONDITIONS)}")
        if kind not in ("all", "canonical", "final"):
            next(words, None)
    return value


def _both(around: str, own: str) -> str:
    return own if around == _EVERYWHERE else around if own.strip().lower() == _EVERYWHERE else f"{around} {own}"


def _included(value: str, folder: Path) -> Iterator[Path]:
    """In the order of their names; what does not exist is left out, as by OpenSSH."""
    for name in shlex.split(value):
        for path in sorted(glob.glob(str(folder / os.path.expanduser(name)))):
            yield Path(path)
