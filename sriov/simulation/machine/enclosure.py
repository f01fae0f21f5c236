"""The namespaces of one machine and its first process: how they begin, how a command enters them, how they end."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import subprocess
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path

from ...errors import SriovError

PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
PROGRAM = Path(__file__).with_name("namespace.py")
UNSHARE = ("unshare", "--mount", "--uts", "--pid", "--fork", "--kill-child", "--propagation", "private", "--")


class Enclosure:
    """Mount, UTS and process namespaces; `pid` is that of the machine's first process, 0 before the first start."""

    def __init__(self) -> None:
        self.pid = 0
        self._process: asyncio.subprocess.Process | None = None

    async def start(self, name: str, plan: Mapping[str, object]) -> None:
        """Build the file tree that `plan` tells and start the first process in it. Raises SriovError."""
        process = self._process = await asyncio.create_subprocess_exec(
            *UNSHARE, sys.executable, "-I", "-S", str(PROGRAM), json.dumps(plan),
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip
        assert process.stdout is not None  # noqa: S101 - tells mypy what PIPE means
        assert process.stderr is not None  # noqa: S101
        if await process.stdout.readline() != b"ready\n":
            error = (await process.stderr.read()).decode("utf-8", "replace").strip()
            raise SriovError(
                "simulation-requirement",
                f"the simulated host {name} cannot be built: {error.splitlines()[-1] if error else 'killed'}",
                hint="the simulation needs mount, pid and uts namespaces, as root or with user namespaces allowed",
            )
        children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text()
        self.pid = int(children.split()[0])

    def kill(self) -> None:
        """The kernel ends every process of the machine; who sleeps in /sys ends when it wakes."""
        if self._process:
            with contextlib.suppress(ProcessLookupError):
                self._process.kill()

    async def wait(self) -> None:
        """Until all of it is gone."""
        if self._process:
            await self._process.wait()

    def enter(self, *options: str) -> list[str]:
        """The words before a command that make it run inside; `options` are nsenter's."""
        return ["nsenter", "-t", str(self.pid), "-m", "-u", "-p", "-r", "-w", *options, "--"]

    async def run(
        self, words: Iterable[str], timeout: float | None = None, data: bytes | None = None
    ) -> tuple[int | None, bytes]:
        """Run a command inside, as root. Exit status (None: too slow, killed) and stdout with stderr."""
        process = await asyncio.create_subprocess_exec(
            *self.enter(),
            *words,
            stdin=subprocess.DEVNULL if data is None else subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env={"PATH": PATH, "LANG": "C.UTF-8"},
            start_new_session=True,
        )
        try:
            output, _ = await asyncio.wait_for(process.communicate(data), timeout)
        except TimeoutError:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, 9)
            return None, b""
        return process.returncode, output
