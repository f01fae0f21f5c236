"""From a plan to the script that changes the host, and the bytes that it reads. Pure."""

from __future__ import annotations

import json
import shlex
import time
from collections.abc import Iterator
from typing import NamedTuple

from sriov import __version__
from sriov.facts.model import ABSENT, checksum
from sriov.planning import nova_checks
from sriov.planning.host_version import VERSION_FILE
from sriov.planning.plan import Plan
from sriov.planning.probe import look
from sriov.rendering.quoting import Verbatim
from sriov.rendering.templates import render_once
from sriov.resources.contract import PURGE, Change, Command, RemoveFile, Request, RestoreFile, Step, WriteFile
from sriov.transport import Script

RUNS_KEPT = 20


class _LoggedStep(NamedTuple):
    command: tuple[str, ...]
    begins: bool  # a change
    log: str


def apply(
    request: Request, plan: Plan, nonce: str, *, run_id: str, who: str, may_reboot: bool, with_instances: bool = False
) -> Script:
    """Execution 2: lock, the plan's steps, the probe again; with `may_reboot` it then waits for `reboot` or the end."""
    steps = tuple(_logged(request, plan, run_id, who))
    payload = _staged(plan)
    text = render_once(
        "apply.sh",
        run_id=run_id,
        who=who,
        since=time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime()),
        payload_size=len(payload),
        steps=steps,
        nova_checks=nova_checks.due(plan),
        nova_reader=nova_checks.reader(),
        restarts=tuple(logged.command[1] for logged in steps if logged.command[0] == "restart"),
        may_reboot=may_reboot,
        with_instances=with_instances,
        runs_kept=RUNS_KEPT,
        rollback=request.rollback,
        version=plan.version,
        version_file=VERSION_FILE,
        probe=Verbatim(look(request, own_lock=True)),
    )
    return Script(f"nonce={nonce}\n{text}".encode(), payload)


def _logged(request: Request, plan: Plan, run_id: str, who: str) -> Iterator[_LoggedStep]:
    """Each step as words for the shell; the last one of a change carries the line of the log."""
    for change in plan.changes:
        for step in change.steps:
            first, last = step is change.steps[0], step is change.steps[-1]
            keeps_log = last and _words(step) != (PURGE,)
            yield _LoggedStep(_words(step), first, log_line(request, change, run_id, who) if keeps_log else "")


def _words(step: Step) -> tuple[str, ...]:
    if isinstance(step, Command):
        return step.words
    return ("remove_file" if isinstance(step, RemoveFile) else "write_file", step.path, step.found)


def _staged(plan: Plan) -> bytes:
    """Calls of `stage` and what fills the new files; in braces, so that the shell runs nothing of a part."""
    calls: list[bytes] = []
    new: dict[str, list[str]] = {}
    for number, (_, step) in enumerate(plan.steps):
        if isinstance(step, WriteFile):
            calls.append(_call("stage", number, step.path, step.found, checksum(step.content)))
            calls.append(b"fill " + _printf_format(step.content))
            if step.found == ABSENT:
                new.setdefault(step.mode, []).append(step.path)
        elif isinstance(step, RestoreFile):
            calls.append(_call("stage", number, step.path, step.found, step.content))
            calls.append(_call("fill_from", step.run, step.number, step.found, step.content))
        elif isinstance(step, RemoveFile):
            calls.append(_call("stage", number, step.path, step.found, ABSENT))
    calls += [_call("modes", mode, *paths) for mode, paths in new.items()]
    return b"\n".join([b"{", *calls, b"settle", b"}\n"]) if calls else b""


def _call(function: str, *words: object) -> bytes:
    return shlex.join([function, *map(str, words)]).encode()


def _printf_format(content: bytes) -> bytes:
    r"""One word of sh: the format that printf(1) writes as `content`. Any byte may stand in it, as `\0` too."""
    text = content.replace(b"\\", b"\\\\").replace(b"%", b"%%").replace(b"\0", b"\\000")
    return b"'" + text.replace(b"'", b"'\"'\"'") + b"'"


def log_line(request: Request, change: Change, run_id: str, who: str) -> str:
    """One line of JSON: when, who, by which version, run, what, and our own lines before and after."""
    return json.dumps(
        {
            "time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
            "run": run_id,
            "who": who,
            "version": __version__,
            "host": request.host.name,
            "resource": change.resource,
            "target": change.target,
            "found": change.found,
            "wanted": change.wanted,
            "effect": change.effect.value,
            "diff": change.diff,
        }
    )
