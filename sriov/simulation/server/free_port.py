"""A port of loopback for the SSH servers of a fleet."""

from __future__ import annotations

import contextlib
import secrets
import socket


def free_port(addresses: list[str]) -> int:
    """A port below the ephemeral range that is free on all addresses. Raises OSError when there is none."""
    start = 20000 + secrets.randbelow(12000)  # two fleets that start together look in different places
    for port in [*range(start, 32000), *range(20000, start)]:
        with contextlib.ExitStack() as stack:
            try:
                for address in addresses:
                    probe = stack.enter_context(socket.socket())
                    probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                    probe.bind((address, port))
            except OSError:
                continue
            return int(port)
    raise OSError("no free port between 20000 and 32000")
