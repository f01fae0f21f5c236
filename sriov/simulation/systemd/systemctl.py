"""The answers of `systemctl`, in its own words and exit codes. Source: systemctl(1), checked with systemd 252."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence

from ..machine.answer import Answer
from ..machine.machine import Machine
from . import unit_report
from .systemd import Systemd
from .unit_links import UnitLinks

CHANGES = frozenset(
    (
        *("start", "stop", "restart", "try-restart", "reload-or-restart", "daemon-reload", "reset-failed", "reboot"),
        *("enable", "disable", "mask", "unmask"),
    )
)
LOOKS = {
    "is-active": unit_report.is_active,
    "is-failed": unit_report.is_failed,
    "is-enabled": unit_report.is_enabled,
}


class Systemctl:
    """One per host. `reboot` is called for `systemctl reboot`."""

    def __init__(self, systemd: Systemd, machine: Machine, reboot: Callable[[], None]) -> None:
        self._systemd = systemd
        self._units = systemd.units
        self._reboot = reboot
        links = UnitLinks(systemd.units, machine)
        self._acts: dict[str, Callable[[str], Awaitable[Answer]]] = {
            "start": self._start,
            "stop": self._stop,
            "restart": self._restart,
            "reload-or-restart": self._restart,
            "try-restart": self._try_restart,
            "enable": links.enable,
            "disable": links.disable,
            "mask": links.mask,
            "unmask": links.unmask,
        }

    async def answer(self, words: Sequence[str], uid: int) -> Answer:
        """The answer to the words after `systemctl`."""
        names, options = _parse(words)
        verb = names.pop(0) if names else "list-units"
        if verb in CHANGES and uid != 0:
            return 1, "", f"Failed to {verb}: Interactive authentication required.\n"
        names = [name if "." in name else f"{name}.service" for name in names]
        if verb in ("enable", "disable", "mask", "unmask"):
            self._units.reload()  # what stands in the files counts, and all are loaded again
        if verb in self._acts:
            return await self._act(verb, names, is_now="--now" in options)
        return self._verb(verb, names, options)

    def _verb(self, verb: str, names: list[str], options: dict[str, list[str]]) -> Answer:
        match verb:
            case "daemon-reload":
                self._units.reload()
                return 0, "", ""
            case "reboot":
                self._reboot()
                return 0, "", ""
            case "reset-failed":
                self._reset_failed(names)
                return 0, "", ""
            case "show":
                return 0, unit_report.show(self._systemd, names, options), ""
            case "is-active" | "is-failed" | "is-enabled":
                return self._is(verb, names, is_quiet="-q" in options or "--quiet" in options)
            case "status":
                return unit_report.status(self._systemd, names)
            case "cat":
                return unit_report.cat(self._systemd, names)
            case "list-unit-files":
                return 0, unit_report.list_unit_files(self._systemd), ""
        return 1, "", f"Unknown command verb {verb}.\n"

    def _is(self, verb: str, names: list[str], *, is_quiet: bool) -> Answer:
        status, said, errors = LOOKS[verb](self._systemd, names)
        return status, "" if is_quiet else said, errors

    async def _act(self, verb: str, names: list[str], *, is_now: bool) -> Answer:
        """A verb that changes units, one after the other."""
        answers = [await self._acts[verb](name) for name in names]
        if verb in ("enable", "disable") and is_now:
            then = self._start if verb == "enable" else self._stop
            answers += [await then(name) for name in names]
        return (
            max((status for status, _, _ in answers), default=0),
            "".join(out for _, out, _ in answers),
            "".join(err for _, _, err in answers),
        )

    def _reset_failed(self, names: list[str]) -> None:
        for name in names or list(self._systemd.services):
            service = self._systemd.state(name)
            if service.active == "failed":
                service.active, service.sub, service.result = "inactive", "dead", "success"

    async def _start(self, name: str) -> Answer:
        if self._units.unit(name) is None:
            return 5, "", f"Failed to start {name}: Unit {name} not found.\n"
        if self._units.is_masked(name):
            return 1, "", f"Failed to start {name}: Unit {name} is masked.\n"
        failed = await self._systemd.start(name)
        if not failed:
            return 0, "", self._stale(name)
        if failed == "dependency":
            return 1, "", f"A dependency job for {name} failed. See 'journalctl -xe' for details.\n"
        why = "a timeout was exceeded" if failed == "timeout" else "the control process exited with error code"
        hint = f'See "systemctl status {name}" and "journalctl -xeu {name}" for details.'
        return 1, "", f"Job for {name} failed because {why}.\n{hint}\n"

    async def _stop(self, name: str) -> Answer:
        if self._units.unit(name) is None:
            return 5, "", f"Failed to stop {name}: Unit {name} not loaded.\n"
        await self._systemd.stop(name)
        return 0, "", self._stale(name)

    async def _restart(self, name: str) -> Answer:
        if self._units.unit(name) is None:
            return 5, "", f"Failed to restart {name}: Unit {name} not found.\n"
        await self._systemd.stop(name)
        return await self._start(name)

    async def _try_restart(self, name: str) -> Answer:
        return await self._restart(name) if self._systemd.state(name).active == "active" else (0, "", "")

    def _stale(self, name: str) -> str:
        if not self._units.is_stale(name):
            return ""
        return (
            f"Warning: The unit file, source configuration file or drop-ins of {name} changed on disk. "
            "Run 'systemctl daemon-reload' to reload units.\n"
        )


def _parse(words: Sequence[str]) -> tuple[list[str], dict[str, list[str]]]:
    """The verb and the names; and option -> its values, `--property` as `-p`."""
    names: list[str] = []
    options: dict[str, list[str]] = {}
    pending = list(words)
    while pending:
        word = pending.pop(0)
        if word in ("-p", "-n", "-t", "-P"):
            options.setdefault(word, []).append(pending.pop(0) if pending else "")
        elif word.startswith(("-p", "-P")):
            options.setdefault(word[:2], []).append(word[2:])
        elif word.startswith("--"):
            key, _, value = word.partition("=")
            options.setdefault("-p" if key == "--property" else key, []).append(value)
        elif word.startswith("-"):
            options.setdefault(word, []).append("")
        else:
            names.append(word)
    return names, options
