"""`capacity` and `explain`: what the hosts offer, and why a VM finds none of them."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from dataclasses import replace

from sriov import capacity as measured
from sriov import explain as explaining
from sriov import findings_screen, report, screen
from sriov.errors import UsageError
from sriov.facts import Facts
from sriov.host_run import HostRun
from sriov.model import Host, Testbed
from sriov.resource import Request

from .operator_task import Options
from .running import load, look_at, requests_of


def capacity(options: Options) -> int:
    """How many VFs each physical network has on each host: wanted, present, in use, free."""
    bed = load(options)
    runs = look_at(bed, _with_all_ports(bed, options), options)
    found = measured.measure([(run.request, run.facts) for run in runs])
    code = report.FAILED if found.silent else report.DONE
    if options.json:
        print(json.dumps(measured.document(str(options.testbed_path), code, found), indent=2))
    else:
        findings_screen.show_capacity(found, screen.console(sys.stdout))
        _show_errors(runs)
    return code


def explain(options: Options) -> int:
    """Which hosts take a VM with direct ports on a physical network, and why the others do not."""
    if not options.physnet:
        raise UsageError("explain needs a physical network", hint="fab explain:physnet1, or fab explain:physnet1,2")
    bed = load(options)
    found = explanation(bed, options, options.physnet, options.count or 1)
    code = report.DONE if found.verdict is explaining.Verdict.FOUND else report.PENDING
    code = report.FAILED if code and found.has_silent else code
    if options.json:
        print(json.dumps(explaining.document(str(options.testbed_path), code, found), indent=2))
    else:
        findings_screen.show_explanation(found, screen.console(sys.stdout))
    return code


def explanation(
    bed: Testbed, options: Options, physnet: str, count: int, claims: Mapping[Host, Mapping[str, str]] | None = None
) -> explaining.Explanation:
    """What every host of the testbed says about `count` direct ports on that physical network.

    `claims`: by host, the VFs (PCI address) that the cloud has given away, and to whom: a VM that is shut off keeps
    its VF, although the host shows it free.
    """
    runs = look_at(bed, _with_all_ports(bed, options), options)
    seen = [
        (
            run.request,
            _claimed(run.facts, (claims or {}).get(run.request.host, {})),
            run.error.message if run.error else "",
        )
        for run in runs
    ]
    return explaining.explain(seen, physnet, count)


def _claimed(facts: Facts | None, claims: Mapping[str, str]) -> Facts | None:
    """The facts with claimed VFs held by whom the cloud says, where the host itself knows no holder."""
    if facts is None or not claims:
        return facts
    ports = tuple(
        replace(port, vfs=tuple(replace(vf, holder=vf.holder or claims.get(vf.pci_address, "")) for vf in port.vfs))
        for port in facts.ports
    )
    return replace(facts, ports=ports)


def _with_all_ports(bed: Testbed, options: Options) -> tuple[Request, ...]:
    return tuple(replace(request, all_ports=True, ask_holders=True) for request in requests_of(bed, options, ""))


def _show_errors(runs: tuple[HostRun, ...]) -> None:
    for run in runs:
        if run.error is not None:
            print(f"error {run.label}: {run.error}", file=sys.stderr)
