"""Programs that run beside us: started with a log each, waited for at their ports, ended together."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

PATIENCE = 240.0  # seconds; two slow cores may be shared with others


class CloudError(Exception):
    """A part of the test cloud did not come up; the message says which, and where its log is."""


@dataclass
class Processes:
    """All programs of a run; `log` is the folder of their output."""

    log: Path
    _running: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    def start(
        self, name: str, words: Sequence[str], environment: Mapping[str, str] | None = None, folder: Path | None = None
    ) -> None:
        with open(self.log / f"{name}.log", "ab") as log:
            self._running[name] = subprocess.Popen(
                words,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env={**os.environ, **(environment or {})},
                cwd=folder,
                start_new_session=True,
            )

    def wait_port(self, name: str, port: int) -> None:
        """Until somebody listens. Raises CloudError if the program ends, or after PATIENCE."""
        deadline = time.monotonic() + PATIENCE
        while True:
            try:
                socket.create_connection(("127.0.0.1", port), 1).close()
            except OSError:
                if self._running[name].poll() is not None or time.monotonic() > deadline:
                    raise CloudError(f"{name} does not listen on {port}; see {self.log / name}.log") from None
                time.sleep(0.2)
            else:
                return

    def stop(self, name: str) -> None:
        process = self._running.pop(name, None)
        if process is None:
            return
        _signal(process, signal.SIGTERM)
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            _signal(process, signal.SIGKILL)
            process.wait()

    def stop_all(self) -> None:
        """The last one first: services before what they need."""
        for name in reversed(tuple(self._running)):
            self.stop(name)


def _signal(process: subprocess.Popen[bytes], number: signal.Signals) -> None:
    if process.poll() is None:
        os.killpg(process.pid, number)


def run(words: Sequence[str], log: Path, environment: Mapping[str, str] | None = None) -> None:
    """To its end; CloudError if it fails, or takes longer than PATIENCE."""
    with open(log, "ab") as output:
        try:
            subprocess.run(
                words, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT, check=True, timeout=PATIENCE,
                env={**os.environ, **(environment or {})},
            )  # fmt: skip
        except subprocess.SubprocessError as error:
            raise CloudError(f"{' '.join(words[:3])}: {type(error).__name__}; see {log}") from None
