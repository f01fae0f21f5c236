"""`stats`: what the VFs have received and sent."""

from __future__ import annotations

import json
import sys

from sriov import api
from sriov.report import screen
from sriov.report.documents import DONE, FAILED
from sriov.report.traffic import show_statistics
from sriov.report.traffic_documents import statistics_document

from .commands import access, load, requests, run_options
from .options import Options


def stats(options: Options) -> int:
    """The counters of every VF; with --interval, rates per second too."""
    asked = requests(load(options), options)
    interval = options.own.get("interval", 0)
    api.treat_signals_as_interrupt()
    with screen.Progress(quiet=options.json) as progress:
        reached = access(options)._replace(ask=progress.ask)
        found, outcomes, error = api.statistics(
            asked, interval if isinstance(interval, int) else 0, reached, run_options(options), progress.told
        )
    code = FAILED if any(host.is_silent for host in found.hosts) or api.is_failure(error) else DONE
    if options.json:
        print(json.dumps(statistics_document(str(options.testbed_path), code, found, outcomes), indent=2))
    else:
        show_statistics(found, outcomes, screen.printer(sys.stdout))
    if api.is_failure(error):
        print(f"error cloud: {error}", file=sys.stderr)
    return code
