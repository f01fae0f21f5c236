"""What a network function has received and sent: numbers that grow with time."""

from __future__ import annotations

import time
from collections.abc import Mapping

NAMES = (
    *("rx_bytes", "rx_packets", "rx_dropped", "rx_errors", "rx_broadcast", "rx_multicast"),
    *("tx_bytes", "tx_packets", "tx_dropped", "tx_errors"),
)


class Traffic:
    """Counters by the names of `NAMES`; zero where nothing else was said."""

    def __init__(self) -> None:
        self._counted: Mapping[str, int] = {}
        self._per_second: Mapping[str, int] = {}
        self._since = time.monotonic()

    def set(self, counted: Mapping[str, int], per_second: Mapping[str, int]) -> None:
        """From now on it has counted so much, and counts so much more in each second."""
        self._counted, self._per_second, self._since = counted, per_second, time.monotonic()

    def of(self, name: str) -> int:
        """The counter of that name, now."""
        grown = self._per_second.get(name, 0) * (time.monotonic() - self._since)
        return self._counted.get(name, 0) + int(grown)
