"""Which lines of a marked block are ours, and which another program has put between them.

crudini and the ini modules of deployers add an option behind the last one of its section, so inside of our marks. The
checksum behind END is that of our lines: the lines without which it is right are not ours. Where none fits, one of our
own lines was edited, or an older release has written no checksum: then an option is ours if it is the block's own.
"""

from __future__ import annotations

import functools
import itertools
import re
import zlib
from collections.abc import Collection, Iterator
from typing import NamedTuple

_KEY = re.compile(rb"([^\s=:][^=:]*?)\s*[=:]")
_MOST_SUBSETS, _MOST_RUNS, _LAST = 12, 64, 8  # so many checksums at most: 4,096, 2,080, 8


class Shares(NamedTuple):
    """Positions in the block's lines: `ours`, and `others`. `edited`: the checksum fits no choice of lines."""

    ours: tuple[int, ...]
    others: tuple[int, ...]
    edited: bool


def checksum(body: Collection[bytes]) -> bytes:
    """Blanks around a line and its line end do not count."""
    return b"%08x" % zlib.crc32(b"\n".join(line.strip() for line in body))


@functools.lru_cache(maxsize=64)
def shares(body: tuple[bytes, ...], wanted: bytes | None, keys: tuple[str, ...], *, mixed: bool) -> Shares:
    """`body` are the lines between the marks; `wanted` the checksum behind END, None if there is none.

    `mixed`: options of the block's own names may be of others too. They are not where a list has one value.
    """
    units = _units(body)
    own = tuple(unit for unit in units if _is_own(body, unit, keys))
    for choice in itertools.chain((tuple(units), own), _choices(own) if mixed else ()) if wanted else ():
        ours = tuple(itertools.chain.from_iterable(choice))
        if checksum([body[line] for line in ours]) == wanted:
            return _shares(body, ours, edited=False)
    return _shares(body, tuple(itertools.chain.from_iterable(own)), edited=True)


def _shares(body: tuple[bytes, ...], ours: tuple[int, ...], *, edited: bool) -> Shares:
    taken = set(ours)
    return Shares(ours, tuple(line for line in range(len(body)) if line not in taken), edited)


def _units(body: tuple[bytes, ...]) -> list[tuple[int, ...]]:
    """Lines with those that continue them."""
    units: list[tuple[int, ...]] = []
    for number, line in enumerate(body):
        if units and line.startswith((b" ", b"\t")) and line.strip():
            units[-1] = (*units[-1], number)
        else:
            units.append((number,))
    return units


def _is_own(body: tuple[bytes, ...], unit: tuple[int, ...], keys: Collection[str]) -> bool:
    """An option of the block, or the section header with which it begins."""
    first = body[unit[0]]
    if unit[0] == 0 and first.startswith(b"["):
        return True
    key = _KEY.match(first)
    return key is not None and key[1].decode("utf-8", "replace") in keys


def _choices(units: tuple[tuple[int, ...], ...]) -> Iterator[tuple[tuple[int, ...], ...]]:
    """All of them; all but a run of them; of few, every choice; of many, all but the last ones."""
    count = len(units)
    if count > _MOST_RUNS:
        yield from (units[: count - length] for length in range(_LAST + 1))
        return
    for length in range(count + 1):
        for start in range(count - length, -1, -1):
            yield (*units[:start], *units[start + length :])
    if count <= _MOST_SUBSETS:
        for size in range(count - 2, -1, -1):
            yield from itertools.combinations(units, size)
