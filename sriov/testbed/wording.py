"""How messages name a value of a testbed: its kind and its text."""

from __future__ import annotations

import re
from collections.abc import Mapping


def kind(value: object) -> str:
    """What a value is, in words an operator knows: `a list`, `text`, `a whole number`."""
    names: tuple[tuple[type | tuple[type, ...], str], ...] = (
        (bool, "True or False"),
        (str, "text"),
        (int, "a whole number"),
        (float, "a number with a fraction"),
        (Mapping, "a dictionary"),
        ((list, tuple), "a list"),
        ((set, frozenset), "a set"),
        (type(None), "None"),
    )
    return next((name for types, name in names if isinstance(value, types)), f"of type {type(value).__name__}")


def shown(value: object) -> str:
    """`value` as it may stand in a message: one line, at most 60 characters, no `user:password@host`."""
    try:
        text = repr(value)
    except Exception:  # of the operator's own class, or an int of more than 4300 digits
        return kind(value)
    if isinstance(value, str):
        text = repr(re.sub(r"^([^@:]*):.*@", r"\1:***@", value, flags=re.DOTALL))
    return text if len(text) <= 60 else f"{text[:56]}...{text[-1]}"


def as_text(value: object) -> str | None:
    """`str(value)`; None where Python gives none: an int of more than 4300 digits, an operator's own class."""
    try:
        return str(value)
    except Exception:
        return None
