"""Our entries as a charm's nova.conf takes them: one JSON list on one line.

The charm nova-compute read that file itself with a parser that two lines of one name broke (charm bug 2120507, until
2025-08), and its option for the whitelist is such a list. nova reads both forms alike since 2015.1.
"""

from __future__ import annotations

from sriov.formats.oslo.document import Document
from sriov.formats.owners import JUJU, owner_of


def takes_one_list(document: Document, release: int) -> bool:
    """Whether the entries in this file are to be one list on one line; nova 10 reads no list."""
    owner = owner_of(b"".join(document.lines)) if release > 10 else None
    return owner is not None and owner.program == JUJU


def one_list(entries: tuple[str, ...]) -> tuple[str, ...]:
    """The value for entries as the file must hold them; none without entries."""
    return (f"[{', '.join(entries)}]",) if entries else ()
