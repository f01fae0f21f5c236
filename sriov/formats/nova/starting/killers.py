"""Entries of the whitelist that nova dies of, or cannot keep, though they are JSON of the right shape.

`PciDeviceSpec` (nova/pci/devspec.py) refuses them at the start of nova-compute; the resource tracker those whose pool
it cannot keep (`PciDevicePool`, nova/objects/pci_device_pool.py). The shape of an entry is judged in
`sriov.formats.nova.whitelist`, before this.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from sriov.formats.nova import releases
from sriov.formats.oslo.document import Document, read, unescape
from sriov.formats.oslo.options import Assignment, ConfigFile, OptionName, is_true, joined, winning

Entry = Mapping[str, object]
_REMOTE_MANAGED, _ONE_TIME_USE, _PLACEMENT = 25, 32, 26  # since which release nova knows them
_TRUE = frozenset(("1", "t", "true", "on", "y", "yes"))  # oslo_utils.strutils
_OWN_POOL_KEYS = frozenset(("dev_type", "numa_node", "parent_ifname"))  # nova/pci/stats.py: tags are put over these
_OVERWRITTEN = frozenset(("count", "devices"))  # of a pool: what an entry says of them is lost
_PLACEMENT_TAGS = frozenset(("resource_class", "traits", "rp_uuid"))  # in no pool since 26
_PCI_ADDRESS = re.compile(r"([0-9a-f]{4,8}):([0-9a-f]{2}):([0-9a-f]{2})\.([0-7])")
_ABOUT_DEVICE = ("vendor_id", "product_id", "address", "devname")


class Interface(NamedTuple):
    """A port of the host that has a device: `eth0`, `0000:01:00.0` or another bus's name (empty: not known).

    `ids`: its own and its VFs' product, where known.
    """

    name: str
    device: str
    is_physical_function: bool = False
    ids: tuple[str, str] = ("", "")


class Findings(NamedTuple):
    """Lines of text: place, option, and what nova makes of it. `refusals` stop it."""

    refusals: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()


def findings(
    files: tuple[ConfigFile, ...],
    release: int,
    reader: str,
    interfaces: tuple[Interface, ...],
    *,
    all_present: bool = False,
) -> Findings:
    """What is wrong with the entries that `reader` finds in these files.

    `all_present`: an interface that is not among `interfaces` is none of the host's.
    """
    documents = tuple(
        read(file.path, file.text, any_bytes=releases.reads_any_bytes(release))
        for file in files
        if reader in file.readers
    )
    judge = _Judge(release, _reports(documents, release), {one.name: one for one in interfaces}, all_present)
    refusals: list[str] = []
    warnings: list[str] = []
    for setting in joined(documents, releases.whitelist_names(release)):
        for entry in _entries(setting):
            refusals += (f"{setting.place}: {setting.name}: {words}" for words in judge.refusals(entry))
            warnings += (f"{setting.place}: {setting.name}: {words}" for words in judge.warnings(entry))
    return Findings(tuple(dict.fromkeys(refusals)), tuple(dict.fromkeys(warnings)))


def _reports(documents: tuple[Document, ...], release: int) -> bool:
    setting = winning(documents, (OptionName("pci", "report_in_placement"),)) if release >= _PLACEMENT else None
    return setting is not None and is_true(setting.option.value)


def _entries(setting: Assignment) -> Iterator[Entry]:
    """None where the value is not JSON: that is told by others."""
    try:
        found = json.loads(unescape(setting.option.value))
    except ValueError:
        return
    yield from (entry for entry in (found if isinstance(found, list) else [found]) if isinstance(entry, dict))


class _Judge(NamedTuple):
    release: int
    reports_in_placement: bool
    interfaces: Mapping[str, Interface]
    all_present: bool

    def refusals(self, entry: Entry) -> Iterator[str]:
        yield from self._broken_tags(entry)
        named = entry.get("devname")
        port = self.interfaces.get(named) if isinstance(named, str) else None
        if port is not None and port.device:
            yield from _broken_device(port)
        if self.release >= _REMOTE_MANAGED and _is_true(entry.get("remote_managed")):
            yield from self._not_remote(entry, named, port)
        if self.release >= _ONE_TIME_USE and _is_true(entry.get("one_time_use")) and not self.reports_in_placement:
            yield "an entry with one_time_use, which needs [pci] report_in_placement; nova-compute does not start"

    def warnings(self, entry: Entry) -> Iterator[str]:
        for tag in sorted(_OWN_POOL_KEYS.intersection(entry)):
            yield (
                f"an entry with {tag}: it overrides what nova itself knows of the devices, which may go to ports of "
                "another kind, or to none"
            )

    def _broken_tags(self, entry: Entry) -> Iterator[str]:
        for tag, value in entry.items():
            if tag in _ABOUT_DEVICE or tag in _OVERWRITTEN:
                continue
            if tag in _PLACEMENT_TAGS and self.release >= _PLACEMENT:
                if tag != "rp_uuid" and self.reports_in_placement and not isinstance(value, str | None):
                    yield f"an entry whose {tag} is not a string; nova-compute cannot report it in placement"
            elif isinstance(value, list | dict):
                yield f"an entry whose {tag} is no single value; nova-compute cannot keep its devices"
            elif tag == "numa_node" and isinstance(value, str) and not re.fullmatch(r"\s*[+-]?\d+\s*", value):
                yield "an entry whose numa_node is not a number; nova-compute cannot keep its devices"

    def _not_remote(self, entry: Entry, named: object, port: Interface | None) -> Iterator[str]:
        """Of a remote-managed device nova wants to see that it is there and that it is a VF."""
        if named and port is None:
            if self.all_present:
                yield f"a remote_managed entry for {named}, which is no port of this host; nova-compute does not start"
            return
        if port is None:
            address = entry.get("address")
            port = next((one for one in self.interfaces.values() if _is_single(address, one.device)), None)
        if port is not None and port.is_physical_function and not _is_product_of_vfs(entry, port):
            yield (
                f"a remote_managed entry for {port.name}, which is a physical function; name its VFs, by address or "
                "with their product_id: nova-compute does not start with it"
            )


def _broken_device(port: Interface) -> Iterator[str]:
    found = _PCI_ADDRESS.fullmatch(port.device)
    if found is None:
        yield f"an entry for {port.name}, which is on no PCI bus ({port.device}); nova-compute does not start with it"
    elif int(found[1], 16) > 0xFFFF:
        yield (
            f"an entry for {port.name}, whose PCI domain is {found[1]}: nova takes none above ffff, and nova-compute "
            "does not start with it"
        )


def _is_true(value: object) -> bool:
    """As nova reads it (`bool_from_string`, not strict)."""
    return value is True or (value is not None and str(value).strip().lower() in _TRUE)


def _is_single(address: object, device: str) -> bool:
    """Whether an entry's address is just that device's."""
    if not isinstance(address, str) or not device:
        return False
    parts = re.split("[:.]", address.strip())
    wanted = re.split("[:.]", device)
    try:
        return len(parts) == len(wanted) and [int(part, 16) for part in parts] == [int(part, 16) for part in wanted]
    except ValueError:
        return False


def _is_product_of_vfs(entry: Entry, port: Interface) -> bool:
    product = str(entry.get("product_id") or "*").strip().lower().removeprefix("0x")
    own, of_vfs = port.ids
    if product == "*" or product == own.lower():
        return False
    return not of_vfs or product == of_vfs.lower()
