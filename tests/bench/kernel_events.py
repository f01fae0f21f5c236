"""What the kernel tells of processes and sockets through netlink. Needs root.

Every fork and exec: linux/cn_proc.h (CONFIG_PROC_EVENTS; only in the first pid namespace). Every TCP socket that ends,
with its tcp_info: linux/sock_diag.h, SKNLGRP_INET_TCP_DESTROY.
"""

from __future__ import annotations

import os
import select
import socket
import struct
from collections.abc import Iterator
from typing import NamedTuple

NETLINK_SOCK_DIAG, NETLINK_CONNECTOR = 4, 11
SOL_NETLINK, NETLINK_ADD_MEMBERSHIP = 270, 1
SO_RCVBUFFORCE = 33
ROOM = 256 << 20  # bytes of events that may wait; a run on 100 hosts makes some 20 MiB
CN_IDX_PROC = CN_VAL_PROC = 1
LISTEN, IGNORE = 1, 2
FORK, EXEC, EXIT = 0x1, 0x2, 0x80000000
EVENT, EVENT_DATA = 36, 52  # where struct proc_event and its data begin: after nlmsghdr and cn_msg
TCP_DESTROY = 1  # SKNLGRP_INET_TCP_DESTROY
DIAG, DIAG_ATTRIBUTES = 16, 88  # where struct inet_diag_msg begins, and ends
INET_DIAG_INFO = 2
BYTES_ACKED = 120  # in struct tcp_info; tcpi_bytes_received follows


class ProcEvent(NamedTuple):
    """`what` happened to process `pid`; of a fork `pid` is the child, and `parent` its parent."""

    what: int
    pid: int
    parent: int = 0


class Ended(NamedTuple):
    """A TCP socket that has ended, seen from its own side."""

    address: str
    port: int
    sent: int
    received: int


def proc_event(message: bytes) -> ProcEvent:
    """Of one message of the process connector."""
    (what,) = struct.unpack_from("=I", message, EVENT)
    if what == FORK:
        _, parent, thread, child = struct.unpack_from("=IIII", message, EVENT_DATA)
        return ProcEvent(what, child, parent) if thread == child else ProcEvent(0, 0)
    if what in (EXEC, EXIT):
        thread, process = struct.unpack_from("=II", message, EVENT_DATA)
        return ProcEvent(what, process) if thread == process else ProcEvent(0, 0)
    return ProcEvent(0, 0)


def ended_socket(message: bytes) -> Ended | None:
    """Of one message of the socket monitor; None where it is not IPv4 or says nothing of bytes."""
    if message[DIAG] != socket.AF_INET:
        return None
    (port,) = struct.unpack_from(">H", message, DIAG + 4)
    address = socket.inet_ntoa(message[DIAG + 8 : DIAG + 12])
    at = DIAG_ATTRIBUTES
    while at + 4 <= len(message):
        length, kind = struct.unpack_from("=HH", message, at)
        if kind == INET_DIAG_INFO and length >= 4 + BYTES_ACKED + 16:
            return Ended(address, port, *struct.unpack_from("=QQ", message, at + 4 + BYTES_ACKED))
        at += max(4, (length + 3) & ~3)
    return None


def process_events() -> socket.socket:
    """Tells of processes until it is closed."""
    opened = _netlink(NETLINK_CONNECTOR, CN_IDX_PROC)
    tell(opened, LISTEN)
    return opened


def tell(events: socket.socket, what: int) -> None:
    """LISTEN or IGNORE; older kernels go on making events for who closes without a word."""
    word = struct.pack("=IIIIHHI", CN_IDX_PROC, CN_VAL_PROC, 0, 0, 4, 0, what)
    events.send(struct.pack("=IHHII", 16 + len(word), 3, 0, 0, os.getpid()) + word)


def socket_events() -> socket.socket:
    opened = _netlink(NETLINK_SOCK_DIAG, 0)
    opened.setsockopt(SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, TCP_DESTROY)
    return opened


def _netlink(family: int, groups: int) -> socket.socket:
    opened = socket.socket(socket.AF_NETLINK, socket.SOCK_DGRAM, family)
    opened.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, ROOM)
    opened.bind((0, groups))
    return opened


def waiting(source: socket.socket, quiet: float) -> Iterator[bytes]:
    """Its messages, until none has come for `quiet` seconds. OSError (ENOBUFS) if some were lost."""
    while select.select([source], [], [], quiet)[0]:
        yield source.recv(65536)
