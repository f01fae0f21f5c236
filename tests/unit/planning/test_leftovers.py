"""What the testbed does not ask for any more stays and is told; it goes with `removes`, and all that belongs to it."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from planned_host import BARE, ETH0, GRUB_CFG, NOVA_CONF, VFS, request

from sriov import api
from sriov.facts.model import Facts, Holder, HolderKind, Port, Unit, VirtualFunction
from sriov.model import CONTRAIL, ML2, Host, PhysicalFunction, Role, Setting, Testbed
from sriov.planning import plan
from sriov.planning.plan import Plan
from sriov.planning.probe import probe_script
from sriov.resources.contract import Change, Command, RemoveFile, Request, Severity, WriteFile

ETH1 = PhysicalFunction(7, ("physnet2",), interface="eth1")
BOTH = (ETH0, ETH1)
DROP_IN = "/etc/default/grub.d/zz-sriov.cfg"
LEDGER = "/var/lib/sriov/grubby"
GRUB = "/boot/grub/grub.cfg"
ENTRY = "/boot/loader/entries/a.conf"
OWN = '\ndevice_spec = {"devname": "eth9", "physical_network": "theirs"}\n'
HELD = Holder(HolderKind.GUEST, "instance-00000001")


def two_ports(family: str = "debian") -> Facts:
    """A bare host with two ports, and an entry of the operator's."""
    eth1 = BARE.ports[0]._replace(interface="eth1", pci_address="0000:02:00.0")
    files = {NOVA_CONF: f"[DEFAULT]\ndebug = true\n[pci]{OWN}".encode(), GRUB: BARE.files[GRUB]}
    if family == "rhel":
        files = {NOVA_CONF: files[NOVA_CONF], ENTRY: b"title a\nlinux /vmlinuz\noptions root=x quiet\n"}
    tools = frozenset({"grubby" if family == "rhel" else "update-grub"})
    return BARE._replace(ports=(*BARE.ports, eth1), files=files, tools=tools)


def made(asked: Request, facts: Facts) -> Plan:
    return plan.make(asked, facts)


def after(facts: Facts, done: Plan) -> Facts:
    """The host once this plan is carried out: files, VFs, units, boot entry and a reboot."""
    files, ports = dict(facts.files), {port.interface: port for port in facts.ports}
    units = {unit.name: unit for unit in facts.units}
    line = entry_of(facts).split()
    for change in done.changes:
        for step in change.steps:
            if isinstance(step, WriteFile):
                files[step.path] = step.content
            elif isinstance(step, RemoveFile):
                del files[step.path]
            elif isinstance(step, Command):
                told(step.words, change, ports, units, line)
    if DROP_IN in files and done.changes:
        ours = [token for token in re.findall(r" \"'(.*)'$", files[DROP_IN].decode(), re.M) if token not in line]
        line += ours
    text = " ".join(line)
    files |= {ENTRY: f"title a\nlinux /vmlinuz\noptions {text}\n".encode()} if ENTRY in files else {}
    files |= {GRUB: GRUB_CFG.format(text).encode()} if GRUB in files else {}
    return facts._replace(
        files=files, ports=tuple(ports.values()), units=tuple(units.values()), cmdline=f"root=UUID=x ro {text}"
    )


def entry_of(facts: Facts) -> str:
    if ENTRY in facts.files:
        return facts.text(ENTRY).split("options ")[1].strip()
    found = re.search(r"root=UUID=x ro (.*)", facts.text(GRUB))
    return found[1] if found else ""


def told(
    words: tuple[str, ...], change: Change, ports: dict[str, Port], units: dict[str, Unit], line: list[str]
) -> None:
    """What a command of a step does."""
    if words[0] == "clear_vfs":
        ports[words[1]] = ports[words[1]]._replace(vfs=())
    elif words[0] == "start_unit":
        count = int(change.wanted.split()[0])
        port = ports[words[2]]
        vfs = tuple(VirtualFunction(n, port.vf_address(n), "igbvf") for n in range(count))
        ports[words[2]] = port._replace(vfs=vfs, has_iommu_group=True, iommu_type="identity")
        units[words[1]] = Unit(words[1], True, "active", "enabled", started_at=5.0)
    elif words[0] == "stop_unit":
        del units[words[1]]
    elif words[0] == "restart":
        units[words[1]] = units[words[1]]._replace(started_at=20.0)
    elif words[-1] == "update-grub":
        line[:] = ["quiet"]
    elif "grubby" in words:
        option, _, value = words[-1].partition("=")
        kept = [token for token in line if token not in value.split()]
        line[:] = kept if option == "--remove-args" else [*kept, *value.split()]


def set_up(*pfs: PhysicalFunction, family: str = "debian", words: tuple[str, ...] = ()) -> Facts:
    bare = two_ports(family)
    asked = stated(request(*pfs), words)
    found = after(bare, made(asked, bare))
    assert made(asked, found) == Plan(boot_mark=made(asked, found).boot_mark, version="1.1.0.dev0"), made(asked, found)
    return found


def stated(asked: Request, words: tuple[str, ...]) -> Request:
    host = asked.host._replace(settings=(Setting("kernel_arguments", words),) if words else ())
    return asked._replace(host=host)


def targets(changes: tuple[Change, ...]) -> list[tuple[str, str]]:
    return [(change.resource, change.target) for change in changes]


@pytest.mark.parametrize("family", ["debian", "rhel"])
@pytest.mark.parametrize("left", [(), (ETH0,), (ETH1,)])
def test_what_is_left_out_stays_and_is_told_until_a_call_removes_it(
    left: tuple[PhysicalFunction, ...], family: str
) -> None:
    facts = set_up(*BOTH, family=family)
    kept = made(request(*left), facts)
    assert (kept.changes, kept.problems, kept.is_converged) == ((), (), True)
    gone = [pf.interface for pf in BOTH if pf not in left]
    arguments = [("kernel-arguments", "GRUB" if family == "debian" else "boot entries")] * (not left)
    ports = [("virtual-functions", interface) for interface in gone]
    assert targets(kept.leftovers) == [*arguments, *ports, ("nova-options", NOVA_CONF)]
    assert [change.steps for change in kept.leftovers] == [()] * len(kept.leftovers)
    shown = "\n".join(line for change in kept.leftovers for line in change.diff)
    assert all(f'-device_spec = {{"devname": "{interface}"' in shown for interface in gone)

    removing = request(*left, removes=True)
    removed = made(removing, facts)
    assert set(targets(kept.leftovers)) <= set(targets(removed.changes))
    found = after(facts, removed)
    again = made(removing, found)
    assert (again.changes, again.problems, again.leftovers) == ((), (), ()), again
    assert made(request(*left), found).leftovers == ()
    if not left:
        bare = two_ports(family)
        assert found.files[NOVA_CONF] == bare.files[NOVA_CONF]
        assert not {DROP_IN, LEDGER} & {*found.files}
        assert not [path for path in found.files if "sriov" in path]


def test_host_that_never_was_ours_has_nothing_left_over() -> None:
    for removes in (False, True):
        plan_of_none = made(request(removes=removes), two_ports())
        assert (plan_of_none.changes, plan_of_none.leftovers, plan_of_none.problems) == ((), (), ())


@pytest.mark.parametrize("asked", [ETH0._replace(num_vfs=0), ETH0._replace(num_vfs=3)])
def test_fewer_vfs_are_asked_for_and_come_without_a_removal(asked: PhysicalFunction) -> None:
    facts = set_up(ETH0)
    done = made(request(asked), facts)
    assert done.leftovers == ()
    found = after(facts, done)
    assert len(found.ports[0].vfs) == asked.num_vfs
    assert made(request(asked), found).is_converged
    assert made(request(asked), found).leftovers == ()
    if not asked.num_vfs:
        assert found.files[NOVA_CONF] == two_ports().files[NOVA_CONF]
        assert DROP_IN not in found.files


def test_another_network_is_asked_for() -> None:
    done = made(request(ETH0._replace(physnets=("other",))), set_up(ETH0))
    assert (targets(done.changes)[0], done.leftovers) == (("nova-options", NOVA_CONF), ())
    assert '+device_spec = {"devname": "eth0", "physical_network": "other"}' in done.changes[0].diff


def test_renamed_interface_is_one_left_out_and_one_asked_for() -> None:
    """The one that is asked for comes, and of the other no byte changes."""
    facts = set_up(ETH0)
    asked = ETH0._replace(interface="eth1")
    done = made(request(asked), facts)
    assert ("virtual-functions", "eth1") in targets(done.changes)
    assert targets(done.leftovers) == [("virtual-functions", "eth0"), ("nova-options", NOVA_CONF)]
    found = after(facts, done)
    assert [len(port.vfs) for port in found.ports] == [7, 7]
    assert facts.text(NOVA_CONF).split("# END")[0] in found.text(NOVA_CONF)
    assert made(request(asked), found).is_converged
    assert after(found, made(request(asked, removes=True), found)).text(NOVA_CONF).count("device_spec") == 2


def under_new_name(facts: Facts) -> Facts:
    """The host after a boot that calls eth0 otherwise: the unit found no device, so there are no VFs."""
    port = facts.ports[0]._replace(interface="eth0np0", vfs=())
    units = tuple(one._replace(active_state="inactive") if "eth0" in one.name else one for one in facts.units)
    return facts._replace(ports=(port, *facts.ports[1:]), units=units)


BY_PCI = ETH0._replace(interface="", pci="0000:01:00.0")


@pytest.mark.parametrize("pf", [BY_PCI, BY_PCI._replace(physnets=("physnet1", "physnet3"))])
def test_port_with_a_new_name_is_the_same_port_where_its_address_asks_for_it(pf: PhysicalFunction) -> None:
    facts = under_new_name(set_up(pf, ETH1))
    done = made(request(pf, ETH1), facts)
    assert (done.leftovers, done.problems) == ((), ())
    ports = [target for target in targets(done.changes) if target[0] == "virtual-functions"]
    assert ports == [("virtual-functions", "eth0"), ("virtual-functions", "eth0np0")]
    found = after(facts, done)
    assert '"eth0"' not in found.text(NOVA_CONF)
    assert [path for path in found.files if path.endswith("/sriov-vfs-eth0.service")] == []
    assert made(request(pf, ETH1), found).is_converged
    assert made(request(pf, ETH1), found).leftovers == ()


def test_port_with_a_new_name_is_renamed_for_neutron_too() -> None:
    bare = with_scheduler()
    facts = under_new_name(after(bare, made(all_in_one(BY_PCI), bare)))
    done = made(all_in_one(BY_PCI), facts)
    assert done.leftovers == ()
    assert b"theirs:eth9,physnet1:eth0np0\n" in after(facts, done).files["/etc/neutron/plugins/ml2/sriov_agent.ini"]


def test_card_that_is_gone_is_no_old_name_of_a_port_that_has_kept_its_own() -> None:
    facts = set_up(BY_PCI, ETH1)
    done = made(request(BY_PCI), facts._replace(ports=facts.ports[:1]))
    assert targets(done.leftovers) == [("virtual-functions", "eth1"), ("nova-options", NOVA_CONF)]


def test_one_new_name_and_two_that_are_gone_tell_nothing() -> None:
    facts = under_new_name(set_up(BY_PCI, ETH1))
    done = made(request(BY_PCI), facts._replace(ports=facts.ports[:1]))
    assert [target for _, target in targets(done.leftovers)] == ["eth0", "eth1", NOVA_CONF]


def test_entry_of_a_card_that_is_gone_stays_too() -> None:
    facts = set_up(*BOTH)
    facts = facts._replace(ports=facts.ports[:1])
    asked = request(ETH0._replace(physnets=("other",)))
    done = made(asked, facts)
    assert not [line for change in done.changes for line in change.diff if "eth1" in line]
    found = after(facts, done)
    assert '{"devname": "eth1", "physical_network": "physnet2"}' in found.text(NOVA_CONF)
    assert targets(made(asked, found).leftovers) == [("virtual-functions", "eth1"), ("nova-options", NOVA_CONF)]


def test_port_with_no_vfs_leaves_the_arguments_to_one_that_is_left_out() -> None:
    facts = set_up(*BOTH)
    done = made(request(ETH0._replace(num_vfs=0)), facts)
    assert ("kernel-arguments", "GRUB") not in targets(done.changes)
    found = after(facts, done)
    assert "intel_iommu=on iommu=pt" in entry_of(found)
    assert [len(port.vfs) for port in found.ports] == [0, 7]
    assert ("kernel-arguments", "GRUB") in targets(made(request(ETH0._replace(num_vfs=0)), found).leftovers)


@pytest.mark.parametrize("family", ["debian", "rhel"])
def test_stated_argument_that_is_left_out_stays_and_another_value_takes_its_place(family: str) -> None:
    facts = set_up(ETH0, family=family, words=("isolcpus=2-15", "nosmt"))
    asked = stated(request(ETH0), ("isolcpus=4-15",))
    done = made(asked, facts)
    assert [change.found for change in done.leftovers] == ["nosmt"]
    found = after(facts, done)
    line = entry_of(found).split()
    assert ("nosmt" in line, "isolcpus=4-15" in line, "isolcpus=2-15" in line) == (True, True, False)
    assert [change.found for change in made(asked, found).leftovers] == ["nosmt"]
    cleared = after(found, made(asked._replace(removes=True), found))
    assert entry_of(cleared).split() == ["root=x"] * (family == "rhel") + [
        "quiet",
        "intel_iommu=on",
        "iommu=pt",
        "isolcpus=4-15",
    ]
    assert made(asked._replace(removes=True), cleared).is_converged


def test_argument_of_another_cpu_is_nothing_left_over() -> None:
    facts = set_up(ETH0)._replace(cpu_vendor="AuthenticAMD", acpi_tables=frozenset({"IVRS"}))
    assert made(request(ETH0), facts).leftovers == ()


def test_port_of_a_guest_that_is_to_be_removed_stays_whole() -> None:
    """Lines, unit and VFs go together or wait together; the other port goes."""
    facts = set_up(*BOTH)
    busy = facts.ports[0]._replace(vfs=(VFS[0]._replace(holder=HELD), *VFS[1:]))
    facts = facts._replace(ports=(busy, facts.ports[1]))
    assert made(request(), facts).problems == ()  # nothing is asked, so nothing is in the way
    done = made(request(removes=True), facts)
    assert [problem.id for problem in done.blocked] == ["vf-in-use", "waits-for-vfs"]
    found = after(facts, done)
    assert [len(port.vfs) for port in found.ports] == [7, 0]
    assert '"eth0"' in found.text(NOVA_CONF)
    assert '"eth1"' not in found.text(NOVA_CONF)
    assert "intel_iommu=on iommu=pt" in entry_of(found)
    forced = after(found, made(request(removes=True, force=True), found))
    assert forced.files[NOVA_CONF] == two_ports().files[NOVA_CONF]


def test_lines_wait_for_vfs_that_a_guest_holds_though_they_are_asked_to_change() -> None:
    """Fewer VFs on two networks: whatever rests on the port waits, and the other port goes on."""
    shared = ETH0._replace(physnets=("physnet1", "physnet3"))
    facts = set_up(shared, ETH1)
    busy = facts.ports[0]._replace(vfs=(VFS[0]._replace(holder=HELD), *VFS[1:]))
    facts = facts._replace(ports=(busy, facts.ports[1]))
    done = made(request(shared._replace(num_vfs=4), ETH1._replace(physnets=("other",))), facts)
    assert [problem.id for problem in done.blocked] == ["vf-in-use", "waits-for-vfs"]
    assert targets(done.changes) == [("nova-options", NOVA_CONF), ("services", "nova-compute")]
    assert not [line for line in done.changes[0].diff if "0000:01" in line]


def test_service_that_is_gone_does_not_keep_a_removal_from_happening() -> None:
    facts = set_up(ETH0)
    facts = facts._replace(units=facts.units[1:], nova_versions=())
    assert facts.unit("nova-compute") is None
    done = made(request(removes=True), facts)
    assert done.impossible == ()
    assert after(facts, done).files[NOVA_CONF] == two_ports().files[NOVA_CONF]


def all_in_one(*pfs: PhysicalFunction, filters: tuple[str, ...] | None = None, removes: bool = False) -> Request:
    host = Host("root@a", "a", "root", roles=frozenset(Role), physical_functions=pfs)
    bed = Testbed("testbed.py", (host,), scheduler_filters=filters, network_backend=ML2)
    return Request(host, bed, frozenset(Role), removes=removes)


def with_scheduler() -> Facts:
    names = ("nova-scheduler", "neutron-server", "neutron-sriov-agent")
    units = tuple(Unit(name, True, "active", "enabled", started_at=10.0) for name in names)
    neutron = {
        "/etc/neutron/neutron.conf": b"[DEFAULT]\n",
        "/etc/neutron/plugins/ml2/ml2_conf.ini": b"[ml2]\nmechanism_drivers = openvswitch\n",
        "/etc/neutron/plugins/ml2/sriov_agent.ini": b"[sriov_nic]\nphysical_device_mappings = theirs:eth9\n",
    }
    bare = two_ports()
    return bare._replace(units=(*bare.units, *units), files={**bare.files, **neutron})


def test_filter_and_lines_of_neutron_stay_until_a_call_removes_them() -> None:
    bare = with_scheduler()
    facts = after(bare, made(all_in_one(*BOTH), bare))
    assert made(all_in_one(*BOTH), facts).is_converged
    part = made(all_in_one(ETH1), facts)
    assert (part.changes, part.problems) == ((), ())
    neutron = [key for key in targets(part.leftovers) if key[0] == "ml2-options"]
    assert [path.rpartition("/")[2] for _, path in neutron] == ["sriov_agent.ini", "ml2_conf.ini"]
    whole = made(all_in_one(), facts)
    assert (whole.changes, whole.problems) == ((), ())
    assert "-enabled_filters" in "\n".join(line for change in whole.leftovers for line in change.diff)
    only = after(facts, made(all_in_one(ETH1, removes=True), facts))
    assert b"theirs:eth9,physnet2:eth1\n" in only.files["/etc/neutron/plugins/ml2/sriov_agent.ini"]
    assert made(all_in_one(ETH1), only).leftovers == ()
    removed = after(facts, made(all_in_one(removes=True), facts))
    assert {path: removed.files.get(path) for path in bare.files if path != GRUB} == {
        path: content for path, content in bare.files.items() if path != GRUB
    }


def test_list_of_filters_that_is_stated_no_more_stays() -> None:
    bare = with_scheduler()
    listed = ("ComputeFilter", "ServerGroupAffinityFilter", "AggregateInstanceExtraSpecsFilter", "PciPassthroughFilter")
    facts = after(bare, made(all_in_one(ETH0, filters=listed), bare))
    kept = made(all_in_one(ETH0), facts)
    assert (kept.changes, targets(kept.leftovers)) == ((), [("nova-options", NOVA_CONF)])
    assert f"-enabled_filters = {','.join(listed)}" in kept.leftovers[0].diff
    removed = after(facts, made(all_in_one(ETH0, removes=True), facts))
    assert b"AggregateInstanceExtraSpecsFilter,Pci" not in removed.files[NOVA_CONF]
    extended = after(bare, made(all_in_one(ETH0), bare))
    assert made(all_in_one(ETH0), extended).leftovers == ()


def test_filter_of_the_site_that_is_stated_no_more_stays_with_its_class() -> None:
    bare = with_scheduler()
    listed = ("ComputeFilter", "PciPassthroughFilter", "site_filters.HalfFull")
    facts = after(bare, made(all_in_one(ETH0, filters=listed), bare))
    kept = made(all_in_one(ETH0), facts)
    assert (kept.changes, kept.impossible, targets(kept.leftovers)) == ((), (), [("nova-options", NOVA_CONF)])
    removed = after(facts, made(all_in_one(ETH0, removes=True), facts))
    assert b"HalfFull" not in removed.files[NOVA_CONF]


def test_entry_that_another_hand_has_made_of_ours_is_no_leftover() -> None:
    """A slip in our line: the entry comes back, and the slip stays behind our block, as any line of others."""
    bare = two_ports()
    facts = after(bare, made(request(ETH0), bare))
    slip = facts.files[NOVA_CONF].replace(b'"devname": "eth0"', b'"devname": "eth8"', 1)
    plan = made(request(ETH0), facts._replace(files={**facts.files, NOVA_CONF: slip}))
    assert plan.leftovers == ()
    text = after(facts, plan).files[NOVA_CONF]
    assert text.count(b'"devname": "eth0"') == text.count(b'"devname": "eth8"') == 1


def test_list_that_another_hand_has_edited_in_our_block_is_not_the_testbed_s() -> None:
    """The message names the file, and not a key that no testbed has."""
    bare = with_scheduler()
    facts = after(bare, made(all_in_one(ETH0), bare))
    text = facts.files[NOVA_CONF].replace(b"enabled_filters = ", b"enabled_filters = RamFilterX,", 1)
    (problem,) = made(all_in_one(ETH0), facts._replace(files={**facts.files, NOVA_CONF: text})).impossible
    assert NOVA_CONF in problem.message
    assert not problem.message.startswith("env.scheduler_filters")


NEUTRON_CONF, ML2_CONF = "/etc/neutron/neutron.conf", "/etc/neutron/plugins/ml2/ml2_conf.ini"
AGENT_CONF = "/etc/neutron/plugins/ml2/sriov_agent.ini"


def without(facts: Facts, path: str, how: str) -> Facts:
    """The host where this file cannot be read, or not to its end."""
    if how == "file-too-large":
        return facts._replace(oversized={path: 9_000_000})
    return facts._replace(files={one: facts.files[one] for one in facts.files if one != path}, unreadable=(path,))


@pytest.mark.parametrize("how", ["unreadable-file", "file-too-large"])
@pytest.mark.parametrize("path", [NOVA_CONF, NEUTRON_CONF, ML2_CONF, AGENT_CONF])
def test_removal_needs_every_file_that_may_hold_lines_of_ours(path: str, how: str) -> None:
    bare = with_scheduler()
    facts = without(after(bare, made(all_in_one(ETH0), bare)), path, how)
    left_out, removing = made(all_in_one(), facts), made(all_in_one(removes=True), facts)
    assert {(problem.id, problem.target) for problem in removing.impossible} == {(how, path)}
    assert path not in [change.target for change in (*removing.changes, *left_out.leftovers)]
    assert left_out.impossible == ()


@pytest.mark.parametrize("how", ["unreadable-file", "file-too-large"])
def test_testbed_that_asks_for_no_vfs_needs_the_file_too(how: str) -> None:
    done = made(request(ETH0._replace(num_vfs=0)), without(set_up(ETH0), NOVA_CONF, how))
    assert [(problem.id, problem.target) for problem in done.impossible] == [(how, NOVA_CONF)]


def test_file_that_cannot_be_read_is_a_warning_where_the_call_leaves_it_alone() -> None:
    done = made(request(), without(set_up(ETH0), NOVA_CONF, "file-too-large"))
    assert [(one.id, one.severity) for one in done.problems] == [("file-too-large", Severity.WARNING)]


def under_contrail(asked: Request) -> Request:
    return asked._replace(testbed=asked.testbed._replace(network_backend=CONTRAIL))


def test_lines_of_neutron_stay_and_are_told_where_the_testbed_names_its_backend_no_more() -> None:
    """Not even a guest is in the way: nothing is asked of these files."""
    bare = with_scheduler()
    facts = after(bare, made(all_in_one(ETH0), bare))
    busy = facts.ports[0]._replace(vfs=(VFS[0]._replace(holder=HELD), *VFS[1:]))
    facts = facts._replace(ports=(busy, facts.ports[1]))
    kept = made(under_contrail(all_in_one(ETH0)), facts)
    assert (kept.changes, kept.problems) == ((), ())
    assert targets(kept.leftovers) == [("ml2-options", AGENT_CONF), ("ml2-options", ML2_CONF)]
    free = facts._replace(ports=(busy._replace(vfs=VFS), facts.ports[1]))
    removed = after(free, made(under_contrail(all_in_one(ETH0, removes=True)), free))
    assert {path: removed.files[path] for path in (AGENT_CONF, ML2_CONF)} == {
        path: bare.files[path] for path in (AGENT_CONF, ML2_CONF)
    }
    assert made(under_contrail(all_in_one(ETH0)), removed).leftovers == ()
    assert made(under_contrail(all_in_one(ETH0)), removed).is_converged


def test_purge_comes_last_and_waits_with_a_port_that_stays() -> None:
    facts = set_up(ETH0)._replace(values={"/var/lib/sriov/runs/r/attempt": ""})
    done = made(request(removes=True)._replace(purges=True), facts)
    assert done.changes[-1].steps == (Command(("purge_state",)),)
    busy = facts.ports[0]._replace(vfs=(VFS[0]._replace(holder=HELD), *VFS[1:]))
    held = made(request(removes=True)._replace(purges=True), facts._replace(ports=(busy,)))
    assert ("own-state", "/var/lib/sriov") not in targets(held.changes)


OTHER = Host("root@b", "b", "root", roles=frozenset({Role.COMPUTE}), physical_functions=BOTH)


def without_compute(*, only: Role | None = None, removes: bool = False) -> Request:
    """The all-in-one host, named in roledefs['openstack'] alone; another host still has SR-IOV."""
    host = Host("root@a", "a", "root", roles=frozenset({Role.OPENSTACK}))
    bed = Testbed("testbed.py", (host, OTHER), network_backend=ML2)
    return api.requests(bed, ["root@a"], only)[0]._replace(removes=removes)


@pytest.fixture
def in_both_roles() -> Facts:
    """The all-in-one host as it was set up."""
    bare = with_scheduler()
    return after(bare, made(all_in_one(*BOTH), bare))


def test_what_is_left_of_a_role_that_the_host_has_lost_is_told_and_stays(in_both_roles: Facts) -> None:
    kept = made(without_compute(), in_both_roles)
    assert (kept.changes, kept.problems, kept.is_converged) == ((), (), True)
    assert targets(kept.leftovers) == [
        ("kernel-arguments", "GRUB"),
        ("virtual-functions", "eth0"),
        ("virtual-functions", "eth1"),
        ("nova-options", NOVA_CONF),
        ("ml2-options", "/etc/neutron/plugins/ml2/sriov_agent.ini"),
    ]
    assert not [line for change in kept.leftovers for line in change.diff if "filters" in line]


def test_lost_role_goes_with_a_removal_and_what_the_other_role_asks_for_stays(in_both_roles: Facts) -> None:
    found = after(in_both_roles, made(without_compute(removes=True), in_both_roles))
    assert [len(port.vfs) for port in found.ports] == [0, 0]
    assert (
        "device_spec" in found.text(NOVA_CONF).split("# BEGIN")[-1],
        "enabled_filters" in found.text(NOVA_CONF),
    ) == (
        False,
        True,
    )
    assert "zz-sriov" not in " ".join(found.files)
    for removes in (False, True):
        again = made(without_compute(removes=removes), found)
        assert (again.changes, again.leftovers, again.is_converged) == ((), (), True)


def test_guest_keeps_its_port_on_a_host_that_has_lost_the_role(in_both_roles: Facts) -> None:
    busy = in_both_roles.ports[0]._replace(vfs=(VFS[0]._replace(holder=HELD), *VFS[1:]))
    done = made(without_compute(removes=True), in_both_roles._replace(ports=(busy, in_both_roles.ports[1])))
    assert [problem.target for problem in done.blocked if problem.id == "vf-in-use"] == ["eth0"]


def test_openstack_host_that_never_had_the_role_is_as_before() -> None:
    bare = with_scheduler()
    asked = without_compute()
    alone = asked._replace(all_roles=False)
    first = made(asked, bare)
    assert first._replace(boot_mark="") == made(alone, bare)
    again = made(asked, after(bare, first))
    assert (again.changes, again.problems, again.leftovers, again.is_converged) == ((), (), (), True)


def test_call_about_one_role_looks_for_that_alone(in_both_roles: Facts) -> None:
    asked = without_compute(only=Role.OPENSTACK)
    assert made(asked, in_both_roles).leftovers == ()


def test_look_at_such_a_host_needs_no_further_program() -> None:
    """Who else sets VFs, which takes a grep, is asked on compute hosts alone."""
    text = probe_script(without_compute(), "0").text.decode()
    assert re.search(r"^compute=('')?$", text, re.M)


# --- the tag `trusted` ---


@pytest.mark.parametrize("tag", [True, False])
@pytest.mark.parametrize("asked", [ETH0, ETH0._replace(exclude_vfs=(3,)), ETH0._replace(physnets=("a", "b"))])
@pytest.mark.parametrize("prepared", [two_ports, lambda: of_juju(two_ports())])
def test_tag_that_is_left_out_stays_until_a_call_removes_it(
    asked: PhysicalFunction, tag: bool, prepared: Callable[[], Facts]
) -> None:
    bare = prepared()
    before = request(asked._replace(trusted=tag), ETH1)
    facts = after(bare, made(before, bare))
    kept = made(request(asked, ETH1), facts)
    assert (kept.changes, targets(kept.leftovers)) == ((), [("nova-options", NOVA_CONF)])
    assert any("trusted" in line for line in kept.leftovers[0].diff)
    held = (facts.ports[0].vfs[0]._replace(holder=HELD), *facts.ports[0].vfs[1:])
    guest = facts._replace(ports=(facts.ports[0]._replace(vfs=held), *facts.ports[1:]))
    assert (made(request(asked, ETH1), guest).changes, made(request(asked, ETH1), guest).blocked) == ((), ())
    found = after(facts, made(request(asked, ETH1, removes=True), facts))
    assert "trusted" not in found.text(NOVA_CONF)
    assert (made(request(asked, ETH1), found).changes, made(request(asked, ETH1), found).leftovers) == ((), ())


def test_tag_that_is_left_out_stays_on_an_entry_that_changes() -> None:
    facts = set_up(ETH0._replace(trusted=True))
    found = after(facts, made(request(ETH0._replace(physnets=("other",))), facts))
    assert '{"devname": "eth0", "physical_network": "other", "trusted": "true"}' in found.text(NOVA_CONF)


def test_damaged_block_is_told_where_a_tag_could_be_left_over() -> None:
    facts = set_up(ETH0._replace(trusted=True))
    text = facts.files[NOVA_CONF].replace(b"# END sriov-fab", b"# end sriov-fab")
    done = made(request(ETH0), facts._replace(files={**facts.files, NOVA_CONF: text}))
    assert [problem.id for problem in done.problems] == ["block-damaged"]


def test_tag_that_says_otherwise_is_asked_for() -> None:
    facts = set_up(ETH0._replace(trusted=True))
    done = made(request(ETH0._replace(trusted=False)), facts)
    assert (targets(done.changes)[0], done.leftovers) == (("nova-options", NOVA_CONF), ())


@pytest.mark.parametrize("tag", ['"true"', '"True"'])
def test_tag_of_an_entry_that_ours_replaced_is_not_left_over(tag: str) -> None:
    entry = f'device_spec = {{"devname": "eth0", "physical_network": "theirs", "trusted": {tag}}}\n'
    bare = two_ports()
    bare = bare._replace(files={**bare.files, NOVA_CONF: f"[pci]\n{entry}".encode()})
    found = after(bare, made(request(ETH0), bare))
    assert f'"physical_network": "physnet1", "trusted": {tag}' in found.text(NOVA_CONF)
    again = made(request(ETH0), found)
    assert (again.changes, again.leftovers) == ((), ())


# --- a file that Juju maintains: all of ours is one list on one line ---


def of_juju(facts: Facts) -> Facts:
    text = b"# Configuration file maintained by Juju. Local changes may be overwritten.\n" + facts.files[NOVA_CONF]
    return facts._replace(files={**facts.files, NOVA_CONF: text.replace(OWN.encode(), b"\n")})


def set_up_by_juju(*pfs: PhysicalFunction) -> Facts:
    bare = of_juju(two_ports())
    found = after(bare, made(request(*pfs), bare))
    assert found.text(NOVA_CONF).count("device_spec") == 1
    assert made(request(*pfs), found).changes == ()
    return found


@pytest.mark.parametrize("left", [(), (ETH0,), (ETH1,)])
def test_entry_in_the_list_for_juju_stays_until_a_call_removes_it(left: tuple[PhysicalFunction, ...]) -> None:
    facts = set_up_by_juju(*BOTH)
    kept = made(request(*left), facts)
    assert kept.changes == ()
    assert ("nova-options", NOVA_CONF) in targets(kept.leftovers)
    removing = request(*left, removes=True)
    found = after(facts, made(removing, facts))
    assert [pf.interface for pf in BOTH if f'"devname": "{pf.interface}"' in found.text(NOVA_CONF)] == [
        pf.interface for pf in left
    ]
    assert made(removing, found).changes == ()


def test_list_for_juju_changes_beside_an_entry_that_stays() -> None:
    facts = set_up_by_juju(*BOTH)
    asked = request(ETH0._replace(physnets=("$ther",)))
    found = after(facts, made(asked, facts))
    assert '{"devname": "eth0", "physical_network": "$$ther"}' in found.text(NOVA_CONF)
    assert '{"devname": "eth1", "physical_network": "physnet2"}' in found.text(NOVA_CONF)
    assert made(asked, found).changes == ()


def test_entry_of_a_held_port_stays_in_the_list_for_juju() -> None:
    facts = set_up_by_juju(*BOTH)
    eth0, eth1 = facts.ports
    facts = facts._replace(ports=(eth0, eth1._replace(vfs=(eth1.vfs[0]._replace(holder=HELD), *eth1.vfs[1:]))))
    asked = (ETH0._replace(physnets=("other",)), ETH1._replace(physnets=("moved",)))
    found = after(facts, made(request(*asked), facts))
    assert '{"devname": "eth0", "physical_network": "other"}' in found.text(NOVA_CONF)
    assert '{"devname": "eth1", "physical_network": "physnet2"}' in found.text(NOVA_CONF)
    assert "moved" not in found.text(NOVA_CONF)


@pytest.mark.parametrize("left", [(), (ETH0,), (ETH1,)])
def test_entry_of_ours_in_the_list_of_a_charm_stays_until_a_call_removes_it(
    left: tuple[PhysicalFunction, ...],
) -> None:
    bare = of_juju(two_ports())
    theirs = b'[pci]\ndevice_spec = [{"devname": "eth9", "physical_network": "theirs", "trusted": "true"}]\n'
    bare = bare._replace(files={**bare.files, NOVA_CONF: bare.files[NOVA_CONF].replace(b"[pci]\n", theirs)})
    facts = after(bare, made(request(*BOTH), bare))
    assert re.findall("^device_spec", facts.text(NOVA_CONF), re.M) == ["device_spec"]
    kept = made(request(*left), facts)
    assert kept.changes == ()
    assert ("nova-options", NOVA_CONF) in targets(kept.leftovers)
    found = after(facts, made(request(*left, removes=True), facts))
    if not left:
        assert found.files[NOVA_CONF] == bare.files[NOVA_CONF]
    line = found.text(NOVA_CONF).rpartition("\ndevice_spec")[2]
    assert [name for name in ("eth0", "eth1", "eth9") if f'"devname": "{name}"' in line] == [
        *(pf.interface for pf in left),
        "eth9",
    ]


def test_tag_stays_beside_a_list_of_a_charm_that_has_it_too() -> None:
    bare = of_juju(two_ports())
    theirs = b'[pci]\ndevice_spec = [{"devname": "eth9", "physical_network": "theirs", "trusted": "true"}]\n'
    bare = bare._replace(files={**bare.files, NOVA_CONF: bare.files[NOVA_CONF].replace(b"[pci]\n", theirs)})
    facts = after(bare, made(request(ETH0._replace(trusted=True)), bare))
    kept = made(request(ETH0), facts)
    assert (kept.changes, targets(kept.leftovers)) == ((), [("nova-options", NOVA_CONF)])
