"""A TCP socket for many small messages to and fro: it sends and acknowledges at once."""

from __future__ import annotations

import contextlib
import socket

_AT_ONCE = 32768  # bytes
_SILENCE = 120  # seconds without a sign of the other side, be it that it only takes nothing any more


class QuickSocket(socket.socket):
    """TCP that neither gathers small packets nor delays acknowledgements; who reads a few bytes at a time costs little.

    The kernel leaves quick acknowledgement mode by itself (tcp(7)), so it is asked for again at every read.
    """

    _read = b""

    def recv(self, size: int, flags: int = 0, /) -> bytes:
        if not self._read:
            self._read = super().recv(max(size, _AT_ONCE), flags)
            with contextlib.suppress(OSError):
                self.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)
        data, self._read = self._read[:size], self._read[size:]
        return data


def open_socket(address: str, port: int, timeout: float) -> QuickSocket:
    plain = socket.create_connection((address, port), timeout)
    quick = QuickSocket(plain.family, plain.type, plain.proto, plain.detach())
    quick.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    quick.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)
    # without it a write to a host that froze has no end, for paramiko tries again for ever
    quick.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, _SILENCE * 1000)
    quick.settimeout(timeout)
    return quick
