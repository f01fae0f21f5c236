"""The process in which the hosts of a fleet run, seen from its owner: start it, ask it, end it."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ...errors import SriovError

PACKAGE_PARENT = Path(__file__).parents[3]
UNSHARE = ("unshare", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc", "--propagation", "private")


class ServerProcess:
    """The process for one fleet, in its `directory`; `fleet.json` there tells it what to run."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self._process: subprocess.Popen[str] | None = None
        self._lock = threading.Lock()

    def start(self) -> Any:
        """Its first word, once all hosts are up: `port` and `addresses`, by host. Raises SriovError."""
        words = [*UNSHARE, *([] if os.geteuid() == 0 else ["--user", "--map-root-user"])]
        path = os.pathsep.join([str(PACKAGE_PARENT), os.environ.get("PYTHONPATH", "")]).rstrip(os.pathsep)
        with open(self.directory / "server.log", "wb") as log:
            self._process = subprocess.Popen(
                [*words, "--", sys.executable, "-m", "sriov.simulation.server", str(self.directory)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                start_new_session=True,  # Ctrl-C is for the owner; the server ends when its stdin does
                env={**os.environ, "PYTHONPATH": path, "PYTHONWARNINGS": "ignore"},
            )
        return self._exchange(None)

    def call(self, host: str, verb: str, arguments: Mapping[str, object]) -> Any:
        """Ask one host for something (`server.verbs`). Raises SriovError."""
        return self._exchange({"host": host, "verb": verb, "arguments": arguments})

    def _exchange(self, request: Mapping[str, object] | None) -> Any:
        """The answer to a request, or to none: the first word."""
        process = self._process
        if process is None or process.stdin is None or process.stdout is None:
            raise SriovError("simulation-failed", "the simulated fleet is not running")
        with self._lock, contextlib.suppress(BrokenPipeError):
            if request is not None:
                process.stdin.write(json.dumps(request) + "\n")
                process.stdin.flush()
            line = process.stdout.readline()
            if line:
                answer = json.loads(line)
                if "error" in answer:
                    raise SriovError("simulation-failed", answer["error"])
                return answer["result"]
        log = (self.directory / "server.log").read_text("utf-8", "replace").strip()
        raise SriovError(
            "simulation-failed",
            f"the simulated fleet has ended: {log.splitlines()[-1] if log else 'it gave no reason'}",
            hint="it needs root, or a kernel that allows user namespaces (kernel.unprivileged_userns_clone, AppArmor)",
        )

    def stop(self) -> None:
        """End it, and with it every process and mount of the fleet."""
        process, self._process = self._process, None
        if process is None:
            return
        with contextlib.suppress(BrokenPipeError):
            if process.stdin:
                process.stdin.close()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        if process.stdout:
            process.stdout.close()
