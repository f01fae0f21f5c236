"""Virtual-router objects against hosts and testbed: pairs wanted, merged and compared, and names told apart. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from contrail_stand_in import ProvisionedRouter, pairs_of

from sriov.cloud.drift import Service
from sriov.cloud.virtual_routers import comparison, nova_hosts, objects, pairs, registration
from sriov.cloud.virtual_routers.pairs import PairChange, WantedPair
from sriov.errors import CloudError
from sriov.facts.model import Facts, Port
from sriov.model import Host, PhysicalFunction, Role, Testbed
from sriov.resources.contract import Request

UUID = "8f7c1a52-0000-4000-8000-000000000001"


def items(*found: tuple[str, object]) -> tuple[dict[str, object], ...]:
    return tuple({"key": key, "value": value} for key, value in found)


def wanted(**interfaces: str) -> tuple[WantedPair, ...]:
    return tuple(WantedPair(physnet, tuple(names.split())) for physnet, names in interfaces.items())


def host(number: int = 1, *functions: PhysicalFunction, name: str = "") -> Host:
    return Host(
        f"root@10.0.0.{number}", f"10.0.0.{number}", "root", hostname=name or f"compute{number}",
        roles=frozenset({Role.COMPUTE}), physical_functions=functions or (PhysicalFunction(4, ("physnet1",), "eth0"),),
    )  # fmt: skip


def request(one: Host, *, registers: bool = False) -> Request:
    return Request(one, Testbed("t", (one,), contrail_register=registers), one.roles)


def listed(*routers: ProvisionedRouter) -> dict[str, Any]:
    each = [{"virtual-router": router.document(UUID[:-1] + str(n))} for n, router in enumerate(routers)]
    return {"virtual-routers": each}


def router(name: object, *found: tuple[str, object], **more: Any) -> ProvisionedRouter:
    return ProvisionedRouter(name, found, more)


def compared(
    one: Request, *routers: ProvisionedRouter, up: tuple[str, ...] = ("compute1",), physnet: str = ""
) -> list[Any]:
    services = [Service(name, True, "up") for name in up]
    known = {name: one.host for name in up if name.partition(".")[0].lower() == one.host.hostname}
    nova = nova_hosts.named(services, known, one.testbed)
    return [
        (e.id, e.message) for e in comparison.differences([(one, None)], objects.parse(listed(*routers)), nova, physnet)
    ]


@pytest.mark.parametrize(
    ("there", "asked", "merged", "changes"),
    [
        ((), {"p1": "eth0"}, (("p1", "eth0"),), [("p1", "eth0", None)]),
        ((("p1", "eth0"),), {"p1": "eth0"}, (("p1", "eth0"),), []),
        ((("p1", "eth9"),), {"p1": "eth0"}, (("p1", "eth0"),), [("p1", "eth0", "eth9")]),
        ((("x", "e1"), ("p1", "eth9"), ("y", "e2")), {"p1": "eth0"}, (("x", "e1"), ("p1", "eth0"), ("y", "e2")),
         [("p1", "eth0", "eth9")]),
        ((("x", "eth0"),), {"p1": "eth0"}, (("x", "eth0"), ("p1", "eth0")), [("p1", "eth0", None)]),
        ((("P1", "eth0"),), {"p1": "eth0"}, (("P1", "eth0"), ("p1", "eth0")), [("p1", "eth0", None)]),
        ((("p1", 123),), {"p1": "123"}, (("p1", 123),), []),
        ((("p1", None),), {"p1": "eth0"}, (("p1", "eth0"),), [("p1", "eth0", "")]),
        ((("p1", "eth1"), ("x", "e"), ("p1", "eth9")), {"p1": "eth0"}, (("p1", "eth0"), ("x", "e")),
         [("p1", "eth0", "eth9")]),
        ((("p1", "eth9"), ("p1", "eth0")), {"p1": "eth0"}, (("p1", "eth9"), ("p1", "eth0")), []),  # the last counts
        ((("p1", "eth0"), ("p1", "eth9")), {"p1": "eth0"}, (("p1", "eth0"),), [("p1", "eth0", "eth9")]),
        ((), {"p1": "eth0 eth1"}, (("p1", "eth0"),), [("p1", "eth0", None)]),
        ((("p1", "eth1"),), {"p1": "eth0 eth1"}, (("p1", "eth1"),), []),
        ((("p1", "eth9"),), {"p1": "eth0 eth1"}, (("p1", "eth0"),), [("p1", "eth0", "eth9")]),
        ((("p1", "eth9"),), {"p1": ""}, (("p1", "eth9"),), []),  # the interface of a host that was not seen
        ((), {"p1": "eth0", "p2": "eth0"}, (("p1", "eth0"), ("p2", "eth0")),
         [("p1", "eth0", None), ("p2", "eth0", None)]),
    ],
)  # fmt: skip
def test_merge_changes_our_pairs_alone(there: Any, asked: Mapping[str, str], merged: Any, changes: Any) -> None:
    found, told = pairs.merge(items(*there), wanted(**asked))
    assert tuple((item["key"], item["value"]) for item in found) == merged
    assert list(told) == [PairChange(*change) for change in changes]
    assert pairs.merge(found, wanted(**asked)) == (found, ())  # a second time there is nothing to do


def test_foreign_items_and_further_keys_stay_as_they_are() -> None:
    foreign = {"key": "physnet9", "value": "ünï ", "note": [1, None]}
    property_ = {"key_value_pair": [foreign, {"key": "p1", "value": "eth9", "note": 2}], "version": 7}
    found = objects.parse(listed(router("c1", **{objects.PROPERTY: property_})))["c1"]
    merged, _ = pairs.merge(found.items or (), wanted(p1="eth0"))
    assert found.with_items(merged) == {
        objects.PROPERTY: {"version": 7, "key_value_pair": [foreign, {"key": "p1", "value": "eth0", "note": 2}]}
    }


def test_wanted_pairs_are_those_of_ports_with_vfs_and_their_interfaces_are_seen_on_the_host() -> None:
    one = host(
        1,
        PhysicalFunction(4, ("p1", "p2"), "eth0"),
        PhysicalFunction(0, ("p3",), "eth1"),
        PhysicalFunction(4, ("p4",), pci="0000:01:00.1"),
        PhysicalFunction(2, ("p1",), mac="52:54:00:00:00:01"),
        PhysicalFunction(1, ("p5", "p6"), "eth4"),
        PhysicalFunction(1, ("p7",), "eth5", exclude_vfs=(0,)),
    )
    facts = Facts("b", "", ports=(Port("eth2", "0000:01:00.1"), Port("eth3", "0000:01:00.2", mac="52:54:00:00:00:01")))
    assert pairs.wanted(request(one), facts) == wanted(p1="eth0 eth3", p2="eth0", p4="eth2", p5="eth4")
    assert pairs.wanted(request(one), None) == wanted(p1="eth0", p2="eth0", p4="", p5="eth4")


def test_object_as_wanted_is_no_difference() -> None:
    assert compared(request(host()), router("compute1", ("physnet1", "eth0"))) == []


def test_pairs_are_optional_unless_they_are_to_be_registered() -> None:
    assert compared(request(host()), router("compute1")) == []
    ((id, message),) = compared(request(host(), registers=True), router("compute1"))
    assert (id, "it is not there" in message) == ("virtual-router-pair-differs", True)


def test_pairs_that_stand_must_agree_with_the_testbed() -> None:
    found = compared(request(host()), router("compute1", ("physnet1", "eth9"), ("physnet7", "eth7")))
    assert found == [
        ("virtual-router-pair-differs", "physnet1: env.sriov has it on eth0, in Contrail it is on eth9"),
        (
            "virtual-router-pair-differs",
            "physnet7: in Contrail it is on eth7, env.sriov has no VFs for it on the host",
        ),
    ]
    assert len(compared(request(host()), router("compute1", ("physnet7", "eth7")), physnet="physnet1")) == 1


def test_host_without_object_is_told_with_what_follows_from_it() -> None:
    ((id, message),) = compared(request(host()))
    assert id == "virtual-router-missing"
    assert "never hears of direct ports" in message
    assert "VFs work all the same" in message


@pytest.mark.parametrize(
    ("of_nova", "of_contrail"),
    [("compute1.example.org", "compute1"), ("compute1", "compute1.example.org"), ("compute1", "Compute1")],
)
def test_object_of_another_spelling_is_not_the_host_s(of_nova: str, of_contrail: str) -> None:
    missing, without = compared(request(host()), router(of_contrail), up=(of_nova,))
    assert missing[0] == "virtual-router-missing"
    assert f"no virtual-router object {of_nova}, nova's name of the host; there is {of_contrail}," in missing[1]
    assert without[0] == "virtual-router-without-host"
    assert of_contrail in without[1]


def test_address_of_another_host_is_no_spelling_of_this_one() -> None:
    one = host(name="10.0.0.1")
    nova = nova_hosts.named([Service("10.0.0.1", True, "up")], {"10.0.0.1": one}, request(one).testbed)
    found = comparison.differences([(request(one), None)], objects.parse(listed(router("10.0.0.2"))), nova)
    assert "there is" not in found[0].message


def test_host_without_vfs_needs_no_object_and_its_pairs_are_told() -> None:
    bare = host(1, PhysicalFunction(0, ("physnet1",), "eth0"))
    assert compared(request(bare)) == []
    ((id, message),) = compared(request(bare), router("compute1", ("physnet1", "eth0")))
    assert (id, "env.sriov has no VFs for it on the host" in message) == ("virtual-router-pair-differs", True)


@pytest.mark.parametrize("name", ["123", 123])
def test_host_named_123_has_its_object_as_text_and_as_number(name: object) -> None:
    assert compared(request(host(name="123")), router(name, ("physnet1", "eth0")), up=("123",)) == []


def test_objects_of_hosts_outside_the_testbed_and_of_switches_are_no_difference() -> None:
    others = (router("compute2"), router("tsn1", virtual_router_type="tor-service-node"))
    other_parent = router("compute9", fq_name=["another-system-config", "compute9"])
    found = compared(request(host()), router("compute1"), *others, other_parent, up=("compute1", "compute2"))
    assert found == []


def test_two_ports_of_one_network_are_told_with_the_one_that_counts() -> None:
    two = host(1, PhysicalFunction(4, ("physnet1",), "eth0"), PhysicalFunction(4, ("physnet1",), "eth1"))
    ((id, message),) = compared(request(two), router("compute1", ("physnet1", "eth1")))
    assert id == "physnet-on-two-interfaces"
    assert message == "physnet1 is on eth0 and eth1; Contrail holds one interface for it: eth1 is there"
    first, second = compared(request(two, registers=True), router("compute1"))
    assert "eth0, the first, is the one for it" in first[1]
    assert "env.sriov has it on eth0 and eth1, in Contrail it is not there" in second[1]


def test_host_with_two_names_in_nova_has_that_which_is_up() -> None:
    one = host()
    known = {"compute1": one, "compute1.example.org": one}
    old, new = Service("compute1", True, "down"), Service("compute1.example.org", True, "up")
    assert nova_hosts.named([old, new], known, request(one).testbed).of(one) == ("compute1.example.org",)
    both = nova_hosts.named([Service("compute1", True, "up"), new], known, request(one).testbed)
    found = registration.compare([(request(one), None)], objects.parse(listed(router("compute1"))), both)
    assert (found.hosts, [warning.id for warning in found.warnings]) == ((), ["compute-unknown-to-nova"])


def test_host_that_nova_does_not_know_is_not_guessed() -> None:
    nova = nova_hosts.named([Service("node-17", True, "up")], {}, request(host()).testbed)
    found = registration.compare([(request(host()), None)], objects.parse(listed(router("compute1"))), nova)
    assert (found.hosts, [warning.id for warning in found.warnings]) == ((), ["compute-unknown-to-nova"])


def test_nova_without_any_compute_leaves_the_names_of_the_testbed() -> None:
    nova = nova_hosts.named([], {}, request(host()).testbed)
    found = registration.compare([(request(host()), None)], objects.parse(listed(router("compute1"))), nova)
    assert [str(each) for each in found.hosts] == ["compute1: physnet1 on eth0"]


@pytest.mark.parametrize(
    "value", [[], "eth0", {"key_value_pair": {}}, {"key_value_pair": ["a"]}, {"key_value_pair": [{}]}]
)
def test_property_that_cannot_be_read_is_told_and_never_replaced(value: object) -> None:
    broken = router("compute1", **{objects.PROPERTY: value})
    assert [id for id, _ in compared(request(host()), broken)] == ["virtual-router-unreadable"]
    nova = nova_hosts.named([], {}, request(host()).testbed)
    found = registration.compare([(request(host()), None)], objects.parse(listed(broken)), nova)
    assert (found.hosts, [warning.id for warning in found.warnings]) == ((), ["virtual-router-unreadable"])


@pytest.mark.parametrize("value", [None, {}, {"key_value_pair": None}, {"key_value_pair": []}])
def test_property_may_be_empty_in_each_way(value: object) -> None:
    assert compared(request(host()), router("compute1", **{objects.PROPERTY: value})) == []


GOOD = router("compute1").document(UUID)


@pytest.mark.parametrize(
    "document",
    [
        None, [], 7, "x", {}, {"virtual-routers": {}}, {"virtual-routers": [7]}, {"virtual-routers": [GOOD]},
        {"virtual-routers": [{"virtual-router": None}]},
        *({"virtual-routers": [{"virtual-router": {**GOOD, key: value}}]}
          for key, value in [
              ("uuid", None), ("uuid", "../domains"), ("uuid", "a b"), ("uuid", ""), ("uuid", 7), ("uuid", "x" * 65),
              ("fq_name", None), ("fq_name", "compute1"), ("fq_name", ["default-global-system-config", None]),
              ("fq_name", ["default-global-system-config", True]),
              ("fq_name", ["default-global-system-config", "x" * 256]),
          ]),
        {"virtual-routers": [{"virtual-router": GOOD}] * 2},
    ],
)  # fmt: skip
def test_list_of_another_shape_is_one_error(document: object) -> None:
    with pytest.raises(CloudError) as caught:
        objects.parse(document)
    assert caught.value.id == "contrail-answer"
    assert caught.value.hint


def test_hostile_names_reach_no_terminal() -> None:
    name = "a\x1b[2J\ud800\u202e\n" + "b" * 200
    ((_, message),) = compared(request(host()), router("compute1"), router(name))
    assert message.isprintable()
    assert len(message) < 200


def test_pairs_of_the_stand_in_are_what_was_given() -> None:
    assert pairs_of(router("c", ("p", "e")).document(UUID)) == (("p", "e"),)
