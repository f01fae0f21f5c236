"""The version of this program that a host is marked with: the newest one that has changed it.

A host that no run has changed, or that 1.0.0 has set up, bears no mark. What a newer version left there, an older one
does not know, and so it refuses to change the host. Pure.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sriov import __version__
from sriov.facts.model import Facts
from sriov.resources.contract import Problem, Request, Severity

if TYPE_CHECKING:
    from packaging.version import Version

VERSION_FILE = "/var/lib/sriov/version"  # one line, such as `1.1.0`
_NAME = "host"
_LONGEST = 64  # characters


def _parsed(version: str) -> Version | None:
    """Without the local part (`+g1a2b`), which says nothing of what a version leaves on a host; None: not a version."""
    from packaging.version import Version  # late: most hosts have the mark of this version, or none

    try:
        return Version(Version(version).public) if len(version) <= _LONGEST else None
    except ValueError:
        return None


def mark_due(facts: Facts, ours: str = __version__) -> str:
    """What a change has to mark the host with; empty where it bears this version's mark, or a newer one's."""
    mark = facts.values.get(VERSION_FILE, "")
    if not mark or mark == ours:
        return "" if mark else ours
    there, here = _parsed(mark), _parsed(ours)
    return "" if there is not None and here is not None and there >= here else ours


def problems(request: Request, facts: Facts, ours: str = __version__) -> tuple[Problem, ...]:
    """Why this version must not change the host: a newer one has. A mark that cannot be read is told."""
    mark = facts.values.get(VERSION_FILE)
    if mark is None or mark == ours:
        return ()
    there, here = _parsed(mark), _parsed(ours)
    if there is None:
        return (
            Problem(
                "version-unreadable",
                _NAME,
                VERSION_FILE,
                f"it does not hold a version: wanted a line such as {ours!r}, found {mark[:40]!r}",
                "if no newer version than this one has set the host up, remove the file; the next change writes it",
                Severity.WARNING,
            ),
        )
    if here is None or there <= here:
        return ()
    if request.force_version:
        hint, severity = "--force-version was given: the host is changed all the same", Severity.WARNING
    else:
        hint = f"use sriov-fab {mark} or newer; --force-version changes the host with this version all the same"
        severity = Severity.IMPOSSIBLE
    message = f"a newer version has set this host up: wanted at most {ours}, found {mark}"
    return (Problem("newer-version", _NAME, VERSION_FILE, message, hint, severity),)
