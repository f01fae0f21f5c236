"""What differs from one run to the next, replaced by a word. Everything else is compared as it is.

| what | becomes |
|---|---|
| the nonce of an execution (32 hexadecimal digits) | `NONCE` |
| the id of a run (20260101T000000Z-a1b2c3) | `RUN` |
| a time of day (ISO, or with UTC behind it) | `TIME` |
| who runs `fab`: user@machine and process id | `operator@desk (pid PID` |
| process id of the script on the host | `(process PID here)` |
| the fleet's port, always five digits | `:22222` |
| folders: the operator's home, the fleet's, the checkout | `HOME`, `FLEET`, `CHECKOUT` |
| the version in documents, logs and marks of hosts | `VERSION` |
| the fingerprint of a host's key | `SHA256:FINGERPRINT` |
| seconds in a document, in progress lines, in the closing table | `0.0` |

What only one story meets it replaces itself: `channel` the length of a script (compared with what came) by `SIZE`
and the marks with which sudo is watched by `MARK`, `host_files` the boot ids of a host by `BOOT`, `documents` the
address of the cloud's stand-in by `CLOUD`.
"""

from __future__ import annotations

import getpass
import os
import re
from pathlib import Path

from conftest import CHECKOUT

from sriov import __version__
from sriov.simulation import Fleet

_PLACE = re.escape(f"{getpass.getuser()}@{os.uname().nodename}")
_PATTERNS = (
    (re.compile(rf"(?<![\w.]){re.escape(__version__)}(?![\w.])"), "VERSION"),
    (re.compile(r"\bnonce=[0-9a-f]{32}\b"), "nonce=NONCE"),
    (re.compile(r"\b\d{8}T\d{6}Z-[0-9a-f]{6}\b"), "RUN"),
    (re.compile(r"\b\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ|\b\d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC"), "TIME"),
    (re.compile(rf"{_PLACE} \(pid \d+"), "operator@desk (pid PID"),
    (re.compile(r"SHA256:[A-Za-z0-9+/]{43}"), "SHA256:FINGERPRINT"),
    (re.compile(r"\(process \d+ here\)"), "(process PID here)"),
    (re.compile(r'("seconds": )\d+\.\d+'), r"\g<1>0.0"),
    (re.compile(r"(?m)^ {0,5}\d{1,5}\.\ds(?=  )"), "    0.0s"),
    (re.compile(r"(?m)(?<=  )\d+\.\d s$"), "0.0 s"),
)


class Normaliser:
    """For what one operator sees of one fleet."""

    def __init__(self, fleet: Fleet, home: Path) -> None:
        self._port = re.compile(rf"(?<=:){fleet.hosts[0].port}\b")
        self._folders = {str(home): "HOME", str(fleet.directory): "FLEET", str(CHECKOUT): "CHECKOUT"}

    def __call__(self, text: str) -> str:
        for pattern, words in _PATTERNS:
            text = pattern.sub(words, text)
        text = self._port.sub("22222", text)
        for folder, word in self._folders.items():
            text = text.replace(folder, word)
        return text
