"""The whitelist of PCI devices: our entries, and the entries of others that concern the same devices.

What an entry may be is told by `nova/pci/whitelist.py` and `nova/pci/devspec.py`: a JSON object or a list of
them, by `devname` or by `address` (a string with blanks for "any", or an object of regular expressions), with
or without `vendor_id` and `product_id`. The first entry that matches a device wins.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import NamedTuple

from sriov.formats.nova import juju, releases
from sriov.formats.oslo import blocks
from sriov.formats.oslo.document import Document, escape, unescape
from sriov.formats.oslo.options import Assignment, OptionName, is_true, joined, winning

Entry = Mapping[str, object]
_ANY = re.compile(".*")
_BOOLEAN_TAGS = {"managed": 31, "live_migratable": 31, "one_time_use": 32}  # since which release nova parses them
_BOOLEANS = frozenset(("1", "t", "true", "on", "y", "yes", "0", "f", "false", "off", "n", "no"))  # oslo_utils.strutils


class DeviceSpec(NamedTuple):
    """One entry wanted: a port by `devname` (`eth0`), or a function by `address` (`0000:81:10.0`), not both.

    `interface` is the port's kernel name where the entry goes by address; it tells entries by devname apart.
    `covers` are the PCI addresses of the port and of its VFs, `ids` their `vendor:product` (`8086:10ca`) where
    known: by them entries of others are found that match the same devices. `trusted` None leaves that tag out.
    """

    physical_network: str
    devname: str = ""
    address: str = ""
    trusted: bool | None = None
    covers: tuple[str, ...] = ()
    interface: str = ""
    ids: tuple[str, ...] = ()

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


def _written(text: str) -> str:
    """JSON as the file must hold it: oslo.config takes `\\$` for an escape, so the dollar goes as a code there."""
    return text.replace("$", "\\u0024") if "\\$" in text else escape(text)


def apply(
    documents: tuple[Document, ...], release: int, specs: tuple[DeviceSpec, ...]
) -> tuple[tuple[Document, ...], tuple[str, ...]]:
    """Documents without blocks of ours -> documents with them, and the problems that stand against it.

    `documents` are the files that nova-compute reads, in that order; the first gets the entries.
    """
    names = releases.whitelist_names(release)
    problems = _unreadable(documents, names, release)
    if release < 10 and specs:
        problems += (f"nova {release} (2014.1) knows devices by vendor and product only, not by name or address",)
    if problems or not documents:
        return documents, problems
    edited = tuple(_without_entries_for(specs, document, names, release) for document in documents)
    if not specs:
        return edited, ()
    values = juju.values(documents[0], tuple(_written(value_of(spec)) for spec in specs))
    body = tuple(_line(names[0], value) for value in values)
    edited = (blocks.insert(edited[0], blocks.WHITELIST, names[0].section, body), *edited[1:])
    return edited, _earlier_matches(edited, names, release, specs) + _names_refused(edited, names, release)


def _unreadable(documents: tuple[Document, ...], names: tuple[OptionName, ...], release: int) -> tuple[str, ...]:
    problems = []
    for setting in joined(documents, names):
        try:
            entries_of(setting.option.value, release)
        except ValueError as error:
            problems.append(f"{setting.place}: {setting.name}: {error}; nova-compute does not start with it")
    return tuple(problems)


def _without_entries_for(
    specs: tuple[DeviceSpec, ...], document: Document, names: tuple[OptionName, ...], release: int
) -> Document:
    """Comments out what others wrote for the same devices; of a list only those elements go."""
    for setting in sorted(joined((document,), names), key=lambda setting: setting.option.first, reverse=True):
        raw, entries = entries_of(setting.option.value, release)
        kept = [written for written, entry in zip(raw, entries, strict=True) if not _is_ours(entry, specs)]
        if len(kept) < len(raw):
            body = (_line(setting.name, json.dumps(kept[0] if len(kept) == 1 else kept)),) if kept else ()
            document = blocks.replace(document, blocks.WHITELIST, setting.option, body)
    return document


def _line(name: OptionName, value: str) -> str:
    return f"{name.key} = {value}"


def entries_of(value: str, release: int) -> tuple[tuple[Entry, ...], tuple[Entry, ...]]:
    """The objects of a value, as written (with `$$`) and as nova gets them; ValueError says why nova dies of it."""
    written = value.replace("\\$", "$$")
    raw, plain = _objects(written), _objects(unescape(value))
    if len(raw) != len(plain):
        raise ValueError("dollar signs that change the shape of the entry")
    if release == 10 and written.lstrip().startswith("["):
        raise ValueError("a JSON list, which this release does not read: one object for each line")
    for entry in plain:
        _check(entry, release)
    return raw, plain


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


def _field(text: str, width: int, most: int, key: str) -> re.Pattern[str]:
    if text == "*":
        return _ANY
    try:
        number = int(text, 16)
    except ValueError:
        raise ValueError(f"an entry whose {key} is not a hex number") from None
    if number > most:
        raise ValueError(f"an entry whose {key} is out of range")
    return re.compile(f"{number:0{width}x}$")


def _is_ours(entry: Entry, specs: tuple[DeviceSpec, ...]) -> bool:
    """Whether an entry that is not ours names one of our devices: by its name, or by exactly its address."""
    devname = entry.get("devname")
    if devname:
        return any(devname in (spec.devname, spec.interface) for spec in specs)
    if not isinstance(entry.get("address"), str) or _ANY in address_patterns(entry)[1:]:
        return False
    return any(_matches_address(entry, cover) for spec in specs for cover in (*spec.covers, spec.address) if cover)


def _matches_address(entry: Entry, address: str) -> bool:
    parts = re.split("[:.]", address.lower())
    return all(pattern.match(part) for pattern, part in zip(address_patterns(entry), parts, strict=False))


def _matches(entry: Entry, spec: DeviceSpec) -> bool:
    """Whether nova may take that entry for a device of `spec`; what is not known counts as a match."""
    if entry.get("devname"):
        return False
    covers = [cover for cover in (*spec.covers, spec.address) if cover]
    if entry.get("address") and not any(_matches_address(entry, cover) for cover in covers):
        return False
    vendor, product = identity_patterns(entry)
    known = [identity.lower().partition(":") for identity in spec.ids]
    return not known or any(
        (not found[0] or vendor.match(found[0])) and (not found[2] or product.match(found[2])) for found in known
    )


def _earlier_matches(
    documents: tuple[Document, ...],
    names: tuple[OptionName, ...],
    release: int,
    specs: tuple[DeviceSpec, ...],
) -> tuple[str, ...]:
    """Entries of others that nova reads before ours and that match our devices: those would win."""
    problems = []
    ours = blocks.find(documents[0].path, documents[0].lines)
    for setting in joined(documents, names):
        if setting.document is documents[0] and setting.name == names[0] and _inside(setting, ours):
            break
        for entry in entries_of(setting.option.value, release)[1]:
            hidden = sorted({spec.label for spec in specs if _matches(entry, spec)})
            if hidden:
                problems.append(
                    f"{setting.place}: {setting.name}: an entry that also matches {', '.join(hidden)} and is read "
                    f"before ours; move it to {names[0]} behind our block, or narrow it"
                )
    return tuple(problems)


def _names_refused(documents: tuple[Document, ...], names: tuple[OptionName, ...], release: int) -> tuple[str, ...]:
    """Entries by devname where `[pci] report_in_placement` is on: nova-compute then takes addresses only."""
    if not reports_in_placement(documents, release):
        return ()
    return tuple(
        f"{setting.place}: {setting.name}: an entry by devname, which report_in_placement forbids; give its address"
        for setting in joined(documents, names)
        if any(entry.get("devname") for entry in entries_of(setting.option.value, release)[1])
    )


def reports_in_placement(documents: tuple[Document, ...], release: int) -> bool:
    """Whether `[pci] report_in_placement` (26 and later) is on in the files that nova-compute reads."""
    setting = winning(documents, (OptionName("pci", "report_in_placement"),)) if release >= 26 else None
    return setting is not None and is_true(setting.option.value)


def _inside(setting: Assignment, found: tuple[blocks.Block, ...]) -> bool:
    return any(block.first < setting.option.first < block.last and not block.was for block in found)
