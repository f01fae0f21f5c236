"""Our rules of which device nova gives to a port, held against nova's own code: entries, pools and filter."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import pytest
from nova_judge import Case, Verdict, python, verdicts

from sriov.formats.nova.edit import NovaWanted, edit, effective
from sriov.formats.nova.whitelist import DeviceSpec, Entry, entries_of
from sriov.formats.oslo.options import ConfigFile
from sriov.scheduling.pci_rules import Device, Hardware, Kind, first_match, serving

pytestmark = pytest.mark.nova

CASES = 2000
RELEASE = 34  # of the judge
PHYSNETS = ("physnet1", "physnet2", "PhysNet1")
NOWHERE = ("bond0", "eth9")
BROKEN: tuple[Entry, ...] = (
    {"address": "zz:00.0"},
    {"vendor_id": "12345"},
    {"devname": "eth0", "address": "1:0.0"},
)


@dataclass(frozen=True)
class _Card:
    """`name` empty: its driver is unbound. `vfs` None: no SR-IOV."""

    name: str
    address: str
    vfs: int | None
    product: str
    vf_product: str
    first_vf: int  # routing id
    has_vf_netdevs: bool


@pytest.fixture(scope="module")
def judge() -> str:
    return python()


def _address(routing: int, domain: str = "0000") -> str:
    return f"{domain}:{routing >> 8:02x}:{routing >> 3 & 31:02x}.{routing & 7}"


def _cards(random_: random.Random) -> Iterator[_Card]:
    for number in range(random_.randint(1, 3)):
        bus = (1, 1, 0x81)[number]
        yield _Card(
            name=f"eth{number}" if random_.random() < 0.9 else "",
            address=f"0000:{bus:02x}:00.{number % 2}",
            vfs=random_.choice((None, 0, 1, 2, 4, 7, 9)),
            product=random_.choice(("10c9", "154d")),
            vf_product=random_.choice(("10ca", "10c9")),  # some cards have one id for both
            first_vf=(bus << 8) + 128 + number % 2,
            has_vf_netdevs=random_.random() < 0.3,
        )


def _hardware(random_: random.Random) -> Hardware:
    devices: list[Device] = []
    names: dict[str, str] = {}
    for card in _cards(random_):
        kind = Kind.PLAIN if card.vfs is None else Kind.PHYSICAL
        devices.append(Device(card.address, "8086", card.product, kind))
        if card.name:
            names[card.name] = card.address
        for index in range(card.vfs or 0):
            address = _address(card.first_vf + 2 * index)
            devices.append(Device(address, "8086", card.vf_product, Kind.VIRTUAL, card.address))
            if card.has_vf_netdevs and card.name:
                names[f"{card.name}v{index}"] = address
    return Hardware(tuple(devices), names)


def _glob(random_: random.Random, address: str) -> str:
    """An address as operators write it: whole, with parts left open, without its zeros, without a domain."""
    domain, bus, rest = address.split(":")
    slot, function = rest.split(".")
    parts = [random_.choice((part, part, "*")) for part in (domain, bus, slot, function)]
    text = f"{parts[0]}:{parts[1]}:{parts[2]}.{parts[3]}"
    return random_.choice(
        (
            address,
            address,
            text,
            f"{bus}:{slot}.{function}",
            f"{int(domain, 16):x}:{int(bus, 16):x}:{int(slot, 16):x}.{function}",
            f"{domain}:{bus}:{slot}",
            f"{domain}:{bus}:{slot}.",
            f":{bus}:.{function}",
            f".{function}",
            f"{domain}: {bus} :{slot}.*",
        )
    )


def _pattern(random_: random.Random, address: str) -> Mapping[str, str]:
    domain, bus, rest = address.split(":")
    slot, function = rest.split(".")
    choices = {
        "domain": (domain, ".*"),
        "bus": (bus, ".*", bus[:1]),
        "slot": (slot, ".*", "[01][0-9a-f]"),
        "function": (function, ".*", "[0-3]", "[135]"),
    }
    return {key: random_.choice(given) for key, given in choices.items() if random_.random() < 0.9}


def _entry(random_: random.Random, hardware: Hardware) -> Entry:
    entry: dict[str, object] = {}
    named = random_.choice(("devname", "devname", "address", "address", "regex", "ids"))
    address = random_.choice([device.address for device in hardware.devices])
    if named == "devname":
        entry["devname"] = random_.choice([*hardware.names, *hardware.names, *NOWHERE])
    elif named == "address":
        entry["address"] = _glob(random_, address)
    elif named == "regex":
        entry["address"] = _pattern(random_, address)
    if named == "ids" or random_.random() < 0.2:
        entry["vendor_id"] = random_.choice(("8086", "8086", "*", "15b3", "8086 "))
        entry["product_id"] = random_.choice(("10ca", "10c9", "10CA", "154d", "*"))
    if random_.random() < 0.9:
        entry["physical_network"] = random_.choice(PHYSNETS)
    if random_.random() < 0.2:
        entry["trusted"] = random_.choice(("true", "false"))
    if random_.random() < 0.1:
        entry["remote_managed"] = random_.choice(("false", "False", "no", False))
    if random_.random() < 0.02:
        entry.update(random_.choice(BROKEN))
    return entry


def _case(seed: int) -> Case:
    random_ = random.Random(seed)
    hardware = _hardware(random_)
    entries = [_entry(random_, hardware) for _ in range(random_.randint(0, 5))]
    whitelist = [json.dumps(entry) for entry in entries]
    if len(entries) > 1 and random_.random() < 0.2:
        whitelist = [json.dumps(entries[:2]), *whitelist[2:]]
    vfs = [device.address for device in hardware.devices if device.kind is Kind.VIRTUAL]
    allocated = random_.sample(vfs, random_.randint(0, len(vfs))) if random_.random() < 0.5 else []
    requests = [(physnet, count) for physnet in PHYSNETS for count in (1, random_.randint(2, 9))]
    return Case(hardware, tuple(whitelist), tuple(requests), tuple(allocated))


def _ours(case: Case) -> Verdict:
    """The verdict of our rules; of an error only whether there is one."""
    entries: list[Entry] = []
    try:
        for value in case.whitelist:
            entries += entries_of(value, RELEASE)[1]
    except ValueError:
        return Verdict("refused", (), ())
    return Verdict(
        "",
        tuple(first_match(case.hardware, entries, device) for device in case.hardware.devices),
        tuple(_passes(case, entries, physnet, count) for physnet, count in case.requests),
    )


def _passes(case: Case, entries: Sequence[Entry], physnet: str, count: int) -> bool:
    """What PciPassthroughFilter says: as many devices serve the network as are asked for, those of guests aside."""
    return sum(device.address not in case.allocated for device in serving(case.hardware, entries, physnet)) >= count


def _disagreements(cases: Sequence[Case], judged: Sequence[Verdict]) -> list[str]:
    found = []
    for case, nova in zip(cases, judged, strict=True):
        ours = _ours(case)
        if (bool(ours.error), ours.takers, ours.passes) != (bool(nova.error), nova.takers, nova.passes):
            found.append(f"{json.dumps(case.to_json())}\n   nova {nova}\n   ours {ours}")
    return found


def test_rules_agree_with_nova_on_generated_hosts(judge: str) -> None:
    cases = [_case(seed) for seed in range(CASES)]
    judged = verdicts(judge, cases)
    assert _disagreements(cases, judged)[:3] == []
    # the cases are worth something: hosts pass and do not, entries match and do not, some stop nova-compute
    passes = [answer for verdict in judged for answer in verdict.passes]
    assert 0.1 < sum(passes) / len(passes) < 0.9
    assert any(verdict.error for verdict in judged)
    assert {None, 0, 1, 2} <= {number for verdict in judged for number in verdict.takers}
    assert any(case.allocated for case in cases)


PORT = Hardware(
    (
        Device("0000:01:00.0", "8086", "10c9", Kind.PHYSICAL),
        *(Device(_address(0x180 + 2 * i), "8086", "10ca", Kind.VIRTUAL, "0000:01:00.0") for i in range(7)),
    ),
    {"eth0": "0000:01:00.0"},
)
SPECS = {
    "by name": (DeviceSpec("physnet1", devname="eth0"),),
    "trusted": (DeviceSpec("physnet1", devname="eth0", trusted=True),),
    "not trusted": (DeviceSpec("physnet1", devname="eth0", trusted=False),),
    "by address": tuple(DeviceSpec("physnet1", address=_address(0x180 + 2 * i)) for i in range(7)),
    "two networks": tuple(
        DeviceSpec(f"physnet{1 + (i >= 4)}", address=_address(0x180 + 2 * i), trusted=True) for i in range(7)
    ),
    "a VF kept": tuple(DeviceSpec("physnet1", address=_address(0x180 + 2 * i)) for i in range(1, 7)),
    "odd name": (DeviceSpec("phys-net_1.a", devname="eth0"),),
}
SHARES = {
    "two networks": {"physnet1": 4, "physnet2": 3},
    "a VF kept": {"physnet1": 6},
    "odd name": {"phys-net_1.a": 7},
}


def _rendered(form: str) -> Case:
    """The whitelist that we write for these entries; as many ports as each network was meant to have, and one more."""
    file = ConfigFile("/etc/nova/nova.conf", b"[DEFAULT]\n", frozenset({"nova-compute"}))
    edited = edit((file,), RELEASE, NovaWanted(SPECS[form]))
    whitelist = effective(edited.files, RELEASE, "nova-compute").whitelist
    shares = SHARES.get(form, {"physnet1": 7})
    return Case(PORT, whitelist, tuple((net, count + more) for net, count in shares.items() for more in (0, 1)))


@pytest.fixture(scope="module")
def of_rendered(judge: str) -> dict[str, Verdict]:
    return dict(zip(SPECS, verdicts(judge, [_rendered(form) for form in SPECS]), strict=True))


@pytest.mark.parametrize("form", SPECS)
def test_rendered_whitelist_gives_each_network_its_share_in_nova(of_rendered: dict[str, Verdict], form: str) -> None:
    """nova's own parser takes every form of entry that we write, and finds just the VFs that were meant."""
    verdict = of_rendered[form]
    assert verdict.error == ""
    assert verdict.passes == (True, False) * len(SHARES.get(form, {"physnet1": 7}))
