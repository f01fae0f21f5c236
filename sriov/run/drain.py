"""Instances led away from a host for the time of its reboot: what a run needs of the cloud, and when it asks for it.

What does it stands in `sriov/cloud/nova_drain.py`; here is what becomes of a host when it could not be done.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Protocol

from sriov.errors import SriovError
from sriov.model import Host, Role
from sriov.run.host_run import HostRun, Status


class Drain(Protocol):
    """Both raise SriovError where the cloud refuses or does not answer."""

    def empty(self, host: Host, watch: Callable[[str], None], stop: threading.Event) -> tuple[str, ...]:
        """No new instance comes here, and those that are here leave; the names of those that stay. With `stop` set
        it ends soon, by SriovError."""

    def refill(self, host: Host) -> None:
        """New instances may come again, if it was us who kept them away, in this run or an earlier one."""


def empty(drain: Drain | None, run: HostRun, with_instances: bool) -> bool:
    """Whether the host may be rebooted now. If not, it is pending, with the reason, and takes instances again; so it
    does where the operator ends the run meanwhile."""
    if drain is None:
        return True
    host = run.request.host
    try:
        stay = drain.empty(host, lambda words: run.watch(run.label, words), run.stop)
        if not stay or with_instances:
            return True
        names = ", ".join(stay[:5]) + (" ..." if len(stay) > 5 else "")
        run.hold_back(f"not rebooted, for instances could not leave: {names} (--reboot-with-instances)")
    except SriovError as error:
        if not run.stop.is_set():
            run.hold_back(f"not rebooted, for it could not be drained: {error.message}")
    refill(drain, run, also_undone=True)
    return False


def refill(drain: Drain | None, run: HostRun, *, also_undone: bool = False) -> None:
    """A host that is as wanted takes instances again, and one that is not rebooted after all (`also_undone`); one that
    did not come back keeps them away."""
    well = (Status.UNCHANGED, Status.CHANGED, *((Status.PENDING, Status.DIFFERS) if also_undone else ()))
    if drain is None or run.status not in well or Role.COMPUTE not in run.request.roles:
        return
    try:
        drain.refill(run.request.host)
    except SriovError as error:
        run.notes += (f"nova-compute may still be disabled: {error.message}",)
