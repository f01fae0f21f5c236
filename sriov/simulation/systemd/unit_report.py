"""The verbs of `systemctl` that only look: show, status, cat, list-unit-files, is-active, is-failed, is-enabled."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ..machine.answer import Answer
from .systemd import Systemd
from .unit_file import Unit
from .unit_store import PACKAGED_SYSTEM, SYSTEM

SHOWN = [
    "MainPID",
    "ExecStart",
    "Environment",
    "EnvironmentFiles",
    "User",
    "Id",
    "LoadState",
    "ActiveState",
    "SubState",
    "UnitFileState",
    "Result",
    "ExecMainStartTimestampMonotonic",
    "ActiveEnterTimestampMonotonic",
    "NRestarts",
    "NeedDaemonReload",
    "FragmentPath",
]


def show(systemd: Systemd, names: Sequence[str], options: Mapping[str, Sequence[str]]) -> str:
    """Properties in systemd's own order, not in that of the call; an empty line between units."""
    wanted = [key for text in (*options.get("-p", ()), *options.get("-P", ())) for key in text.split(",")] or SHOWN
    order = [key for key in SHOWN if key in wanted]
    bare = "--value" in options or "-P" in options
    blocks = []
    for name in names:
        values = _properties(systemd, name)
        blocks.append("".join(f"{values[key]}\n" if bare else f"{key}={values[key]}\n" for key in order))
    return "\n".join(blocks)


def _properties(systemd: Systemd, name: str) -> dict[str, str]:
    units, service = systemd.units, systemd.state(name)
    unit = units.unit(name)
    load = "not-found" if unit is None else "masked" if units.is_masked(name) else "loaded"
    return {
        "Id": name,
        "LoadState": load,
        "ActiveState": service.active,
        "SubState": service.sub,
        "UnitFileState": units.file_state(name),
        "Result": service.result,
        "ExecMainStartTimestampMonotonic": str(service.started),
        "ActiveEnterTimestampMonotonic": str(service.entered),
        "MainPID": str(service.pid),
        **_written(unit),
        "NRestarts": "0",
        "NeedDaemonReload": "yes" if units.is_stale(name) else "no",
        "FragmentPath": f"{PACKAGED_SYSTEM if service.packaged else SYSTEM}/{name}" if unit else "",
    }


def _written(unit: Unit | None) -> dict[str, str]:
    """What of the unit file is shown: a packaged unit of the simulation names no program."""
    program = unit.last("Service", "ExecStart") if unit else ""
    path = program.partition(" ")[0]
    files = unit.values("Service", "EnvironmentFile") if unit else ()
    return {
        "ExecStart": f"{{ path={path} ; argv[]={program} ; ignore_errors=no ; start_time=[n/a] ; pid=0 }}"
        if path
        else "",
        "Environment": " ".join(unit.values("Service", "Environment")) if unit else "",
        "EnvironmentFiles": "".join(f"{file.removeprefix('-')} (ignore_errors=yes)" for file in files[:1]),
        "User": unit.last("Service", "User") if unit else "",
    }


def status(systemd: Systemd, names: Sequence[str]) -> Answer:
    units = systemd.units
    missing = [name for name in names if units.unit(name) is None]
    if missing:
        return 4, "", f"Unit {missing[0]} could not be found.\n"
    states = [systemd.state(name) for name in names]
    said = "\n".join(
        f"{state.name} - simulated\n     Loaded: loaded ({SYSTEM}/{state.name}; {units.file_state(state.name)})\n"
        f"     Active: {state.active} ({state.sub}) Result: {state.result}\n"
        for state in states
    )
    return 0 if all(state.active == "active" for state in states) else 3, said, ""


def cat(systemd: Systemd, names: Sequence[str]) -> Answer:
    texts = [(name, systemd.units.source(name)) for name in names]
    missing = [name for name, text in texts if text is None]
    if missing:
        return 1, "", f"No files found for {missing[0]}.\n"
    return 0, "\n".join(f"# {SYSTEM}/{name}\n{text}" for name, text in texts), ""


def list_unit_files(systemd: Systemd) -> str:
    return "".join(f"{name} {systemd.units.file_state(name)} -\n" for name in systemd.units.names())


def is_active(systemd: Systemd, names: Sequence[str]) -> Answer:
    states = [systemd.state(name).active for name in names]
    return 0 if "active" in states else 3, _lines(states), ""


def is_failed(systemd: Systemd, names: Sequence[str]) -> Answer:
    states = [systemd.state(name).active for name in names]
    return 0 if "failed" in states else 1, _lines(states), ""


def is_enabled(systemd: Systemd, names: Sequence[str]) -> Answer:
    states = [systemd.units.file_state(name) for name in names]
    missing = [name for name, state in zip(names, states, strict=True) if not state]
    errors = [f"Failed to get unit file state for {name}: No such file or directory" for name in missing]
    good = any(state in ("enabled", "static") for state in states)
    return 0 if good else 1, _lines([state for state in states if state]), _lines(errors)


def _lines(texts: Sequence[str]) -> str:
    return "".join(f"{text}\n" for text in texts)
