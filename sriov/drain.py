"""Instances led away from a host for the time of its reboot: what a run needs of the cloud, and when it asks for it.

What does it stands in `sriov/cloud/nova_drain.py`; here is what becomes of a host when it could not be done.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from sriov.errors import SriovError
from sriov.host_run import HostRun, Status
from sriov.model import Host, Role


class Drain(Protocol):
    """Both raise SriovError where the cloud refuses or does not answer."""

    def empty(self, host: Host, watch: Callable[[str], None]) -> tuple[str, ...]:
        """No new instance comes here, and those that are here leave; the names of those that stay."""

    def refill(self, host: Host) -> None:
        """New instances may come again, if it was us who kept them away, in this run or an earlier one."""


def empty(drain: Drain | None, run: HostRun, with_instances: bool) -> bool:
    """Whether the host may be rebooted now. If not, it is pending, with the reason, and takes instances again."""
    if drain is None:
        return True
    host = run.request.host
    try:
        stay = drain.empty(host, lambda words: run.watch(run.label, words))
        if not stay or with_instances:
            return True
        names = ", ".join(stay[:5]) + (" ..." if len(stay) > 5 else "")
        run.hold_back(f"not rebooted, for instances could not leave: {names} (--reboot-with-instances)")
    except SriovError as error:
        run.hold_back(f"not rebooted, for it could not be drained: {error.message}")
    refill(drain, run, also_pending=True)
    return False


def refill(drain: Drain | None, run: HostRun, *, also_pending: bool = False) -> None:
    """A host that is as wanted takes instances again; one that did not come back keeps them away."""
    is_well = run.status in (Status.UNCHANGED, Status.CHANGED) or (also_pending and run.status is Status.PENDING)
    if drain is None or not is_well or Role.COMPUTE not in run.request.roles:
        return
    try:
        drain.refill(run.request.host)
    except SriovError as error:
        run.notes += (f"nova-compute may still be disabled: {error.message}",)
