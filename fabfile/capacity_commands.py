"""`capacity` and `explain`: what the hosts offer, and why a VM finds none of them."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from dataclasses import replace

from sriov.api import Outcome, Request
from sriov.cloud import claims, drift, session
from sriov.errors import SriovError, UsageError
from sriov.facts.model import Facts, Holder, HolderKind
from sriov.model import Testbed
from sriov.report import documents as report
from sriov.report import findings as findings_screen
from sriov.report import screen
from sriov.scheduling import capacity as measured
from sriov.scheduling import explain as explaining

from .commands import load, look_at, requests
from .operator_task import Options

_Bound = Mapping[str, Mapping[str, str]]


def capacity(options: Options) -> int:
    """How many VFs each physical network has on each host; with credentials, what neutron and nova say of them too."""
    bed = load(options)
    runs = look_at(_with_all_ports(bed, options), options)
    view, error = session.ask(bed, claims.view)
    seen = [(run.request, run.facts) for run in runs]
    found = measured.measure(seen, None if view is None else view.bound(bed.hosts))
    if view is not None:
        found = replace(found, orphans=(*found.orphans, *drift.orphans(seen, view)))
    found = replace(found, unasked=error.message if error else "")
    code = report.FAILED if found.silent or _is_failure(error) else report.DONE
    if options.json:
        print(json.dumps(measured.document(str(options.testbed_path), code, found), indent=2))
    else:
        findings_screen.show_capacity(found, screen.printer(sys.stdout))
        _show_errors(runs)
    _tell_failure(error)
    return code


def explain(options: Options) -> int:
    """Which hosts take a VM with direct ports on a physical network, and why the others do not."""
    if not options.physnet:
        raise UsageError("explain needs a physical network", hint="fab explain:physnet1, or fab explain:physnet1,2")
    bed = load(options)
    bound, error = session.ask(bed, claims.bound)
    found = explanation(bed, options, options.physnet, options.count or 1, bound)
    found = replace(found, unasked=error.message if error else "")
    code = report.DONE if found.verdict is explaining.Verdict.FOUND else report.PENDING
    code = report.FAILED if (code and found.has_silent) or _is_failure(error) else code
    if options.json:
        print(json.dumps(explaining.document(str(options.testbed_path), code, found), indent=2))
    else:
        findings_screen.show_explanation(found, screen.printer(sys.stdout))
    _tell_failure(error)
    return code


def _is_failure(error: SriovError | None) -> bool:
    """A cloud that should answer and does not; where nobody has given credentials none is missing."""
    return error is not None and not isinstance(error, session.NotAtHandError)


def _tell_failure(error: SriovError | None) -> None:
    if _is_failure(error):
        print(f"error cloud: {error}", file=sys.stderr)


def explanation(
    bed: Testbed, options: Options, physnet: str, count: int, bound: _Bound | None = None
) -> explaining.Explanation:
    """What every host of the testbed says about `count` direct ports on that physical network.

    `bound`: by host string, the VFs (PCI address) that neutron has bound, and to which port: a VM that is shut off
    keeps its VF, although the host shows it free.
    """
    runs = look_at(_with_all_ports(bed, options), options)
    seen = [
        (
            run.request,
            _claimed(run.facts, (bound or {}).get(run.request.host.name, {})),
            run.error.message if run.error else "",
        )
        for run in runs
    ]
    return explaining.explain(seen, physnet, count)


def _claimed(facts: Facts | None, bound: Mapping[str, str]) -> Facts | None:
    """The facts with bound VFs held by the guests of their ports, where the host itself knows no holder."""
    if facts is None or not bound:
        return facts
    holders = {slot: Holder(HolderKind.BOUND_PORT, name) for slot, name in bound.items()}
    ports = tuple(
        port._replace(vfs=tuple(vf._replace(holder=vf.holder or holders.get(vf.pci_address)) for vf in port.vfs))
        for port in facts.ports
    )
    return facts._replace(ports=ports)


def _with_all_ports(bed: Testbed, options: Options) -> tuple[Request, ...]:
    return tuple(request._replace(all_ports=True, ask_holders=True) for request in requests(bed, options))


def _show_errors(runs: tuple[Outcome, ...]) -> None:
    for run in runs:
        if run.error is not None:
            print(f"error {run.label}: {run.error}", file=sys.stderr)
