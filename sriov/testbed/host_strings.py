"""Host strings: `user@host:port` and its shorter forms, to their parts."""

from __future__ import annotations

import enum
import ipaddress
import re
from typing import NamedTuple

_NAME = re.compile(r"[A-Za-z0-9_]([A-Za-z0-9_.-]{0,252})")
_USER = re.compile(r"[^\s\x00-\x1f\x7f'\"`;|&<>(){}$:/-][^\s\x00-\x1f\x7f'\"`;|&<>(){}$:/]*")


class Part(enum.Enum):
    """What of a host string cannot be."""

    WHOLE = "whole"
    USER = "user"
    LOGIN = "user and password"  # it must not be shown
    ADDRESS = "address"
    PORT = "port"


class HostStringError(ValueError):
    """No host string: `part` of it cannot be. Its text is the reason, which never quotes what stands before the @."""

    def __init__(self, part: Part, reason: str) -> None:
        super().__init__(reason)
        self.part = part


class HostString(NamedTuple):
    """`root@[fd00::1]:2222` -> `HostString('root@[fd00::1]:2222', 'root', 'fd00::1', 2222)`."""

    name: str
    user: str
    address: str
    port: int | None

    @property
    def endpoint(self) -> tuple[str, int]:
        """What two spellings of one host have in common."""
        return self.address.lower(), self.port or 22


class LoginDefaults(NamedTuple):
    """User and port for host strings that say none; empty and None leave it to SSH's configuration."""

    user: str
    port: int | None

    def completed(self, host: HostString) -> HostString:
        return host._replace(user=host.user or self.user, port=host.port or self.port)


def parse(text: str) -> HostString:
    """The parts of a host string. Raises HostStringError.

    Forms: `host`, `user@host`, `host:22`, `user@[fd00::1]:22`, `[fd00::1]`, `fd00::1`.
    """
    if re.search(r"[{}<>$]", text):
        raise HostStringError(Part.WHOLE, "holds a placeholder of a template, not a host")
    if not text.strip():
        raise HostStringError(Part.WHOLE, "is empty")
    user, at, rest = text.rpartition("@")
    if at and not user:
        raise HostStringError(Part.USER, "has no user before the @")
    if ":" in user:
        raise HostStringError(Part.LOGIN, "has a ':' in the user's name; passwords belong in env.passwords")
    if at and not _USER.fullmatch(user):
        raise HostStringError(Part.USER, "has a user's name with characters that no login can have")
    address, port = _split_port(rest)
    return HostString(text, user, _checked_address(address), port)


def _split_port(rest: str) -> tuple[str, int | None]:
    if rest.startswith("["):
        address, bracket, tail = rest[1:].partition("]")
        if not bracket:
            raise HostStringError(Part.ADDRESS, "has no ] after the IPv6 address")
        if ":" not in address:
            raise HostStringError(Part.ADDRESS, "has brackets around something that is not an IPv6 address")
        if tail and not tail.startswith(":"):
            raise HostStringError(Part.PORT, "has text after the ]")
        return address, _port(tail[1:]) if tail else None
    if rest.count(":") == 1:
        address, _, port = rest.partition(":")
        return address, _port(port)
    return rest, None


def _port(text: str) -> int:
    digits = text.lstrip("0")[:6]  # Python refuses to read a number of more than 4300 digits
    if not (text.isascii() and text.isdigit()) or not 1 <= int(digits or "0") <= 65535:
        raise HostStringError(Part.PORT, "has a port that is not a number from 1 to 65535")
    return int(digits)


def _checked_address(address: str) -> str:
    if ":" in address:
        try:
            return str(ipaddress.IPv6Address(address))
        except ValueError:
            raise HostStringError(Part.ADDRESS, "has an invalid IPv6 address") from None
    if not _NAME.fullmatch(address) or ".." in address:
        raise HostStringError(Part.ADDRESS, "has a name or address that no host can have")
    if re.fullmatch(r"[0-9.]+", address):
        try:
            return str(ipaddress.IPv4Address(address))
        except ValueError:
            raise HostStringError(Part.ADDRESS, "has an invalid IPv4 address") from None
    return address
