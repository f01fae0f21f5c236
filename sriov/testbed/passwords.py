"""`env.passwords` and `env.password`: which host is logged in to with which password."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import NamedTuple

from sriov.model import Secret
from sriov.testbed import host_strings
from sriov.testbed.host_strings import HostString
from sriov.testbed.readers import read_mapping
from sriov.testbed.sources.source import FaultList, Keys
from sriov.testbed.wording import kind


class Passwords(NamedTuple):
    """`env.passwords` under the key as written and under its parts, and `env.password`."""

    exact: Mapping[str, Secret]
    spelled: tuple[tuple[HostString, Secret], ...]
    for_all: Secret | None

    def of(self, host: HostString) -> Secret | None:
        """The password under the host's own string, else under another spelling of it, else the one for all."""
        if host.name in self.exact:
            return self.exact[host.name]
        candidates = [
            (bool(key.user) + bool(key.port), password)
            for key, password in self.spelled
            if key.address.lower() == host.address.lower()
            and key.port in (None, host.port or 22)
            and key.user in ("", host.user)
        ]
        return max(candidates, key=lambda pair: pair[0])[1] if candidates else self.for_all


def read_passwords(values: Mapping[str, object], faults: FaultList) -> Passwords:
    """Messages say the place and the kind of what is wrong, never a key or a value: people swap the two."""
    for_all = _secret(values.get("password"), ("password",), faults)
    listed = read_mapping(values.get("passwords") or {}, ("passwords",), "write {host1: 'password'}", faults) or {}
    exact: dict[str, Secret] = {}
    spelled: list[tuple[HostString, Secret]] = []
    for position, (key, value) in enumerate(listed.items(), start=1):
        secret = _secret(value, ("passwords",), faults, f"entry {position} ")
        try:
            host = host_strings.parse(key if isinstance(key, str) else "")
        except ValueError:
            if not isinstance(key, str):
                faults.note(
                    "wrong-type", ("passwords",), f"the key of entry {position} is {kind(key)}, not a host string"
                )
            continue
        if secret:
            exact[host.name] = secret
            spelled.append((host, secret))
    return Passwords(exact, tuple(spelled), for_all)


def _secret(value: object, at: Keys, faults: FaultList, entry: str = "") -> Secret | None:
    if value is None or value == "":
        return None
    if isinstance(value, str) and not re.search(r"[\r\n\0]", value):
        return Secret(value)
    what = "holds a line break" if isinstance(value, str) else f"is {kind(value)}, not text"
    faults.note("invalid-password", at, f"{entry}{what}", "put the password in quotes, in one line")
    return None
