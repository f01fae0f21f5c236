"""One host of a running fleet, as tests and operators see it: look at it, change it, break it."""

from __future__ import annotations

import contextlib
import socket
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ...errors import SriovError, UsageError
from ..spec import Faults, HostSpec
from ..systemd.service import Start
from .server_process import ServerProcess


class SimulatedHost:
    """A host of a running fleet."""

    def __init__(self, server: ServerProcess, spec: HostSpec, address: str, port: int) -> None:
        self._server = server
        self.spec = spec
        self.name = spec.name
        self.address = address
        self.port = port
        self.login = f"root@{address}:{port}"
        self._faults = Faults()

    def _call(self, verb: str, **arguments: object) -> Any:
        return self._server.call(self.name, verb, arguments)

    def login_of(self, user: str) -> str:
        """`ops@127.77.0.1:23456`."""
        return f"{user}@{self.address}:{self.port}"

    def path(self, path: str) -> Path:
        """A file of the host, from here. What /sys, /proc, /dev and a full disk hold is seen with `run` only."""
        return self._server.directory / "hosts" / self.name / path.lstrip("/")

    def run(self, command: str) -> subprocess.CompletedProcess[bytes]:
        """A command line as root in the host, beside SSH and not counted."""
        result = self._call("run", command=command)
        return subprocess.CompletedProcess(
            command, result["status"], result["output"].encode("latin-1"), result["errors"].encode("latin-1")
        )

    def report(self) -> dict[str, Any]:
        """All that is known of the host, at one moment."""
        report: dict[str, Any] = self._call("report")
        return report

    @property
    def connections(self) -> int:
        """SSH logins that succeeded."""
        return int(self.report()["connections"])

    @property
    def executions(self) -> list[str]:
        """Text of each remote command."""
        return list(self.report()["executions"])

    @property
    def bytes_sent(self) -> int:
        """Bytes of output that went to clients."""
        return int(self.report()["sent"])

    @property
    def bytes_received(self) -> int:
        """Bytes of input that came from clients."""
        return int(self.report()["received"])

    def reset_counts(self) -> None:
        self._call("reset")

    @property
    def boots(self) -> list[str]:
        """The boot ids so far; the last is the present one."""
        return list(self.report()["boots"])

    @property
    def boot_id(self) -> str:
        return self.boots[-1]

    @property
    def is_up(self) -> bool:
        return bool(self.report()["is_up"])

    @property
    def is_settled(self) -> bool:
        """Whether the last boot is done: sshd answers a little earlier, as on a real host."""
        return bool(self.report()["is_settled"])

    @property
    def cmdline(self) -> str:
        """/proc/cmdline."""
        return str(self.report()["cmdline"])

    def numvfs(self, interface: str) -> int:
        """The VFs that exist, told without touching a file that might hang."""
        counts = self.report()["vfs"]
        if interface not in counts:
            raise UsageError(
                "simulation-call", f"{self.name} has no interface {interface!r}", hint=f"one of {', '.join(counts)}"
            )
        return int(counts[interface])

    @property
    def stuck(self) -> list[str]:
        """Interfaces with a write to sriov_numvfs that sleeps."""
        return list(self.report()["stuck"])

    @property
    def services(self) -> dict[str, dict[str, Any]]:
        """Unit name -> state: active, sub, result, started and entered (µs), starts, read (path -> sha256)."""
        return dict(self.report()["services"])

    @property
    def journal(self) -> list[Start]:
        """The units in the order in which they started since the last boot."""
        return [Start(**start) for start in self.report()["journal"]]

    # --- acts ---

    def hold_vf(self, interface: str, index: int, kind: str = "libvirt", name: str = "instance-00000001") -> None:
        """A VF comes into use, in one of the ways of `KINDS` (sriov/simulation/host/holders.py)."""
        self._call("hold", interface=interface, index=index, kind=kind, name=name)

    def release_vf(self, interface: str, index: int, name: str = "instance-00000001") -> None:
        """The holder ends. A write of sriov_numvfs that slept for it takes effect."""
        self._call("release", interface=interface, index=index, name=name)

    def count(self, interface: str, index: int, per_second: Mapping[str, int] | None = None, **counted: int) -> None:
        """A VF has received and sent so much: `rx_bytes=1500`, names as in `sysfs.traffic`; and goes on so."""
        self._call("count", interface=interface, index=index, counted=counted, per_second=per_second or {})

    @property
    def faults(self) -> Faults:
        return self._faults

    def fail(self, **faults: Any) -> None:
        """Switch on these faults, beside those that are on. Names and meanings: `Faults`."""
        self._set(self._faults._replace(**faults))

    def clear_faults(self) -> None:
        """Switch all faults off. A host that never returned stays away until `reboot`."""
        self._set(Faults())

    def _set(self, faults: Faults) -> None:
        self._call("faults", **faults._asdict())
        self._faults = faults

    def change_host_key(self) -> None:
        """From now on sshd shows another host key than known_hosts has."""
        self._call("host_key")

    def drop_connections(self) -> None:
        self._call("drop")

    def restart(self, unit: str) -> None:
        """Restart a unit as an operator would, without SSH."""
        failed = self._call("restart", unit=unit)
        if failed:
            raise SriovError("simulation-failed", f"{self.name}: {unit} does not start: {failed}")

    def reboot(self, *, wait: float = 30.0) -> None:
        """Reboot, and wait until its enabled units have started; 0 does not wait. Raises SriovError when late."""
        before = len(self.boots)
        self._call("reboot")
        deadline = time.monotonic() + wait
        while wait and not (self.is_settled and len(self.boots) > before and self.answers()):
            if time.monotonic() > deadline:
                raise SriovError("simulation-failed", f"{self.name} is not back after {wait:g} s")
            time.sleep(0.01)

    def answers(self) -> bool:
        """Whether TCP connects to its sshd."""
        with contextlib.suppress(OSError), socket.create_connection((self.address, self.port), 1):
            return True
        return False
