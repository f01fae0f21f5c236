"""What systemd knows of a unit at run time, in systemd's own words, and the record of a boot."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import NamedTuple


@dataclass(slots=True)
class Service:
    """Run-time state of a unit; times in microseconds since the machine's boot.

    `read`: path -> sha256 of the configuration that a packaged service read when it last started.
    """

    name: str
    packaged: bool = False
    active: str = "inactive"
    sub: str = "dead"
    result: str = "success"
    started: int = 0
    entered: int = 0
    starts: int = 0
    pid: int = 0
    read: dict[str, str] = field(default_factory=dict)

    def forget(self) -> None:
        """As a boot finds it: not started yet. What the last start read and how it ended stays to be seen."""
        self.active, self.sub, self.started, self.entered, self.pid = "inactive", "dead", 0, 0, 0


class Start(NamedTuple):
    """An entry of the boot's record: which unit began when (monotonic seconds), and the VFs that existed then."""

    unit: str
    at: float
    vfs: dict[str, int]


def now() -> int:
    """Microseconds since the machine's boot.

    With the time that the machine slept, as /proc/uptime has it: a laptop that slept is no host with stale services.
    """
    return time.clock_gettime_ns(time.CLOCK_BOOTTIME) // 1000
