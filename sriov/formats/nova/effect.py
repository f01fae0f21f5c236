"""What nova's files give the VFs that a testbed asks for: which entry takes each of them, and whether it says what is
wanted.

nova takes the first entry that matches. Where a vendor or a product is not known (VFs that are not made yet, older
kernels), more than one entry may be the first: a VF counts as given only if all of them say what is wanted.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from sriov.formats.nova.devices import Device, Hardware, Kind, matches, may_match, serves, suits_direct_port
from sriov.formats.nova.references import reading
from sriov.formats.nova.whitelist import DeviceSpec, Entry, address_patterns, entries_of
from sriov.formats.oslo.document import Document
from sriov.formats.oslo.options import Assignment, OptionName, joined

_MOST_SLOTS = 16  # of an entry that is written out, function by function


class Placed(NamedTuple):
    """An entry where it stands: element `number` of the value of `setting`, `position` among all in nova's order.

    `raw` is the object as written, with `$$`; `entry` as nova gets it.
    """

    position: int
    setting: Assignment
    number: int
    raw: Entry
    entry: Entry


class Claim(NamedTuple):
    """A VF and the entry that the testbed wants for it; None: it stays with the host and may not be offered."""

    device: Device
    spec: DeviceSpec | None


class Wanted(NamedTuple):
    """The ports of a testbed on one host, with their VFs; `release` is nova's."""

    hardware: Hardware
    claims: tuple[Claim, ...]
    release: int

    def of(self, spec: DeviceSpec) -> tuple[Claim, ...]:
        return tuple(claim for claim in self.claims if claim.spec == spec)


@functools.lru_cache(maxsize=4)
def wanted_of(specs: tuple[DeviceSpec, ...], release: int) -> Wanted:
    """The VFs of a port that none of its entries by address names stay with the host."""
    devices: dict[str, Device] = {}
    names: dict[str, str] = {}
    claims: dict[str, Claim] = {}
    for spec in specs:
        port, *functions = _devices(spec._replace(address="") if spec.address in spec.covers else spec)
        devices.update({device.address: device for device in (port, *functions)})
        names.update(dict(spec.netdevs))
        names.update(dict.fromkeys(filter(None, (spec.devname, spec.interface)), port.address))
        for vf in functions:
            if spec.devname or vf.address == spec.address:
                claims[vf.address] = Claim(vf, spec)
            else:
                claims.setdefault(vf.address, Claim(vf, None))
    return Wanted(Hardware(tuple(devices.values()), names), tuple(claims.values()), release)


@functools.lru_cache(maxsize=16)
def _devices(spec: DeviceSpec) -> tuple[Device, ...]:
    """The port and its VFs. One that is known by its name alone has that for an address, which only "any" matches."""
    port, vf = (identity.lower().partition(":") for identity in (*spec.ids, ":", ":")[:2])
    name = spec.interface or spec.devname
    address, *functions = spec.covers or (name or "a port",)
    if spec.address not in ("", *functions):
        functions.append(spec.address)
    return (
        Device(address, port[0], port[2], Kind.PHYSICAL),
        *(Device(one, vf[0], vf[2], Kind.VIRTUAL, address) for one in functions or (f"a VF of {name}",)),
    )


def placed(documents: tuple[Document, ...], names: tuple[OptionName, ...], release: int) -> tuple[Placed, ...]:
    """All entries in nova's order; ValueError for one that nova dies of."""
    found: list[Placed] = []
    read = reading(documents, names[0])
    for setting in joined(documents, names):
        raw, entries = entries_of(setting.option.value, release, read)
        for number, (written, entry) in enumerate(zip(raw, entries, strict=True)):
            found.append(Placed(len(found), setting, number, written, entry))
    return tuple(found)


class Takers(NamedTuple):
    """The entries that may take a device, in nova's order; `is_sure`: one of them does, the last."""

    entries: tuple[Placed, ...]
    is_sure: bool


def takers(wanted: Wanted, entries: Iterable[Placed], device: Device) -> Takers:
    found = []
    for one in entries:
        if may_match(wanted.hardware, one.entry, device, wanted.release):
            found.append(one)
            if matches(wanted.hardware, one.entry, device, wanted.release):
                return Takers(tuple(found), True)
    return Takers(tuple(found), False)


def gives(entry: Entry, claim: Claim, release: int) -> bool:
    """Whether a VF that the entry takes is what the testbed wants it to be; further tags are the operator's."""
    spec = claim.spec
    if spec is None or not serves(entry, spec.physical_network):
        return False
    if spec.trusted is not None:
        trusted = entry.get("trusted")
        if (isinstance(trusted, str) and trusted.lower() == "true") != spec.trusted:
            return False
    return suits_direct_port(entry, claim.device.kind, release)


def is_given(wanted: Wanted, entries: Sequence[Placed], claim: Claim) -> bool:
    """Whether the VF is as wanted: offered for its network, or not offered where the host keeps it."""
    found = takers(wanted, entries, claim.device)
    if claim.spec is None:
        return not found.entries
    return found.is_sure and all(gives(one.entry, claim, wanted.release) for one in found.entries)


def wrong(wanted: Wanted, entries: Sequence[Placed]) -> Iterator[tuple[Placed, Claim]]:
    """The entries that may make a VF something else than wanted, each with that VF."""
    for claim in wanted.claims:
        for one in takers(wanted, entries, claim.device).entries:
            if not gives(one.entry, claim, wanted.release):
                yield one, claim


def beside_ours(wanted: Wanted, entry: Entry) -> tuple[str, ...] | None:
    """What an entry takes besides our devices, as addresses of its own (`*:01:10.1`); None if that cannot be listed.

    The domain stays open in them: so none of them means the VFs of a port, as its exact address would.
    """
    if entry.get("devname"):
        return ()
    if not entry.get("address"):
        return None
    domain, bus, slot, function = address_patterns(entry)
    slots = [
        f"{first}:{second}"
        for first in (f"{number:02x}" for number in range(256))
        if bus.match(first)
        for second in (f"{number:02x}" for number in range(32))
        if slot.match(second)
    ]
    if len(slots) > _MOST_SLOTS:
        return None
    ours = {
        device.address.partition(":")[2]
        for device in wanted.hardware.devices
        if domain.match(device.address.partition(":")[0])
    }
    found = (f"{place}.{number}" for place in slots for number in range(8) if function.match(str(number)))
    return tuple(f"*:{address}" for address in found if address not in ours)


def narrowed(wanted: Wanted, entries: Sequence[Placed], one: Placed) -> tuple[Placed, ...] | None:
    """What an entry says beside our VFs that it makes something else than wanted: the same for single addresses.

    None for an entry whose devices cannot be listed.
    """
    beside = beside_ours(wanted, one.entry)
    if beside is None:
        return None
    right = []
    for claim in wanted.claims:
        found = takers(wanted, entries, claim.device)
        if found.is_sure and found.entries[-1] is one and gives(one.entry, claim, wanted.release):
            right.append("*:" + claim.device.address.partition(":")[2])
    return tuple(one._replace(raw=_at(one.raw, place), entry=_at(one.entry, place)) for place in (*beside, *right))


def _at(entry: Entry, address: str) -> Entry:
    return {"address": address, **{key: value for key, value in entry.items() if key not in ("devname", "address")}}
