"""Lists of ours of which a part stays: each thing where it stood, so that no byte changes without need."""

from __future__ import annotations

from collections.abc import Sequence


def in_place(wanted: Sequence[str], staying: Sequence[str], present: Sequence[str]) -> tuple[str, ...]:
    """`wanted`, and between them what stays: each behind the nearest thing that stood before it in `present`."""
    found = list(wanted)
    for number, one in enumerate(present):
        if one in staying and one not in found:
            before = next((found.index(other) for other in reversed(present[:number]) if other in found), -1)
            found.insert(before + 1, one)
    return tuple(found)
