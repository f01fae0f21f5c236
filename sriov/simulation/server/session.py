"""One command over SSH: three pipes between the channel and a shell in the host, as sshd has them."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from collections.abc import Callable
from typing import Any

import asyncssh

from ..host.host import Host
from ..machine.enclosure import PATH
from ..spec import User
from .output_faults import OutputFaults

CHUNK = 65536


class Session:
    """`drop` ends all connections of the host."""

    def __init__(
        self, host: Host, process: asyncssh.SSHServerProcess[bytes], user: User, drop: Callable[[], None]
    ) -> None:
        self._host = host
        self._process = process
        self._user = user
        self._drop = drop

    async def run(self, command: str) -> None:
        """Until the command has ended and its output is at its end; then the exit status is sent."""
        ours_in, theirs_in = self._pipe(writes=True)
        ours_out, theirs_out = self._pipe()
        ours_err, theirs_err = self._pipe()
        child = await asyncio.create_subprocess_exec(
            *self._host.machine.enter(self._user), *self._shell(command),
            stdin=theirs_in, stdout=theirs_out, stderr=theirs_err, env=self._environment(), start_new_session=True,
        )  # fmt: skip
        for number in (theirs_in, theirs_out, theirs_err):
            os.close(number)
        feeding = asyncio.ensure_future(self._feed(ours_in))
        pumps: asyncio.Future[tuple[None, None]] = asyncio.gather(
            self._pump(ours_out, self._process.stdout, OutputFaults(self._host, self._process, self._drop)),
            self._pump(ours_err, self._process.stderr, None),
        )
        gone = asyncio.ensure_future(self._process.wait_closed())
        ends: set[asyncio.Future[Any]] = {pumps, gone}
        await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
        feeding.cancel()
        if not pumps.done():
            pumps.cancel()  # closes the pipes: the command meets SIGPIPE when it writes on
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.gather(pumps, feeding, return_exceptions=True)
        status = await child.wait()
        if not gone.done():
            gone.cancel()
            if status < 0:
                self._process.exit_with_signal(_signal_name(-status))
            else:
                self._process.exit(status)

    @staticmethod
    def _pipe(*, writes: bool = False) -> tuple[int, int]:
        """Our end and the command's end."""
        reading, writing = os.pipe()
        return (writing, reading) if writes else (reading, writing)

    def _shell(self, command: str) -> list[str]:
        words = ["/bin/sh", "-c", command] if command else ["/bin/sh"]
        if self._process.term_type:  # `ssh -t`, or a person who looks around
            words = ["script", "-qec", command or "/bin/sh -i", "/dev/null"]
        return words if not self._user.uid else ["/bin/sh", "-c", 'cd "$HOME"; exec "$@"', "sh", *words]

    def _environment(self) -> dict[str, str]:
        name = self._user.name
        home = f"/home/{name}" if self._user.uid else "/root"
        peer = " ".join(str(part) for part in (*self._process.get_extra_info("peername")[:2],))
        here = " ".join(str(part) for part in (*self._process.get_extra_info("sockname")[:2],))
        return {
            "PATH": PATH, "HOME": home, "USER": name, "LOGNAME": name, "SHELL": "/bin/sh", "PWD": home,
            "SSH_CONNECTION": f"{peer} {here}",
        }  # fmt: skip

    async def _feed(self, number: int) -> None:
        """What the client sends, to the command."""
        taken = 0
        loop = asyncio.get_running_loop()
        transport, protocol = await loop.connect_write_pipe(asyncio.streams.FlowControlMixin, os.fdopen(number, "wb"))
        writer = asyncio.StreamWriter(transport, protocol, None, loop)
        try:
            while data := await self._read():
                self._host.machine.counts.received += len(data)
                taken += len(data)
                limit = self._host.machine.faults.drop_after_bytes
                if limit is not None and taken > limit:
                    writer.write(data[: limit - taken])
                    self._drop()
                    return
                writer.write(data)
                await writer.drain()
        except (OSError, asyncssh.Error):
            pass  # the command has closed its input, or the client is gone
        finally:
            writer.close()

    async def _read(self) -> bytes:
        while True:
            try:
                return await self._process.stdin.read(CHUNK)
            except (asyncssh.BreakReceived, asyncssh.SignalReceived, asyncssh.TerminalSizeChanged):
                continue

    async def _pump(self, number: int, target: asyncssh.SSHWriter[bytes], faults: OutputFaults | None) -> None:
        """What the command says, to the client; `faults` are for its standard output."""
        loop = asyncio.get_running_loop()
        reader = asyncio.StreamReader(CHUNK)
        transport, _ = await loop.connect_read_pipe(
            lambda: asyncio.StreamReaderProtocol(reader), os.fdopen(number, "rb")
        )
        try:
            if faults:
                target.write(faults.first)
            while data := await reader.read(CHUNK):
                data = faults.alter(data) if faults else data
                self._host.machine.counts.sent += len(data)
                target.write(data)
                await target.drain()
                if faults:
                    faults.watch(data)
                    await faults.go_on(target)
        except (OSError, asyncssh.Error):
            pass  # the client is gone
        finally:
            transport.close()


def _signal_name(number: int) -> str:
    return signal.Signals(number).name.removeprefix("SIG")
