"""What the fleet's owner asks of one host, by name; `SimulatedHost` is the other end."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

from ..host.host import Host
from ..machine.enclosure import PATH
from ..spec import Faults
from .daemon import Daemon


async def call(host: Host, daemon: Daemon, verb: str, arguments: Mapping[str, Any]) -> Any:
    """One verb; the result is plain JSON. Raises SriovError."""
    match verb:
        case "report":
            return host.report()
        case "run":
            return await _run(host, str(arguments["command"]))
        case "faults":
            await _switch_faults(host, daemon, Faults.from_json(arguments))
        case "hold":
            await host.holders.hold(arguments["interface"], arguments["index"], arguments["kind"], arguments["name"])
        case "release":
            await host.holders.release(arguments["interface"], arguments["index"], arguments["name"])
        case "count":
            host.holders.count(
                arguments["interface"], arguments["index"], arguments["counted"], arguments["per_second"]
            )
        case "reboot":
            host.spawn(host.reboot())
        case "host_key":
            daemon.change_host_key()
            await daemon.restart()
        case "drop":
            daemon.drop()
        case "restart":
            await host.systemd.stop(arguments["unit"])
            return await host.systemd.start(arguments["unit"])
        case "reset":
            host.machine.counts.reset()
    return None


async def _run(host: Host, command: str) -> dict[str, Any]:
    """A shell command as root: its `status`, `output` and `errors`, the latter two as Latin-1."""
    process = await asyncio.create_subprocess_exec(
        *host.machine.enter(), "/bin/sh", "-c", command,
        stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
        env={"PATH": PATH, "HOME": "/root", "USER": "root"},
    )  # fmt: skip
    output, errors = await process.communicate()
    return {"status": process.returncode, "output": output.decode("latin-1"), "errors": errors.decode("latin-1")}


async def _switch_faults(host: Host, daemon: Daemon, faults: Faults) -> None:
    was_silent = host.machine.faults.silent
    await host.set_faults(faults)
    if faults.silent != was_silent and host.is_up:
        await daemon.restart()
