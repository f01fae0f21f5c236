"""The text of our file in /etc/default/grub.d, which the shell of grub-mkconfig reads."""

from __future__ import annotations

import functools
import re
import shlex
from collections.abc import Iterable

from sriov.formats.kernel_arguments import KernelArgument, Removal, parse, removals
from sriov.rendering.plain import filled
from sriov.rendering.quoting import Verbatim, plain

# how a text of ours adds an argument: this version's, and that of 1.0.0
_ADDED = re.compile(
    r"""^(?:GRUB_CMDLINE_LINUX_DEFAULT="\$GRUB_CMDLINE_LINUX_DEFAULT "|sriov_want )('.*)$""", re.MULTILINE
)


@functools.lru_cache(maxsize=128)  # alike hosts have the same text
def drop_in_arguments(text: str) -> tuple[KernelArgument, ...]:
    """What such a text brings, in its order; of one that another program has rewritten, nothing."""
    try:
        return parse(shlex.split(line)[0] for line in _ADDED.findall(text))
    except ValueError:  # a quote without its other
        return ()


def drop_in_text(wanted: Iterable[KernelArgument]) -> bytes:
    """Whatever stands on the host's own lines, now or later, it brings `wanted`."""
    ours = tuple(wanted)
    gone = removals(ours)
    judgements = [*(_judged(one) for one in gone if not one.word), *(_judged(one) for one in gone if one.word)]
    line = "GRUB_CMDLINE_LINUX_DEFAULT"
    additions = [f'{line}="${line} "{_quoted(str(argument))}\n' for argument in ours]
    values = {"judgements": Verbatim("".join(judgements)), "additions": Verbatim("".join(additions))}
    return filled("grub-drop-in.cfg", **values).encode()


def _judged(one: Removal) -> str:
    """The line of `case` that empties such a token, or takes words off it."""
    name = _pattern(one.name)
    if one.word:
        word = _quoted(one.word)
        return f"        {name}={word}* | {name}=*,{word}*) sriov_strip {word} ;;\n"
    return f"        {name}={'*' if one.value is None else _quoted(one.value)}) sriov_token= ;;\n"


def _pattern(name: str) -> str:
    """`-` and `_` are one to the kernel."""
    return _quoted(name).replace("-", "_").replace("_", "'[-_]'")


def _quoted(text: str) -> str:
    """In single quotes always, for these words stand beside patterns."""
    return "'" + plain(text).replace("'", "'\\''") + "'"
