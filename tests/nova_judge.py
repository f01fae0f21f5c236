"""nova's own code, in an environment of its own, as judge of ours."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sriov.scheduling.pci_rules import Hardware

HERE = Path(__file__).parent / "nova"


@dataclass(frozen=True)
class Case:
    """A host as nova would find it, and what is asked of it: (physical network, number of direct ports)."""

    hardware: Hardware
    whitelist: tuple[str, ...]
    requests: tuple[tuple[str, int], ...]
    allocated: tuple[str, ...] = ()

    def to_json(self) -> Mapping[str, object]:
        return {
            "devices": [
                {
                    "address": device.address,
                    "vendor": device.vendor,
                    "product": device.product,
                    "kind": device.kind.value,
                    "parent": device.parent,
                }
                for device in self.hardware.devices
            ],
            "names": dict(self.hardware.names),
            "whitelist": self.whitelist,
            "allocated": self.allocated,
            "requests": self.requests,
        }


@dataclass(frozen=True)
class Verdict:
    """`error`: why nova-compute would not start. `takers`: the entry that takes each device. `passes`: per request."""

    error: str
    takers: tuple[int | None, ...]
    passes: tuple[bool, ...]


@dataclass(frozen=True)
class Reading:
    """What nova makes of files: `error`, or for each device the tags of the entry that takes it (None: none does)."""

    error: str
    tags: tuple[Mapping[str, object] | None, ...]


def python() -> str:
    """The Python that has nova; made at first need. Raises CalledProcessError where it cannot be had."""
    return _installed()


def _installed(*words: str) -> str:
    made = subprocess.run(["sh", str(HERE / "install.sh"), *words], stdout=subprocess.PIPE, text=True, check=True)
    return made.stdout.strip()


def verdicts(interpreter: str, cases: Iterable[Case]) -> Sequence[Verdict]:
    """What nova says of each case; one process for all of them."""
    answers = _answers(interpreter, "judge.py", "".join(json.dumps(case.to_json()) + "\n" for case in cases))
    return [Verdict(one["error"], tuple(one["takers"]), tuple(one["passes"])) for one in answers]


def readings(release: int, cases: Iterable[tuple[Hardware, Sequence[str]]]) -> Sequence[Reading]:
    """What nova 23 or 34 makes of the files of each host."""
    alone = "" if release == 34 else _installed(str(release))
    lines = "".join(
        json.dumps({**Case(hardware, (), ()).to_json(), "files": list(files)}) + "\n" for hardware, files in cases
    )
    return [Reading(one["error"], tuple(one["tags"])) for one in _answers(python(), "whitelist_judge.py", lines, alone)]


def _answers(interpreter: str, program: str, lines: str, path: str = "") -> list[Any]:
    inside = 'mount -t tmpfs none /sys && exec "$@"'
    # root is not needed where user namespaces are allowed
    namespaces = ["unshare", "--map-root-user", "--mount", "--propagation", "private"]
    done = subprocess.run(
        [*namespaces, "sh", "-euc", inside, "sh", interpreter, "-W", "ignore", str(HERE / program)],
        input=lines,
        stdout=subprocess.PIPE,
        text=True,
        check=True,
        timeout=900,
        env={**os.environ, "PYTHONPATH": path},
    )
    return [json.loads(line) for line in done.stdout.splitlines()]
