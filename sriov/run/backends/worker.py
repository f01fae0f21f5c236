"""One phase of one host as a value that can be sent anywhere, done there, and answered with another value.

A job is whole in itself: it logs in, looks, does what its phase asks for, and logs out. So it may be done again when
its worker is lost: it looks at what is, waits for the end of what the lost one left running on the host, and does what
remains. Nothing secret comes back: of a plan and of facts only what the report shows, unless the files are wanted.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import secrets
import threading
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from pathlib import Path
from typing import NamedTuple

from sriov import layout
from sriov.facts.model import Facts
from sriov.model import Host, Role
from sriov.resources.contract import Request
from sriov.run.context import Event, LogEntry, RunContext, Settings, begin
from sriov.run.outcome import AwaitingReboot, Looked, Outcome, State, Status, outcome_of, with_outcome
from sriov.run.phases import Phase, perform


class Message(NamedTuple):
    """What a host is at, sent while it is. `number` counts from 0 in each attempt at a job."""

    run: str
    host: str
    phase: str
    attempt: str
    number: int
    words: str
    is_rest: bool

    @property
    def event(self) -> Event:
        return Event(self.words, self.is_rest)


class Job(NamedTuple):
    """A phase, and the state before it with no more in it than the phase needs."""

    phase: Phase
    state: State
    settings: Settings

    @property
    def request(self) -> Request:
        return outcome_of(self.state).request

    @property
    def resource(self) -> str:
        """What a worker must offer to get this job; empty: any worker will do."""
        return self.request.host.worker_resource


class Answer(NamedTuple):
    """What a job came to."""

    state: State
    messages: tuple[Message, ...]
    log: tuple[LogEntry, ...]


def job(phase: Phase, state: State, settings: Settings) -> Job:
    request = alone(outcome_of(state).request)
    if isinstance(state, Looked):
        seen = Facts(boot_id=state.facts.boot_id, cmdline="")
        return Job(phase, Looked(Outcome(request, Status.DIFFERS), seen, state.may_reboot), settings)
    if isinstance(state, AwaitingReboot):
        return Job(phase, state._replace(outcome=Outcome(request, Status.PENDING)), settings)
    return Job(phase, request, settings)


def alone(request: Request) -> Request:
    """The same request with no more of the testbed than its host is about, and no password but its own."""
    hosts: tuple[Host, ...] = (request.host,)
    if Role.OPENSTACK in request.roles:  # there it matters what the others have
        hosts = tuple(host._replace(password=None) for host in request.testbed.hosts)
    return request._replace(testbed=request.testbed._replace(hosts=hosts, cloud_login=None, unknown_keys=()))


_live: ContextVar[Callable[[Message], None] | None] = ContextVar("live", default=None)


@contextlib.contextmanager
def telling(tell: Callable[[Message], None]) -> Iterator[None]:
    """Jobs of this thread tell what they are at while they are; else it comes with their answer alone."""
    token = _live.set(tell)
    try:
        yield
    finally:
        _live.reset(token)


def carry_out(job: Job) -> Answer:
    """Does the job, here and now. What goes wrong with the host is part of the answer; nothing is raised."""
    attempt, sent, log = secrets.token_hex(4), list[Message](), list[LogEntry]()
    tell, run, name = _live.get(), job.settings.run, job.request.host.name

    def watch(label: str, event: Event) -> None:
        message = Message(run, name, job.phase.value, attempt, len(sent), *event)
        sent.append(message)
        if tell is not None:
            tell(message)

    ctx = begin(job.settings, watch, lambda host, entry: log.append(entry))
    with _registered(run, ctx):
        state = perform(job.phase, job.state, ctx)
        ctx.sessions.close(name)
    return Answer(_lean(state, job.settings.keeps_files), tuple(sent), tuple(log))


def _lean(state: State, keeps_files: bool) -> State:
    """With no password, nothing of other hosts, and no more of files than is wanted: the controller has the rest."""
    outcome = outcome_of(state).without_contents()
    request = outcome.request
    host, testbed = request.host._replace(password=None), request.testbed._replace(hosts=())
    outcome = outcome._replace(request=request._replace(host=host, testbed=testbed))
    if not keeps_files:
        outcome = outcome.without_files()
    if isinstance(state, Looked):
        state = state._replace(facts=state.facts if keeps_files else state.facts._replace(files={}))
    return with_outcome(state, outcome)


_at_work: dict[str, list[RunContext]] = {}
_ended: set[str] = set()  # runs, a word each
_lock = threading.Lock()


def interrupt(run: str) -> None:
    """The jobs of that run in this process end: each host finishes the change that it is at, no more."""
    with _lock:
        _ended.add(run)
        found = tuple(_at_work.get(run, ()))
    for ctx in found:
        ctx.stop.set()
    for ctx in found:
        ctx.sessions.close_all()  # who waits for its answer wakes up


@contextlib.contextmanager
def _registered(run: str, ctx: RunContext) -> Iterator[None]:
    with _lock:
        _at_work.setdefault(run, []).append(ctx)
        if run in _ended:
            ctx.stop.set()
    try:
        yield
    finally:
        with _lock:
            _at_work[run].remove(ctx)
            if not _at_work[run]:
                del _at_work[run]


_NO_PART = ("simulation", "fabfile", "templates", "testbeds")  # in a wheel they stand below this package


@functools.cache
def fingerprint() -> str:
    """Of the code and the templates that take part in a job; a controller and its workers must have the same."""
    digest = hashlib.sha256()
    package = Path(__file__).parents[2]
    code = [path.relative_to(package) for path in package.rglob("*.py")]
    templates = [path.relative_to(layout.templates()) for path in layout.templates().rglob("*.*") if path.is_file()]
    named = [(path, package) for path in code if path.parts[0] not in _NO_PART]
    named += [(path, layout.templates()) for path in templates if path.suffix != ".pyc" and path.suffix != ".py"]
    for path, folder in sorted(named):
        digest.update(str(path).encode() + b"\0" + (folder / path).read_bytes())
    return digest.hexdigest()[:12]
