"""`env.contrail_register` in the tasks that make, plan or verify a host: the pairs of Contrail's virtual routers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sriov.api import Outcome, Request, Status
from sriov.model import Testbed
from sriov.report.documents import DONE, FAILED, PENDING

if TYPE_CHECKING:
    from sriov.cloud.virtual_routers.registration import Registrar, Registration


def open_registrar(bed: Testbed, asked: tuple[Request, ...]) -> Registrar | None:
    """None where nothing is to be registered. SriovError where there is no login."""
    is_wanted = bed.contrail_register and any(request.wants_vfs and request.rollback is None for request in asked)
    if not is_wanted:
        return None
    from sriov.cloud import session
    from sriov.cloud.virtual_routers.registration import Registrar

    return Registrar(session.login(bed), bed)


def planned(bed: Testbed, asked: tuple[Request, ...], outcomes: tuple[Outcome, ...]) -> Registration | None:
    """What `registered` would do after a run; a cloud that does not answer is one of its errors."""
    from sriov.cloud.virtual_routers.registration import Registration
    from sriov.errors import SriovError

    try:
        registrar = open_registrar(bed, asked)
        seen = [(outcome.request, outcome.facts) for outcome in outcomes if outcome.error is None]
        return registrar.look(seen) if registrar else None
    except SriovError as error:
        return Registration(errors=((None, error),))


def registered(registrar: Registrar | None, outcomes: tuple[Outcome, ...]) -> Registration | None:
    """The pairs of hosts whose own run succeeded; of none where the operator has ended the run."""
    if registrar is None:
        return None
    from sriov.cloud.virtual_routers.registration import Registration

    wanting = [outcome for outcome in outcomes if outcome.request.wants_vfs]
    is_ended = any(outcome.error is not None and outcome.error.id == "interrupted" for outcome in outcomes)
    well = () if is_ended else (Status.UNCHANGED, Status.CHANGED)
    done = [(outcome.request, outcome.facts) for outcome in wanting if outcome.status in well]
    found = registrar.register(done) if done else Registration()
    return found._replace(left_out=tuple(each.request.host for each in wanting if each.status not in well))


def exit_code(code: int, found: Registration | None) -> int:
    """That of the hosts, and what the registration makes of it."""
    if found is None or code not in (DONE, PENDING):
        return code
    if found.errors:
        return FAILED
    return PENDING if found.is_pending else code
