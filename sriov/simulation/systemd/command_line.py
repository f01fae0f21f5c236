"""Exec lines of a service as systemd splits and expands them. Source: systemd.service(5) "COMMAND LINES"."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import NamedTuple

from .unit_file import Unit

ESCAPES = {"n": "\n", "t": "\t", "s": " ", "\\": "\\", '"': '"', "'": "'", "r": "\r", "a": "\a", "b": "\b"}


class Command(NamedTuple):
    """One Exec line: the words to execute; `ignores_failure` is the prefix `-`."""

    words: tuple[str, ...]
    ignores_failure: bool = False


def commands(unit: Unit, key: str = "ExecStart") -> tuple[Command, ...]:
    """The Exec lines of a service, specifiers and variables expanded. Raises ValueError for bad quoting."""
    pairs = [pair for value in unit.values("Service", "Environment") for pair in split_words(value)]
    environment = dict(pair.split("=", 1) for pair in pairs)
    found = []
    for value in unit.values("Service", key):
        bare = value.lstrip("-@:+!")
        prefix = value[: len(value) - len(bare)]
        words = [_specifiers(unit.name, word) for word in split_words(bare)]
        if ":" not in prefix:
            words = [piece for word in words for piece in _variables(word, environment)]
        found.append(Command(tuple(words), "-" in prefix))
    return tuple(found)


def _specifiers(name: str, word: str) -> str:
    stem = name.rsplit(".", 1)[0]
    prefix, _, instance = stem.partition("@")
    values = {"%": "%", "n": name, "N": stem, "i": instance, "I": instance.replace("-", "/"), "p": prefix}
    return re.sub(r"%(.)", lambda match: values.get(match[1], match[0]), word)


def _variables(word: str, environment: Mapping[str, str]) -> list[str]:
    """`$$` is a dollar; `${A}` within a word; `$A` as a whole word is split at blanks."""
    whole = re.fullmatch(r"\$([A-Za-z_]\w*)", word)
    if whole:
        return environment.get(whole[1], "").split()
    pattern = r"\$\$|\$\{([A-Za-z_]\w*)\}"
    return [re.sub(pattern, lambda match: environment.get(match[1], "") if match[1] else "$", word)]


def split_words(text: str) -> list[str]:
    r"""Words of a command line: '…' and "…" at a word's start group, `\x41`, `\n` … are escapes in and out of quotes.

    Raises ValueError for an open quote.
    """
    words: list[str] = []
    position = 0
    while position < len(text):
        if text[position].isspace():
            position += 1
            continue
        word, quote = "", ""
        while position < len(text) and (quote or not text[position].isspace()):
            character = text[position]
            if character == "\\" and position + 1 < len(text):
                piece, position = _escape(text, position + 1)
                word += piece
                continue
            if quote and character == quote:
                quote = ""
            elif not quote and character in "'\"":
                quote = character
            else:
                word += character
            position += 1
        if quote:
            raise ValueError("unbalanced quoting")
        words.append(word)
    return words


def _escape(text: str, position: int) -> tuple[str, int]:
    character = text[position]
    if character == "x" and re.match(r"[0-9a-fA-F]{2}", text[position + 1 :]):
        return chr(int(text[position + 1 : position + 3], 16)), position + 3
    return ESCAPES.get(character, "\\" + character), position + 1
