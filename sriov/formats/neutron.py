"""neutron's lists with our items in them: ML2's drivers and VLAN ranges, the SR-IOV agent's devices.

All four options are ListOpts whose default is empty (`neutron/conf/plugins/ml2/config.py`, `drivers/driver_type.py`,
`drivers/mech_sriov/agent.py`): the last assignment wins, whole. So the list in force gets what it lacks, in a marked
block that can be taken away byte for byte. Of items for a device of ours only those are replaced that say otherwise.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from sriov.errors import FormatError
from sriov.formats.oslo import blocks
from sriov.formats.oslo.diff import diff as block_diff
from sriov.formats.oslo.document import Document, read
from sriov.formats.oslo.options import ConfigFile, OptionName, items, winning
from sriov.formats.oslo.order import in_place

DRIVER = "sriovnicswitch"
DRIVERS = OptionName("ml2", "mechanism_drivers")
VLAN_RANGES = OptionName("ml2_type_vlan", "network_vlan_ranges")
MAPPINGS = OptionName("sriov_nic", "physical_device_mappings")
EXCLUDED = OptionName("sriov_nic", "exclude_devices")
_TOPICS = {
    DRIVERS: blocks.MECHANISM_DRIVERS,
    VLAN_RANGES: blocks.VLAN_RANGES,
    MAPPINGS: blocks.DEVICE_MAPPINGS,
    EXCLUDED: blocks.EXCLUDED_DEVICES,
}
_KEPT = {blocks.MECHANISM_DRIVERS: lambda block: blocks.list_without(block, (DRIVER,))}
Items = tuple[str, ...]
Merge = Callable[[Items], Items]


class ServerWanted(NamedTuple):
    """What neutron-server shall know: physical network -> its VLAN ranges as neutron writes them (`100:199`).

    A network without a range of its own needs to be named at least; an administrator then says the VLAN.
    No networks: nothing of ours. `keeps_others`: what we once added for other networks stays, and the ranges of one
    that has none here.
    """

    networks: tuple[tuple[str, tuple[str, ...]], ...]
    keeps_others: bool = False


class AgentWanted(NamedTuple):
    """What the agent shall know: (physical network, interface); interface -> PCI addresses of VFs to leave alone.

    `staying`: interfaces of which our items stay as they are."""

    mappings: tuple[tuple[str, str], ...]
    excluded: tuple[tuple[str, tuple[str, ...]], ...] = ()
    staying: frozenset[str] = frozenset()


def edit_server(
    files: tuple[ConfigFile, ...], home: str, wanted: ServerWanted, *, any_bytes: bool = False
) -> tuple[ConfigFile, ...]:
    """The files of neutron-server as they shall be, in their order; `home` is where a new line goes.

    Raises FormatError for a file that oslo.config refuses.
    """
    merges: dict[OptionName, Merge] = {
        DRIVERS: lambda present: _with_driver(present) if wanted.networks else present,
        VLAN_RANGES: lambda present: _with_ranges(present, wanted.networks),
    }
    known = dict(wanted.networks)

    def stays(item: str) -> bool:
        network, _, vlans = item.partition(":")
        return wanted.keeps_others and not known.get(network, ()) and (network not in known or bool(vlans))

    return _edit(files, home, merges, {VLAN_RANGES: stays}, any_bytes)


def edit_agent(
    files: tuple[ConfigFile, ...], home: str, wanted: AgentWanted, *, any_bytes: bool = False
) -> tuple[ConfigFile, ...]:
    """The same for the files of the SR-IOV agent."""
    mappings = tuple(f"{physnet}:{device}" for physnet, device in wanted.mappings)
    excluded = tuple(f"{device}:{';'.join(addresses)}" for device, addresses in wanted.excluded)
    merges: dict[OptionName, Merge] = {
        MAPPINGS: lambda present: _with_devices(present, mappings, _mapped),
        EXCLUDED: lambda present: _with_devices(present, excluded, _excluded),
    }
    stays: dict[OptionName, Callable[[str], bool]] = {
        MAPPINGS: lambda item: _mapped(item) in wanted.staying,
        EXCLUDED: lambda item: _excluded(item) in wanted.staying,
    }
    return _edit(files, home, merges, stays, any_bytes)


def our_devices(files: tuple[ConfigFile, ...], *, any_bytes: bool = False) -> frozenset[str]:
    """The interfaces that our blocks name to the agent; FormatError as for `edit_agent`."""
    found: set[str] = set()
    for file in files:
        document = read(file.path, file.text, any_bytes=any_bytes)
        found |= {_mapped(item) for item in _ours(document, MAPPINGS)}
        found |= {_excluded(item) for item in _ours(document, EXCLUDED)}
    return frozenset(found)


class AgentReads(NamedTuple):
    """What the agent reads: `physnet1:eth0`, and `eth0:0000:01:10.0;0000:01:10.2`."""

    mappings: Items
    excluded: Items

    def networks(self, device: str) -> frozenset[str]:
        """The physical networks of a device."""
        return frozenset(item.partition(":")[0].strip() for item in self.mappings if _mapped(item) == device)

    def leaves_alone(self, device: str, address: str) -> bool:
        """Whether the agent keeps off that VF of the device."""
        found = (item.partition(":")[2] for item in self.excluded if _excluded(item) == device)
        return any(address in addresses.split(";") for addresses in found)


def agent_reads(files: tuple[ConfigFile, ...], *, any_bytes: bool = False) -> AgentReads:
    """From the files of the agent, in their order; FormatError as for `edit_agent`."""
    documents = tuple(read(file.path, file.text, any_bytes=any_bytes) for file in files)
    settings = [winning(documents, (name,)) for name in (MAPPINGS, EXCLUDED)]
    return AgentReads(*(items(setting.option.value) if setting else () for setting in settings))


def _mapped(item: str) -> str:
    return item.partition(":")[2].strip()


def _excluded(item: str) -> str:
    return item.partition(":")[0].strip()


def _ours(document: Document, name: OptionName) -> Items:
    """The items of a list that our block has added to what it took the place of, in their order."""
    found: list[str] = []
    for block in blocks.find(document.path, document.lines):
        if block.topic == _TOPICS[name]:
            before = {item for value in blocks.values(block.was) for item in items(value)}
            found += (item for value in blocks.values(block.body) for item in items(value) if item not in before)
    return tuple(found)


def _with_driver(present: Items) -> Items:
    return present if DRIVER in present else (*present, DRIVER)


def _with_ranges(present: Items, networks: tuple[tuple[str, tuple[str, ...]], ...]) -> Items:
    found = list(present)
    for physnet, ranges in networks:
        for one in ranges:
            if not any(_covers(item, physnet, one) for item in found):
                found.append(f"{physnet}:{one}")
        if not any(item.partition(":")[0].strip() == physnet for item in found):
            found.append(physnet)
    return tuple(found)


def _covers(item: str, physnet: str, wanted: str) -> bool:
    """Whether `physnet1:1:4094` gives all of `100:199`; one that neutron would refuse covers nothing."""
    name, *bounds = (part.strip() for part in item.split(":"))
    if name != physnet or len(bounds) != 2 or not all(bound.isdecimal() for bound in bounds):
        return False
    low, high = wanted.split(":")
    return int(bounds[0]) <= int(low) and int(high) <= int(bounds[1])


def _with_devices(present: Items, ours: Items, device_of: Callable[[str], str]) -> Items:
    devices = {device_of(item) for item in ours}
    kept = [item for item in present if item in ours or device_of(item) not in devices]
    return (*kept, *(item for item in ours if item not in kept))


def _edit(
    files: tuple[ConfigFile, ...],
    home: str,
    merges: dict[OptionName, Merge],
    stays: dict[OptionName, Callable[[str], bool]],
    any_bytes: bool,
) -> tuple[ConfigFile, ...]:
    topics = frozenset(_TOPICS[name] for name in merges)
    before = [read(file.path, file.text, any_bytes=any_bytes) for file in files]
    documents = [blocks.without(document, topics, _KEPT) for document in before]
    for name, merge in merges.items():
        setting = winning(tuple(documents), (name,))
        present = items(setting.option.value) if setting else ()
        ours = [item for document in before for item in _ours(document, name)]
        staying = [item for item in ours if name in stays and stays[name](item) and item not in present]
        target = merge((*present, *staying))
        target = in_place([item for item in target if item not in staying], staying, (*present, *ours))
        if target == present:
            continue
        broken = next((item for item in present if "\n" in item), None)
        if setting and broken is not None:
            line = setting.document.numbers[setting.option.first]
            words = f"an item of {name} continues on the next line"
            hint = "write the list on one line, its items separated by commas"
            raise FormatError("config-item-broken", setting.document.path, line, words, hint=hint)
        body = (f"{name.key} = {','.join(target)}",)
        if setting:
            place = next(number for number, document in enumerate(documents) if document is setting.document)
            documents[place] = blocks.replace(setting.document, _TOPICS[name], setting.option, body)
        else:
            place = next(number for number, document in enumerate(documents) if document.path == home)
            documents[place] = blocks.insert(documents[place], _TOPICS[name], name.section, body)
    return tuple(
        file if blocks.is_as_written(old, new) else file._replace(text=b"".join(new.lines))
        for file, old, new in zip(files, before, documents, strict=True)
    )


def diff(before: ConfigFile, after: ConfigFile) -> tuple[str, ...]:
    """What changed in a file that neutron reads; see `sriov.formats.oslo.diff`."""
    return block_diff(before, after, _TOPICS)
