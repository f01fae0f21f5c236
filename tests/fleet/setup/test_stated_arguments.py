"""`env.kernel_arguments`: read from a testbed, put in force by reboot on both families, and proved."""

from __future__ import annotations

from pathlib import Path

import pytest
from conftest import Operator
from faults.bench import SHORT, Bench
from planned_host import ETH0, converged, request

from sriov import testbed
from sriov.errors import TestbedError
from sriov.facts.model import Facts
from sriov.model import Setting
from sriov.planning import plan
from sriov.planning.plan import Plan
from sriov.resources.contract import Severity
from sriov.run.outcome import Status
from sriov.simulation import Fleet, HostSpec, Nic, SimulatedHost

NIC = (Nic(up=True),)
FOUR = [{"interface": "eth0", "VF": 4, "physnets": ["physnet1"]}]
LISTED = ("default_hugepagesz=1G", "hugepagesz=1G", "hugepages=64", "isolcpus=2-15")
BED = """from fabric.api import env
env.roledefs = {'openstack': ['root@a'], 'compute': ['root@b', 'root@c']}
env.sriov = {'root@b': [{'interface': 'eth0', 'VF': 4, 'physnets': ['physnet1']}]}
env.kernel_arguments = """


def read(folder: Path, value: str) -> dict[str, tuple[str, ...]]:
    path = folder / "testbed.py"
    path.write_text(BED + value)
    return {host.name: host.words("kernel_arguments") for host in testbed.load(path).hosts}


@pytest.mark.parametrize(
    ("value", "b", "c"),
    [
        ("{'compute': ['nosmt', 'isolcpus=2-15']}", ("nosmt", "isolcpus=2-15"), ("nosmt", "isolcpus=2-15")),
        ("{'root@c': ['nosmt']}", (), ("nosmt",)),
        (
            "{'compute': ['hugepagesz=1G', 'hugepages=8', 'nosmt'], 'root@c': ['hugepages=512']}",
            ("hugepagesz=1G", "hugepages=8", "nosmt"),
            ("nosmt", "hugepages=512"),
        ),
        (
            "{'compute': ['hugepagesz=1G', 'hugepages=8', 'hugepagesz=2M', 'hugepages=8']}",
            *[("hugepagesz=1G", "hugepages=8", "hugepagesz=2M", "hugepages=8")] * 2,
        ),
        ("{'root@c': ['intel_iommu=off']}", (), ("intel_iommu=off",)),  # it has no VFs
        ("{}", (), ()),
        ("None", (), ()),
    ],
)
def test_list_of_a_host_follows_that_of_its_role(
    tmp_path: Path, value: str, b: tuple[str, ...], c: tuple[str, ...]
) -> None:
    assert read(tmp_path, value) == {"root@a": (), "root@b": b, "root@c": c}


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ("['nosmt']", "is a list, not a dictionary"),
        ("{'compute': 'nosmt'}", "is text, not a list of kernel arguments"),
        ("{'computes': ['nosmt']}", "did you mean 'compute'?"),
        ("{'root@a': ['nosmt']}", "is neither the role compute nor one of its hosts"),
        ("{'compute': [4]}", "[0]: is a whole number, not a kernel argument"),
        ("{'compute': ['hugepages = 4']}", "is not a kernel argument"),
        ("{'compute': ['a=1 b=2']}", "is not a kernel argument"),
        ("{'compute': ['a=$(reboot)']}", "is not a kernel argument"),
        ("{'compute': ['a=b;c']}", "is not a kernel argument"),
        ("{'compute': ['--']}", "is not a kernel argument"),
        ("{'compute': ['=4']}", "is not a kernel argument"),
        ("{'compute': ['']}", "is not a kernel argument"),
        ("{'compute': ['nosmt\\n']}", "is not a kernel argument"),
        ("{'compute': ['x=' + 1100 * 'y']}", "is longer than 1024 bytes"),
        ("{'compute': ['nosmt', 'intel_iommu=off']}", "[1]: 'intel_iommu=off' switches the IOMMU off"),
        ("{'compute': ['intel-iommu=sm_on,off']}", "switches the IOMMU off"),
        ("{'compute': ['iommu=off']}", "switches the IOMMU off"),
        ("{'root@b': ['amd_iommu=off']}", "switches the IOMMU off"),
        ("{'compute': ['acpi=off']}", "switches the IOMMU off"),
    ],
)
def test_list_that_cannot_be_meant_is_one_fault_with_its_place(tmp_path: Path, value: str, words: str) -> None:
    with pytest.raises(TestbedError, match=r"has 1 fault; nothing was touched") as caught:
        read(tmp_path, value)
    assert words in str(caught.value)
    assert "testbed.py:4: env.kernel_arguments" in str(caught.value)


def planned(facts: Facts, *words: str) -> Plan:
    asked = request(ETH0)
    host = asked.host._replace(settings=(Setting("kernel_arguments", words),))
    return plan.make(asked._replace(host=host), facts)


def running(*words: str, **pools: str) -> Facts:
    """A host as wanted whose kernel and boot entry have these words too."""
    facts = converged()
    grub = "/boot/grub/grub.cfg"
    text = facts.files[grub].replace(b"iommu=pt", b"iommu=pt " + " ".join(words).encode())
    folder = "/sys/kernel/mm/hugepages/hugepages-{}kB/nr_hugepages"
    return facts._replace(
        cmdline=f"{facts.cmdline} {' '.join(words)}",
        files={**facts.files, grub: text},
        values={folder.format(size.removeprefix("_")): count for size, count in pools.items()},
    )


def test_arguments_that_are_in_force_are_as_wanted() -> None:
    assert planned(running(*LISTED, _1048576="64"), *LISTED).is_converged


def test_arguments_that_are_lacking_are_one_change_with_a_reboot() -> None:
    made = planned(converged(), *LISTED)
    assert [(change.resource, change.effect.value) for change in made.changes] == [("kernel-arguments", "reboot")]
    assert made.changes[0].wanted.endswith("iommu=pt " + " ".join(LISTED))


def test_argument_of_ours_that_gives_way_is_told() -> None:
    made = planned(converged(), "iommu=nopt", "intel_iommu=sm_on")
    told = [problem for problem in made.warnings if problem.resource == "stated-arguments"]
    assert [problem.target for problem in told] == ["iommu=pt"]
    assert "iommu=nopt" in told[0].message
    assert made.changes[0].wanted == "intel_iommu=on iommu=nopt intel_iommu=sm_on"


@pytest.mark.parametrize(
    ("words", "pools", "target", "message"),
    [
        (
            LISTED,
            {"_1048576": "48"},
            "hugepagesz=1G",
            "the kernel has 48 huge pages of that size, its command line asks for 64",
        ),
        (LISTED, {"_2048": "0"}, "hugepagesz=1G", "this kernel has no huge pages of that size"),
        (("hugepages=512",), {"_2048": "100"}, "hugepagesz=2M", "the kernel has 100 huge pages"),
        (
            ("hugepagesz=2M", "hugepages=0:300,1:212"),
            {"_2048": "511"},
            "hugepagesz=2M",
            "its command line asks for 512",
        ),
    ],
)
def test_huge_pages_that_the_kernel_has_not_are_told(
    words: tuple[str, ...], pools: dict[str, str], target: str, message: str
) -> None:
    made = planned(running(*words, **pools), *words)
    assert not made.changes
    assert [(problem.target, problem.severity) for problem in made.problems] == [(target, Severity.BLOCKED)]
    assert message in made.problems[0].message


@pytest.fixture(scope="module")
def hosts() -> tuple[HostSpec, ...]:
    return (
        HostSpec("debian1", nics=NIC, cmdline_default="quiet hugepagesz=2M hugepages=8 nosmt"),
        HostSpec("rhel1", nics=NIC, family="rhel", cmdline="nosmt=force"),
        HostSpec("small1", nics=NIC, memory_mib=16384),
    )


def _state(operator: Operator, words: tuple[str, ...]) -> None:
    sriov = dict.fromkeys(("debian1", "rhel1", "small1"), FOUR)
    operator.write(sriov, f"env.kernel_arguments = {{'compute': {list(words)!r}}}\n")


def _tail(host: SimulatedHost) -> list[str]:
    line = host.cmdline.split()
    return line[line.index("intel_iommu=on") :]


def test_arguments_are_in_force_after_one_reboot_and_the_next_run_changes_nothing(
    operator: Operator, fleet: Fleet
) -> None:
    words = (*LISTED[:2], "hugepages=16", "isolcpus=2-15", "nosmt")
    _state(operator, words)
    both = [fleet[name].login for name in ("debian1", "rhel1")]
    first = operator.fab("add_vrouter_node", *both, "--max-unavailable", "2")
    assert first.code == 0, first.said
    assert first.reboots == {"debian1": 1, "rhel1": 1, "small1": 0}
    for name in ("debian1", "rhel1"):
        assert _tail(fleet[name]) == ["intel_iommu=on", "iommu=pt", *words], name
        assert "hugepages=8" not in fleet[name].cmdline
    again = operator.fab("add_vrouter_node", *both)
    assert (again.code, again.touched) == (0, frozenset())
    assert again.executions == {"debian1": 1, "rhel1": 1, "small1": 0}


def test_changed_argument_takes_the_place_of_the_old_one(operator: Operator, fleet: Fleet) -> None:
    words = ("hugepages=128", "isolcpus=4-15")
    _state(operator, words)
    both = [fleet[name].login for name in ("debian1", "rhel1")]
    visit = operator.fab("add_vrouter_node", *both, "--max-unavailable", "2")
    assert (visit.code, visit.reboots["rhel1"]) == (3, 1), visit.said  # nosmt is left out
    for name in ("debian1", "rhel1"):
        assert "nosmt" in fleet[name].cmdline.split()
        assert "isolcpus=2-15" not in fleet[name].cmdline, name
        assert fleet[name].cmdline.split().count("hugepages=128") == 1
        pool = fleet[name].run("cat /sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages").stdout
        assert pool == b"128\n", fleet[name].cmdline
    removed = operator.fab("add_vrouter_node", *both, "--remove")
    assert removed.code == 0, removed.said
    assert operator.fab("verify", *both).code == 0
    for name in ("debian1", "rhel1"):
        fleet[name].reboot()
        assert "nosmt" not in _tail(fleet[name])  # debian1 has one of its own


def test_host_with_too_little_memory_fails_and_is_not_rebooted_again(
    fleet: Fleet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SRIOV_KNOWN_HOSTS", str(fleet.known_hosts_path))
    bench = Bench(fleet, tmp_path)
    bench.write({"small1": FOUR})
    with bench.path.open("a") as file:
        file.write("env.kernel_arguments = {'compute': ['default_hugepagesz=1G', 'hugepages=16']}\n")
    for boots in (2, 2):
        outcome = bench.converge("small1", limits=SHORT._replace(settle=1))["small1"]
        assert outcome.status is Status.FAILED
        assert "the kernel has 14 huge pages of that size, its command line asks for 16" in str(outcome.error)
        assert len(fleet["small1"].boots) == boots
