"""Physical network -> interface, as a virtual-router object holds it: wanted by the testbed, standing, merged. Pure.

One physical network has one interface there: Contrail's schema transformer makes a dictionary of the pairs, where the
last of one key counts (`kvps_to_dict` in schema_transformer/resources/virtual_machine_interface.py).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from sriov.facts.model import Facts
from sriov.resources.contract import Request

Item = Mapping[str, object]
"""A pair as JSON has it: `{"key": "physnet1", "value": "eth0"}`."""


class WantedPair(NamedTuple):
    """The interfaces of a host that serve this physical network, in the order of the testbed.

    Empty: a port that is named by PCI or MAC address, on a host that was not seen.
    """

    physnet: str
    interfaces: tuple[str, ...]

    def choice(self, standing: str | None) -> str:
        """The interface to register: the one that stands there if it is one of them, else the first."""
        return standing if standing is not None and standing in self.interfaces else self.interfaces[0]


class PairChange(NamedTuple):
    """`found`: the interface that is replaced; None: the pair is new."""

    physnet: str
    interface: str
    found: str | None

    def __str__(self) -> str:
        return f"{self.physnet} on {self.interface}" + (f" in place of {self.found}" if self.found is not None else "")


def wanted(request: Request, facts: Facts | None) -> tuple[WantedPair, ...]:
    """What `env.sriov` says of the host; a port without VFs for a network does not serve it."""
    found: dict[str, tuple[str, ...]] = {}
    for pf in request.physical_functions:
        port = facts.port(interface=pf.interface, pci=pf.pci, mac=pf.mac) if facts else None
        interface = pf.interface or (port.interface if port else "")
        for physnet in (physnet for physnet, indexes in pf.shares() if indexes) if pf.num_vfs else ():
            known = found.setdefault(physnet, ())
            if interface and interface not in known:
                found[physnet] = (*known, interface)
    return tuple(WantedPair(physnet, interfaces) for physnet, interfaces in found.items())


def standing(items: Sequence[Item]) -> dict[str, str]:
    """Physical network -> interface, as Contrail reads the pairs."""
    return {_text(item["key"]): _text(item.get("value")) for item in items}


def merge(items: Sequence[Item], pairs: Sequence[WantedPair]) -> tuple[tuple[Item, ...], tuple[PairChange, ...]]:
    """The items with the wanted pairs among them, and what that changes.

    Items of other physical networks stay as they are, and in their places. A pair that already says what is wanted
    stays too. Else ours takes the place of the first of its physical network, and further ones go.
    """
    merged, changes = list(items), []
    there = standing(items)
    for pair in pairs:
        found = there.get(pair.physnet)
        if not pair.interfaces or found in pair.interfaces:
            continue
        change = PairChange(pair.physnet, pair.choice(found), found)
        merged = _with(merged, change)
        changes.append(change)
    return tuple(merged), tuple(changes)


def _with(items: Sequence[Item], change: PairChange) -> list[Item]:
    mine = [number for number, item in enumerate(items) if _text(item["key"]) == change.physnet]
    if not mine:
        return [*items, {"key": change.physnet, "value": change.interface}]
    ours = {**items[mine[0]], "value": change.interface}
    return [ours if number == mine[0] else item for number, item in enumerate(items) if number not in mine[1:]]


def _text(value: object) -> str:
    """Values that parse as JSON may come back as such: an interface named `123` as a number."""
    return "" if value is None else str(value)
