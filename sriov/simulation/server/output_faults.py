"""The faults that come at a point of a command's output: it is altered, cut off, frozen, or goes on without an end."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import asyncssh

from ..host.host import Host

TAIL = 256  # bytes that are kept to find a marker that comes in two pieces


class OutputFaults:
    """The standard output of one command: `alter` what is sent, `watch` what was sent, then `go_on`."""

    def __init__(self, host: Host, process: asyncssh.SSHServerProcess[bytes], drop: Callable[[], None]) -> None:
        self._host = host
        self._process = process
        self._drop = drop
        self._lines = 0
        self._tail = b""
        self._seen = b""

    @property
    def first(self) -> bytes:
        """What comes before the command's own output."""
        return self._host.machine.faults.prepend_output.encode()

    def alter(self, data: bytes) -> bytes:
        """What is sent instead of `data`."""
        faults = self._host.machine.faults
        if faults.replace_output:
            old, new = faults.replace_output
            data = data.replace(old.encode(), new.encode())
        for marker in filter(None, (faults.drop_at_marker, faults.reboot_at_marker, faults.freeze_at_marker)):
            before, found, _ = (self._tail + data).partition(marker.encode())
            if found:  # what the host has said in the same breath does not get through
                data = (before + found)[len(self._tail) :]
        return data

    def watch(self, data: bytes) -> None:
        """What happens now that `data` was sent."""
        faults = self._host.machine.faults
        self._lines += data.count(b"\n")
        seen, self._tail = self._tail + data, (self._tail + data)[-TAIL:]
        self._seen = seen
        if faults.reboot_at_marker and faults.reboot_at_marker.encode() in seen:
            self._host.spawn(self._host.reboot())
        dropped = faults.drop_at_marker and faults.drop_at_marker.encode() in seen
        if dropped or (faults.drop_after_lines is not None and self._lines >= faults.drop_after_lines):
            self._drop()

    async def go_on(self, target: asyncssh.SSHWriter[bytes]) -> None:
        """Faults after which nothing that makes sense comes any more; they end with the connection."""
        faults = self._host.machine.faults
        if faults.freeze_at_marker and faults.freeze_at_marker.encode() in self._seen:
            await self._process.wait_closed()
        while faults.endless_output or faults.drip_seconds:
            target.write(b"x" if faults.drip_seconds else b"and so on\n" * 6000)
            await target.drain()
            await asyncio.sleep(faults.drip_seconds)
