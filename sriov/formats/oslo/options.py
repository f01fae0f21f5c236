"""What nova reads in the end from several files: order and precedence of options with aliases.

As `oslo_config.cfg._Namespace._get_file_value` does it. A MultiStrOpt joins the values of all files in their
order; inside a file the oldest alias comes first, at any place in it. A ListOpt takes the last file that has
it under any name, there the first of its names that is set, and of that the last assignment.
"""

from __future__ import annotations

from typing import NamedTuple

from sriov.formats.oslo.document import Document, Option

_TRUE = frozenset(("true", "1", "on", "yes"))


class OptionName(NamedTuple):
    """Section and key of an option, such as `OptionName("pci", "device_spec")`."""

    section: str
    key: str

    def __str__(self) -> str:
        return f"[{self.section}] {self.key}"

    @property
    def variable(self) -> str:
        """Its name in a service's environment (`oslo_config/sources/_environment.py`)."""
        return f"OS_{self.section.upper()}__{self.key.upper()}"


class ConfigFile(NamedTuple):
    """A file and the programs (such as `nova-compute`) that read it. Their order is that in which these read them."""

    path: str
    text: bytes
    readers: frozenset[str]


class Assignment(NamedTuple):
    """An assignment and where it stands; `place` is for messages: `/etc/nova/nova.conf:12`."""

    document: Document
    name: OptionName
    option: Option

    @property
    def place(self) -> str:
        return f"{self.document.path}:{self.document.numbers[self.option.first]}"


def _settings(document: Document, name: OptionName) -> tuple[Assignment, ...]:
    return tuple(Assignment(document, name, option) for option in document.options_named(name.section, name.key))


def joined(documents: tuple[Document, ...], names: tuple[OptionName, ...]) -> tuple[Assignment, ...]:
    """All assignments of a MultiStrOpt, in the order in which nova gets the values."""
    return tuple(setting for document in documents for name in reversed(names) for setting in _settings(document, name))


def winning(documents: tuple[Document, ...], names: tuple[OptionName, ...]) -> Assignment | None:
    """The one assignment of a ListOpt (or any single option) that counts, None where none is set."""
    for document in reversed(documents):
        for name in names:
            settings = _settings(document, name)
            if settings:
                return settings[-1]
    return None


def items(value: str) -> tuple[str, ...]:
    """A ListOpt's items, as `oslo_config.types.List` parts them: `A, B,` is `A` and `B`; `A,,B` has an empty one."""
    text = value.strip().rstrip(",")
    return tuple(item.strip() for item in text.split(",")) if text else ()


def is_true(value: str) -> bool:
    """A BoolOpt's value, as `oslo_config.types.Boolean` reads it."""
    return value.lower() in _TRUE
