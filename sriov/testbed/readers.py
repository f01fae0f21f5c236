"""Values that several keys of a testbed share: a dictionary, one by host or role, text, True or False."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import TypeVar

from sriov.errors import did_you_mean
from sriov.testbed.sources.source import FaultList, Keys
from sriov.testbed.wording import as_text, kind

T = TypeVar("T")
KeyFault = Callable[[object], tuple[str, str, str]]
"""(id, what, hint) for a key that a dictionary may not have; empty texts for one that it may have."""
ValueReader = Callable[[object, Keys, FaultList], T | None]
"""A value, its place and the faults so far, to what it means; None after a fault was noted."""


def read_mapping(value: object, at: Keys, hint: str, faults: FaultList) -> Mapping[object, object] | None:
    """The dictionary, with its keys and values unchecked; None after the fault was noted."""
    if isinstance(value, Mapping):
        return value
    faults.note("wrong-type", at, f"is {kind(value)}, not a dictionary", hint)
    return None


def read_by_name(
    value: object, at: Keys, hint: str, key_fault: KeyFault, read: ValueReader[T], faults: FaultList
) -> dict[str, T]:
    """What `read` makes of each value, by key: a host string, a role, a physical network.

    Faults come key by key in the order of the dictionary. Left out are keys with a fault (their values are not
    read) and values of which `read` makes None.
    """
    found: dict[str, T] = {}
    for key, one in (read_mapping(value, at, hint, faults) or {}).items():
        here = (*at, key)
        id, what, key_hint = key_fault(key)
        if id:
            faults.note(id, here, what, key_hint)
        elif (result := read(one, here, faults)) is not None:
            found[key if isinstance(key, str) else str(key)] = result
    return found


def one_of(names: Collection[str], what: str) -> KeyFault:
    """A check of keys against all names that may stand there; `what` is said of others, with the nearest name.

    `names` are host strings, or roles and host strings, as the key has it.
    """

    def fault(key: object) -> tuple[str, str, str]:
        if key in names:
            return "", "", ""
        return "unknown-host", what, did_you_mean(key, sorted(names))

    return fault


def read_text(value: object, at: Keys, faults: FaultList) -> str | None:
    """`str(value)`; None, after the fault was noted, for a value that Python cannot write as text."""
    text = as_text(value)
    if text is None:
        is_number = isinstance(value, int)
        faults.note(
            "wrong-type", at, "is a whole number with too many digits" if is_number else f"is {kind(value)}, not text"
        )
    return text


def read_flag(values: Mapping[str, object], name: str, faults: FaultList) -> bool:
    value = values.get(name, False)
    if not isinstance(value, bool):
        faults.note("wrong-type", (name,), f"is {kind(value)}, not True or False", "write True or False without quotes")
        return False
    return value
