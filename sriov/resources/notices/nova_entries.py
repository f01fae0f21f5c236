"""What nova-compute would make of the whitelist as it shall be: all its entries, on the devices of this host."""

from __future__ import annotations

from collections.abc import Iterator

from sriov.facts.model import Facts
from sriov.formats.nova.starting import killers
from sriov.formats.nova.starting.killers import Interface
from sriov.formats.oslo.options import ConfigFile
from sriov.resources.contract import Problem, Severity

_NAME = "nova-options"
_WHERE = "nova's files"


def problems(facts: Facts, files: tuple[ConfigFile, ...], release: int, *, vfs_change: bool) -> Iterator[Problem]:
    """`files` as they shall be. `vfs_change`: interfaces of VFs may come in this run."""
    all_present = bool(facts.netdevs) and not vfs_change
    found = killers.findings(files, release, "nova-compute", _interfaces(facts), all_present=all_present)
    for words in found.refusals:
        yield Problem("nova-options-refused", _NAME, _WHERE, words, "correct this line and run again")
    for words in found.warnings:
        hint = "remove the tag, unless there is a reason for it"
        yield Problem("whitelist-tag-overrides", _NAME, _WHERE, words, hint, Severity.WARNING)


def _interfaces(facts: Facts) -> tuple[Interface, ...]:
    products = {port.interface: (port.device, port.vf_device) for port in facts.ports}
    return tuple(
        Interface(one.interface, one.device, one.is_physical_function, products.get(one.interface, ("", "")))
        for one in facts.netdevs
    )
