"""Serves trees of `sysfs` nodes to the kernel: the FUSE protocol itself, on an asyncio loop.

No libfuse: a request that has to sleep is simply answered later, so any number of writers can hang in the
uninterruptible way of the kernel without holding a thread, and nothing has to be installed.
Source of the structures: include/uapi/linux/fuse.h, protocol 7.31.
"""

from __future__ import annotations

import asyncio
import ctypes
import enum
import errno
import os
import stat
import struct
from dataclasses import dataclass, field

from .sysfs import BlockedError
from .tree import Ask, Attribute, Directory, Link, Node, failure

HEADER = struct.Struct("<IIQQIIIHH")
REPLY = struct.Struct("<IiQ")
ATTR = struct.Struct("<QQQQQQIIIIIIIIII")
DIRECT_IO, NONSEEKABLE = 1, 4
MAX_WRITE = 65536


class Op(enum.IntEnum):
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


# The tree is the kernel's: nobody makes or removes a file in sysfs. The numbers are those of the operations.
CHANGES = dict.fromkeys((6, 8, 9, 10, 11, 12, 13, 45), errno.EPERM) | {35: errno.EACCES}
NO_REPLY = (Op.FORGET, Op.BATCH_FORGET, Op.INTERRUPT)


@dataclass(slots=True)
class _Handle:
    node: Node
    uid: int
    buffer: bytearray = field(default_factory=bytearray)
    reply: bytes | None = None


def mount(folder: str) -> int:
    """Mount a FUSE file system at `folder`; its descriptor, to serve. Raises OSError."""
    device = os.open("/dev/fuse", os.O_RDWR | os.O_CLOEXEC | os.O_NONBLOCK)
    options = f"fd={device},rootmode=40000,user_id=0,group_id=0,allow_other,default_permissions"
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.mount(b"sriov-simulation", folder.encode(), b"fuse", 2 | 4, options.encode()):
        number = ctypes.get_errno()
        os.close(device)
        raise OSError(number, os.strerror(number), folder)
    return device


def unmount(folder: str) -> None:
    """Take a mount out of this namespace, without asking whoever serves it."""
    ctypes.CDLL(None).umount2(folder.encode(), 2)


class Server:
    """Answers one mount. `root` may hold `Ask` files beside the nodes of sysfs."""

    def __init__(self, device: int, root: Directory) -> None:
        self.device = device
        self.root = root
        self._paths: list[tuple[str, ...]] = [(), ()]
        self._numbers: dict[tuple[str, ...], int] = {(): 1}
        self._handles: dict[int, _Handle] = {}
        self._next = 1
        self._tasks: set[asyncio.Task[None]] = set()
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(device, self._readable)

    def close(self) -> None:
        """Ends the connection; whoever still sleeps in it gets ECONNABORTED."""
        self._loop.remove_reader(self.device)
        os.close(self.device)

    def _readable(self) -> None:
        for _ in range(64):  # then give the loop a turn
            try:
                request = os.read(self.device, MAX_WRITE + 8192)
            except BlockingIOError:
                return
            except OSError as error:
                if error.errno in (errno.ENOENT, errno.EINTR):
                    continue  # the caller gave up before we read its request
                self._loop.remove_reader(self.device)
                return
            self._serve(request)

    def _serve(self, request: bytes) -> None:
        _length, code, unique, number, uid, _gid, _pid, _ext, _pad = HEADER.unpack_from(request)
        if code in NO_REPLY:
            return
        try:
            result = self._dispatch(code, number, uid, request[HEADER.size :], unique)
        except OSError as error:
            self._reply(unique, -(error.errno or errno.EIO))
        except (LookupError, struct.error, UnicodeError):
            self._reply(unique, -errno.EIO)  # an answer of some kind: without one the caller could never be ended
        except BlockedError as blocked:
            finished = struct.pack("<II", len(request) - HEADER.size - 40, 0) if blocked.finishes else b""
            again = (lambda: self._reply(unique, 0, finished)) if blocked.finishes else (lambda: self._serve(request))
            blocked.port.wakeups.append(again)
        else:
            if result is not None:
                self._reply(unique, 0, result)

    def _reply(self, unique: int, error: int, body: bytes = b"") -> None:
        try:
            os.write(self.device, REPLY.pack(REPLY.size + len(body), error, unique) + body)
        except OSError as failed:
            if failed.errno not in (errno.ENOENT, errno.ENODEV, errno.EINVAL):
                raise  # these say: the caller is gone

    def _dispatch(self, code: int, number: int, uid: int, body: bytes, unique: int) -> bytes | None:
        match code:
            case Op.INIT:
                return self._init()
            case Op.LOOKUP:
                return self._lookup(number, body.rstrip(b"\0").decode("utf-8", "surrogateescape"))
            case Op.GETATTR | Op.SETATTR:
                return struct.pack("<QII", 0, 0, 0) + self._attributes(number)
            case Op.READLINK:
                return self._readlink(number)
            case Op.OPEN | Op.OPENDIR:
                return self._open(number, uid)
            case Op.READ:
                return self._read(body, unique)
            case Op.WRITE:
                return self._write(body)
            case Op.READDIR:
                return self._readdir(body)
            case Op.RELEASE | Op.RELEASEDIR:
                self._handles.pop(struct.unpack_from("<Q", body)[0], None)
                return b""
            case Op.STATFS:
                return struct.pack("<QQQQQIIII24x", 0, 0, 0, 0, 0, 4096, 255, 4096, 0)
            case Op.DESTROY:
                return b""
        raise failure(CHANGES.get(code, errno.ENOSYS))

    @staticmethod
    def _init() -> bytes:
        return struct.pack("<IIIIHHIIHHI28x", 7, 31, 0, 0, 64, 48, MAX_WRITE, 1, 1, 0, 0)

    # --- names ---

    def _node(self, number: int) -> Node:
        node: Node = self.root
        for name in self._paths[number]:
            if not isinstance(node, Directory) or name not in node.entries:
                raise failure(errno.ENOENT)
            node = node.entries[name]
        return node

    def _attributes(self, number: int) -> bytes:
        node = self._node(number)
        if isinstance(node, Directory):
            mode, size, links = stat.S_IFDIR | 0o755, 0, 2
        elif isinstance(node, Link):
            mode, size, links = stat.S_IFLNK | 0o777, len(node.target), 1
        elif isinstance(node, Ask):
            mode, size, links = stat.S_IFREG | 0o666, 0, 1
        else:
            mode, size, links = stat.S_IFREG | (0o644 if node.store else 0o444), 4096, 1
        return ATTR.pack(number, size, 0, 0, 0, 0, 0, 0, 0, mode, links, 0, 0, 0, 4096, 0)

    def _lookup(self, parent: int, name: str) -> bytes:
        path = (*self._paths[parent], name)
        folder = self._node(parent)
        if not isinstance(folder, Directory) or name not in folder.entries:
            raise failure(errno.ENOENT)
        number = self._numbers.get(path)
        if number is None:
            number = self._numbers[path] = len(self._paths)
            self._paths.append(path)
        return struct.pack("<QQQQII", number, 0, 0, 0, 0, 0) + self._attributes(number)

    def _readlink(self, number: int) -> bytes:
        node = self._node(number)
        if not isinstance(node, Link):
            raise failure(errno.EINVAL)
        return node.target.encode()

    # --- open files ---

    def _open(self, number: int, uid: int) -> bytes:
        node = self._node(number)
        handle, self._next = self._next, self._next + 1
        self._handles[handle] = _Handle(node, uid)
        flags = 0 if isinstance(node, Directory) else DIRECT_IO | (NONSEEKABLE if isinstance(node, Ask) else 0)
        return struct.pack("<QII", handle, flags, 0)

    def _read(self, body: bytes, unique: int) -> bytes | None:
        number, offset, size = struct.unpack_from("<QQI", body)
        handle = self._handles[number]
        if isinstance(handle.node, Ask):
            if handle.reply is None:
                task = self._loop.create_task(self._ask(handle, handle.node, unique, size))
                self._tasks.add(task)
                task.add_done_callback(self._tasks.discard)
                return None
            answer, handle.reply = handle.reply[:size], handle.reply[size:]
            return answer
        if not isinstance(handle.node, Attribute):
            raise failure(errno.EISDIR)
        if offset == 0 or handle.reply is None:
            handle.reply = handle.node.show().encode()
        return handle.reply[offset : offset + size]

    async def _ask(self, handle: _Handle, node: Ask, unique: int, size: int) -> None:
        words = handle.buffer.decode("utf-8", "surrogateescape").split("\0")[:-1]
        try:
            reply = await node.answer(tuple(words), handle.uid)
        except (LookupError, OSError, ValueError) as error:
            reply = f"1\nthe simulation failed: {error!r}\n\1\n".encode()
        handle.reply = reply[size:]
        self._reply(unique, 0, reply[:size])

    def _write(self, body: bytes) -> bytes:
        number, _offset, size = struct.unpack_from("<QQI", body)
        handle, data = self._handles[number], body[40 : 40 + size]
        if isinstance(handle.node, Ask):
            handle.buffer += data
        elif isinstance(handle.node, Attribute) and handle.node.store:
            handle.node.store(data)
        else:
            raise failure(errno.EACCES)
        return struct.pack("<II", size, 0)

    def _readdir(self, body: bytes) -> bytes:
        number, offset, size = struct.unpack_from("<QQI", body)
        handle = self._handles[number]
        if not isinstance(handle.node, Directory):
            raise failure(errno.ENOTDIR)
        if handle.reply is None or offset == 0:
            handle.reply = b"\0".join(name.encode() for name in (".", "..", *handle.node.entries))
        out = bytearray()
        for position, name in list(enumerate(handle.reply.split(b"\0"), 1))[offset:]:
            record = struct.pack("<QQII", 1, position, len(name), 0) + name
            record += b"\0" * (-len(record) % 8)
            if len(out) + len(record) > size:
                break
            out += record
        return bytes(out)
