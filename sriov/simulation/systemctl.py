"""The answers of `systemctl`, in its own words and exit codes. Source: systemctl(1), checked with systemd 252."""

from __future__ import annotations

import shlex
from collections.abc import Awaitable, Callable, Sequence

from .services import SYSTEM, Machine, ServiceManager

Answer = tuple[int, str, str]
CHANGES = frozenset(
    [
        "start",
        "stop",
        "restart",
        "try-restart",
        "reload-or-restart",
        "enable",
        "disable",
        "daemon-reload",
        "reset-failed",
        "mask",
        "unmask",
        "reboot",
    ]
)
SHOWN = [
    "Id",
    "LoadState",
    "ActiveState",
    "SubState",
    "UnitFileState",
    "Result",
    "ExecMainStartTimestampMonotonic",
    "ActiveEnterTimestampMonotonic",
    "MainPID",
    "NRestarts",
    "NeedDaemonReload",
    "FragmentPath",
]


class Systemctl:
    """One per host. `reboot` is called for `systemctl reboot`."""

    def __init__(self, manager: ServiceManager, machine: Machine, reboot: Callable[[], None]) -> None:
        self._manager = manager
        self._machine = machine
        self._reboot = reboot

    async def answer(self, words: Sequence[str], uid: int) -> Answer:
        """Exit code, stdout and stderr for the words after `systemctl`."""
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
        verb = names.pop(0) if names else "list-units"
        if verb in CHANGES and uid != 0:
            return 1, "", f"Failed to {verb}: Interactive authentication required.\n"
        names = [name if "." in name else f"{name}.service" for name in names]
        if verb in ("enable", "disable", "mask", "unmask"):
            self._manager.reload()  # what stands in the files counts, and all are loaded anew
        return await self._verb(verb, names, options)

    async def _verb(self, verb: str, names: list[str], options: dict[str, list[str]]) -> Answer:
        match verb:
            case "daemon-reload":
                self._manager.reload()
                return 0, "", ""
            case "reboot":
                self._reboot()
                return 0, "", ""
            case "show":
                return 0, "\n".join(self._show(name, options) for name in names), ""
            case "is-active" | "is-failed" | "is-enabled":
                return self._is(verb, names, "-q" in options or "--quiet" in options)
            case "status":
                return self._status(names)
            case "cat":
                return self._cat(names)
            case "list-unit-files":
                return 0, self._list(), ""
            case "reset-failed":
                for name in names or list(self._manager.services):
                    service = self._manager.state(name)
                    if service.active == "failed":
                        service.active, service.sub, service.result = "inactive", "dead", "success"
                return 0, "", ""
        actions: dict[str, Callable[[str], Awaitable[Answer]]] = {
            "start": self._start,
            "stop": self._stop,
            "restart": self._restart,
            "reload-or-restart": self._restart,
            "try-restart": self._try_restart,
            "enable": self._enable,
            "disable": self._disable,
            "mask": self._mask,
            "unmask": self._unmask,
        }
        if verb not in actions:
            return 1, "", f"Unknown command verb {verb}.\n"
        answers = [await actions[verb](name) for name in names]
        if verb in ("enable", "disable") and "--now" in options:
            then = self._start if verb == "enable" else self._stop
            answers += [await then(name) for name in names]
        return (
            max((status for status, _, _ in answers), default=0),
            "".join(out for _, out, _ in answers),
            "".join(err for _, _, err in answers),
        )

    async def _start(self, name: str) -> Answer:
        if self._manager.unit(name) is None:
            return 5, "", f"Failed to start {name}: Unit {name} not found.\n"
        if self._manager.is_masked(name):
            return 1, "", f"Failed to start {name}: Unit {name} is masked.\n"
        failed = await self._manager.start(name)
        if not failed:
            return 0, "", self._stale(name)
        if failed == "dependency":
            return 1, "", f"A dependency job for {name} failed. See 'journalctl -xe' for details.\n"
        why = "a timeout was exceeded" if failed == "timeout" else "the control process exited with error code"
        hint = f'See "systemctl status {name}" and "journalctl -xeu {name}" for details.'
        return 1, "", f"Job for {name} failed because {why}.\n{hint}\n"

    async def _stop(self, name: str) -> Answer:
        if self._manager.unit(name) is None:
            return 5, "", f"Failed to stop {name}: Unit {name} not loaded.\n"
        await self._manager.stop(name)
        return 0, "", self._stale(name)

    async def _restart(self, name: str) -> Answer:
        if self._manager.unit(name) is None:
            return 5, "", f"Failed to restart {name}: Unit {name} not found.\n"
        await self._manager.stop(name)
        return await self._start(name)

    async def _try_restart(self, name: str) -> Answer:
        return await self._restart(name) if self._manager.state(name).active == "active" else (0, "", "")

    def _stale(self, name: str) -> str:
        if not self._manager.is_stale(name):
            return ""
        return (
            f"Warning: The unit file, source configuration file or drop-ins of {name} changed on disk. "
            "Run 'systemctl daemon-reload' to reload units.\n"
        )

    async def _enable(self, name: str) -> Answer:
        unit = self._manager.unit(name)
        if unit is None:
            return 1, "", f"Failed to enable unit: Unit file {name} does not exist.\n"
        script, said = "set -e\n", ""
        packaged = self._manager.state(name).packaged
        target = f"{'/lib/systemd/system' if packaged else SYSTEM}/{name}"
        for kind, key in (("wants", "WantedBy"), ("requires", "RequiredBy")):
            for wanting in unit.words("Install", key):
                link = f"{SYSTEM}/{wanting}.{kind}/{name}"
                if link in self._manager.links(name):
                    continue
                folder = shlex.quote(link.rsplit("/", 1)[0])
                script += f"mkdir -p {folder}\nln -sfn {shlex.quote(target)} {shlex.quote(link)}\n"
                said += f"Created symlink {link} \u2192 {target}.\n"
        return await self._shell(script, "enable", said)

    async def _disable(self, name: str) -> Answer:
        links = self._manager.links(name)
        if not links and self._manager.unit(name) is None:
            return 1, "", f"Failed to disable unit: Unit file {name} does not exist.\n"
        script = "set -e\n" + "".join(f"rm -f {shlex.quote(link)}\n" for link in links)
        return await self._shell(script, "disable", "".join(f'Removed "{link}".\n' for link in links))

    async def _mask(self, name: str) -> Answer:
        path = shlex.quote(f"{SYSTEM}/{name}")
        return await self._shell(
            f"ln -s /dev/null {path}", "mask", f"Created symlink {SYSTEM}/{name} \u2192 /dev/null.\n"
        )

    async def _unmask(self, name: str) -> Answer:
        if not self._manager.is_masked(name):
            return 0, "", ""
        return await self._shell(f"rm -f {shlex.quote(f'{SYSTEM}/{name}')}", "unmask", f'Removed "{SYSTEM}/{name}".\n')

    async def _shell(self, script: str, verb: str, said: str) -> Answer:
        status, output = await self._machine.run(["/bin/sh", "-c", script])
        if status:
            return 1, "", f"Failed to {verb} unit: {output.decode('utf-8', 'replace').strip()}\n"
        return 0, "", said

    def _file_state(self, name: str) -> str:
        unit = self._manager.unit(name)
        if unit is None:
            return ""
        if self._manager.is_masked(name):
            return "masked"
        if self._manager.links(name):
            return "enabled"
        return "disabled" if unit.words("Install", "WantedBy") or unit.words("Install", "RequiredBy") else "static"

    def _is(self, verb: str, names: list[str], quiet: bool) -> Answer:
        if verb == "is-enabled":
            states = [self._file_state(name) for name in names]
            missing = [name for name, state in zip(names, states, strict=True) if not state]
            why = "No such file or directory"
            errors = "".join(f"Failed to get unit file state for {name}: {why}\n" for name in missing)
            said = "".join(f"{state}\n" for state in states if state)
            status = 0 if any(state in ("enabled", "static") for state in states) else 1
        else:
            states = [self._manager.state(name).active for name in names]
            errors, said = "", "".join(f"{state}\n" for state in states)
            wanted = "active" if verb == "is-active" else "failed"
            status = 0 if wanted in states else 3 if verb == "is-active" else 1
        return status, "" if quiet else said, errors

    def _show(self, name: str, options: dict[str, list[str]]) -> str:
        wanted = [key for text in (*options.get("-p", ()), *options.get("-P", ())) for key in text.split(",")] or SHOWN
        values = self._properties(name)
        bare = "--value" in options or "-P" in options
        # systemd prints the properties in its own order, not in that of the call
        order = [key for key in SHOWN if key in wanted]
        return "".join(f"{values[key]}\n" if bare else f"{key}={values[key]}\n" for key in order)

    def _properties(self, name: str) -> dict[str, str]:
        unit, service = self._manager.unit(name), self._manager.state(name)
        load = "not-found" if unit is None else "masked" if self._manager.is_masked(name) else "loaded"
        fragment = f"{'/lib/systemd/system' if service.packaged else SYSTEM}/{name}" if unit else ""
        return {
            "Id": name,
            "LoadState": load,
            "ActiveState": service.active,
            "SubState": service.sub,
            "UnitFileState": self._file_state(name),
            "Result": service.result,
            "ExecMainStartTimestampMonotonic": str(service.started),
            "ActiveEnterTimestampMonotonic": str(service.entered),
            "MainPID": str(service.pid),
            "NRestarts": "0",
            "NeedDaemonReload": "yes" if self._manager.is_stale(name) else "no",
            "FragmentPath": fragment,
        }

    def _status(self, names: list[str]) -> Answer:
        missing = [name for name in names if self._manager.unit(name) is None]
        if missing:
            return 4, "", f"Unit {missing[0]} could not be found.\n"
        states = [self._manager.state(name) for name in names]
        said = "\n".join(
            f"{state.name} - simulated\n     Loaded: loaded ({SYSTEM}/{state.name}; {self._file_state(state.name)})\n"
            f"     Active: {state.active} ({state.sub}) Result: {state.result}\n"
            for state in states
        )
        return 0 if all(state.active == "active" for state in states) else 3, said, ""

    def _cat(self, names: list[str]) -> Answer:
        texts = [(name, self._manager.source(name)) for name in names]
        missing = [name for name, text in texts if text is None]
        if missing:
            return 1, "", f"No files found for {missing[0]}.\n"
        return 0, "\n".join(f"# {SYSTEM}/{name}\n{text}" for name, text in texts), ""

    def _list(self) -> str:
        folder = self._machine.disk(SYSTEM)
        own = {path.name for path in folder.glob("*.service")}
        packaged = {name for name, service in self._manager.services.items() if service.packaged}
        return "".join(f"{name} {self._file_state(name)} -\n" for name in sorted(own | packaged))
