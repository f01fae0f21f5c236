"""The face for programs: a testbed in, outcomes out. The command line sets hosts up by this face alone.

    bed = api.load("testbed.py")
    for outcome in api.look(api.requests(bed)):
        print(outcome.name, outcome.status.value, [str(change) for change in outcome.plan.changes])
    run = api.converge(api.requests(bed))

Errors are those of `sriov.errors`. What goes wrong with one host is its outcome, and raises nothing.
"""

from __future__ import annotations

import contextlib
import resource
import secrets
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from sriov.errors import SriovError, UsageError
from sriov.model import Host, Role, Secret, Testbed
from sriov.resources.contract import Request
from sriov.run import converge as run_core
from sriov.run import lock_owner
from sriov.run.context import Event, Log, LogEntry, Watch
from sriov.run.converge import Announce, RunOptions
from sriov.run.outcome import Outcome, Status
from sriov.signals import treat_signals_as_interrupt
from sriov.testbed import host_strings
from sriov.testbed import load as load_testbed
from sriov.transport import Connect, Session

if TYPE_CHECKING:  # what a run that changes hosts does not need, it does not load
    from sriov.cloud.session import Connection
    from sriov.scheduling.capacity import Capacity
    from sriov.scheduling.explain import Explanation
    from sriov.scheduling.traffic import Statistics

LONGEST_INTERVAL = 3600  # seconds between two readings of counters
_FILES = 256  # of the program itself, beside the connections to hosts


class Access(NamedTuple):
    """How hosts are reached. `timeout` in seconds; `ask` is put a question for a password where one is needed.

    `engine`: `dask://scheduler:8786`, whose workers then do all that is done to hosts; empty: this process does.
    """

    timeout: float = 10.0
    accept_new_host_keys: bool = False
    ssh_config: str = ""
    ask: Callable[[str], Secret | None] = lambda prompt: None
    engine: str = ""


class Run(NamedTuple):
    """A run that may have changed hosts; `id` is what `rollback` takes back."""

    id: str
    outcomes: tuple[Outcome, ...]


def load(path: str | Path) -> Testbed:
    """The testbed in this file; TestbedError holds every fault in it."""
    return load_testbed(path)


def requests(testbed: Testbed, hosts: Iterable[str] = (), only: Role | None = None) -> tuple[Request, ...]:
    """What is asked of these hosts of the testbed (their host strings; none: of all), in all their roles or `only` one.

    UsageError for a host that is not in the testbed, or that has not that role.
    """
    wanted = frozenset({only}) if only else frozenset(Role)
    found = tuple(_find(testbed, name) for name in hosts) or testbed.hosts
    for host in found:
        if not host.roles & wanted:
            role = only.value if only else ""
            raise UsageError(
                "role-missing",
                f"{host.name} has no {role} role in {testbed.path}",
                hint=f"add it to env.roledefs[{role!r}]",
            )
    return tuple(Request(host, testbed, host.roles & wanted, all_roles=not only) for host in dict.fromkeys(found))


def new_node_requests(testbed: Testbed, hosts: Iterable[str]) -> tuple[Request, ...]:
    """Both sides of these hosts as new nodes: their compute side, and the scheduler's on every openstack host.

    A host in both roles is asked for both at once. UsageError for one that is not in the testbed, or no compute host.
    """
    sides = {request.host: request.roles for request in requests(testbed, hosts, Role.COMPUTE)}
    for host in testbed.hosts:
        if Role.OPENSTACK in host.roles:
            sides[host] = sides.get(host, frozenset()) | {Role.OPENSTACK}
    return tuple(Request(host, testbed, roles) for host, roles in sides.items())


def unlisted_requests(testbed: Testbed, hosts: Iterable[str]) -> tuple[Request, ...]:
    """The same for a look at hosts that the testbed need not name: no role, all their ports."""
    found = dict.fromkeys(testbed.find(name) or _unlisted_host(name) for name in hosts)
    return tuple(Request(host._replace(physical_functions=()), testbed, frozenset(), all_ports=True) for host in found)


def look(
    asked: Iterable[Request],
    access: Access = Access(),
    options: RunOptions = RunOptions(),
    watch: Watch = lambda label, event: None,
    *,
    keeps_files: bool = True,
) -> tuple[Outcome, ...]:
    """Probes and plans side by side; touches nothing. `keeps_files`: the outcomes hold the files that were read."""
    asked = tuple(asked)
    with _reaching(asked, access, options, keeps_files) as (connect, reaching):
        return run_core.look(asked, connect, reaching, watch, keeps_files=keeps_files)


def converge(
    asked: Iterable[Request],
    access: Access = Access(),
    options: RunOptions = RunOptions(),
    watch: Watch = lambda label, event: None,
    log: Log = lambda host, entry: None,
    *,
    run_id: str = "",
    announce: Announce = lambda outcomes: None,
) -> Run:
    """Brings every host to what is asked, or says why not; `announce` is given what was found before. What nothing asks
    for any more stays, and is told in `Outcome.plan.leftovers`, unless a request says `removes`.
    Ctrl-C ends it early, with the outcomes so far: each host finishes the change that it is at.
    """
    asked, id = tuple(asked), run_id or new_run_id()
    with _reaching(asked, access, options) as (connect, reaching):
        return Run(id, run_core.converge(asked, connect, reaching, watch, id, str(lock_owner.here(id)), log, announce))


def capacity(
    asked: Iterable[Request],
    access: Access = Access(),
    options: RunOptions = RunOptions(),
    watch: Watch = lambda label, event: None,
) -> tuple[Capacity, tuple[Outcome, ...], SriovError | None]:
    """VFs by physical network and host, as hosts, whitelists and, with credentials, the cloud have them.

    Then the outcome of each look, and why the cloud's side is missing (None: it is not; see `is_failure`).
    """
    from sriov.cloud import claims, drift, session
    from sriov.cloud.virtual_routers import side
    from sriov.scheduling.capacity import measure

    asked = _with_all_ports(asked)
    outcomes = look(asked, access, options, watch)
    testbed = _testbed(asked)
    cloud = session.attempt(testbed)
    view, error = session.ask(testbed, claims.view, cloud)
    seen = [(outcome.request, outcome.facts) for outcome in outcomes]
    found = measure(seen, None if view is None else view.bound(testbed.hosts))
    if view is not None:
        found = replace(found, orphans=(*found.orphans, *drift.orphans(seen, view)))
    routers = side.look(testbed, seen, cloud)
    return replace(found, unasked=error.message if error else "", virtual_routers=routers), outcomes, error


def explain(
    asked: Iterable[Request],
    physnet: str,
    count: int = 1,
    access: Access = Access(),
    options: RunOptions = RunOptions(),
    watch: Watch = lambda label, event: None,
    *,
    cloud: Connection | None = None,
) -> tuple[Explanation, SriovError | None]:
    """What each host says about `count` direct ports on that physical network; VFs that neutron has bound, by `cloud`
    or by the credentials that there are, count as used; the error says why they do not."""
    from sriov.cloud import claims, session
    from sriov.cloud.virtual_routers import side
    from sriov.scheduling import explain as scheduling

    asked = _with_all_ports(asked)
    testbed = _testbed(asked)
    login = cloud or session.attempt(testbed)
    bound, error = session.ask(testbed, claims.bound, login)
    outcomes = look(asked, access, options, watch)
    seen = [(found.request, found.facts, found.error.message if found.error else "") for found in outcomes]
    explanation = scheduling.explain(seen, physnet, count, bound)
    routers = side.look(testbed, [(found.request, found.facts) for found in outcomes], login, physnet)
    return replace(explanation, unasked=error.message if error else "", virtual_routers=routers), error


def statistics(
    asked: Iterable[Request],
    interval: int = 0,
    access: Access = Access(),
    options: RunOptions = RunOptions(),
    watch: Watch = lambda label, event: None,
) -> tuple[Statistics, tuple[Outcome, ...], SriovError | None]:
    """What each VF has received and sent since it was made (bytes, packets; seen from its user), and who has it.

    `interval`: whole seconds between two readings on the host, for rates per second by the host's own clock; 0: one
    reading, no rates; UsageError above 3600. Then the outcome of each look, and why the cloud's side is missing (None:
    it is not; see `is_failure`). A counter that the host does not give is None, never zero.
    """
    from sriov.cloud import claims, session
    from sriov.scheduling.traffic import join

    if not 0 <= interval <= LONGEST_INTERVAL:
        words = f"an interval of {interval} s between two readings is out of range"
        raise UsageError("invalid-argument", words, hint=f"write 1 to {LONGEST_INTERVAL} seconds")
    asked = tuple(request._replace(counter_interval=interval) for request in _with_all_ports(asked))
    limits = options.limits._replace(probe=options.limits.probe + interval)  # the host is silent between the readings
    outcomes = look(asked, access, options._replace(limits=limits), watch)
    testbed = _testbed(asked)
    view, error = session.ask(testbed, claims.view)
    seen = [(outcome.request, outcome.facts) for outcome in outcomes]
    found = join(seen, interval, None if view is None else view.tenants(testbed.hosts))
    return found._replace(unasked=error.message if error else ""), outcomes, error


def is_failure(cloud_error: SriovError | None) -> bool:
    """Whether a cloud should have answered and did not; where there are no credentials none is missing."""
    from sriov.cloud.session import CloudUnavailableError

    return cloud_error is not None and not isinstance(cloud_error, CloudUnavailableError)


def _with_all_ports(asked: Iterable[Request]) -> tuple[Request, ...]:
    return tuple(request._replace(all_ports=True, ask_holders=True) for request in asked)


def _testbed(asked: tuple[Request, ...]) -> Testbed:
    return asked[0].testbed if asked else Testbed("", ())


def rollback(asked: Iterable[Request], run_id: str = "") -> tuple[Request, ...]:
    """The same hosts, asked to take a run back (empty: the last one); for `converge`."""
    return tuple(request._replace(rollback=run_id, all_ports=True) for request in asked)


def removal(testbed: Testbed, hosts: Iterable[str], *, purges: bool = False) -> tuple[Request, ...]:
    """These hosts, named by the testbed or not, asked to have nothing of ours; `purges`: nor copies for `rollback`."""
    left = testbed.asking_nothing()
    found = dict.fromkeys(left.find(name) or _unlisted_host(name) for name in hosts)
    return tuple(Request(host, left, frozenset(Role), removes=True, purges=purges) for host in found)


def new_run_id() -> str:
    """By its time, so that runs sort: `20260101T000000Z-a1b2c3`."""
    return time.strftime("%Y%m%dT%H%M%SZ", time.gmtime()) + "-" + secrets.token_hex(3)


def open_session(host: Host, testbed: Testbed, access: Access = Access()) -> Session:
    """A login with root on one host; ConnectError says why there is none."""
    return _login(testbed, access)(host)


@contextlib.contextmanager
def _reaching(
    asked: tuple[Request, ...], access: Access, options: RunOptions, reads_files: bool = False
) -> Iterator[tuple[Connect, RunOptions]]:
    """A way to log in, and who does it, for the time of a run."""
    testbed = _testbed(asked)
    if not access.engine and options.engine is None:
        _allow_connections(len(asked))
        yield _login(testbed, access), options
        return
    from sriov.ssh.worker_login import WorkerLogin

    connect: Connect = WorkerLogin(
        secrets.token_hex(4),
        testbed.key_filename,
        access.timeout,
        access.accept_new_host_keys or testbed.accept_new_host_keys,
        access.ssh_config,
    )
    if not access.engine:
        yield connect, options
        return
    from sriov.run.backends import dask

    hosts = [request.host for request in asked]
    with dask.open_engine(access.engine, hosts, reads_files=reads_files) as engine:
        yield connect, options._replace(engine=engine)


def _login(testbed: Testbed, access: Access) -> Connect:
    from sriov.ssh.login import Login  # late: paramiko takes its time

    return Login(
        testbed,
        timeout=access.timeout,
        accept_new_host_keys=access.accept_new_host_keys,
        ssh_config=access.ssh_config,
        ask=access.ask,
    ).connect


def _allow_connections(count: int) -> None:
    """Hosts that wait for their change hold a connection each; many systems allow 1,024 files unless asked for more."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = count + _FILES
    if soft != resource.RLIM_INFINITY and soft < wanted:
        most = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, most), hard))


def _find(testbed: Testbed, name: str) -> Host:
    host = testbed.find(name)
    if host is None:
        hint = f"its compute and openstack hosts are: {', '.join(host.name for host in testbed.hosts)}"
        raise UsageError("unknown-host", f"{name} is not in {testbed.path}", hint=hint)
    return host


def _unlisted_host(name: str) -> Host:
    """A host that no testbed names; UsageError if the string is none."""
    try:
        said = host_strings.parse(name)
    except ValueError as error:
        raise UsageError("invalid-argument", f"{name!r} is not a host: {error}", hint="write user@address") from None
    return Host(name, said.address, said.user, said.port)


__all__ = [
    "Access",
    "Event",
    "LogEntry",
    "Outcome",
    "Request",
    "Run",
    "RunOptions",
    "Status",
    "capacity",
    "converge",
    "explain",
    "is_failure",
    "load",
    "look",
    "new_node_requests",
    "new_run_id",
    "open_session",
    "removal",
    "requests",
    "rollback",
    "statistics",
    "treat_signals_as_interrupt",
    "unlisted_requests",
]  # fmt: skip
