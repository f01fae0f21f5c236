"""`fab add_vrouter_node` on hosts whose kernel command line says something of the IOMMU already, and the way back."""

from __future__ import annotations

import pytest
from conftest import Operator, Visit

from sriov.simulation import Fleet, HostSpec, Nic, SimulatedHost
from sriov.simulation.spec import Cpu, Family

pytestmark = pytest.mark.slow

FAMILIES: tuple[Family, ...] = ("debian", "rhel")
FOUR = [{"interface": "eth0", "VF": 4, "physnets": ["physnet1"]}]
# the line of the host, its CPU, what is warned of
LEFT: dict[str, tuple[str, Cpu, str]] = {
    "igfx": ("intel_iommu=on intel_iommu=igfx_off iommu=pt", "intel", ""),
    "unknown-word": ("intel_iommu=on iommu=pt iommu=1", "intel", ""),
    "snp": ("mem_encrypt=on kvm_amd.sev=1 iommu=nopt", "amd", "iommu=nopt"),
    "snp-unsaid": ("kvm_amd.sev_snp=1", "amd", "kvm_amd.sev_snp=1"),
    "passthrough": ("iommu.passthrough=1", "amd", ""),
}
# the line of the host, its CPU, and the line after the run, on the Debian family and on the RHEL family
CHANGED: dict[str, tuple[str, Cpu, str, str]] = {
    "scalable": (
        "intel_iommu=sm_on iommu=soft",
        "intel",
        "intel_iommu=sm_on iommu=soft intel_iommu=on iommu=pt",
        "intel_iommu=sm_on iommu=soft intel_iommu=on iommu=pt",
    ),
    "off": (
        "intel_iommu=igfx_off intel_iommu=off,sm_on hugepagesz=1G hugepages=8 hugepagesz=2M hugepages=8 iommu=off,soft",
        "intel",
        "intel_iommu=igfx_off intel_iommu=sm_on hugepagesz=1G hugepages=8 hugepagesz=2M hugepages=8 iommu=soft "
        "intel_iommu=on iommu=pt",
        "hugepagesz=1G hugepages=8 hugepagesz=2M hugepages=8 "
        "intel_iommu=igfx_off intel_iommu=sm_on iommu=soft intel_iommu=on iommu=pt",
    ),
}


def spec(name: str, family: Family, line: str, cpu: Cpu) -> HostSpec:
    """On the Debian family the line is spread over both of GRUB's variables."""
    words = line.split()
    first, rest = (words[:1], words[1:]) if family == "debian" else (words, [])
    return HostSpec(
        f"{name}-{family}",
        family=family,
        cpu=cpu,
        nics=(Nic(up=True),),
        cmdline=" ".join(first),
        cmdline_default=" ".join(["quiet", *rest]),
    )


@pytest.fixture(scope="module")
def hosts() -> tuple[HostSpec, ...]:
    cases = {name: case[:2] for name, case in LEFT.items()} | {name: case[:2] for name, case in CHANGED.items()}
    return tuple(spec(name, family, line, cpu) for name, (line, cpu) in cases.items() for family in FAMILIES)


@pytest.fixture(scope="module")
def visit(operator: Operator, fleet: Fleet) -> Visit:
    operator.write({host.name: FOUR for host in fleet.hosts})
    return operator.fab(f"add_vrouter_node:{','.join(host.login for host in fleet.hosts)}")


def arguments(host: SimulatedHost, line: str = "") -> list[str]:
    """What the kernel was given, or would be by this line, without what every host has."""
    everywhere = ("BOOT_IMAGE=", "root=", "ro", "quiet", "crashkernel=")
    return [word for word in (line or host.cmdline).split() if not word.startswith(everywhere)]


def next_boot(host: SimulatedHost) -> list[str]:
    if host.spec.family == "rhel":
        entries = sorted(host.path("/boot/loader/entries").glob("*.conf"))
        return arguments(host, entries[-1].read_text().split("options ")[1].split("\n")[0])
    menu = host.path("/boot/grub/grub.cfg").read_text()
    return arguments(host, menu.split("\tlinux\t")[1].split("\n")[0].split(" ", 1)[1])


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("name", LEFT)
def test_host_that_has_what_it_needs_keeps_its_line(fleet: Fleet, visit: Visit, name: str, family: str) -> None:
    line, _, warned = LEFT[name]
    host = fleet[f"{name}-{family}"]
    assert visit.code == 0, visit.said
    assert visit.reboots[host.name] == 0
    assert arguments(host) == next_boot(host) == line.split()
    assert not host.path("/etc/default/grub.d/zz-sriov.cfg").exists()
    assert not host.path("/var/lib/sriov/grubby").exists()
    assert host.numvfs("eth0") == 4
    said = {
        line.split(" iommu ")[1] for line in visit.out.splitlines() if f"{host.name} " in line and " iommu " in line
    }
    assert [words.split(":")[0] for words in said] == [warned] * bool(warned), visit.out


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("name", CHANGED)
def test_host_that_lacks_an_argument_loses_no_other(fleet: Fleet, visit: Visit, name: str, family: str) -> None:
    host = fleet[f"{name}-{family}"]
    assert visit.reboots[host.name] == 1, visit.said
    assert arguments(host) == CHANGED[name][3 if family == "rhel" else 2].split()


def test_second_run_changes_nothing_and_the_way_back_gives_every_token_back(
    operator: Operator, fleet: Fleet, visit: Visit
) -> None:
    chosen = [fleet[f"{name}-{family}"] for name in CHANGED for family in FAMILIES]
    again = operator.fab(f"add_vrouter_node:{','.join(host.login for host in fleet.hosts)}")
    assert (again.code, again.touched) == (0, frozenset()), again.said
    back = operator.fab(f"rollback:{','.join(host.login for host in chosen)}")
    assert back.code == 0, back.said
    for host in chosen:
        assert sorted(next_boot(host)) == sorted(CHANGED[host.name.rsplit("-", 1)[0]][0].split()), host.name
