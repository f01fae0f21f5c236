"""What an edit changed in a configuration file, in lines that are ours to show: the files hold passwords."""

from __future__ import annotations

import difflib
from collections.abc import Collection

from sriov.formats.oslo import blocks
from sriov.formats.oslo.document import read
from sriov.formats.oslo.options import ConfigFile, OptionName


def diff(before: ConfigFile, after: ConfigFile, names: Collection[OptionName]) -> tuple[str, ...]:
    """`--- path`, `+++ path`, then lines with `-` and `+`; empty where the two are equal.

    Only lines of ours in our blocks and of the options `names`, which we edit, are looked at: no other line can show,
    not even one that another program has put into a block.
    """
    if before.text == after.text:
        return ()
    old, new = _shown_lines(before, names), _shown_lines(after, names)
    lines = difflib.unified_diff(old, new, before.path, after.path, n=0, lineterm="")
    return tuple(line for line in lines if not line.startswith("@@"))


def _shown_lines(file: ConfigFile, names: Collection[OptionName]) -> list[str]:
    document = read(file.path, file.text, any_bytes=True)
    found = blocks.find(file.path, document.lines)
    numbers = {number for block in found for number in range(block.first, block.last + 1) if number not in block.others}
    for option in document.options:
        if OptionName(option.section, option.key) in names:
            numbers.update(range(option.first, option.last + 1))
    return [document.lines[number].decode("utf-8", "replace").rstrip("\r\n") for number in sorted(numbers)]
