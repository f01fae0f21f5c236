"""`capacity` and `explain`: what the hosts offer, and why a VM finds none of them."""

from __future__ import annotations

import json
import sys

from sriov import api
from sriov.errors import SriovError, UsageError
from sriov.report import screen
from sriov.report.documents import DONE, FAILED, PENDING
from sriov.report.findings import show_capacity, show_explanation
from sriov.report.findings_documents import capacity_document, explanation_document
from sriov.scheduling.capacity import VirtualRouterSide
from sriov.scheduling.explain import Verdict

from .commands import access, load, requests, run_options
from .operator_task import on_screen
from .options import Options


def capacity(options: Options) -> int:
    """How many VFs each physical network has on each host; with credentials, what neutron and nova say of them too."""
    asked = requests(load(options), options)
    api.treat_signals_as_interrupt()
    with screen.Progress(quiet=options.json) as progress:
        reached = access(options)._replace(ask=progress.ask)
        found, outcomes, error = api.capacity(asked, reached, run_options(options), progress.told)
    side = found.virtual_routers
    code = FAILED if found.silent or api.is_failure(error) or _is_failure(side) else DONE
    if options.json:
        print(json.dumps(capacity_document(str(options.testbed_path), code, found), indent=2))
    else:
        show_capacity(found, screen.printer(sys.stdout))
        for outcome in outcomes:
            if outcome.error is not None:
                print(f"error {outcome.label}: {on_screen(outcome.error)}", file=sys.stderr)
    _tell_failures(error, side)
    return code


def explain(options: Options) -> int:
    """Which hosts take a VM with direct ports on a physical network, and why the others do not."""
    if not options.physnet:
        words, hint = "explain needs a physical network", "fab explain:physnet1, or fab explain:physnet1,2"
        raise UsageError("missing-argument", words, hint=hint)
    asked = requests(load(options), options)
    api.treat_signals_as_interrupt()
    with screen.Progress(quiet=options.json) as progress:
        reached = access(options)._replace(ask=progress.ask)
        allowed, count = run_options(options), options.count or 1
        found, error = api.explain(asked, options.physnet, count, reached, allowed, progress.told)
    code = DONE if found.verdict is Verdict.FOUND else PENDING
    side = found.virtual_routers
    code = FAILED if (code and found.has_silent) or api.is_failure(error) or _is_failure(side) else code
    if options.json:
        print(json.dumps(explanation_document(str(options.testbed_path), code, found), indent=2))
    else:
        show_explanation(found, screen.printer(sys.stdout))
    _tell_failures(error, side)
    return code


def _is_failure(side: VirtualRouterSide | None) -> bool:
    return side is not None and api.is_failure(side.error)


def _tell_failures(error: SriovError | None, side: VirtualRouterSide | None) -> None:
    """Of the cloud, and of Contrail unless it is the same: both need the login and nova."""
    if error is not None and api.is_failure(error):
        print(f"error cloud: {on_screen(error)}", file=sys.stderr)
    if side is not None and side.error is not None and str(side.error) != str(error) and api.is_failure(side.error):
        print(f"error Contrail: {on_screen(side.error)}", file=sys.stderr)
