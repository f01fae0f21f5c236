"""Plans for hosts whose kernel command line says something of the IOMMU already."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from planned_host import ETH0, GRUB_CFG, converged, request

from sriov.facts.model import Facts
from sriov.formats.kernel_arguments import KernelArgument, missing_arguments
from sriov.planning import plan
from sriov.resources.contract import Command, RebootState, WriteFile

GOLDEN = Path(__file__).parents[2] / "golden"
DROP_IN = "/etc/default/grub.d/zz-sriov.cfg"
LEDGER = "/var/lib/sriov/grubby"
ENTRY = "/boot/loader/entries/a.conf"
VENDORS = {"intel": ("GenuineIntel", "DMAR"), "amd": ("AuthenticAMD", "IVRS")}


def host(line: str, cpu: str = "amd", family: str = "debian", running: str | None = None) -> Facts:
    """As wanted but for the command line: `line` in the default boot entry, `running` in the kernel."""
    vendor, table = VENDORS[cpu]
    files = {path: text for path, text in converged().files.items() if path not in (DROP_IN, "/boot/grub/grub.cfg")}
    if family == "debian":
        files["/boot/grub/grub.cfg"] = GRUB_CFG.format(line).encode()
    else:
        files[ENTRY] = f"title a\nlinux /vmlinuz\noptions root=x ro {line}\n".encode()
    return converged()._replace(
        cmdline=f"root=x ro {line if running is None else running}",
        cpu_vendor=vendor,
        acpi_tables=frozenset({table}),
        tools=frozenset({"update-grub" if family == "debian" else "grubby"}),
        files=files,
    )


def test_group_that_a_port_shares_with_its_vfs_is_named_with_the_setting() -> None:
    facts = host("intel_iommu=on iommu=pt", "intel")
    made = plan.make(request(ETH0), facts._replace(ports=(facts.ports[0]._replace(shared_group="14"),)))
    [problem] = made.blocked
    assert (problem.id, "group (14)" in problem.message, "ACS in the BIOS" in problem.hint) == (
        "shared-iommu-group",
        True,
        True,
    )
    assert not made.changes


@pytest.mark.parametrize("family", ["debian", "rhel"])
@pytest.mark.parametrize(
    ("cpu", "line"),
    [
        ("intel", "quiet intel_iommu=on intel_iommu=igfx_off iommu=pt"),
        ("intel", "quiet iommu=pt intel_iommu=igfx_off intel_iommu=on"),
        ("intel", "quiet intel_iommu=on iommu=pt iommu=1"),
        ("intel", "iommu=nopt iommu=pt intel_iommu=on"),
        ("amd", "quiet iommu.passthrough=1"),
        ("amd", "iommu=pt amd_iommu=pgtbl_v2"),
        ("amd", "mem_encrypt=on iommu=pt"),
    ],
)
def test_line_that_means_the_same_is_left(cpu: str, line: str, family: str) -> None:
    made = plan.make(request(ETH0), host(line, cpu, family))
    assert (made.changes, made.problems, made.will_reboot) == ((), (), False)


@pytest.mark.parametrize("family", ["debian", "rhel"])
@pytest.mark.parametrize(
    ("cpu", "line", "token"),
    [
        ("amd", "quiet mem_encrypt=on kvm_amd.sev=1 iommu=nopt", "iommu=nopt"),
        ("amd", "iommu=pt iommu=nopt", "iommu=nopt"),
        ("amd", "iommu.passthrough=0", "iommu.passthrough=0"),
        ("intel", "intel_iommu=on iommu=nopt,soft", "iommu=nopt,soft"),
        ("amd", "mem_encrypt=on", "mem_encrypt=on"),
        ("amd", "kvm_amd.sev=1 iommu=soft", "kvm_amd.sev=1"),
        ("amd", "kvm-amd.sev_snp=Y", "kvm_amd.sev_snp=Y"),
    ],
)
def test_choice_of_translation_stands_and_is_named(cpu: str, line: str, token: str, family: str) -> None:
    facts = host(line, cpu, family)
    translated = facts._replace(ports=(facts.ports[0]._replace(iommu_type="DMA-FQ"),))
    made = plan.make(request(ETH0), translated)
    (warning,) = made.warnings
    assert (made.changes, made.problems, made.is_converged) == ((), (warning,), True)
    assert warning.target == token
    assert "VFs for guests work without passthrough" in warning.message
    assert "and reboot" in warning.hint


def test_choice_leaves_the_other_argument_wanted() -> None:
    made = plan.make(request(ETH0), host("quiet iommu=nopt", "intel"))
    assert [change.wanted for change in made.changes] == ["intel_iommu=on"]
    assert [problem.target for problem in made.warnings] == ["iommu=nopt"]


@pytest.mark.parametrize("line", ["quiet", "mem_encrypt=off kvm_amd.sev=0", "mem_encrypt=on mem_encrypt=off"])
def test_host_without_a_choice_is_given_passthrough(line: str) -> None:
    made = plan.make(request(ETH0), host(line))
    assert ([change.wanted for change in made.changes], made.problems) == (["iommu=pt"], ())


def test_memory_encryption_of_amd_is_no_matter_of_intel() -> None:
    made = plan.make(request(ETH0), host("mem_encrypt=on", "intel"))
    assert [change.wanted for change in made.changes] == ["intel_iommu=on iommu=pt"]


@pytest.mark.parametrize("line", ["iommu=pt", "iommu=nopt"])
def test_choice_is_that_of_the_next_boot(line: str) -> None:
    """`iommu=nopt` that was taken out, or is new: no second reboot, and no contrary change before the first."""
    other = {"iommu=pt": "iommu=nopt", "iommu=nopt": "iommu=pt"}[line]
    made = plan.make(request(ETH0), host(line, running=other))
    assert made.changes == ()
    assert made.reboot is (RebootState.DUE if line == "iommu=pt" else RebootState.NOT_NEEDED)


def test_drop_in_of_1_0_0_is_as_wanted_while_the_boot_entry_is() -> None:
    old = {DROP_IN: (GOLDEN / "grub/zz-sriov-1.0.0.cfg").read_bytes()}
    facts = converged()._replace(files={**converged().files, **old})
    made = plan.make(request(ETH0), facts)
    assert (made.changes, made.problems, made.will_reboot) == ((), (), False)
    forgotten = {"/boot/grub/grub.cfg": GRUB_CFG.format("quiet").encode()}
    (change,) = plan.make(request(ETH0), facts._replace(files={**facts.files, **forgotten})).changes
    assert [type(step) for step in change.steps] == [WriteFile, Command]
    (change, *_) = plan.make(request(removes=True), facts).changes
    assert change.diff == (f"--- {DROP_IN}", "-(file removed)")


def test_drop_in_stays_when_its_host_chooses_translation() -> None:
    facts = host("iommu=pt iommu=nopt")
    made = plan.make(request(ETH0), facts._replace(files={**facts.files, DROP_IN: b"# ours"}))
    assert made.changes == ()


@pytest.mark.parametrize(
    ("line", "arguments"),
    [
        ("intel_iommu=sm_on", ["--args=intel_iommu=sm_on intel_iommu=on iommu=pt"]),
        ("iommu=soft", ["--args=iommu=soft intel_iommu=on iommu=pt"]),
        (
            "intel_iommu=on intel_iommu=igfx_off intel_iommu=off iommu=pt",
            ["--remove-args=intel_iommu=off", "--args=intel_iommu=on intel_iommu=igfx_off"],
        ),
        (
            "intel_iommu=igfx_off intel_iommu=off,sm_on iommu=pt",
            [
                "--remove-args=intel_iommu=off,sm_on",
                "--args=intel_iommu=igfx_off intel_iommu=sm_on intel_iommu=on",
            ],
        ),
    ],
)
def test_grubby_is_told_all_tokens_of_a_name_that_stay(line: str, arguments: list[str]) -> None:
    (change,) = plan.make(request(ETH0), host(line, "intel", "rhel")).changes
    assert [word for step in change.steps for word in grubby_words(step)] == arguments


def grubby_words(step: object) -> list[str]:
    return [word for word in step.words if "args=" in word] if isinstance(step, Command) else []


def test_grubby_gives_back_what_it_took() -> None:
    facts = host("intel_iommu=igfx_off intel_iommu=sm_on intel_iommu=on iommu=pt", "intel", "rhel")
    ledger = {LEDGER: b"intel_iommu=sm_on intel_iommu=on\nintel_iommu=off,sm_on\n"}
    (change, *_) = plan.make(request(removes=True), facts._replace(files={**facts.files, **ledger})).changes
    assert [word for step in change.steps for word in grubby_words(step)] == [
        "--remove-args=intel_iommu=sm_on intel_iommu=on",
        "--args=intel_iommu=igfx_off intel_iommu=off,sm_on",
    ]


def test_ledger_holds_one_edit_once_although_grubby_failed() -> None:
    facts = host("iommu=off iommu=soft", "amd", "rhel")
    first = written(plan.make(request(ETH0), facts))
    assert first == b"iommu=pt\niommu=off\n"
    assert written(plan.make(request(ETH0), facts._replace(files={**facts.files, LEDGER: first}))) == first


def written(made: plan.Plan) -> bytes:
    (content,) = (step.content for change in made.changes for step in change.steps if isinstance(step, WriteFile))
    return content


def with_bls_grubby(line: list[str], option: str, words: list[str]) -> list[str]:
    """grubby of EL8 and later: what it adds stands for all tokens of the name."""
    if option == "--remove-args":
        return [token for token in line if token not in words]
    names = {word.split("=")[0] for word in words}
    return [token for token in line if token.split("=")[0] not in names] + words


def with_el7_grubby(line: list[str], option: str, words: list[str]) -> list[str]:
    """grubby.c: what it adds stands in the place of the next token of the name, what it removes is the first of it."""
    found, used = list(line), set[int]()
    for word in words:
        same = [at for at, token in enumerate(found) if token.split("=")[0] == word.split("=")[0] and at not in used]
        if option == "--remove-args":
            del found[same[0]]
        elif same:
            found[same[0]] = word
            used.add(same[0])
        else:
            used.add(len(found))
            found.append(word)
    return found


@pytest.mark.parametrize("grubby", [with_bls_grubby, with_el7_grubby])
@pytest.mark.parametrize(
    "line",
    [
        "quiet",
        "intel_iommu=off quiet iommu=off",
        "intel_iommu=igfx_off intel_iommu=off iommu=soft iommu=off iommu=off",
        "intel_iommu=on intel_iommu=igfx_off intel_iommu=off iommu=pt",
        "intel_iommu=off,sm_on iommu=off,soft intel_iommu=igfx_off iommu=1",
    ],
)
def test_every_grubby_makes_the_line_and_gives_its_tokens_back(
    line: str, grubby: Callable[[list[str], str, list[str]], list[str]]
) -> None:
    facts = host(line, "intel", "rhel")
    made = plan.make(request(ETH0), facts)
    now = told(line, made, grubby)
    assert missing_arguments(now, (KernelArgument("intel_iommu", "on"), KernelArgument("iommu", "pt"))) == ()
    assert {token for token in line.split() if "=off" not in token} <= set(now.split())
    changed = host(now, "intel", "rhel")
    back = plan.make(request(removes=True), changed._replace(files={**changed.files, LEDGER: written(made)}))
    assert sorted(told(now, back, grubby).split()) == sorted(line.split())


def told(line: str, made: plan.Plan, grubby: Callable[[list[str], str, list[str]], list[str]]) -> str:
    found = line.split()
    for word in (word for change in made.changes for step in change.steps for word in grubby_words(step)):
        option, _, words = word.partition("=")
        found = grubby(found, option, words.split())
    return " ".join(found)
