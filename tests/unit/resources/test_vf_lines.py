"""Lines of nova's and neutron's files rest on VFs: they change with them, or wait with them for a guest."""

from __future__ import annotations

from typing import Any

import pytest
from planned_host import BARE, ETH0, NOVA_CONF, VFS, converged, request

from sriov.facts.model import Facts, Holder, HolderKind, Replaced, Unit, VirtualFunction, checksum
from sriov.model import ML2, PhysicalFunction
from sriov.planning import plan, rollback
from sriov.planning.plan import Plan
from sriov.resources import vf_unit
from sriov.resources.contract import Request, Severity, WriteFile
from sriov.resources.vf_script import PATH

AGENT_CONF = "/etc/neutron/plugins/ml2/sriov_agent.ini"
GUEST = Holder(HolderKind.GUEST, "instance-00000001")
ETH1 = PhysicalFunction(2, ("physnet2",), interface="eth1")
PHYSNET9 = ETH0._replace(physnets=("physnet9",))


def held(facts: Facts, *indexes: int, by: Holder = GUEST) -> Facts:
    port = facts.ports[0]
    vfs = tuple(vf._replace(holder=by if vf.index in indexes else None) for vf in port.vfs)
    return facts._replace(ports=(port._replace(vfs=vfs), *facts.ports[1:]))


def made_by(wanted: Request, facts: Facts) -> Facts:
    """The host with the files that this plan writes."""
    steps = [step for change in plan.make(wanted, facts).changes for step in change.steps]
    written = {step.path: step.content for step in steps if isinstance(step, WriteFile)}
    return facts._replace(files={**facts.files, **written})


def blocked(made: Plan) -> list[tuple[str, str]]:
    return [(problem.id, problem.target) for problem in made.blocked]


SIMPLE = converged()
SPLIT = made_by(request(ETH0._replace(physnets=("a", "b"))), SIMPLE)
OURS = 'device_spec = {"devname": "eth0", "physical_network": "physnet1"}\n'
WAITS = [("vf-in-use", "eth0"), ("waits-for-vfs", NOVA_CONF)]


@pytest.mark.parametrize(
    ("facts", "wanted", "index"),
    [
        (SIMPLE, PHYSNET9, 3),
        (SIMPLE, ETH0._replace(physnets=("physnet1", "physnet9")), 6),
        (SIMPLE, ETH0._replace(exclude_vfs=(2,)), 2),
        (SIMPLE, ETH0._replace(trusted=True), 0),
        (SPLIT, ETH0._replace(physnets=("b", "a")), 0),
        (SPLIT, ETH0._replace(physnets=("a",)), 6),
    ],
)
def test_line_of_a_held_vf_does_not_change_under_its_guest(facts: Facts, wanted: PhysicalFunction, index: int) -> None:
    made = plan.make(request(wanted), held(facts, index))
    assert (made.changes, blocked(made)) == ((), WAITS)
    assert f"VF {index} ({VFS[index].pci_address}) is in use by libvirt domain instance-00000001" in str(
        made.blocked[0]
    )
    assert "eth0" in made.blocked[1].message


@pytest.mark.parametrize(
    ("facts", "wanted", "index"),
    [
        (SIMPLE, ETH0._replace(exclude_vfs=(2,)), 3),
        (SIMPLE, ETH0._replace(physnets=("physnet1", "physnet9")), 0),
        (SPLIT, ETH0._replace(physnets=("a",)), 0),
    ],
)
def test_other_lines_of_its_port_change_beside_a_guest(facts: Facts, wanted: PhysicalFunction, index: int) -> None:
    made = plan.make(request(wanted), held(facts, index))
    assert [change.target for change in made.changes] == [NOVA_CONF, "nova-compute"]
    assert made.blocked == ()


@pytest.mark.parametrize(
    "holder",
    [
        Holder(HolderKind.SHUT_OFF, "instance-00000001"),
        Holder(HolderKind.PROCESS, "12 (qemu-kvm)"),
        Holder(HolderKind.VDPA, "vdpa0"),
        Holder(HolderKind.UNKNOWN, "this host has no find"),
    ],
)
def test_every_guest_holds_its_line(holder: Holder) -> None:
    made = plan.make(request(PHYSNET9), held(SIMPLE, 0, by=holder))
    assert made.changes == ()
    id = "vf-users-unknown" if holder.kind is HolderKind.UNKNOWN else "vf-in-use"
    assert blocked(made) == [(id, "eth0"), WAITS[1]]


@pytest.mark.parametrize(
    ("facts", "options"),
    [
        (SIMPLE, {}),
        (held(SIMPLE, 0), {"force": True}),
        (held(SIMPLE, 0, by=Holder(HolderKind.NETWORK_DEVICE, "v0")), {}),
    ],
)
def test_lines_change_where_no_guest_is_in_the_way(facts: Facts, options: dict[str, Any]) -> None:
    made = plan.make(request(PHYSNET9, **options), facts)
    assert [change.target for change in made.changes] == [NOVA_CONF, "nova-compute"]
    assert made.blocked == ()


@pytest.mark.parametrize("count", [4, 6])
@pytest.mark.parametrize("physnet", ["physnet1", "physnet9"])
def test_lines_wait_with_the_number_of_vfs(count: int, physnet: str) -> None:
    facts = made_by(request(ETH0._replace(num_vfs=5, physnets=("physnet1", "b"))), SIMPLE)
    port = facts.ports[0]._replace(vfs=VFS[:5])
    wanted = ETH0._replace(num_vfs=count, physnets=(physnet, "b"))
    made = plan.make(request(wanted), held(facts._replace(ports=(port,)), 4))
    assert (made.changes, blocked(made)) == ((), WAITS)


IDS = SIMPLE._replace(
    ports=(
        SIMPLE.ports[0]._replace(
            vendor="8086",
            device="10c9",
            vf_device="10ca",
            vfs=tuple(vf._replace(interfaces=(f"eth0v{vf.index}",)) for vf in VFS),
        ),
    )
)
BY_OTHER_WORDS = [
    '{"vendor_id": "8086", "product_id": "10ca", "physical_network": "theirs"}',
    '{"address": "0000:1:0.0", "physical_network": "theirs"}',
    '{"address": {"domain": "0000", "bus": "01", "slot": "00", "function": "0"}, "physical_network": "theirs"}',
    '{"devname": "eth0v3", "physical_network": "theirs"}',
    '{"address": "*:01:10.*", "product_id": "10ca", "physical_network": "theirs"}',
]


def given_by(entry: str) -> Facts:
    return IDS._replace(files={**IDS.files, NOVA_CONF: f"[pci]\ndevice_spec = {entry}\n".encode()})


@pytest.mark.parametrize("entry", BY_OTHER_WORDS)
def test_entry_of_others_that_gives_a_held_vf_stays(entry: str) -> None:
    facts = given_by(entry)
    assert NOVA_CONF in [change.target for change in plan.make(request(ETH0), facts).changes]
    made = plan.make(request(ETH0), held(facts, 3))
    assert NOVA_CONF not in [change.target for change in made.changes]
    assert ("vf-in-use", "eth0") in blocked(made)


@pytest.mark.parametrize("entry", BY_OTHER_WORDS)
def test_way_back_keeps_an_entry_that_names_a_held_vf_in_other_words(entry: str) -> None:
    made = taken_back(held(IDS, 3), {NOVA_CONF: f"device_spec = {entry}\n{OURS}"})
    assert (made.changes, blocked(made)) == ((), [("waits-for-vfs", NOVA_CONF)])


def test_entry_that_takes_other_devices_alone_is_none_of_a_held_vf() -> None:
    facts = given_by('{"vendor_id": "15b3", "product_id": "1018", "physical_network": "theirs"}')
    made = plan.make(request(ETH0), held(facts, 3))
    assert NOVA_CONF in [change.target for change in made.changes]
    assert made.blocked == ()


def two_ports() -> Facts:
    eth1 = BARE.ports[0]._replace(
        interface="eth1", pci_address="0000:02:00.0", has_iommu_group=True, iommu_type="identity"
    )
    return held(SIMPLE._replace(ports=(*SIMPLE.ports, eth1)), 0)


def test_other_ports_go_on() -> None:
    made = plan.make(request(PHYSNET9, ETH1), two_ports())
    assert [change.target for change in made.changes] == ["eth1", NOVA_CONF, "nova-compute"]
    assert blocked(made) == WAITS
    lines = [line for line in made.changes[1].diff if line[1] != "-" and line[1] != "+"]
    assert [line for line in lines if "eth0" in line] == []
    assert any("eth1" in line for line in lines)


def test_guest_that_ends_lets_the_rest_be_done() -> None:
    made = plan.make(request(PHYSNET9), held(two_ports()))
    assert NOVA_CONF in [change.target for change in made.changes]


# --- neutron ---


def ml2(*pfs: PhysicalFunction) -> Request:
    asked = request(*pfs)
    return asked._replace(testbed=asked.testbed._replace(network_backend=ML2))


def with_agent(lines: bytes) -> Facts:
    agent = Unit("neutron-sriov-agent", True, "active", "enabled", started_at=20.0)
    files = {**SIMPLE.files, AGENT_CONF: b"[sriov_nic]\n" + lines, "/etc/neutron/neutron.conf": b"[DEFAULT]\n"}
    return SIMPLE._replace(files=files, units=(*SIMPLE.units, agent))


def test_mapping_of_a_held_port_does_not_change_though_novas_line_is_right() -> None:
    facts = with_agent(b"physical_device_mappings = physnet7:eth0\n")
    assert [c.target for c in plan.make(ml2(ETH0), facts).changes] == [AGENT_CONF, "neutron-sriov-agent"]
    made = plan.make(ml2(ETH0), held(facts, 0))
    assert made.changes == ()
    assert blocked(made) == [("vf-in-use", "eth0"), ("waits-for-vfs", AGENT_CONF)]


def test_mapping_waits_with_novas_line() -> None:
    facts = with_agent(b"physical_device_mappings = physnet1:eth0\n")
    made = plan.make(ml2(PHYSNET9), held(facts, 0))
    assert made.changes == ()
    assert {target for _, target in blocked(made)} == {"eth0", NOVA_CONF, AGENT_CONF}


# --- the way back ---


def taken_back(facts: Facts, kept: dict[str, str], **options: Any) -> Plan:
    """The way back of the run that replaced these files; `kept`: what the probe shows of the old ones."""
    replaced = tuple(
        Replaced(str(number), "0" * 64 if text else "-", checksum(facts.files[path]), path, text)
        for number, (path, text) in enumerate(kept.items())
    )
    asked = request(ETH0, **options)._replace(rollback="")
    return rollback.make(asked, facts._replace(run_id="r", replaced=replaced))


UNIT = vf_unit.path_of("eth0")
SAME_COUNT = "Description=7 SR-IOV virtual functions on eth0\n"


@pytest.mark.parametrize("line", ["", 'device_spec = {"devname": "eth0", "physical_network": "old"}\n'])
def test_way_back_keeps_the_line_of_a_held_vf(line: str) -> None:
    made = taken_back(held(SIMPLE, 0), {NOVA_CONF: line or "[DEFAULT]\n"})
    assert made.changes == ()
    assert blocked(made) == [("waits-for-vfs", NOVA_CONF)]
    assert "VF 0 (0000:01:10.0) is in use by libvirt domain instance-00000001" in made.blocked[0].message


def test_way_back_takes_lines_where_no_guest_is_in_the_way() -> None:
    for made in (taken_back(SIMPLE, {NOVA_CONF: "x"}), taken_back(held(SIMPLE, 0), {NOVA_CONF: "x"}, force=True)):
        assert [change.target for change in made.changes] == [NOVA_CONF, "nova-compute"]


def test_way_back_of_other_lines_goes_on_beside_a_guest() -> None:
    same = 'device_spec = {"devname": "eth0", "physical_network": "physnet1"}\n'
    made = taken_back(held(SIMPLE, 0), {NOVA_CONF: same})
    assert [change.target for change in made.changes] == [NOVA_CONF, "nova-compute"]


def test_way_back_holds_together_what_one_file_ties() -> None:
    """nova.conf stays for the guest on eth0; so eth1's lines stay in it, and with them eth1's VFs and unit."""
    base = two_ports()
    done = made_by(request(ETH0, ETH1), base)
    vfs = tuple(VirtualFunction(i, done.ports[1].vf_address(i), "igbvf") for i in range(2))
    unit = Unit("sriov-vfs-eth1", True, "active", "enabled", started_at=6.0)
    done = done._replace(ports=(done.ports[0], done.ports[1]._replace(vfs=vfs)), units=(*done.units, unit))
    made = taken_back(done, {PATH: "", vf_unit.path_of("eth1"): "", UNIT: SAME_COUNT, NOVA_CONF: "x"})
    assert [change.target for change in made.changes if change.resource == "rollback"] == [UNIT]
    targets = {problem.target for problem in made.problems if problem.severity is Severity.BLOCKED}
    assert targets == {NOVA_CONF, vf_unit.path_of("eth1")}
