"""What every JSON document begins with: the number of its format, and the version that wrote it. See docs/json.md."""

from __future__ import annotations

from typing import TypedDict

from sriov import __version__

FORMAT = 1
"""Keys only get added; where one had to go or to change its meaning, this number would rise."""


class Heading(TypedDict):
    format: int
    version: str


def heading() -> Heading:
    return Heading(format=FORMAT, version=__version__)
