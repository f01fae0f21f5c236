"""Entries that nova dies of or cannot keep. nova itself judges most of them in unit/templates/test_nova_check.py."""

from __future__ import annotations

import json

import pytest

from sriov.formats.nova.starting.killers import Findings, Interface, findings
from sriov.formats.oslo.options import ConfigFile

COMPUTE = "nova-compute"
PORTS = (
    Interface("eth0", "0000:01:00.0", is_physical_function=True, ids=("10c9", "10ca")),
    Interface("eth0v3", ""),
    Interface("eth1", "virtio0"),
    Interface("eth2", "10000:01:00.0", is_physical_function=True),
    Interface("eth3", "0000:02:00.0"),
)


def judged(entry: object, release: int = 34, more: str = "", *, all_present: bool = True) -> Findings:
    name = "device_spec" if release >= 26 else "passthrough_whitelist"
    text = f"[pci]\n{more}{name} = {json.dumps(entry)}\n".encode()
    file = ConfigFile("/etc/nova/nova.conf", text, frozenset({COMPUTE}))
    return findings((file,), release, COMPUTE, PORTS, all_present=all_present)


REMOTE = {"remote_managed": "true"}
REFUSED = [
    ({"devname": "nosuch0", **REMOTE}, 34, "nosuch0"),
    ({"devname": "nosuch0", "remote_managed": True}, 25, "nosuch0"),
    ({"devname": "nosuch0", "remote_managed": " YES "}, 25, "nosuch0"),
    ({"devname": "eth0", **REMOTE}, 34, "physical function"),
    ({"devname": "eth0", "product_id": "10c9", **REMOTE}, 34, "physical function"),
    ({"devname": "eth0", "product_id": "ffff", **REMOTE}, 34, "physical function"),
    ({"address": "0000:01:00.0", **REMOTE}, 34, "physical function"),
    ({"address": "0:1:0.0", **REMOTE}, 34, "physical function"),
    ([{"devname": "eth3"}, {"address": "0000:01:00.0", **REMOTE}], 34, "physical function"),
    ({"devname": "eth1", "physical_network": "a"}, 34, "no PCI bus (virtio0)"),
    ({"devname": "eth1"}, 18, "no PCI bus (virtio0)"),
    ({"devname": "eth2"}, 34, "PCI domain is 10000"),
    ({"devname": "eth2"}, 23, "PCI domain is 10000"),
    ({"address": "0000:01:10.0", "one_time_use": "true"}, 34, "report_in_placement"),
    ({"address": "0000:01:10.0", "one_time_use": True}, 32, "report_in_placement"),
    ({"devname": "eth0", "physical_network": ["a"]}, 23, "physical_network is no single value"),
    ({"devname": "eth0", "trusted": {}}, 34, "trusted is no single value"),
    ({"devname": "eth0", "mine": [1]}, 34, "mine is no single value"),
    ({"devname": "eth0", "traits": ["a"]}, 25, "traits is no single value"),
    ({"devname": "eth0", "numa_node": "first"}, 34, "numa_node is not a number"),
]


@pytest.mark.parametrize(("entry", "release", "words"), REFUSED)
def test_entry_that_nova_dies_of_is_named_with_its_line(entry: object, release: int, words: str) -> None:
    (said,) = judged(entry, release).refusals
    assert said.startswith("/etc/nova/nova.conf:2: [pci] ")
    assert words in said


TAKEN = [
    ({"devname": "eth0", "physical_network": "a", "trusted": "true"}, 34),
    ({"devname": "eth0", "physical_network": None, "trusted": True, "numa_node": "1"}, 34),
    ({"devname": "nosuch0", "physical_network": "a"}, 34),
    ({"devname": "nosuch0", **REMOTE}, 24),
    ({"devname": "nosuch0", "remote_managed": "no"}, 34),
    ({"devname": "eth0v3", **REMOTE}, 34),
    ({"devname": "eth3", **REMOTE}, 34),
    ({"devname": "eth0", "product_id": "0x10CA", **REMOTE}, 34),
    ({"address": "0000:01:10.0", **REMOTE}, 34),
    ({"address": "*:01:00.*", **REMOTE}, 34),
    ({"address": "01:00.0", **REMOTE}, 34),
    ({"address": "0000:01:10.0", "one_time_use": "no"}, 34),
    ({"address": "0000:01:10.0", "one_time_use": "true"}, 31),
    ({"devname": "eth0", "traits": ["a"], "resource_class": []}, 34),
    ({"devname": "eth0", "count": [], "devices": {}}, 34),
]


@pytest.mark.parametrize(("entry", "release"), TAKEN)
def test_entry_that_nova_takes_is_not_refused(entry: object, release: int) -> None:
    assert judged(entry, release).refusals == ()


def test_interface_that_may_come_yet_is_not_missed() -> None:
    assert judged({"devname": "nosuch0", **REMOTE}, all_present=False).refusals == ()


def test_placement_allows_one_time_use_and_wants_strings() -> None:
    on = "report_in_placement = true\n"
    assert judged({"address": "0000:01:10.0", "one_time_use": "true"}, more=on).refusals == ()
    (said,) = judged({"address": "0000:01:10.0", "resource_class": True}, more=on).refusals
    assert "resource_class is not a string" in said


@pytest.mark.parametrize("tag", ["dev_type", "numa_node", "parent_ifname"])
def test_tag_that_overrides_what_nova_knows_is_a_warning(tag: str) -> None:
    found = judged({"devname": "eth0", "physical_network": "a", tag: "1"})
    assert found.refusals == ()
    assert [tag in words for words in found.warnings] == [True]


def test_value_that_is_no_json_is_left_to_others() -> None:
    file = ConfigFile("/etc/nova/nova.conf", b"[pci]\ndevice_spec = {'a'}\n", frozenset({COMPUTE}))
    assert findings((file,), 34, COMPUTE, PORTS) == Findings()
