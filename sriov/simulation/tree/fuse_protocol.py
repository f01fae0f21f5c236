"""The FUSE protocol: its operations, and the structures of requests and replies.

Source of the structures: include/uapi/linux/fuse.h, protocol 7.31.
"""

from __future__ import annotations

import enum
import errno
import stat
import struct
from collections.abc import Sequence
from typing import NamedTuple

from .nodes import Ask, Directory, Link, Node

HEADER = struct.Struct("<IIQQIIIHH")
REPLY = struct.Struct("<IiQ")
ATTR = struct.Struct("<QQQQQQIIIIIIIIII")
WRITE_IN = 40  # bytes before the data of a write
DIRECT_IO, NONSEEKABLE = 1, 4
MAX_WRITE = 65536


class Op(enum.IntEnum):
    """The operations that a tree answers."""

    LOOKUP = 1
    FORGET = 2
    GETATTR = 3
    SETATTR = 4
    READLINK = 5
    OPEN = 14
    READ = 15
    WRITE = 16
    STATFS = 17
    RELEASE = 18
    INIT = 26
    OPENDIR = 27
    READDIR = 28
    RELEASEDIR = 29
    INTERRUPT = 36
    DESTROY = 38
    BATCH_FORGET = 42


# The tree is the kernel's: a process makes and removes no file in sysfs. The numbers are those of the operations.
CHANGES = dict.fromkeys((6, 8, 9, 10, 11, 12, 13, 45), errno.EPERM) | {35: errno.EACCES}
NO_REPLY = (Op.FORGET, Op.BATCH_FORGET, Op.INTERRUPT)
INIT_OUT = struct.pack("<IIIIHHIIHHI28x", 7, 31, 0, 0, 64, 48, MAX_WRITE, 1, 1, 0, 0)
STATFS_OUT = struct.pack("<QQQQQIIII24x", 0, 0, 0, 0, 0, 4096, 255, 4096, 0)


class Request(NamedTuple):
    """One request of the kernel: `unique` names it in the reply, `node` is the inode, `uid` who asks."""

    code: int
    unique: int
    node: int
    uid: int
    body: bytes


def parse(data: bytes) -> Request:
    _length, code, unique, node, uid, _gid, _pid, _extensions, _padding = HEADER.unpack_from(data)
    return Request(code, unique, node, uid, data[HEADER.size :])


def attributes(number: int, node: Node) -> bytes:
    """fuse_attr of an inode."""
    if isinstance(node, Directory):
        mode, size, links = stat.S_IFDIR | 0o755, 0, 2
    elif isinstance(node, Link):
        mode, size, links = stat.S_IFLNK | 0o777, len(node.target), 1
    elif isinstance(node, Ask):
        mode, size, links = stat.S_IFREG | 0o666, 0, 1
    else:
        mode, size, links = stat.S_IFREG | (0o644 if node.store else 0o444), 4096, 1
    return ATTR.pack(number, size, 0, 0, 0, 0, 0, 0, 0, mode, links, 0, 0, 0, 4096, 0)


def attr_out(number: int, node: Node) -> bytes:
    """Reply to GETATTR: nothing may be kept, for the kernel's own files change by themselves."""
    return struct.pack("<QII", 0, 0, 0) + attributes(number, node)


def entry_out(number: int, node: Node) -> bytes:
    """Reply to LOOKUP."""
    return struct.pack("<QQQQII", number, 0, 0, 0, 0, 0) + attributes(number, node)


def open_out(handle: int, node: Node) -> bytes:
    """Reply to OPEN and OPENDIR. Without DIRECT_IO the kernel would answer reads from its cache."""
    flags = 0 if isinstance(node, Directory) else DIRECT_IO | (NONSEEKABLE if isinstance(node, Ask) else 0)
    return struct.pack("<QII", handle, flags, 0)


def write_out(size: int) -> bytes:
    """Reply to WRITE: so many bytes were taken."""
    return struct.pack("<II", size, 0)


def directory_out(names: Sequence[bytes], offset: int, size: int) -> bytes:
    """Reply to READDIR: the names from `offset` on, as many as `size` bytes hold."""
    out = bytearray()
    for position, name in list(enumerate(names, 1))[offset:]:
        record = struct.pack("<QQII", 1, position, len(name), 0) + name
        record += b"\0" * (-len(record) % 8)
        if len(out) + len(record) > size:
            break
        out += record
    return bytes(out)
