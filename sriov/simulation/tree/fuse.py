"""Serves a tree to the kernel: a FUSE mount, on an asyncio loop.

No libfuse: a request that has to sleep is simply answered later, so any number of writers can hang in the
uninterruptible way of the kernel without holding a thread, and nothing has to be installed.
"""

from __future__ import annotations

import asyncio
import ctypes
import errno
import os
import struct
from collections.abc import Callable
from dataclasses import dataclass, field

from . import fuse_protocol
from .fuse_protocol import CHANGES, INIT_OUT, MAX_WRITE, NO_REPLY, REPLY, STATFS_OUT, WRITE_IN, Op, Request
from .inodes import Inodes
from .nodes import Ask, Attribute, BlockedError, Directory, Link, Node, failure


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
    """Take a mount out of this namespace, without asking the process that serves it."""
    ctypes.CDLL(None).umount2(folder.encode(), 2)


@dataclass(slots=True)
class _Handle:
    """An open file: `buffer` is what was asked so far, `reply` what is still to be read."""

    node: Node
    uid: int
    buffer: bytearray = field(default_factory=bytearray)
    reply: bytes | None = None


class Server:
    """Answers one mount until this process ends. `root` may hold `Ask` files beside the nodes of sysfs."""

    def __init__(self, device: int, root: Directory) -> None:
        self._device = device
        self._inodes = Inodes(root)
        self._handles: dict[int, _Handle] = {}
        self._next = 1
        self._tasks: set[asyncio.Task[None]] = set()
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(device, self._readable)

    def _readable(self) -> None:
        for _ in range(64):  # then give the loop a turn
            try:
                data = os.read(self._device, MAX_WRITE + 8192)
            except BlockingIOError:
                return
            except OSError as error:
                if error.errno in (errno.ENOENT, errno.EINTR):
                    continue  # the caller gave up before we read its request
                self._loop.remove_reader(self._device)
                return
            self._serve(fuse_protocol.parse(data))

    def _serve(self, request: Request) -> None:
        if request.code in NO_REPLY:
            return
        try:
            result = self._dispatch(request)
        except OSError as error:
            self._reply(request.unique, -(error.errno or errno.EIO))
        except (LookupError, struct.error, UnicodeError):
            # an answer of some kind: without one the caller could never be ended
            self._reply(request.unique, -errno.EIO)
        except BlockedError as blocked:
            blocked.wakeups.append(self._wakeup(request, finishes=blocked.finishes))
        else:
            if result is not None:
                self._reply(request.unique, 0, result)

    def _wakeup(self, request: Request, *, finishes: bool) -> Callable[[], None]:
        if not finishes:
            return lambda: self._serve(request)
        done = fuse_protocol.write_out(len(request.body) - WRITE_IN)
        return lambda: self._reply(request.unique, 0, done)

    def _reply(self, unique: int, error: int, body: bytes = b"") -> None:
        try:
            os.write(self._device, REPLY.pack(REPLY.size + len(body), error, unique) + body)
        except OSError as failed:
            if failed.errno not in (errno.ENOENT, errno.ENODEV, errno.EINVAL):
                raise  # these say: the caller is gone

    def _dispatch(self, request: Request) -> bytes | None:
        number, body = request.node, request.body
        match request.code:
            case Op.INIT:
                return INIT_OUT
            case Op.LOOKUP:
                name = body.rstrip(b"\0").decode("utf-8", "surrogateescape")
                return fuse_protocol.entry_out(*self._inodes.find(number, name))
            case Op.GETATTR | Op.SETATTR:
                return fuse_protocol.attr_out(number, self._inodes.node(number))
            case Op.READLINK:
                return self._readlink(number)
            case Op.OPEN | Op.OPENDIR:
                return self._open(number, request.uid)
            case Op.READ:
                return self._read(body, request.unique)
            case Op.WRITE:
                return self._write(body)
            case Op.READDIR:
                return self._readdir(body)
            case Op.RELEASE | Op.RELEASEDIR:
                self._handles.pop(struct.unpack_from("<Q", body)[0], None)
                return b""
            case Op.STATFS:
                return STATFS_OUT
            case Op.DESTROY:
                return b""
        raise failure(CHANGES.get(request.code, errno.ENOSYS))

    def _readlink(self, number: int) -> bytes:
        node = self._inodes.node(number)
        if not isinstance(node, Link):
            raise failure(errno.EINVAL)
        return node.target.encode()

    def _open(self, number: int, uid: int) -> bytes:
        node = self._inodes.node(number)
        handle, self._next = self._next, self._next + 1
        self._handles[handle] = _Handle(node, uid)
        return fuse_protocol.open_out(handle, node)

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
        handle, data = self._handles[number], body[WRITE_IN : WRITE_IN + size]
        if isinstance(handle.node, Ask):
            handle.buffer += data
        elif isinstance(handle.node, Attribute) and handle.node.store:
            handle.node.store(data)
        else:
            raise failure(errno.EACCES)
        return fuse_protocol.write_out(size)

    def _readdir(self, body: bytes) -> bytes:
        number, offset, size = struct.unpack_from("<QQI", body)
        handle = self._handles[number]
        if not isinstance(handle.node, Directory):
            raise failure(errno.ENOTDIR)
        if handle.reply is None or offset == 0:
            handle.reply = b"\0".join(name.encode() for name in (".", "..", *handle.node.entries))
        return fuse_protocol.directory_out(handle.reply.split(b"\0"), offset, size)
