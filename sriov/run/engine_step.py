"""One phase of one host as a value that can be sent anywhere, done there, and answered with another value.

A step is whole in itself: it logs in, looks, does what its phase asks for, and logs out. So it may be done again
when whoever did it is lost: it looks at what is, waits for the end of what the lost one left at work on the host
(`sriov/controller.py`), and does what remains. Nothing secret comes back: of a plan and of facts only what the report
shows, unless the caller wants the files too.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import secrets
import threading
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from sriov import layout
from sriov.errors import ConnectError, HostError, UnreachableError, UsageError
from sriov.facts.model import Facts
from sriov.model import Host, Role, Secret, Testbed
from sriov.planning import answers as refusal
from sriov.planning.plan import Plan
from sriov.resources.contract import Request
from sriov.run import lock_owner as controller
from sriov.run.engine import Phase, without_content, without_files
from sriov.run.host_run import HostRun, Limits, Status
from sriov.ssh.login import Login
from sriov.transport import Connect, Session

_ATTEMPTS = 3  # at a change whose lock an earlier attempt of the same run turns out to hold


class Message(NamedTuple):
    """What a host is at, sent while it is. `number` counts from 0 in each attempt at a step."""

    run: str
    host: str
    phase: str
    attempt: str
    number: int
    words: str


class Step(NamedTuple):
    """`boot_id`: the boot that a reboot is to end. `keeps_files`: whether the answer holds the files that were read."""

    request: Request
    connect: Connect
    limits: Limits
    phase: Phase
    run: str
    changes_hosts: bool = False
    who: str = ""
    may_reboot: bool = False
    with_instances: bool = False
    boot_id: str = ""
    keeps_files: bool = False

    @property
    def resource(self) -> str:
        """What a worker must offer to get this step; empty: any worker will do."""
        return self.request.host.worker_resource


class Outcome(NamedTuple):
    """What a step came to; the fields are those of HostRun. `error`: class and arguments, for it must be sent."""

    status: Status
    facts: Facts | None
    first_plan: Plan
    plan: Plan
    error: tuple[type[HostError], str, str, str] | None
    notes: tuple[str, ...]
    done: tuple[int, ...]
    rebooted: bool
    waits_for_reboot: bool
    rollback: str | None
    seconds: float
    told: tuple[Message, ...]
    log: tuple[str, ...]


def alone(request: Request) -> Request:
    """The same request with no more of the testbed than its host is about, and no password but its own."""
    hosts: tuple[Host, ...] = (request.host,)
    if Role.OPENSTACK in request.roles:  # there it matters what the others have
        hosts = tuple(host._replace(password=None) for host in request.testbed.hosts)
    return request._replace(testbed=request.testbed._replace(hosts=hosts, cloud_login=None, unknown_keys=()))


_live: ContextVar[Callable[[Message], None] | None] = ContextVar("live", default=None)


@contextlib.contextmanager
def telling(tell: Callable[[Message], None]) -> Iterator[None]:
    """Steps of this thread tell what they are at while they are; else it comes with their outcome alone."""
    token = _live.set(tell)
    try:
        yield
    finally:
        _live.reset(token)


_at_work: dict[str, list[HostRun]] = {}
_ended: set[str] = set()  # runs, a word each
_lock = threading.Lock()


def interrupt(run: str) -> None:
    """The steps of that run in this process end: each host finishes the change that it is at, no more."""
    with _lock:
        _ended.add(run)
        found = tuple(_at_work.get(run, ()))
    for host in found:
        host.stop.set()
    for host in found:
        host.close()  # who waits for its answer wakes up


def carry_out(step: Step) -> Outcome:
    """Does the step, here and now. What goes wrong with the host is part of the outcome; nothing is raised."""
    attempt, told, log = secrets.token_hex(4), list[Message](), list[str]()
    tell = _live.get()

    def watch(label: str, words: str) -> None:
        message = Message(step.run, step.request.host.name, step.phase.value, attempt, len(told), words)
        told.append(message)
        if tell is not None:
            tell(message)

    host = HostRun(
        step.request,
        step.connect,
        watch,
        step.limits,
        log.append,
        changes_hosts=step.changes_hosts,
        run_id=step.run if step.changes_hosts else "",
        who=step.who,
        may_reboot=step.may_reboot,
        with_instances=step.with_instances,
    )
    with _registered(step.run, host):
        host.attempt(_ACTS[step.phase](step))
        host.put_off_reboot()
    return _outcome(host, tuple(told), tuple(log), step.keeps_files)


@contextlib.contextmanager
def _registered(run: str, host: HostRun) -> Iterator[None]:
    with _lock:
        _at_work.setdefault(run, []).append(host)
        if run in _ended:
            host.stop.set()
    try:
        yield
    finally:
        with _lock:
            _at_work[run].remove(host)
            if not _at_work[run]:
                del _at_work[run]


def _look(step: Step) -> Callable[[HostRun], None]:
    return HostRun.look


def _apply(step: Step) -> Callable[[HostRun], None]:
    def act(host: HostRun) -> None:
        host.look()
        _finish(host)

    return act


def _reboot(step: Step) -> Callable[[HostRun], None]:
    def act(host: HostRun) -> None:
        for left in reversed(range(_ATTEMPTS)):
            host.look_when_up()
            if host.facts is not None and host.facts.boot_id != step.boot_id:
                host.come_back(step.boot_id)  # an earlier attempt has rebooted it
                return
            try:
                _finish(host)
                break
            except UnreachableError:  # an earlier attempt has it on its way down
                if not left:
                    raise
        if host.waits_for_reboot:
            host.reboot()

    return act


_ACTS = {Phase.LOOK: _look, Phase.APPLY: _apply, Phase.REBOOT: _reboot}


def _finish(host: HostRun) -> None:
    """Makes the changes that the look before it has found due, if it may."""
    for left in reversed(range(_ATTEMPTS)):
        if host.plan.impossible or not host.has_work:
            host.rest()
            return
        try:
            host.apply()
        except HostError as error:
            if not left or error.step != refusal.LOCK or not controller.is_of(error.message, host.run_id):
                raise
            host.look()
        else:
            return


def _outcome(host: HostRun, told: tuple[Message, ...], log: tuple[str, ...], keeps_files: bool) -> Outcome:
    facts, error = host.facts, host.error
    return Outcome(
        status=host.status,
        facts=facts if keeps_files else without_files(facts),
        first_plan=without_content(host.first_plan),
        plan=without_content(host.plan),
        error=None if error is None else (type(error), error.message, error.hint, error.step),
        notes=host.notes,
        done=host.done,
        rebooted=host.rebooted,
        waits_for_reboot=host.waits_for_reboot,
        rollback=host.request.rollback,
        seconds=host.seconds,
        told=told,
        log=log,
    )


@dataclass(frozen=True, slots=True)
class WorkerLogin:
    """A Connect that can be sent: it logs in with the keys, the agent and the configuration of whoever does the step.

    The paths are looked for there. `run` is new for each run, so that a worker that lives for days reads its keys
    and known hosts anew.
    """

    run: str
    key_filename: tuple[str, ...] = ()
    timeout: float = 10.0
    accept_new_host_keys: bool = False
    ssh_config: str = ""

    def __call__(self, host: Host) -> Session:
        try:
            login = _login(self)
        except UsageError as error:
            raise ConnectError(host.name, f"its worker cannot log in: {error.message}", hint=error.hint) from None
        return login.connect(host)


@functools.lru_cache(maxsize=4)
def _login(settings: WorkerLogin) -> Login:
    bed = Testbed(path="", hosts=(), key_filename=settings.key_filename)
    return Login(bed, settings.timeout, settings.accept_new_host_keys, settings.ssh_config, _nobody_to_ask)


def _nobody_to_ask(prompt: str) -> Secret | None:
    raise ConnectError(
        "",
        f"a worker cannot ask for the {prompt}",
        hint="put it into env.passwords, or allow the login by key and sudo without a password (NOPASSWD)",
    )


@functools.cache
def fingerprint() -> str:
    """Of the code and the templates that take part in a step; a controller and its workers must have the same."""
    digest = hashlib.sha256()
    package = Path(__file__).parents[1]
    for path in sorted((*package.rglob("*.py"), *layout.templates().rglob("*.*"))):
        digest.update(path.name.encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()[:12]
