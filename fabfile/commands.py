"""What the tasks share: testbed in, library at work, report out. Imported when a task runs, not before."""

from __future__ import annotations

import contextlib
import json
import resource
import secrets
import sys
import threading
import time
from collections.abc import Callable, Iterator

from sriov import testbed
from sriov.errors import UsageError
from sriov.model import Host, Role, Secret, Testbed
from sriov.report import documents as report
from sriov.report import screen
from sriov.report.printer import Printer
from sriov.resources.contract import Request
from sriov.run import converge as provision
from sriov.run import lock_owner as controller
from sriov.run.drain import Drain
from sriov.run.host_run import HostRun, Limits
from sriov.run.signals import end_as_ctrl_c_does
from sriov.ssh.login import Login, ask_at_terminal
from sriov.testbed import host_strings
from sriov.transport import Connect

from .operator_task import Options


def converge(task: str, options: Options, only: str = "") -> int:
    """setup_all and its parts."""
    bed = load(options)
    return _change(task, options, bed, requests_of(bed, options, only))


def rollback(options: Options) -> int:
    """What a run replaced, put back; the kernel keeps its arguments until somebody reboots."""
    bed = load(options)
    requests = tuple(
        request._replace(rollback=options.run, all_ports=True) for request in requests_of(bed, options, "")
    )
    return _change("rollback", options, bed, requests)


def _change(task: str, options: Options, bed: Testbed, requests: tuple[Request, ...]) -> int:
    log = _log(options.log)
    run_id = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime()) + "-" + secrets.token_hex(3)
    end_as_ctrl_c_does()
    limits = _limits(options)._replace(drain=_drain(bed, run_id) if "drain" in options.own else None)
    with _working(bed, requests, options, limits) as (progress, connect, limits):
        runs = provision.converge(requests, connect, limits, progress.told, run_id, controller.name(run_id), log)
    return _finish(task, options, run_id, runs, lambda: screen.show_outcome(runs, screen.printer(sys.stdout)))


def look(task: str, options: Options) -> int:
    """plan, verify and status: the same road, left early."""
    bed = load(options)
    requests = tuple(request._replace(ask_holders=task == "status") for request in requests_of(bed, options, ""))
    runs = look_at(bed, requests, options, reads_files=False)
    show = {"plan": _show_plan, "verify": _show_plan, "status": screen.show_status}[task]
    return _finish(task, options, "", runs, lambda: show(runs, screen.printer(sys.stdout)))


def discover(options: Options) -> int:
    """The hardware of hosts, whether or not a testbed names them."""
    path = options.testbed_path
    bed = load(options) if path.exists() else Testbed(path="", hosts=())
    hosts = [bed.find(name) or _stranger(name) for name in options.hosts]
    requests = tuple(Request(host._replace(physical_functions=()), bed, frozenset(), all_ports=True) for host in hosts)
    runs = look_at(bed, requests, options, reads_files=False)

    def show() -> None:
        print(report.stanza([(run.name, run.facts) for run in runs if run.facts is not None]))
        screen.show_trouble(runs, screen.printer(sys.stderr))

    return _finish("discover", options, "", runs, show)


def _stranger(name: str) -> Host:
    """A host that no testbed names; UsageError if the string is none."""
    try:
        said = host_strings.parse(name)
    except ValueError as error:
        raise UsageError(f"{name!r} is no host: {error}") from None
    return Host(name, said.address, said.user, said.port)


def _show_plan(runs: tuple[HostRun, ...], out: Printer) -> None:
    screen.show_plan(runs, out)
    screen.show_outcome(runs, out)


def look_at(
    bed: Testbed, requests: tuple[Request, ...], options: Options, *, reads_files: bool = True
) -> tuple[HostRun, ...]:
    """`reads_files`: the files of the hosts are asked for too, not only what comes of them."""
    end_as_ctrl_c_does()
    with _working(bed, requests, options, _limits(options), reads_files) as (progress, connect, limits):
        return provision.look(requests, connect, limits, progress.told, keeps_files=reads_files)


@contextlib.contextmanager
def _working(
    bed: Testbed,
    requests: tuple[Request, ...],
    options: Options,
    limits: provision.Options,
    reads_files: bool = False,
) -> Iterator[tuple[screen.Progress, Connect, provision.Options]]:
    """What a run needs for its time: progress on the screen, a way to log in, and who does it."""
    with contextlib.ExitStack() as stack:
        connect: Connect | None = None
        if options.engine:
            from sriov.run import dask as dask_engine

            hosts = [request.host for request in requests]
            opened = dask_engine.open_engine(options.engine, hosts, reads_files=reads_files)
            limits = limits._replace(engine=stack.enter_context(opened))
            connect = _worker_login(bed, options)
        else:
            _allow_connections(len(requests))
        progress = stack.enter_context(screen.Progress(quiet=options.json))
        yield progress, connect or login(bed, options, progress.aside(ask_at_terminal)).connect, limits


def _allow_connections(count: int) -> None:
    """Hosts that wait for their change hold a connection each; many systems allow 1,024 files unless asked for more."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = count + 256  # files of the program itself
    if soft != resource.RLIM_INFINITY and soft < wanted:
        most = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, most), hard))


def _worker_login(bed: Testbed, options: Options) -> Connect:
    from sriov.run.engine_step import WorkerLogin

    return WorkerLogin(
        secrets.token_hex(4),
        bed.key_filename,
        float(options.timeout or 10),
        options.accept_new_host_keys or bed.accept_new_host_keys,
        options.ssh_config,
    )


def _finish(task: str, options: Options, run_id: str, runs: tuple[HostRun, ...], show: Callable[[], None]) -> int:
    if options.json:
        print(json.dumps(report.document(task, str(options.testbed_path), run_id, runs), indent=2))
    else:
        show()
    return report.exit_code(runs, task)


def load(options: Options) -> Testbed:
    """The testbed, with what Fabric's own options say about the login (-i and the prompts for passwords)."""
    bed = testbed.load(options.testbed_path)
    password = options.sudo_password or options.login_password
    hosts = tuple(host._replace(password=password or host.password) for host in bed.hosts)
    return bed._replace(hosts=hosts, key_filename=options.identities or bed.key_filename)


def _log(path: str) -> Callable[[str], None]:
    """Appends lines to the operator's log as they come; it is opened before anything is touched."""
    if not path:
        return lambda line: None
    try:
        file = open(path, "a", encoding="utf-8", buffering=1)  # noqa: SIM115 - it stays open for the run
    except OSError as error:
        raise UsageError(f"--log {path} cannot be written: {error.strerror}") from None
    lock = threading.Lock()
    failures: list[OSError] = []

    def write(line: str) -> None:
        with lock:
            try:
                file.write(line + "\n")
            except OSError as error:  # no reason to lose a host in the middle of its change; told once
                if not failures:
                    print(f"warning: --log {path} has lost lines: {error.strerror}", file=sys.stderr)
                failures.append(error)

    return write


def requests_of(bed: Testbed, options: Options, only: str) -> tuple[Request, ...]:
    """The hosts of the call, each with the roles that the call is about."""
    hosts = tuple(_find(bed, name) for name in options.hosts) or bed.hosts
    wanted = frozenset({Role(only)}) if only else frozenset(Role)
    for host in hosts:
        if not host.roles & wanted:
            raise UsageError(f"{host.name} has no {only} role in {bed.path}", hint=f"add it to env.roledefs[{only!r}]")
    return tuple(
        Request(host, bed, host.roles & wanted, force_vf_reset=options.force_vf_reset) for host in dict.fromkeys(hosts)
    )


def _find(bed: Testbed, name: str) -> Host:
    host = bed.find(name)
    if host is None:
        known = ", ".join(host.name for host in bed.hosts)
        raise UsageError(f"{name} does not stand in {bed.path}", hint=f"its compute and openstack hosts are: {known}")
    return host


def login(bed: Testbed, options: Options, ask: Callable[[str], Secret | None] = ask_at_terminal) -> Login:
    return Login(
        bed,
        timeout=float(options.timeout or 10),
        accept_new_host_keys=options.accept_new_host_keys,
        ssh_config=options.ssh_config,
        ask=ask,
    )


def _limits(options: Options) -> provision.Options:
    return provision.Options(
        may_reboot=options.reboot == "auto",
        max_unavailable=options.max_unavailable or "1",
        reboot_with_instances=options.reboot_with_instances,
        jobs=options.jobs or 0,
        limits=Limits(reboot=float(options.reboot_timeout or Limits().reboot)),
    )


def _drain(bed: Testbed, run_id: str) -> Drain:
    """Logs in to the cloud, so that a login that fails is told before anything is touched."""
    from sriov.cloud import nova_drain, session

    return nova_drain.NovaDrain(session.login(bed), run_id)
