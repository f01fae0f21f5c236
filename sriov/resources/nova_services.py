"""nova's services, which must have begun after their files and the VFs became what they are."""

from __future__ import annotations

from collections.abc import Iterator

from sriov.facts.model import Facts
from sriov.model import Role
from sriov.resources.contract import Capability, Change, FreshService, Request, is_restart_due
from sriov.resources.nova_options import READERS, UNITS, is_concerned, read_by
from sriov.resources.services import restarts


def _desired(request: Request, facts: Facts) -> Iterator[FreshService]:
    return _fresh(request, facts, frozenset())


def _after_rollback(request: Request, facts: Facts, earlier: tuple[Change, ...]) -> Iterator[Change]:
    """Who reads a file that comes back has to begin again, whether or not the host still has SR-IOV to do."""
    return restarts(facts, _fresh(request, facts, frozenset(change.target for change in earlier)), earlier)


def _fresh(request: Request, facts: Facts, touched: frozenset[str]) -> Iterator[FreshService]:
    for role, reader in READERS.items():
        if role not in request.roles:
            continue
        names = UNITS[role]
        reads = tuple(path for path in (*facts.files, *touched) if read_by(reader, path))
        is_due = is_restart_due(facts, names)
        if is_concerned(request, facts, role) or is_due or touched & {*reads}:
            asks = request.physical_functions if role is Role.COMPUTE else request.testbed.has_sriov
            shared, only_running = _shared(request, reads), not (asks or is_due)
            watches_vfs = role is Role.COMPUTE
            yield FreshService(names, reads, watches_vfs, False, shared, only_running, program=reader)


def _shared(request: Request, reads: tuple[str, ...]) -> tuple[str, ...]:
    """Each role's lines concern its own service alone: whitelist and filters are options of one each."""
    others = [READERS[role] for role in READERS if role in request.host.roles - request.roles]
    return tuple(path for path in reads if any(read_by(reader, path) for reader in others))


CAPABILITY = Capability("nova-services", desired=_desired, after_rollback=_after_rollback)
