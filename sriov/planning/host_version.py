"""The version of this program that a host is marked with: the newest one that has changed it.

A host that no run has changed, or that 1.0.0 has set up, bears no mark. What a newer version left there, an older one
does not know, and so it refuses to change the host. Pure.
"""

from __future__ import annotations

import re

from sriov import __version__
from sriov.facts.model import Facts
from sriov.resources.contract import Problem, Request, Severity

VERSION_FILE = "/var/lib/sriov/version"  # one line, such as `1.1.0`
_NAME = "host"
_PHASES = ("a", "b", "rc")
_FINAL = len(_PHASES)
# what PEP 440 calls normalized, without epochs: there are none here
_VERSION = re.compile(
    r"(?P<release>\d{1,9}(?:\.\d{1,9}){0,9})(?:(?P<phase>a|b|rc)(?P<number>\d{1,9}))?"
    r"(?:\.post(?P<post>\d{1,9}))?(?:\.dev(?P<dev>\d{1,9}))?(?:\+[a-z0-9.]{1,64})?",
    re.ASCII,
)

Order = tuple[tuple[int, ...], tuple[int, int], int, float]


def order(version: str) -> Order | None:
    """What versions sort by, as PEP 440 has it: 1.9 < 1.10.dev1 < 1.10rc1 < 1.10 = 1.10.0 < 1.10.post1.

    None for what is no version. A local part (`+g1a2b`) does not count.
    """
    found = _VERSION.fullmatch(version)
    if found is None:
        return None
    release = [int(number) for number in found["release"].split(".")]
    while len(release) > 1 and not release[-1]:
        del release[-1]
    post = -1 if found["post"] is None else int(found["post"])
    dev = float("inf") if found["dev"] is None else int(found["dev"])
    if found["phase"]:
        phase = (_PHASES.index(found["phase"]), int(found["number"]))
    else:
        phase = (_FINAL, 0) if post >= 0 or found["dev"] is None else (-1, 0)
    return tuple(release), phase, post, dev


def mark_due(facts: Facts, ours: str = __version__) -> str:
    """What a change has to mark the host with; empty where it bears this version's mark, or a newer one's."""
    there, here = order(facts.values.get(VERSION_FILE, "")), order(ours)
    return "" if there is not None and here is not None and there >= here else ours


def problems(request: Request, facts: Facts, ours: str = __version__) -> tuple[Problem, ...]:
    """Why this version must not change the host: a newer one has. A mark that cannot be read is told."""
    mark = facts.values.get(VERSION_FILE)
    if mark is None:
        return ()
    there, here = order(mark), order(ours)
    if there is None:
        return (
            Problem(
                _NAME,
                VERSION_FILE,
                f"it holds no version: wanted a line such as {ours!r}, found {mark[:40]!r}",
                "if no newer version than this one has set the host up, remove the file; the next change writes it",
                Severity.WARNING,
            ),
        )
    if here is None or there <= here:
        return ()
    if request.force_version:
        hint, severity = "--force-version was said: the host is changed all the same", Severity.WARNING
    else:
        hint = f"use sriov-fab {mark} or newer; --force-version changes the host with this version all the same"
        severity = Severity.IMPOSSIBLE
    message = f"a newer version has set this host up: wanted at most {ours}, found {mark}"
    return (Problem(_NAME, VERSION_FILE, message, hint, severity),)
