"""`systemctl enable`, `disable`, `mask` and `unmask` of one unit: links under /etc/systemd/system."""

from __future__ import annotations

import shlex

from ..machine.answer import Answer
from ..machine.machine import Machine
from .unit_store import PACKAGED_SYSTEM, SYSTEM, UnitStore


class UnitLinks:
    """The links are made by a shell in the host, so that a full or read-only disk refuses them."""

    def __init__(self, units: UnitStore, machine: Machine) -> None:
        self._units = units
        self._machine = machine

    async def enable(self, name: str) -> Answer:
        unit = self._units.unit(name)
        if unit is None:
            return 1, "", f"Failed to enable unit: Unit file {name} does not exist.\n"
        script, said = "set -e\n", ""
        target = f"{PACKAGED_SYSTEM if self._units.is_packaged(name) else SYSTEM}/{name}"
        for kind, key in (("wants", "WantedBy"), ("requires", "RequiredBy")):
            for wanting in unit.words("Install", key):
                link = f"{SYSTEM}/{wanting}.{kind}/{name}"
                if link in self._units.links(name):
                    continue
                folder = shlex.quote(link.rsplit("/", 1)[0])
                script += f"mkdir -p {folder}\nln -sfn {shlex.quote(target)} {shlex.quote(link)}\n"
                said += f"Created symlink {link} \u2192 {target}.\n"
        return await self._shell(script, "enable", said)

    async def disable(self, name: str) -> Answer:
        links = self._units.links(name)
        if not links and self._units.unit(name) is None:
            return 1, "", f"Failed to disable unit: Unit file {name} does not exist.\n"
        script = "set -e\n" + "".join(f"rm -f {shlex.quote(link)}\n" for link in links)
        return await self._shell(script, "disable", "".join(f'Removed "{link}".\n' for link in links))

    async def mask(self, name: str) -> Answer:
        script = f"ln -s /dev/null {shlex.quote(f'{SYSTEM}/{name}')}"
        return await self._shell(script, "mask", f"Created symlink {SYSTEM}/{name} \u2192 /dev/null.\n")

    async def unmask(self, name: str) -> Answer:
        if not self._units.is_masked(name):
            return 0, "", ""
        return await self._shell(f"rm -f {shlex.quote(f'{SYSTEM}/{name}')}", "unmask", f'Removed "{SYSTEM}/{name}".\n')

    async def _shell(self, script: str, verb: str, said: str) -> Answer:
        status, output = await self._machine.run(["/bin/sh", "-c", script])
        if status:
            return 1, "", f"Failed to {verb} unit: {output.decode('utf-8', 'replace').strip()}\n"
        return 0, "", said
