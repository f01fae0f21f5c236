"""The systemd unit that makes the virtual functions of a port at every boot: its name, its file, its text.

All such units of a host call one script, which stands beside them.
"""

from __future__ import annotations

import re

from sriov.facts.model import Facts
from sriov.rendering import quoting
from sriov.rendering.plain import filled
from sriov.resources import vf_script
from sriov.resources.contract import Change, Command

PREFIX = "sriov-vfs-"
_FOLDER = "/etc/systemd/system/"
FILES = f"{_FOLDER}{PREFIX}*.service"
_COUNT = re.compile(r"^Description=(\d+) ", re.MULTILINE)
# who looks at VFs: nova bug 1892361 - a compute service that saw the PF without VFs keeps stale pools
_BEFORE = (
    "nova-compute.service",
    "openstack-nova-compute.service",
    "neutron-sriov-agent.service",
    "neutron-sriov-nic-agent.service",
    "supervisor-vrouter.service",
    "contrail-vrouter-agent.service",
)


def name_of(interface: str) -> str:
    return f"{PREFIX}{quoting.unit_name(interface)}"


def path_of(interface: str) -> str:
    return f"{_FOLDER}{name_of(interface)}.service"


def text_of(interface: str, num_vfs: int) -> bytes:
    return filled(
        "sriov-vfs.service",
        interface=interface,
        name=quoting.Verbatim(quoting.plain(interface)),
        script=vf_script.PATH,
        device=quoting.unit_name(interface),
        num_vfs=num_vfs,
        before=" ".join(_BEFORE),
    ).encode()


def num_vfs_of(text: str) -> int | None:
    """How many VFs a unit of ours makes, this version's or an earlier one's; None where its text does not tell."""
    found = _COUNT.search(text)
    return int(found[1]) if found else None


def calls_script(text: str) -> bool:
    return f"ExecStart=/bin/sh {vf_script.PATH} " in text


def touches_vfs(change: Change) -> bool:
    """Whether its steps make or take VFs, or their unit. Another text of a unit that has run does neither."""
    commands = (step.words[0] for step in change.steps if isinstance(step, Command))
    return any(word in ("clear_vfs", "start_unit", "stop_unit") for word in commands)


def interface_of(path: str, facts: Facts) -> str:
    """The port that a unit file of ours is for, also if it is not there any more; empty for any other path."""
    if not path.startswith(_FOLDER + PREFIX):
        return ""
    if path not in facts.files:
        return quoting.from_unit_name(path.removeprefix(_FOLDER + PREFIX).removesuffix(".service"))
    text = facts.text(path)
    return next((line[12:].strip() for line in text.split("\n") if line.startswith("# interface ")), "")


def diff(path: str, before: bytes | None, after: bytes | None) -> tuple[str, ...]:
    """The lines that say how many VFs or, where that stays, how they are made; empty where the file stays."""
    if before == after:
        return ()
    key = "Description=" if _lines(before, "Description=") != _lines(after, "Description=") else "ExecStart="
    old, new = _lines(before, key), _lines(after, key)
    if old == new:
        return (f"--- {path}",)
    return (f"--- {path}", *(f"-{line}" for line in old), *(f"+{line}" for line in new))


def _lines(text: bytes | None, key: str) -> tuple[str, ...]:
    lines = (text or b"").decode(errors="replace").split("\n")
    return tuple(line.strip() for line in lines if line.startswith(key))
