"""What fails leaves what worked: a number of VFs that the driver refuses, a line under a guest, a VF of the host's."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from faults.bench import Bench

from sriov.resources import vf_unit
from sriov.run.outcome import Outcome, Status
from sriov.simulation import Fleet, HostSpec, Nic

pytestmark = pytest.mark.slow

WORDS = {
    "memory": "the driver of eth0 refused them (Cannot allocate memory); it has 0 of 6. The 4 from before are back",
    "space": "the driver of eth0 refused them (No space left on device); it has 0 of 6. The 4 from before are back",
    "part": "the driver of eth0 made 5 virtual functions of 6. The 4 from before are back",
    "lost": "The 4 from before could not be put back: sriov-vfs-eth0 failed; eth0 has 0 now",
}
FAULTS: dict[str, dict[str, object]] = {
    "memory": {"enable_errno": "ENOMEM", "refuses_above": 4},
    "space": {"enable_errno": "ENOSPC", "refuses_above": 4},
    "part": {"driver_limit": 5},
    "lost": {"enable_errno": "EIO"},
}
NAMES = (*FAULTS, "guest", "used")
CONF = "/etc/nova/nova.conf"


@dataclass(frozen=True)
class Story:
    """`first` sets all up with 4 VFs; `second` asks for 6, or for other networks; `last` the same without faults."""

    fleet: Fleet
    second: dict[str, Outcome]
    counts: dict[str, int]
    units: dict[str, str]
    lines: dict[str, str]
    looked: dict[str, Outcome]
    last: dict[str, Outcome]


def _spec(name: str) -> HostSpec:
    eth1 = Nic("eth1", "0000:02:00.0", mac="52:54:00:12:34:99", up=True)
    nics = (Nic("eth0", "0000:01:00.0", up=True), *((eth1,) if name == "guest" else ()))
    return HostSpec(name, nics=nics, cmdline="intel_iommu=on iommu=pt")


def _ports(name: str, count: int, networks: str) -> list[dict[str, object]]:
    ports = ("eth0", "eth1") if name == "guest" else ("eth0",)
    return [{"interface": port, "VF": count, "physnets": [f"{networks}-{port}"]} for port in ports]


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Story]:
    with Fleet([_spec(name) for name in NAMES]) as fleet, pytest.MonkeyPatch.context() as patch:
        patch.setenv("SRIOV_KNOWN_HOSTS", str(fleet.known_hosts_path))
        yield _live(fleet, Bench(fleet, tmp_path_factory.mktemp("refused")))


def _live(fleet: Fleet, bench: Bench) -> Story:
    bench.write({name: _ports(name, 4, "old") for name in NAMES})
    assert {run.status for run in bench.converge().values()} == {Status.CHANGED}
    for name, faults in FAULTS.items():
        fleet[name].fail(**faults)
    fleet["guest"].hold_vf("eth0", 1, "shut-off", "instance-00000001")
    fleet["used"].hold_vf("eth0", 1, "address")
    looked = bench.look("used")
    bench.write({name: _ports(name, 6 if name in FAULTS else 4, "new" if name == "guest" else "old") for name in NAMES})
    second = bench.converge(*FAULTS, "guest")
    counts = {name: fleet[name].numvfs("eth0") for name in NAMES}
    units = {name: fleet[name].path(vf_unit.path_of("eth0")).read_text() for name in NAMES}
    lines = {name: fleet[name].path(CONF).read_text() for name in NAMES}
    for name in FAULTS:
        fleet[name].clear_faults()
    fleet["guest"].release_vf("eth0", 1, "instance-00000001")
    return Story(fleet, second, counts, units, lines, looked, bench.converge(*FAULTS, "guest"))


@pytest.mark.parametrize("name", FAULTS)
def test_refused_number_is_told_in_the_kernels_words_with_what_is_left(story: Story, name: str) -> None:
    error = story.second[name].error
    assert error is not None
    assert error.id == "vf-count-refused"
    assert "eth0 cannot have 6 virtual functions: " in error.message
    assert WORDS[name] in error.message


@pytest.mark.parametrize("name", FAULTS)
def test_refused_number_leaves_vfs_unit_and_lines(story: Story, name: str) -> None:
    assert story.counts[name] == (0 if name == "lost" else 4)
    assert vf_unit.num_vfs_of(story.units[name]) == 4
    assert '"physical_network": "old-eth0"' in story.lines[name]


@pytest.mark.parametrize("name", [*FAULTS, "guest"])
def test_next_run_without_the_fault_does_the_rest(story: Story, name: str) -> None:
    assert story.last[name].error is None
    assert story.fleet[name].numvfs("eth0") == (4 if name == "guest" else 6)


def test_line_of_a_guests_port_waits_and_other_ports_go_on(story: Story) -> None:
    error = story.second["guest"].error
    assert error is not None
    assert error.id == "vf-in-use"
    assert "VF 1 (0000:01:10.2) is in use by shut-off domain instance-00000001" in error.message
    assert f"{CONF}: its lines for eth0 stay as they are" in error.message
    assert '"old-eth0"' in story.lines["guest"]
    assert '"new-eth1"' in story.lines["guest"]
    assert '"new-eth0"' not in story.lines["guest"]


def test_vf_that_the_host_uses_is_told_by_a_look(story: Story) -> None:
    looked = story.looked["used"]
    assert looked.status is Status.UNCHANGED
    (warning,) = looked.plan.warnings
    assert warning.id == "vf-used-by-host"
    assert "VF 1 (0000:01:10.2) by network device eth0v1, which has an address" in warning.message
