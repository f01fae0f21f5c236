"""Plans of single hosts, as text: `golden/plan/<case>.txt` shows what an operator would read."""

from __future__ import annotations

from pathlib import Path

import pytest
from planned_host import BARE, ETH0, NOVA_CONF, VFS, converged, request

from sriov.facts.model import Facts, Holder, HolderKind, Unit
from sriov.model import ML2, PhysicalFunction, Role
from sriov.planning import plan
from sriov.resources import kernel_arguments
from sriov.resources.contract import Command, RebootState, RemoveFile

GOLDEN = Path(__file__).parents[2] / "golden/plan"


def text(made: plan.Plan) -> str:
    lines = []
    for change in made.changes:
        lines += [f"{change} [{change.effect.value}]", *(f"    {line}" for line in change.diff)]
    lines += [f"left over: {change} [{change.effect.value}]" for change in made.leftovers]
    lines += [f"{p.severity.value}: {p} [{p.id}]\n    -> {p.hint}" for p in made.problems]
    return "\n".join([*lines, f"reboot: {made.reboot.value}", ""])


def held(facts: Facts) -> Facts:
    busy = (VFS[0]._replace(holder=Holder(HolderKind.GUEST, "instance-00000001")), *VFS[1:])
    return facts._replace(ports=(facts.ports[0]._replace(vfs=busy),))


FIVE = ETH0._replace(num_vfs=5)
CASES = {
    "bare": (request(ETH0), BARE),
    "amd": (request(ETH0), BARE._replace(cpu_vendor="AuthenticAMD", acpi_tables=frozenset({"IVRS"}))),
    "fewer": (request(FIVE), converged()),
    "none": (request(ETH0._replace(num_vfs=0)), converged()),
    "fewer_held": (request(FIVE), held(converged())),
    "fewer_forced": (request(FIVE, force=True), held(converged())),
    "two_networks": (request(ETH0._replace(physnets=("physnet1", "physnet2"), exclude_vfs=(0,))), BARE),
    "stanza_gone": (request(), converged()),
    "stanza_gone_removed": (request(removes=True), converged()),
    "impossible": (
        request(ETH0._replace(num_vfs=8), ETH0._replace(interface="eth9")),
        BARE._replace(acpi_tables=frozenset(), tools=frozenset(), nova_versions=(), units=()),
    ),
    "both_roles": (
        request(ETH0, roles=frozenset(Role)),
        BARE._replace(units=(*BARE.units, Unit("nova-scheduler", True, "active", "enabled", started_at=10.0))),
    ),
    "reboot_due": (request(ETH0), converged()._replace(cmdline=BARE.cmdline)),
}


@pytest.mark.parametrize("case", CASES)
def test_plan_reads_as_its_golden_text(case: str) -> None:
    assert text(plan.make(*CASES[case])) == (GOLDEN / f"{case}.txt").read_text()


def test_plan_of_a_host_that_is_as_wanted_is_empty() -> None:
    made = plan.make(request(ETH0), converged())
    assert (made.changes, made.problems, made.is_converged, made.will_reboot) == ((), (), True, False)


@pytest.mark.parametrize(("seconds_after_the_start", "found"), [(0.01, []), (0.05, [f"{NOVA_CONF} is newer"])])
def test_file_is_newer_than_a_service_by_more_than_two_clocks_differ(
    seconds_after_the_start: float, found: list[str]
) -> None:
    facts = converged()._replace(changed={NOVA_CONF: 20.0 + seconds_after_the_start})
    made = plan.make(request(ETH0), facts)
    assert [change.found.removesuffix(" than the running service") for change in made.changes] == found


def test_reboot_that_brought_nothing_is_not_made_again() -> None:
    lacking = converged()._replace(cmdline=BARE.cmdline)
    stamp = f"another-boot {kernel_arguments.boot_entry_mark(lacking)}\n".encode()
    made = plan.make(request(ETH0), lacking._replace(files={**lacking.files, "/var/lib/sriov/rebooted": stamp}))
    assert made.reboot is RebootState.FUTILE
    assert not made.will_reboot
    assert "the kernel lacks intel_iommu=on iommu=pt after a reboot" in str(made.blocked[0])


def test_mac_of_two_ports_is_refused_with_their_names() -> None:
    ports = tuple(BARE.ports[0]._replace(interface=name, mac="00:11:22:33:44:55") for name in ("eth0", "eth1"))
    by_mac = ETH0._replace(interface="", mac="00:11:22:33:44:55")
    assert plan.make(request(by_mac), BARE._replace(ports=(ports[0], ports[0]))).impossible == ()
    made = plan.make(request(by_mac), BARE._replace(ports=ports))
    assert "2 ports have this address: eth0, eth1" in str(made.impossible[0])


def test_iommu_of_amd_that_is_switched_off_is_told_before_a_reboot() -> None:
    _, amd = CASES["amd"]
    made = plan.make(request(ETH0), amd._replace(cmdline=f"{amd.cmdline} amd_iommu=off"))
    assert [problem.target for problem in made.impossible] == ["amd_iommu=off"]
    assert plan.make(request(ETH0), amd._replace(cmdline=f"{amd.cmdline} amd_iommu=pgtbl_v2")).impossible == ()


def test_ledger_of_grubby_goes_last() -> None:
    """What grubby could not take out, the next run still knows as ours."""
    entry = {"/boot/loader/entries/a.conf": b"title a\nlinux /vmlinuz\noptions root=x intel_iommu=on iommu=pt\n"}
    ledger = {"/var/lib/sriov/grubby": b"intel_iommu=on iommu=pt\n\n"}
    found = BARE._replace(tools=frozenset({"grubby"}), files={NOVA_CONF: b"", **entry, **ledger})
    (change,) = (
        change for change in plan.make(request(removes=True), found).changes if change.target == "boot entries"
    )
    assert [type(step) for step in change.steps] == [Command, RemoveFile]


ML2_SERVER = {
    "/etc/neutron/neutron.conf": b"[ml2]\nmechanism_drivers = openvswitch\n",
    "/etc/neutron/plugins/ml2/ml2_conf.ini": b"[ml2]\n",
}
SERVICES = ("nova-compute", "nova-scheduler", "neutron-server")
WHOLE = BARE._replace(
    files={**BARE.files, **ML2_SERVER},
    units=tuple(Unit(name, True, "active", "enabled", started_at=10.0) for name in SERVICES),
)


@pytest.mark.parametrize(
    ("of_host", "of_call", "kept"),
    [
        ((Role.COMPUTE, Role.OPENSTACK), (Role.OPENSTACK,), ["/etc/neutron/neutron.conf", NOVA_CONF]),
        ((Role.COMPUTE, Role.OPENSTACK), (Role.COMPUTE, Role.OPENSTACK), []),
        ((Role.OPENSTACK,), (Role.OPENSTACK,), []),
    ],
)
def test_file_that_the_other_side_of_the_host_reads_keeps_its_time(
    of_host: tuple[Role, ...], of_call: tuple[Role, ...], kept: list[str]
) -> None:
    asked = request(ETH0, roles=frozenset(of_host))
    asked = asked._replace(testbed=asked.testbed._replace(network_backend=ML2), roles=frozenset(of_call))
    steps = [step for change in plan.make(asked, WHOLE).changes for step in change.steps]
    words = [step.words for step in steps if isinstance(step, Command)]
    assert [path for name, path, *_ in words if name == "keep_time"] == kept
    for name, path, *_ in words:  # its own service has read it by then
        assert name != "keep_time" or ("restart", "neutron-server" if "neutron" in path else "nova-scheduler") in words


@pytest.mark.parametrize("asked", [ETH0._replace(physnets=("a", "b")), ETH0._replace(exclude_vfs=(2,))])
def test_port_in_a_pci_domain_that_nova_does_not_take_is_refused_in_words(asked: PhysicalFunction) -> None:
    facts = BARE._replace(ports=(BARE.ports[0]._replace(pci_address="10000:01:00.0"),))
    made = plan.make(request(asked), facts)
    found = [problem.message for problem in made.problems if problem.id == "nova-options-refused"]
    assert len(found) == 1
    assert "10000:01:10.0 of eth0" in found[0]
    assert "leave eth0 out of env.sriov" in found[0]
    assert NOVA_CONF not in [change.target for change in made.changes]
