"""What the SSH configuration says of host keys: which words are followed, which are refused by name.

Followed as in ssh_config(5): UserKnownHostsFile, GlobalKnownHostsFile, HostKeyAlias, HostKeyAlgorithms, HashKnownHosts.
Refused: what would make the check stricter in a way that is not there. Ignored: what could only loosen the check
(StrictHostKeyChecking below `yes`, VerifyHostKeyDNS, NoHostAuthenticationForLocalhost) and UpdateHostKeys.
"""

from __future__ import annotations

import getpass
import os
import re
import shlex
import socket
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sriov.ssh.host_keys import HostKeyRules
from sriov.ssh.known_hosts import name_of

_USER = "~/.ssh/known_hosts ~/.ssh/known_hosts2"
_GLOBAL = "/etc/ssh/ssh_known_hosts /etc/ssh/ssh_known_hosts2"
_TOKEN = re.compile(r"%(.)|\$\{(\w+)\}|%$")
_STRICT = ("yes", "true", "ask", "accept-new", "no", "false", "off")
_REFUSED = {  # keyword: the values that ask for nothing, and what to do instead
    "CheckHostIP": (("no", "false"), "take it out: a host is known by its name, or by its HostKeyAlias"),
    "KnownHostsCommand": (("none",), "write the keys that it prints into a file and name that in UserKnownHostsFile"),
    "RevokedHostKeys": (("none",), "write the keys as `@revoked * KEY` lines into known_hosts"),
}


class OptionError(Exception):
    """A word of the SSH configuration that is not followed here; `hint` says what to do."""

    id = "ssh-option-unsupported"

    def __init__(self, message: str, hint: str) -> None:
        super().__init__(message)
        self.hint = hint


def rules_of(connection: Any, override: str, accept_new: bool) -> HostKeyRules:
    """For a connection that fabric made, with its `ssh_config`. `override` is the one file to read in place of all
    others, or empty. Raises OptionError."""
    options: Mapping[str, str] = connection.ssh_config
    _refuse(options)
    alias = options.get("hostkeyalias", "")
    host = connection.host.lower()
    name = alias or name_of(host, connection.port)
    user = _files(override and shlex.quote(override), _USER, connection, alias)
    user = user if override else _files(options.get("userknownhostsfile", ""), _USER, connection, alias)
    system = () if override else _files(options.get("globalknownhostsfile", ""), _GLOBAL, connection, alias)
    return HostKeyRules(
        name,
        "" if name in (alias, host) else host,
        user + system,
        user[0] if user and accept_new else None,
        options.get("hashknownhosts", "no").lower() in ("yes", "true"),
        options.get("hostkeyalgorithms", ""),
        _remark(options.get("stricthostkeychecking", "")),
    )


def _refuse(options: Mapping[str, str]) -> None:
    for keyword, (nothing, hint) in _REFUSED.items():
        value = options.get(keyword.lower(), nothing[0])
        if value.lower() not in nothing:
            raise OptionError(f"{keyword} {value} of the SSH configuration is not supported", hint)
    strict = options.get("stricthostkeychecking", "ask")
    if strict.lower() not in _STRICT:
        raise OptionError(
            f"StrictHostKeyChecking {strict} of the SSH configuration is not a value that it can have",
            "it is one of yes, ask, accept-new, no and off",
        )


def _remark(strict: str) -> str:
    if strict.lower() in ("accept-new", "no", "false", "off"):
        return f" (StrictHostKeyChecking {strict} of the SSH configuration does not make this tool accept unknown keys)"
    return ""


def _files(stated: str, default: str, connection: Any, alias: str) -> tuple[Path, ...]:
    try:
        names = shlex.split(stated or default, comments=True)
    except ValueError as error:
        raise OptionError(f"the file names {stated} of the SSH configuration: {error}", "close the quotes") from None
    if [name.lower() for name in names] == ["none"]:
        return ()
    return tuple(Path(_expanded(name, connection, alias)).expanduser() for name in names)


def _expanded(name: str, connection: Any, alias: str) -> str:
    """With the tokens of ssh_config(5), TOKENS, and environment variables."""
    local = socket.gethostname()
    tokens = {
        "%": "%",
        "d": os.path.expanduser("~"),
        "h": connection.host,
        "i": str(os.getuid()),
        "k": alias or connection.original_host,
        "L": local.partition(".")[0],
        "l": local,
        "n": connection.original_host,
        "p": str(connection.port),
        "r": connection.user,
        "u": getpass.getuser(),
    }

    def value(found: re.Match[str]) -> str:
        token, variable = found.groups()
        known = os.environ.get(variable) if variable else tokens.get(token or "")
        if known is None:
            raise OptionError(
                f"{found[0]} in {name} of the SSH configuration is not known here",
                f"set the variable {variable}" if variable else "write the file's name without it",
            )
        return known

    return _TOKEN.sub(value, name)
