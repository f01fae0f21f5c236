"""The commands of a host that the simulation answers itself: systemctl, ip, reboot, virsh, dpkg-query, rpm."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from ..machine import answer
from ..machine.answer import Answer
from ..machine.machine import Machine
from ..systemd.systemctl import Systemctl
from . import ip, package_queries, virsh


class Commands:
    """One per host; `answer` is what its /dev/simulation calls. `reboot` is called for `reboot` and `shutdown`."""

    def __init__(self, machine: Machine, systemctl: Systemctl, reboot: Callable[[], None]) -> None:
        self._machine = machine
        self._systemctl = systemctl
        self._reboot = reboot

    async def answer(self, words: tuple[str, ...], uid: int) -> bytes:
        """The answer to a command line of a user, for stubs/ask.sh."""
        return answer.encode(await self._dispatch(words[0], words[1:], uid))

    async def _dispatch(self, name: str, words: Sequence[str], uid: int) -> Answer:
        match name:
            case "systemctl":
                return await self._systemctl.answer(words, uid)
            case "ip":
                return ip.answer(self._machine.sysfs, words, uid)
            case "virsh":
                return virsh.answer(self._machine.disk("/run/libvirt/qemu"), words)
            case "dpkg-query":
                return package_queries.dpkg_query(self._machine.spec, words)
            case "rpm":
                return package_queries.rpm(self._machine.spec, words)
            case "reboot" | "shutdown":
                if uid != 0:
                    return 1, "", "Must be root.\n"
                self._reboot()
                return 0, "", ""
        return 127, "", f"{name}: not simulated\n"
