"""What tests count of a host's SSH."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(slots=True)
class Counts:
    """SSH logins, remote commands with their text, bytes sent to and received from the client."""

    connections: int = 0
    executions: list[str] = field(default_factory=list)
    sent: int = 0
    received: int = 0

    def reset(self) -> None:
        """Count from nothing, in the same list."""
        self.connections, self.sent, self.received = 0, 0, 0
        self.executions.clear()
