"""What each nova release reads: option names, their aliases, default filters, filters that are gone.

Source of the tables: nova's own option registrations (`nova/conf/pci.py`, `nova/conf/scheduler.py` and their
forerunners) at the first and the last tag of every series from 2014.1 to 34. Releases are nova's major
numbers; the three before Liberty (12) had dates for numbers and are counted backwards: 2014.1 is 9.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Mapping

from sriov.errors import UsageError, did_you_mean
from sriov.formats.oslo.options import OptionName

OLDEST, NEWEST = 9, 34
PCI_FILTER = "PciPassthroughFilter"
PCI_FILTER_CLASS = "nova.scheduler.filters.pci_passthrough_filter.PciPassthroughFilter"
OWN_FILTERS = "nova.scheduler.filters"
ALL_FILTERS = f"{OWN_FILTERS}.all_filters"

_SERIES = """icehouse juno kilo liberty mitaka newton ocata pike queens rocky stein train ussuri victoria wallaby xena
yoga zed antelope bobcat caracal dalmatian epoxy flamingo gazpacho""".split()  # noqa: SIM905 (25 lines otherwise)
_BY_NAME = {name: number for number, name in enumerate(_SERIES, OLDEST)}
_BY_DATE = {"2014.1": 9, "2014.2": 10, "2015.1": 11} | {
    f"{year}.{half}": 27 + (year - 2023) * 2 + half - 1 for year in range(2023, 2027) for half in (1, 2)
}
_MODULES = {  # each module below OWN_FILTERS and the filters in it, of all releases
    "affinity_filter": "AffinityFilter DifferentHostFilter GroupAffinityFilter GroupAntiAffinityFilter SameHostFilter "
    "ServerGroupAffinityFilter ServerGroupAntiAffinityFilter SimpleCIDRAffinityFilter",
    "aggregate_image_properties_isolation": "AggregateImagePropertiesIsolation",
    "aggregate_instance_extra_specs": "AggregateInstanceExtraSpecsFilter",
    "aggregate_multitenancy_isolation": "AggregateMultiTenancyIsolation",
    "all_hosts_filter": "AllHostsFilter",
    "availability_zone_filter": "AvailabilityZoneFilter",
    "compute_capabilities_filter": "ComputeCapabilitiesFilter",
    "compute_filter": "ComputeFilter",
    "core_filter": "AggregateCoreFilter BaseCoreFilter CoreFilter",
    "disk_filter": "AggregateDiskFilter DiskFilter",
    "exact_core_filter": "ExactCoreFilter",
    "exact_disk_filter": "ExactDiskFilter",
    "exact_ram_filter": "ExactRamFilter",
    "image_props_filter": "ImagePropertiesFilter",
    "io_ops_filter": "AggregateIoOpsFilter IoOpsFilter",
    "isolated_hosts_filter": "IsolatedHostsFilter",
    "json_filter": "JsonFilter",
    "metrics_filter": "MetricsFilter",
    "num_instances_filter": "AggregateNumInstancesFilter NumInstancesFilter",
    "numa_topology_filter": "NUMATopologyFilter",
    "pci_passthrough_filter": "PciPassthroughFilter",
    "ram_filter": "AggregateRamFilter BaseRamFilter RamFilter",
    "retry_filter": "RetryFilter",
    "trusted_filter": "TrustedFilter",
    "type_filter": "AggregateTypeAffinityFilter TypeAffinityFilter",
}
_REMOVED = {
    15: ("AffinityFilter", "GroupAffinityFilter", "GroupAntiAffinityFilter"),
    17: ("TrustedFilter", "TypeAffinityFilter"),
    18: ("ExactCoreFilter", "ExactDiskFilter", "ExactRamFilter"),
    20: ("BaseCoreFilter", "BaseRamFilter", "CoreFilter", "DiskFilter", "RamFilter"),
    22: ("RetryFilter", "AggregateCoreFilter", "AggregateDiskFilter", "AggregateRamFilter"),
    28: ("AvailabilityZoneFilter",),
}


_OLD_WHITELIST = OptionName("DEFAULT", "pci_passthrough_whitelist")
_MIDDLE_WHITELIST = OptionName("pci", "passthrough_whitelist")
_DEVICE_SPEC = OptionName("pci", "device_spec")
_OLD_FILTERS = OptionName("DEFAULT", "scheduler_default_filters")
_FILTERS = OptionName("filter_scheduler", "enabled_filters")
_OLD_AVAILABLE = OptionName("DEFAULT", "scheduler_available_filters")
_AVAILABLE = OptionName("filter_scheduler", "available_filters")


def release_number(release: str | int) -> int:
    """Nova's major number from 'wallaby', '2024.1', '23', '23.2.2' or 23; UsageError names the nearest."""
    text = str(release).strip().lower()
    known = _known(text)
    if known is not None and not isinstance(release, bool):
        return known
    raise UsageError("unknown-release", f"{release!r} is not a known nova release", hint=_nearest(text))


def _known(text: str) -> int | None:
    if text in _BY_NAME:
        return _BY_NAME[text]
    version = re.fullmatch(r"(?:\d+:)?(\d+)(?:\.(\d+))?(?:[.~+-].*)?", text)
    if not version:
        return None
    if version[2] and (dated := _BY_DATE.get(f"{version[1]}.{version[2]}")) is not None:
        return dated
    number = int(version[1])
    return number if 12 <= number <= NEWEST else None


def _nearest(text: str) -> str:
    number = re.match(r"\d{1,3}(?!\d)", text)
    if number:
        return f"the nearest is {12 if int(number[0]) < 12 else NEWEST}; known are 12 to {NEWEST} and their names"
    return did_you_mean(text, (*_BY_NAME, *_BY_DATE), 0.45) or "say a name such as 'wallaby', '2024.1' or 23"


def whitelist_names(release: int) -> tuple[OptionName, ...]:
    """The names under which the release reads the whitelist (MultiStrOpt); the first is its own, then aliases."""
    if release <= 14:
        return (_OLD_WHITELIST,)
    if release <= 25:
        return (_MIDDLE_WHITELIST, _OLD_WHITELIST)
    return (_DEVICE_SPEC, _MIDDLE_WHITELIST, _OLD_WHITELIST)


def filter_names(release: int) -> tuple[OptionName, ...]:
    """The same for the list of enabled filters (ListOpt)."""
    if release <= 14:
        return (_OLD_FILTERS,)
    return (_FILTERS, _OLD_FILTERS) if release <= 23 else (_FILTERS,)


def available_names(release: int) -> tuple[OptionName, ...]:
    """The same for the classes that filters are looked up in (MultiStrOpt)."""
    if release <= 14:
        return (_OLD_AVAILABLE,)
    return (_AVAILABLE, _OLD_AVAILABLE) if release <= 23 else (_AVAILABLE,)


ALL_NAMES = frozenset(
    (_OLD_WHITELIST, _MIDDLE_WHITELIST, _DEVICE_SPEC, _OLD_FILTERS, _FILTERS, _OLD_AVAILABLE, _AVAILABLE)
)


def default_filters(release: int) -> tuple[str, ...]:
    """The filters of a scheduler whose configuration names none, in nova's order."""
    names = ["Compute", "ComputeCapabilities", "ImageProperties", "ServerGroupAntiAffinity", "ServerGroupAffinity"]
    if release <= 15:
        before = ["Retry", "AvailabilityZone", "Ram"] + (["Disk"] if release >= 12 else [])
    elif release <= 19:
        before = ["Retry", "AvailabilityZone"]
    else:
        before = ["AvailabilityZone"] if release <= 23 else []
    return tuple(f"{name}Filter" for name in before + names)


def removed_filters(release: int) -> frozenset[str]:
    """Filters of older releases whose class this one lacks: one of them stops nova-scheduler."""
    return frozenset(name for since, names in _REMOVED.items() if release >= since for name in names)


@functools.cache
def own_filters(release: int) -> Mapping[str, str]:
    """The filters that nova itself brings, as `all_filters` finds them: name of the class -> its whole path.

    As the modules of 15 to 34 have them. For older releases some may be named that came or went before 15.
    """
    gone = removed_filters(release)
    return {
        name: f"{OWN_FILTERS}.{module}.{name}"
        for module, names in _MODULES.items()
        for name in names.split()
        if name not in gone
    }


def reads_any_bytes(release: int) -> bool:
    """Whether this nova may run on Python 2 (the last was Train, 20), which does not decode its files."""
    return release <= 20


def names_all_filters(path: str, release: int) -> bool:
    """Whether that value of the available filters means all that nova brings; the older name went before 15."""
    return path == ALL_FILTERS or (release <= 14 and path == f"{OWN_FILTERS}.standard_filters")
