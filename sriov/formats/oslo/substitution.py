"""References in values: what `$name`, `${name}` and `${group.name}` stand for.

As `ConfigOpts._substitute` and its `StrSubWrapper` do it (oslo.config 10.7): a name without a dot is an option of the
referring option's own group or, where that has none, of [DEFAULT]; `$$` and `\\$` are a dollar; any other dollar stays.
A dot belongs to the name, so `$host.` names an option of a group `host`. Values are followed as text. An option that
no file sets has the program's default, which is not known here.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Collection

from sriov.formats.oslo.document import Document
from sriov.formats.oslo.options import OptionName

_NAME = r"[_a-z][._a-z0-9]*"
_DOLLAR = re.compile(rf"\$(?:(?P<escaped>\$)|(?P<plain>{_NAME})|{{(?P<braced>{_NAME})}})", re.IGNORECASE)
_MOST_DEEP, _MOST_TEXT = 16, 1 << 20  # a host's file must not cost unbounded time or memory here

Reading = Callable[[str], str]
"""From a value as it is written to what its program gets; UnknownReferenceError where it gets none or none is known."""


class UnknownReferenceError(ValueError):
    """A reference that cannot be followed; the text says which, and stands in messages behind the place."""


def following(
    documents: tuple[Document, ...],
    group: str,
    unusable: Collection[OptionName] = (),
    by_host: Collection[str] = (),
) -> Reading:
    """The reading of values of an option in `group`, over all files that the program reads, in its order.

    `unusable` are options that give no text: lists (Python's writing of a list), and old names (no option at all).
    `by_host` are options of [DEFAULT] whose default depends on the host: unset, their reference stays as it is written.
    """
    left = _MOST_TEXT

    @functools.cache
    def values() -> dict[OptionName, str]:  # needed by few files; of several assignments the last one counts
        return {OptionName(o.section, o.key): o.value for document in documents for o in document.options}

    def read(value: str, group: str, passed: tuple[OptionName, ...] = ()) -> str:
        def text_of(match: re.Match[str]) -> str:
            nonlocal left
            if match["escaped"]:
                return "$"
            name = match["plain"] or match["braced"]
            option = next((one for one in _candidates(name, group) if one in values()), None)
            if option is None and name in by_host:
                return match[0]
            reason = _obstacle(option, passed, unusable) if option else "no file sets an option of that name"
            if option is None or reason:
                raise UnknownReferenceError(
                    f"a reference {match[0][:80]} that cannot be followed: {reason} ($$ is a dollar)"
                )
            text = read(values()[option], option.section, (*passed, option))
            left -= len(text) + 1
            if left < 0:
                raise UnknownReferenceError("references to too much text")
            return text

        return _DOLLAR.sub(text_of, value.replace("\\$", "$$"))

    return lambda value: read(value, group)


def _candidates(name: str, group: str) -> tuple[OptionName, ...]:
    section, dot, key = name.partition(".")
    if dot:
        return () if section == "DEFAULT" else (OptionName(section, key),)
    return OptionName(group, name), OptionName("DEFAULT", name)


def _obstacle(option: OptionName, passed: tuple[OptionName, ...], unusable: Collection[OptionName]) -> str:
    if option in passed:
        return "it leads back to itself"
    if option in unusable:
        return f"{option} is a list, or an old name"
    return f"more than {_MOST_DEEP} references lie behind it" if len(passed) >= _MOST_DEEP else ""
