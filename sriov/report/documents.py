"""What programs read: one document for a run, and its exit code. Documented in docs/json.md; keys only get added."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TypedDict

from sriov.errors import HostError
from sriov.facts.model import Facts, Port
from sriov.model import PhysicalFunction, Role
from sriov.report.heading import Heading, heading
from sriov.resources.contract import Change, Problem
from sriov.resources.registry import reads
from sriov.run.outcome import Outcome, Status

DONE, FAILED, REFUSED, PENDING = 0, 1, 2, 3


class ChangeDocument(TypedDict):
    """One change of one host; `done` says whether all its steps were carried out in this run, `left_over` that it takes
    away what the testbed does not ask for any more."""

    resource: str
    target: str
    found: str
    wanted: str
    effect: str
    done: bool
    diff: list[str]
    left_over: bool


class LeftoverDocument(TypedDict):
    """What stays though the testbed does not ask for it any more, as the change that would take it away."""

    resource: str
    target: str
    found: str
    wanted: str
    effect: str
    diff: list[str]


class ProblemDocument(TypedDict):
    id: str
    resource: str
    target: str
    message: str
    hint: str
    severity: str


class NoteDocument(TypedDict):
    id: str
    message: str


class ErrorDocument(TypedDict):
    id: str
    kind: str
    message: str
    hint: str
    step: str


class PortDocument(TypedDict):
    """One row of `status`: a physical function as wanted and as seen."""

    interface: str
    pci_address: str
    driver: str
    vfs_wanted: int
    vfs_present: int
    vfs_in_use: int
    vfs_limit: int
    physical_networks: list[str]


class HostDocument(TypedDict):
    host: str
    hostname: str
    roles: list[str]
    status: str
    rebooted: bool
    reboot: str
    seconds: float
    changes: list[ChangeDocument]
    problems: list[ProblemDocument]
    notes: list[NoteDocument]
    error: ErrorDocument | None
    kernel_arguments: list[str]
    aspm: str
    services: dict[str, str]
    ports: list[PortDocument]
    leftovers: list[LeftoverDocument]


class RunDocument(Heading):
    task: str
    testbed: str
    run: str
    exit_code: int
    hosts: list[HostDocument]


_SHOWING = ("status", "discover")  # tasks that say what is, and judge nothing


def exit_code(runs: Iterable[Outcome], task: str = "") -> int:
    """0 done or nothing to do; 1 a host failed; 2 refused before the first change; 3 something is pending."""
    runs = tuple(runs)
    if task in _SHOWING and not any(run.error for run in runs):
        return DONE
    if any(run.status is Status.UNTOUCHED or run.stops_all for run in runs):
        return REFUSED
    if any(run.status is Status.FAILED for run in runs):
        return FAILED
    pending = (run.status is Status.DIFFERS or run.was_held_back or run.plan.leftovers for run in runs)
    return PENDING if any(pending) else DONE


def document(task: str, testbed: str, run_id: str, runs: Sequence[Outcome]) -> RunDocument:
    return RunDocument(
        **heading(),
        task=task,
        testbed=testbed,
        run=run_id,
        exit_code=exit_code(runs, task),
        hosts=[host_document(run) for run in runs],
    )


def host_document(run: Outcome) -> HostDocument:
    error = run.error
    return HostDocument(
        host=run.name,
        hostname=run.request.host.hostname,
        roles=sorted(role.value for role in run.request.roles),
        status=run.status.value,
        rebooted=run.rebooted,
        reboot=run.plan.reboot.value,
        seconds=round(run.seconds, 3),
        changes=[_change(run, change) for change in run.first_plan.changes],
        problems=[_problem(problem) for problem in run.plan.problems],
        notes=[NoteDocument(id=note.id, message=note.message) for note in run.notes],
        error=None if error is None else error_document(error),
        kernel_arguments=_kernel_arguments(run.facts),
        aspm=run.facts.aspm_policy if run.facts else "",
        services=_services(run),
        ports=[port_document(pf, run.facts) for pf in run.request.physical_functions],
        leftovers=[_leftover(change) for change in run.plan.leftovers],
    )


def _change(run: Outcome, change: Change) -> ChangeDocument:
    return ChangeDocument(
        resource=change.resource,
        target=change.target,
        found=change.found,
        wanted=change.wanted,
        effect=change.effect.value,
        done=run.has_done(change),
        diff=list(change.diff),
        left_over=change.is_leftover,
    )


def _leftover(change: Change) -> LeftoverDocument:
    return LeftoverDocument(
        resource=change.resource,
        target=change.target,
        found=change.found,
        wanted=change.wanted,
        effect=change.effect.value,
        diff=list(change.diff),
    )


def error_document(error: HostError) -> ErrorDocument:
    return ErrorDocument(id=error.id, kind=error.kind, message=error.message, hint=error.hint, step=error.step)


def _problem(problem: Problem) -> ProblemDocument:
    return ProblemDocument(
        id=problem.id,
        resource=problem.resource,
        target=problem.target,
        message=problem.message,
        hint=problem.hint,
        severity=problem.severity.value,
    )


def _kernel_arguments(facts: Facts | None) -> list[str]:
    words = facts.cmdline.split() if facts else []
    return [word for word in words if word.partition("=")[0] in ("intel_iommu", "amd_iommu", "iommu")]


def _services(run: Outcome) -> dict[str, str]:
    names = reads(run.request).units
    units = run.facts.units if run.facts else ()
    return {unit.name: unit.active_state for unit in units if unit.name in names and unit.is_loaded}


def port_document(pf: PhysicalFunction, facts: Facts | None) -> PortDocument:
    port = facts.port(interface=pf.interface, pci=pf.pci, mac=pf.mac) if facts else None
    seen = port or Port(pf.interface, pf.pci)
    return PortDocument(
        interface=seen.interface or pf.label,
        pci_address=seen.pci_address,
        driver=seen.driver,
        vfs_wanted=pf.num_vfs,
        vfs_present=seen.num_vfs,
        vfs_in_use=sum(bool(vf.holder) for vf in seen.vfs),
        vfs_limit=seen.total_vfs or 0,
        physical_networks=list(pf.physnets),
    )


def stanza(found: Sequence[tuple[str, Facts]]) -> str:
    """An `env.sriov` to paste: every port with SR-IOV and all its VFs; the operator names the physical networks."""
    lines = ["env.sriov = {"]
    for name, facts in found:
        lines.append(f"    {name!r}: [  # {_of_the_firmware(facts)}")
        for number, port in enumerate((p for p in facts.ports if p.total_vfs and not p.is_virtual_function), 1):
            lines.append(
                f"        {{'interface': {port.interface!r}, 'VF': {port.total_vfs}, "
                f"'physnets': ['physnet{number}']}},  # {port.pci_address}, {port.driver or 'no driver'}"
            )
        lines.append("    ],")
    return "\n".join([*lines, "}"])


def _of_the_firmware(facts: Facts) -> str:
    """Signs of BIOS settings. Only on x86 does a table tell of the IOMMU; a port's group does on every machine."""
    has_iommu = facts.acpi_tables or any(port.has_iommu_group for port in facts.ports)
    aspm = f", ASPM: {facts.aspm_policy}" if facts.aspm_policy else ""
    return f"IOMMU: {'on' if has_iommu else 'none found'}{aspm}"


def roles_text(roles: Iterable[Role]) -> str:
    return "+".join(sorted(role.value for role in roles))
