"""Our entries as a charm's nova.conf takes them: one JSON list on one line.

The charm nova-compute read that file itself with a parser that two lines of one name broke (charm bug 2120507, until
2025-08), and its option for the whitelist is such a list. nova reads both forms alike since 2015.1.
"""

from __future__ import annotations

from sriov.formats.oslo.document import Document
from sriov.formats.owners import JUJU, owner_of


def values(document: Document, entries: tuple[str, ...], release: int) -> tuple[str, ...]:
    """The values to write into this file, for entries as the file must hold them; nova 10 reads no list."""
    if release == 10:
        return entries
    owner = owner_of(b"".join(document.lines))
    if owner is None or owner.program != JUJU or not entries:
        return entries
    return (f"[{', '.join(entries)}]",)
