"""Our entries put into the whitelist of nova's files, beside those of others.

What others wrote is compared by its effect. An entry that gives our VFs what is wanted stays, and nothing is added for
them. One that gives one of them something else is replaced: it is commented out in a block of ours, its other tags go
over to ours, and what it said of other devices stays. What cannot be told apart, such as an entry by vendor alone that
nova reads before ours, is a problem.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from sriov.formats import juju
from sriov.formats.nova import releases
from sriov.formats.nova.effect import (
    Claim,
    Placed,
    Wanted,
    beside_ours,
    is_given,
    narrowed,
    placed,
    takers,
    wanted_of,
    wrong,
)
from sriov.formats.nova.references import reading
from sriov.formats.nova.whitelist import DeviceSpec, Entry, entries_of, line_value, reports_in_placement
from sriov.formats.oslo import blocks
from sriov.formats.oslo.document import Document
from sriov.formats.oslo.options import Assignment, OptionName, joined

_NOT_CARRIED = frozenset(("devname", "address", "vendor_id", "product_id", "physical_network", "remote_managed"))


class _Line(NamedTuple):
    """An entry of ours: what the testbed says, and the tags that the entry it replaces had besides, as written."""

    spec: DeviceSpec
    tags: Mapping[str, object]

    @property
    def value(self) -> str:
        ours = line_value(self.spec)
        return f"{ours[:-1]}, {json.dumps(self.tags)[1:]}" if self.tags else ours


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
    if problems or not documents or not specs:
        return documents, problems
    wanted = wanted_of(specs, release)
    before = placed(documents, names, release)
    left = _left(wanted, before)
    lines = tuple(_lines(wanted, specs, before, left))
    edited = _written(documents, before, left, tuple(one.value for one in lines), release)
    try:
        return edited, refusals(edited, names, wanted)
    except ValueError as error:
        return documents, _impossible(lines, names[0], release) or (f"{names[0]}: {error}; nova-compute dies of it",)


def line(name: OptionName, value: str) -> str:
    return f"{name.key} = {value}"


def _impossible(lines: tuple[_Line, ...], name: OptionName, release: int) -> tuple[str, ...]:
    """Which ports have lines of ours that nova refuses: a VF's address may be one that it knows no words for."""
    problems: dict[str, str] = {}
    for one in lines:
        port = one.spec.interface or one.spec.label
        try:
            entries_of(one.value, release)
        except ValueError as error:
            why = f"our line for {one.spec.label} of {port} would hold {error}; nova-compute does not start with it"
            advice = f"leave {port} out of env.sriov (nova takes no PCI domain above ffff)"
            problems.setdefault(port, f"{name}: {why}: {advice}")
    return tuple(problems.values())


def _unreadable(documents: tuple[Document, ...], names: tuple[OptionName, ...], release: int) -> tuple[str, ...]:
    problems = []
    read = reading(documents, names[0])
    for setting in joined(documents, names):
        try:
            entries_of(setting.option.value, release, read)
        except ValueError as error:
            problems.append(f"{setting.place}: {setting.name}: {error}; nova-compute does not start with it")
    return tuple(problems)


def _left(wanted: Wanted, before: tuple[Placed, ...]) -> tuple[Placed, ...]:
    """The entries without what they say of VFs that are to be something else."""
    left = before
    while True:
        found = {id(one): one for one, _ in wrong(wanted, left)}
        parts = {number: part for number, one in found.items() if (part := narrowed(wanted, left, one)) is not None}
        if not parts:
            return left
        left = tuple(part for one in left for part in parts.get(id(one), (one,)))


class _Joining(NamedTuple):
    """Our entries, as the file must hold them, and the option of others whose list begins with them."""

    option: Assignment
    ours: tuple[str, ...]


def _written(
    documents: tuple[Document, ...],
    before: Sequence[Placed],
    left: Sequence[Placed],
    ours: tuple[str, ...],
    release: int,
) -> tuple[Document, ...]:
    """The documents with what is left of their entries, and with ours in the first one: in a block of their own, or for
    Juju in the list that stands there under that name."""
    name = releases.whitelist_names(release)[0]
    is_list = juju.takes_one_list(documents[0], release)
    found = [one for one in joined(documents[:1], (name,)) if is_list and ours]
    joining = _Joining(min(found, key=lambda one: one.option.first), ours) if found else None
    edited = tuple(_with(document, before, left, release, joining) for document in documents)
    if not ours or joining:
        return edited
    body = tuple(line(name, value) for value in (juju.one_list(ours) if is_list else ours))
    return (blocks.insert(edited[0], blocks.WHITELIST, name.section, body), *edited[1:])


def _with(
    document: Document, before: Sequence[Placed], left: Sequence[Placed], release: int, joining: _Joining | None
) -> Document:
    """The document with what is left of its entries. An option that changes is commented out in a block of ours."""
    is_list = juju.takes_one_list(document, release)
    settings = {one.setting.option.first: one.setting for one in before if one.setting.document is document}
    if joining and joining.option.document is document:
        settings[joining.option.option.first] = joining.option
    for first in sorted(settings, reverse=True):
        setting = settings[first]
        ours = joining.ours if joining and joining.option == setting else ()
        kept = [one.raw for one in left if one.setting == setting]
        if ours or kept != [one.raw for one in before if one.setting == setting]:
            values = juju.one_list((*ours, *map(json.dumps, kept))) if is_list else _values(kept, release)
            body = tuple(line(setting.name, value) for value in values)
            document = blocks.replace(document, blocks.WHITELIST, setting.option, body)
    return document


def _values(entries: list[Entry], release: int) -> tuple[str, ...]:
    """One value for all of them; release 10 does not read lists."""
    if len(entries) < 2 or release == 10:
        return tuple(json.dumps(entry) for entry in entries)
    return (json.dumps(entries),)


def _lines(
    wanted: Wanted, specs: tuple[DeviceSpec, ...], before: tuple[Placed, ...], left: tuple[Placed, ...]
) -> Iterator[_Line]:
    """Our entries for the VFs that are not given yet, and those that stay as they are."""
    for spec in specs:
        if spec.standing:
            yield _Line(spec, {})
            continue
        claims = wanted.of(spec)
        lacking = [claim for claim in claims if not _is_given_whole(wanted, before, left, claim)]
        if not lacking:
            continue
        tags = [_carried(wanted, before, claim) for claim in lacking]
        is_whole = len(lacking) == len(claims) == tags.count(tags[0])
        if spec.address or (is_whole and _goes_by_name(wanted, claims, before, left)):
            yield _Line(spec, tags[0])
        else:
            for claim, its_tags in zip(lacking, tags, strict=True):
                yield _Line(spec._replace(devname="", address=claim.device.address), its_tags)


def _is_given_whole(wanted: Wanted, before: tuple[Placed, ...], left: tuple[Placed, ...], claim: Claim) -> bool:
    """Whether an entry that stays gives the VF what is wanted, with the tags that it has today; one under an older name
    has its own, for nova reads it before ours."""
    if not is_given(wanted, left, claim):
        return False
    taker = takers(wanted, left, claim.device).entries[0]
    is_before_ours = taker.setting.name != releases.whitelist_names(wanted.release)[0]
    return is_before_ours or _carried(wanted, before, claim).items() <= taker.raw.items()


def _goes_by_name(
    wanted: Wanted, claims: tuple[Claim, ...], before: tuple[Placed, ...], left: tuple[Placed, ...]
) -> bool:
    """Whether an entry by the port's name changes nothing for the port itself: it would offer that, too."""
    port = wanted.hardware.device(claims[0].device.parent)
    if port is None or ":" not in claims[0].device.address:
        return True
    if not takers(wanted, before, port).entries:
        return not any(takers(wanted, before, claim.device).entries for claim in claims)
    return all(beside_ours(wanted, one.entry) is None for one in takers(wanted, left, port).entries)


def _carried(wanted: Wanted, before: tuple[Placed, ...], claim: Claim) -> Mapping[str, object]:
    """The further tags of the entry that takes the VF today."""
    found = takers(wanted, before, claim.device).entries
    if not found or claim.spec is None:
        return {}
    ours = _NOT_CARRIED if claim.spec.trusted is None else _NOT_CARRIED | {"trusted"}
    return {tag: value for tag, value in found[0].raw.items() if tag not in ours}


def refusals(documents: tuple[Document, ...], names: tuple[OptionName, ...], wanted: Wanted) -> tuple[str, ...]:
    """What stands against files as nova-compute would read them; ValueError for an entry that nova dies of."""
    entries = placed(documents, names, wanted.release)
    refused = _in_the_way(wanted, entries, names[0])
    if reports_in_placement(documents, wanted.release):
        refused += _names_refused(entries) + _ports_refused(wanted, entries)
    return refused


def _in_the_way(wanted: Wanted, entries: tuple[Placed, ...], name: OptionName) -> tuple[str, ...]:
    """Entries that nova reads before ours, or that offer a VF of the host."""
    shadowed: dict[int, set[str]] = {}
    offered: dict[int, set[str]] = {}
    for one, claim in wrong(wanted, entries):
        if claim.spec is None:
            offered.setdefault(one.position, set()).add(claim.device.address)
        else:
            shadowed.setdefault(one.position, set()).add(claim.spec.label)
    place = {one.position: f"{one.setting.place}: {one.setting.name}" for one in entries}
    return tuple(
        f"{place[position]}: an entry that also matches {', '.join(sorted(labels))} and is read "
        f"before ours; move it to {name} behind our block, or narrow it"
        for position, labels in sorted(shadowed.items())
    ) + tuple(
        f"{place[position]}: an entry that also offers {', '.join(sorted(addresses))}, which the host keeps for itself "
        "('exclude_vfs'); narrow it"
        for position, addresses in sorted(offered.items())
    )


def _names_refused(entries: tuple[Placed, ...]) -> tuple[str, ...]:
    """Entries by devname where `[pci] report_in_placement` is on: nova-compute then takes addresses only."""
    by_place = {one.setting.place: one.setting for one in entries if one.entry.get("devname")}
    return tuple(
        f"{setting.place}: {setting.name}: an entry by devname, which report_in_placement forbids; give its address"
        for setting in by_place.values()
    )


def _ports_refused(wanted: Wanted, entries: tuple[Placed, ...]) -> tuple[str, ...]:
    """Entries that offer a port beside its VFs: nova-compute refuses both in placement
    (`PlacementPciDependentDeviceException`)."""
    found = (
        (takers(wanted, entries, device).entries, device.address)
        for device in wanted.hardware.devices
        if any(claim.device.parent == device.address and claim.spec is not None for claim in wanted.claims)
    )
    return tuple(
        f"{one[0].setting.place}: {one[0].setting.name}: an entry that offers the port {address} beside its virtual "
        "functions, which report_in_placement forbids; narrow it"
        for one, address in found
        if one and not one[0].entry.get("devname")
    )
