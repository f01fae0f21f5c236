"""A TCP socket for many small messages to and fro: it waits for nobody before it sends or acknowledges."""

from __future__ import annotations

import contextlib
import socket


class QuickSocket(socket.socket):
    """TCP that neither gathers small packets nor delays acknowledgements.

    The kernel leaves quick acknowledgement mode by itself (tcp(7)), so it is asked for again at every read.
    """

    def recv(self, size: int, flags: int = 0, /) -> bytes:
        data = super().recv(size, flags)
        with contextlib.suppress(OSError):
            self.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)
        return data


def open_socket(address: str, port: int, timeout: float) -> QuickSocket:
    plain = socket.create_connection((address, port), timeout)
    quick = QuickSocket(plain.family, plain.type, plain.proto, plain.detach())
    quick.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    quick.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)
    quick.settimeout(timeout)
    return quick
