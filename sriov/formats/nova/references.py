"""References (`$name`) in values of nova's options: what nova reads for them."""

from __future__ import annotations

from sriov.formats.nova import releases
from sriov.formats.oslo.document import Document
from sriov.formats.oslo.options import OptionName
from sriov.formats.oslo.substitution import Reading, following

_HOST_DEFAULTS = frozenset(
    ("host", "my_ip", "my_block_storage_ip", "state_path", "pybasedir", "bindir", "instances_path")
)
"""Options of [DEFAULT] that have, where no file sets them, a value that differs from host to host."""


def reading(documents: tuple[Document, ...], option: OptionName) -> Reading:
    """How a service that reads these files gets the values of that option, under whatever name they stand."""
    return following(documents, option.section, releases.ALL_NAMES, _HOST_DEFAULTS)
