"""VFs that the host itself uses are told where they are offered to guests, in plans and in `explain`."""

from __future__ import annotations

import pytest
from planned_host import ETH0, VFS, converged, request

from sriov.facts.bound import Bound, with_bound
from sriov.facts.model import Facts, Holder, HolderKind
from sriov.planning import plan
from sriov.resources.held import vf_users
from sriov.scheduling.checks import Asked, Judgement, Mark, vfs_not_in_use
from sriov.scheduling.explain import explain

ADDRESS = Holder(HolderKind.NETWORK_DEVICE, "eth0v1, which has an address")
USES = {
    "address": (ADDRESS, ""),
    "namespace": (Holder(HolderKind.NAMESPACE), ""),
    "driver": (Holder(HolderKind.DRIVER, "igb_uio"), ""),
    "traffic": (None, "eth0v1"),
    "process": (Holder(HolderKind.PROCESS, "77 (ovs-vswitchd)"), ""),
    "vdpa": (Holder(HolderKind.VDPA, "vdpa0 (virtio_vdpa)"), ""),
}
GUESTS = {
    "guest": Holder(HolderKind.GUEST, "vm"),
    "shut off": Holder(HolderKind.SHUT_OFF, "vm"),
    **{
        name or "process that has ended": Holder(HolderKind.PROCESS, f"12 ({name})")
        for name in ("qemu-kvm", "qemu-system-x86", "kvm", "cloud-hyperviso", "firecracker", "")
    },
    "vdpa": Holder(HolderKind.VDPA, "vdpa0 (vhost_vdpa)"),
    "vdpa without a driver": Holder(HolderKind.VDPA, "vdpa0"),
    "macvtap": Holder(HolderKind.NETWORK_DEVICE, "eth0v1, which carries macvtap0"),
    "unknown": Holder(HolderKind.UNKNOWN, "this host has no ip"),
}


def used(holder: Holder | None, traffic: str = "") -> Facts:
    vf = VFS[1]._replace(holder=holder, traffic=traffic)
    facts = converged()
    return facts._replace(ports=(facts.ports[0]._replace(vfs=(VFS[0], vf, *VFS[2:])),))


def judged(facts: Facts, count: int = 1) -> Judgement:
    return vfs_not_in_use(Asked.of(request(ETH0), facts, "physnet1", count))


@pytest.mark.parametrize("use", USES)
def test_use_by_the_host_is_a_warning_of_a_host_as_wanted(use: str) -> None:
    made = plan.make(request(ETH0), used(*USES[use]))
    assert made.is_converged
    (warning,) = made.warnings
    assert (warning.id, warning.target) == ("vf-used-by-host", "eth0")
    assert "VF 1 (0000:01:10.2) by " in warning.message
    assert "'exclude_vfs': [1]" in warning.hint


@pytest.mark.parametrize("use", USES)
def test_explain_says_the_same(use: str) -> None:
    step = judged(used(*USES[use]))
    assert (step.id, step.mark) == ("vf-used-by-host", Mark.UNKNOWN)
    assert "0000:01:10.2 by " in step.found
    assert "exclude_vfs" in step.remedy


@pytest.mark.parametrize("use", USES)
def test_use_by_the_host_waits_for_no_guest(use: str) -> None:
    assert vf_users.guests(used(*USES[use]).ports[0]) == ()


@pytest.mark.parametrize("guest", GUESTS)
def test_use_by_a_guest_is_none_by_the_host(guest: str) -> None:
    facts = used(GUESTS[guest])
    assert plan.make(request(ETH0), facts).warnings == ()
    assert judged(facts).id == ""


@pytest.mark.parametrize(
    ("guest", "advice"),
    [("shut off", "delete the guest, or detach its port"), ("guest", "shut down or migrate the guest")],
)
def test_advice_fits_what_holds_the_vf(guest: str, advice: str) -> None:
    (problem,) = plan.make(request(ETH0._replace(num_vfs=4)), used(GUESTS[guest])).blocked
    assert problem.id == "vf-in-use"
    assert problem.hint == f"free these VFs ({advice}), or pass --force-vf-reset to remove them all the same"


def test_vf_that_is_left_to_the_host_is_no_warning() -> None:
    facts = used(ADDRESS)
    assert plan.make(request(ETH0._replace(exclude_vfs=(1,))), facts).warnings == ()
    assert plan.make(request(ETH0._replace(num_vfs=0)), facts).warnings == ()


def test_warning_names_what_is_left_out_already() -> None:
    (warning,) = plan.make(request(ETH0._replace(exclude_vfs=(5,))), used(ADDRESS)).warnings
    assert "'exclude_vfs': [1, 5]" in warning.hint


def test_too_few_free_vfs_fail_as_before() -> None:
    step = judged(used(ADDRESS), 7)
    assert (step.id, step.mark) == ("vf-held-by-another-program", Mark.FAILS)


def test_users_that_cannot_be_seen_make_no_vf_free_to_explain() -> None:
    assert judged(used(GUESTS["unknown"]), 7).mark is Mark.FAILS


@pytest.mark.parametrize(("holder", "kind"), [("unknown", HolderKind.BOUND_PORT), ("guest", HolderKind.GUEST)])
def test_what_the_cloud_knows_takes_the_place_of_what_cannot_be_seen(holder: str, kind: HolderKind) -> None:
    asked = request(ETH0)
    bound = {asked.host.name: {VFS[1].pci_address: "port1"}}
    (host,) = explain([(asked, used(GUESTS[holder]), "")], "physnet1", 7, bound).computes
    found = next(step.found for step in host.steps if step.name.endswith("not given to guests"))
    assert ("port1" in found) is (kind is HolderKind.BOUND_PORT)


def fewer(bound: Bound, holder: Holder | None = None) -> tuple[str, str]:
    asked = request(ETH0._replace(num_vfs=4))
    (problem,) = plan.make(asked, with_bound(used(holder), bound)).blocked
    return problem.id, f"{problem.message}; {problem.hint}"


def test_vf_that_neutron_has_given_away_is_not_taken() -> None:
    id, words = fewer(Bound(((VFS[1].pci_address, "port1"),)))
    assert id == "vf-in-use"
    assert "VF 1 (0000:01:10.2) is in use by port port1 (bound in neutron)" in words
    assert "delete the guest, or detach its port" in words


def test_vfs_of_a_cloud_that_does_not_answer_have_unknown_users() -> None:
    id, words = fewer(Bound(unseen="neutron is away"))
    assert id == "vf-users-unknown"
    assert "cannot be determined: neutron is away" in words


def test_user_that_the_host_shows_is_told_first() -> None:
    _, words = fewer(Bound(((VFS[1].pci_address, "port1"),)), GUESTS["guest"])
    assert "libvirt domain vm" in words
    assert "port1" not in words


def test_no_cloud_changes_nothing() -> None:
    facts = used(None)
    assert with_bound(facts, Bound()) is facts


def test_guest_that_is_shut_off_counts_as_novas() -> None:
    asked = Asked.of(request(ETH0), used(GUESTS["shut off"]), "physnet1", 7)
    assert len(asked.unallocated) == 6
