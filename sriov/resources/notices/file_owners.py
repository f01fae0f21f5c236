"""Files of OpenStack's services that another program maintains: it may take our lines out again.

Said where a file is changed, and where it holds lines of ours. The work is done all the same.
"""

from __future__ import annotations

from collections.abc import Iterator

from sriov.facts.model import Facts
from sriov.formats.owners import owner_of
from sriov.resources.contract import Capability, Change, Item, Problem, Reboot, Request, Severity, WriteFile

_NAME = "file-owners"
_FOLDERS = ("/etc/nova/", "/etc/neutron/")


def _changes(
    request: Request, facts: Facts, items: tuple[Item, ...], earlier: tuple[Change, ...]
) -> Iterator[Change | Problem | Reboot]:
    written = {step.path for change in earlier for step in change.steps if isinstance(step, WriteFile)}
    for path, content in facts.files.items():
        if path.startswith(_FOLDERS) and (path in written or b"BEGIN sriov-fab" in content):
            owner = owner_of(content)
            if owner is not None:
                yield Problem(
                    "file-of-another-owner",
                    _NAME,
                    path,
                    f"by its header {owner.program} maintains this file, and may take our lines out again",
                    f"what lasts: {owner.lasting(path)}",
                    Severity.WARNING,
                )


CAPABILITY = Capability(_NAME, changes=_changes)
