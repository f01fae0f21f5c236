"""Entries of the whitelist of PCI devices: what we write, and what nova takes for one.

What an entry may be is told by `nova/pci/whitelist.py` and `nova/pci/devspec.py`: a JSON object or a list of
them, by `devname` or by `address` (a string with blanks for "any", or an object of regular expressions), with
or without `vendor_id` and `product_id`. The first entry that matches a device wins.
"""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Mapping
from typing import NamedTuple

from sriov.formats.oslo.document import Document, escape, unescape
from sriov.formats.oslo.options import OptionName, is_true, winning
from sriov.formats.oslo.substitution import Reading

Entry = Mapping[str, object]
ANY = re.compile(".*")
_BOOLEAN_TAGS = {"managed": 31, "live_migratable": 31, "one_time_use": 32}  # since which release nova parses them
_BOOLEANS = frozenset(("1", "t", "true", "on", "y", "yes", "0", "f", "false", "off", "n", "no"))  # oslo_utils.strutils


class DeviceSpec(NamedTuple):
    """One entry wanted: a port by `devname` (`eth0`), or a function by `address` (`0000:81:10.0`), not both.

    `interface` is the port's kernel name where the entry goes by address. `covers` are the PCI addresses of the port
    and of its VFs, those that the host keeps among them; `ids` the `vendor:product` (`8086:10ca`) of the port and of a
    VF, as far as known; `netdevs` the names of further network interfaces on these devices, each with its address. By
    all of them it is told what entries of others say of the same devices. `trusted` None leaves that tag out.
    `standing`: the entry as it stands in the file, where it stays as it is.
    """

    physical_network: str
    devname: str = ""
    address: str = ""
    trusted: bool | None = None
    covers: tuple[str, ...] = ()
    interface: str = ""
    ids: tuple[str, ...] = ()
    netdevs: tuple[tuple[str, str], ...] = ()
    standing: str = ""

    @property
    def label(self) -> str:
        return self.devname or self.address


def value_of(spec: DeviceSpec) -> str:
    """The JSON that nova is to read: `{"devname": "eth0", "physical_network": "physnet1"}`."""
    entry = {"devname": spec.devname} if spec.devname else {"address": spec.address}
    entry["physical_network"] = spec.physical_network
    if spec.trusted is not None:
        entry["trusted"] = "true" if spec.trusted else "false"
    return json.dumps(entry)


def line_value(spec: DeviceSpec) -> str:
    """The same as the file holds it."""
    return spec.standing or written(value_of(spec))


def written(text: str) -> str:
    """JSON as the file must hold it: oslo.config takes `\\$` for an escape, so the dollar goes as a code there."""
    return text.replace("$", "\\u0024") if "\\$" in text else escape(text)


def entries_of(value: str, release: int, read: Reading = unescape) -> tuple[tuple[Entry, ...], tuple[Entry, ...]]:
    """The objects of a value, as written (with `$$` and references) and as nova gets them, by `read`.

    ValueError says why nova dies of it.
    """
    written, text = value.replace("\\$", "$$"), read(value)
    plain = _objects(text)
    raw = _objects(written) if text == unescape(value) else _written_objects(written, text, len(plain))
    if release == 10 and text.lstrip().startswith("["):
        raise ValueError("a JSON list, which this release does not read: one object for each line")
    for entry in plain:
        _check(entry, release)
    return raw, plain


def _written_objects(written: str, text: str, count: int) -> tuple[Entry, ...]:
    """As they are written; where a reference stands for more than a word, as they could be written without it."""
    try:
        found = _objects(written)
    except ValueError:
        return _objects(escape(text))
    return found if len(found) == count else _objects(escape(text))


def _objects(text: str) -> tuple[Entry, ...]:
    if not text.strip():
        raise ValueError("an empty value")
    try:
        parsed = json.loads(text)
    except ValueError:
        raise ValueError("a value that is not JSON") from None
    found = parsed if isinstance(parsed, list) else [parsed]
    if not all(isinstance(entry, dict) for entry in found):
        raise ValueError("a value that is neither a JSON object nor a list of them")
    return tuple(found)


def _check(entry: Entry, release: int) -> None:
    if entry.get("address") and entry.get("devname"):
        raise ValueError("an entry with both address and devname")
    identity_patterns(entry)
    address_patterns(entry)
    for tag, since in _BOOLEAN_TAGS.items():
        value = entry.get(tag)
        if release >= since and value is not None and str(value).strip().lower() not in _BOOLEANS:
            raise ValueError(f"an entry whose {tag} is neither true nor false")


def identity_patterns(entry: Entry) -> tuple[re.Pattern[str], re.Pattern[str]]:
    """Patterns for vendor and product; ValueError as nova refuses them."""
    patterns = []
    for key in ("vendor_id", "product_id"):
        value = entry.get(key, "*")
        if not isinstance(value, str):
            raise ValueError(f"an entry whose {key} is not a string")
        patterns.append(_field(value.strip(), 4, 0xFFFF, key))
    return patterns[0], patterns[1]


def address_patterns(entry: Entry) -> tuple[re.Pattern[str], ...]:
    """Patterns for domain, bus, slot and function; empty for an entry by devname. ValueError as nova refuses it."""
    if entry.get("devname"):
        return ()
    address = entry.get("address") or "*:*:*.*"
    if isinstance(address, dict):
        parts = [address.get(key, ".*") for key in ("domain", "bus", "slot", "function")]
        try:
            return tuple(re.compile(part) for part in parts)
        except (re.error, TypeError):
            raise ValueError("an entry whose address is not a regular expression") from None
    if not isinstance(address, str):
        raise ValueError("an entry whose address is neither a string nor an object")
    fields, _, function = address.partition(".")
    numbers = fields.split(":")
    if len(numbers) > 3:
        raise ValueError("an entry whose address has more than domain, bus and slot")
    texts = ["*"] * (3 - len(numbers)) + [number.strip() or "*" for number in numbers]
    texts.append(function.strip() if function else "*")
    bounds = ((4, 0xFFFF), (2, 0xFF), (2, 0x1F), (1, 7))
    return tuple(_field(text, width, most, "address") for text, (width, most) in zip(texts, bounds, strict=True))


@functools.cache
def _field(text: str, width: int, most: int, key: str) -> re.Pattern[str]:
    if text == "*":
        return ANY
    try:
        number = int(text, 16)
    except ValueError:
        raise ValueError(f"an entry whose {key} is not a hex number") from None
    if number > most:
        raise ValueError(f"an entry whose {key} is out of range")
    return re.compile(f"{number:0{width}x}$")


def reports_in_placement(documents: tuple[Document, ...], release: int) -> bool:
    """Whether `[pci] report_in_placement` (26 and later) is on in the files that nova-compute reads."""
    setting = winning(documents, (OptionName("pci", "report_in_placement"),)) if release >= 26 else None
    return setting is not None and is_true(setting.option.value)
