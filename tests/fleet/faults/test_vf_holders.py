"""A VF that somebody uses is not taken away, whoever it is; a write that hangs leaves neither session nor lock."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from faults.bench import Bench, leftovers

from sriov.resources.contract import Request
from sriov.run.outcome import Outcome, Status
from sriov.simulation import Fleet, HostSpec, Nic

pytestmark = pytest.mark.slow

HOLDERS = {
    "libvirt": "libvirt domain instance-00000001",
    "domain": "libvirt domain instance-00000001",
    "shut-off": "shut-off domain instance-00000001",
    "pool": r"shut-off domain instance-00000001 \(network instance-00000001-pool\)",
    "vfio": r"process \d+ \(qemu-system-x86\)",
    "bond": "network device eth0v1, part of holder0",
    "bridge": "network device eth0v1, part of holder0",
    "vlan": "network device eth0v1, which carries eth0v1.5",
    "netns": "another network namespace",
    "address": "network device eth0v1, which has an address",
}
OTHERS = ("free", "excluded", "growing", "late", "forced", "hung", "blind")
ADDRESS = "0000:01:10.2"  # VF 1 of 0000:01:00.0, offset 128, stride 2


@dataclass(frozen=True)
class Story:
    """`first`: who holds a VF holds it; `second`: all the same, without force; `last`: nobody holds any."""

    fleet: Fleet
    bench: Bench
    first: dict[str, Outcome]
    counts: dict[str, tuple[int, int]]
    left: dict[str, list[str]]
    stuck: list[str]
    second: dict[str, Outcome]
    last: dict[str, Outcome]


def _spec(name: str) -> HostSpec:
    nics = (
        Nic("eth0", "0000:01:00.0", numvfs=4, up=True, hot_unplugs=name == "forced"),
        Nic("eth1", "0000:02:00.0", mac="52:54:00:12:34:99", up=True),
    )
    return HostSpec(name, nics=nics, cmdline="intel_iommu=on iommu=pt")


def _ports(name: str) -> list[dict[str, object]]:
    eth0: dict[str, object] = {"interface": "eth0", "VF": 7 if name == "growing" else 2, "physnets": ["physnet1"]}
    if name == "excluded":
        eth0["exclude_vfs"] = [1]
    return [eth0, {"interface": "eth1", "VF": 7, "physnets": ["physnet2"]}]


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Story]:
    with Fleet([_spec(name) for name in (*HOLDERS, *OTHERS)]) as fleet, pytest.MonkeyPatch.context() as patch:
        patch.setenv("SRIOV_KNOWN_HOSTS", str(fleet.known_hosts_path))
        bench = Bench(fleet, tmp_path_factory.mktemp("holders"))
        bench.write({host.name: _ports(host.name) for host in fleet.hosts})
        yield _live(fleet, bench)


def _live(fleet: Fleet, bench: Bench) -> Story:
    held = {name: name for name in HOLDERS} | {"growing": "bond", "forced": "libvirt", "hung": "libvirt"}
    names = {"bond": "holder0", "bridge": "holder0", "vlan": "eth0v1.5"}
    for name, kind in held.items():
        fleet[name].hold_vf("eth0", 1, kind, names.get(kind, "instance-00000001"))

    fleet["blind"].fail(missing_tools=("ip",))

    def come_late(name: str, words: str) -> None:
        if (name, words) == ("late", "differs"):
            fleet[name].hold_vf("eth0", 1, "bridge", "br0")

    def force(request: Request) -> Request:
        forced = request.host.hostname in ("forced", "hung")
        return request._replace(force_vf_reset=forced, clear_seconds=2)

    first = bench.converge(at=come_late, request=force)
    counts = {host.name: (host.numvfs("eth0"), host.numvfs("eth1")) for host in fleet.hosts}
    left = {host.name: leftovers(host) for host in fleet.hosts}
    stuck = fleet["hung"].stuck
    second = bench.converge()
    for name in (*held, "late"):
        if name != "forced":
            fleet[name].release_vf("eth0", 1)
    fleet["blind"].clear_faults()
    bench.write({host.name: _ports("" if host.name == "excluded" else host.name) for host in fleet.hosts})
    return Story(fleet, bench, first, counts, left, stuck, second, bench.converge())


@pytest.mark.parametrize("kind", HOLDERS)
def test_used_vf_blocks_the_change_and_is_named_with_its_holder(story: Story, kind: str) -> None:
    run = story.first[kind]
    assert run.status is Status.FAILED
    assert run.error is not None
    index, address = (0, "0000:01:10.0") if kind == "pool" else (1, ADDRESS)  # a pool gives its first free VF
    words = rf"VF {index} \({address}\) is in use by {HOLDERS[kind]}"
    assert re.search(words, run.error.message), run.error.message
    assert "--force-vf-reset" in run.error.hint


@pytest.mark.parametrize("kind", HOLDERS)
def test_used_vf_blocks_its_own_port_only(story: Story, kind: str) -> None:
    assert story.counts[kind] == (4, 7)
    left = story.first[kind].plan
    assert not left.changes
    assert [problem.target for problem in left.blocked] == ["eth0", "/etc/nova/nova.conf"]


def test_free_vfs_are_changed_beside_hosts_that_are_blocked(story: Story) -> None:
    assert story.first["free"].status is Status.CHANGED
    assert story.counts["free"] == (2, 7)


def test_vfs_left_to_the_host_are_in_use_by_it(story: Story) -> None:
    error = story.first["excluded"].error
    assert error is not None
    assert f"VF 1 ({ADDRESS}) is in use by the host itself" in error.message
    assert story.counts["excluded"] == (4, 7)


def test_growing_count_is_blocked_too(story: Story) -> None:
    error = story.first["growing"].error
    assert error is not None
    assert "4 VFs cannot become 7 VFs" in error.message
    assert story.counts["growing"] == (4, 7)


def test_vfs_whose_users_cannot_be_seen_are_not_taken(story: Story) -> None:
    error = story.first["blind"].error
    assert error is not None
    assert "who uses VFs 0, 1, 2, 3 cannot be determined: this host has no ip" in error.message
    assert error.id == "vf-users-unknown"
    assert story.counts["blind"][0] == 4


def test_holder_that_appears_after_the_probe_is_seen_before_the_write(story: Story) -> None:
    error = story.first["late"].error
    assert error is not None
    assert f"VF 1 ({ADDRESS}) is in use by network device eth0v1, part of br0" in error.message
    assert error.step == "virtual-functions eth0"
    assert story.counts["late"] == (4, 0)  # a step that fails ends the change of its host


def test_force_takes_the_vf_and_says_from_whom_before_it_does(story: Story) -> None:
    assert story.first["forced"].status is Status.CHANGED
    assert story.counts["forced"] == (2, 7)
    told = [words for name, words in story.bench.events if name == "forced"]
    warning = next(words for words in told if "will be taken from libvirt domain instance-00000001" in words)
    assert ADDRESS in warning
    assert told.index(warning) < told.index("virtual-functions eth0")


def test_hung_write_ends_in_a_bounded_error_without_session_or_lock(story: Story) -> None:
    error = story.first["hung"].error
    assert error is not None
    assert "has not answered a write of 0 to sriov_numvfs of eth0 within 2 seconds" in error.message
    assert story.stuck == ["eth0"]
    assert story.left["hung"] == []


def test_next_run_knows_a_hung_write_and_does_not_touch_the_file(story: Story) -> None:
    error = story.second["hung"].error
    assert error is not None
    assert re.search(r"not answered an earlier write of 0 to sriov_numvfs \(pid \d+\)", error.message)
    assert "shut the guest down" in error.hint


@pytest.mark.parametrize("name", [*HOLDERS, *OTHERS])
def test_next_run_converges_when_nobody_holds_a_vf(story: Story, name: str) -> None:
    assert story.last[name].error is None, story.last[name].error
    assert story.last[name].plan.is_converged
    assert story.fleet[name].numvfs("eth0") == (7 if name == "growing" else 2)
