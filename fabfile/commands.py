"""What the tasks share: testbed in, the library's work, report out. Imported when a task runs, not before."""

from __future__ import annotations

import json
import sys
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING

from sriov import api
from sriov.api import Access, LogEntry, Outcome, Request, RunOptions
from sriov.errors import UsageError
from sriov.model import Host, Role, Testbed
from sriov.report import documents, leftovers, screen
from sriov.report.printer import Printer

from . import registration
from .options import Options

if TYPE_CHECKING:
    from sriov.cloud.virtual_routers.registration import Registration

COMPUTE, OPENSTACK = Role.COMPUTE, Role.OPENSTACK


def converge(task: str, options: Options, only: Role | None = None) -> int:
    """setup_all, and the scheduler's side alone."""
    bed = load(options)
    return _change(task, options, bed, requests(bed, options, only))


def add_vrouter_node(options: Options) -> int:
    """The compute side alone; the report names the call that does the scheduler's side too."""
    bed = load(options)

    def show(outcomes: tuple[Outcome, ...], out: Printer) -> None:
        whole = f"fab setup_sriov_node:{','.join(options.hosts)}"
        out.line((f"the compute side alone; with the scheduler's side: {whole}", "dim"))
        screen.show_outcome(outcomes, out)

    return _change("add_vrouter_node", options, bed, requests(bed, options, COMPUTE), show)


def setup_sriov_node(options: Options) -> int:
    """Both sides of new nodes in one run."""
    bed = load(options)
    return _change("setup_sriov_node", options, bed, _allowed(api.new_node_requests(bed, options.hosts), options))


def rollback(options: Options) -> int:
    """What a run replaced, put back; the kernel keeps its arguments until the next reboot."""
    bed = load(options)
    return _change("rollback", options, bed, api.rollback(requests(bed, options), options.run))


def remove(options: Options) -> int:
    """Everything of ours off these hosts, whether or not the testbed names them; or only what that would be."""
    bed = load_any(options)
    asked = asked_to_remove(options, bed)
    if options.own.get("plan"):
        return _finish("remove", options, "", look_at(asked, options, keeps_files=False), _show_plan)
    return _change("remove", options, bed, asked)


def _change(
    task: str,
    options: Options,
    bed: Testbed,
    asked: tuple[Request, ...],
    show: Callable[[tuple[Outcome, ...], Printer], None] = screen.show_outcome,
) -> int:
    log, run_id, allowed = _log(options.log), api.new_run_id(), run_options(options)
    api.treat_signals_as_interrupt()
    cloud = None
    if "drain" in options.own:
        from sriov.cloud import nova_drain, session

        # so a login that fails is told before anything is touched
        cloud = session.login(bed)
        allowed = allowed._replace(drain=nova_drain.NovaDrain(cloud, run_id))
    registrar = registration.open_registrar(bed, asked)
    if registrar is not None:
        registrar.look(())  # and so is an api-server that does not answer
        cloud = registrar.cloud
    if cloud is not None:
        from sriov.cloud import claims

        asked = claims.told(cloud, bed, asked)
    with screen.Progress(quiet=options.json) as progress:

        def announce(outcomes: tuple[Outcome, ...]) -> None:
            progress.say(leftovers.announced(outcomes))

        reach = _access(options, progress)
        run = api.converge(asked, reach, allowed, progress.told, log, run_id=run_id, announce=announce)
    found = registration.registered(registrar, run.outcomes)
    return _finish(task, options, run.id, run.outcomes, show, found)


def look(task: str, options: Options) -> int:
    """plan, verify and status: the same road, left early."""
    bed = load(options)
    asked = tuple(request._replace(ask_holders=task == "status") for request in requests(bed, options))
    outcomes = look_at(asked, options, keeps_files=False)
    show = {"plan": _show_plan, "verify": _show_plan, "status": screen.show_status}[task]
    found = None if task == "status" else registration.planned(bed, asked, outcomes)
    return _finish(task, options, "", outcomes, show, found)


def discover(options: Options) -> int:
    """The hardware of hosts, whether or not a testbed names them."""
    outcomes = look_at(asked_to_discover(options), options, keeps_files=False)

    def show(outcomes: tuple[Outcome, ...], out: Printer) -> None:
        print(documents.stanza([(found.name, found.facts) for found in outcomes if found.facts is not None]))
        screen.show_trouble(outcomes, screen.printer(sys.stderr))

    return _finish("discover", options, "", outcomes, show)


def _show_plan(outcomes: tuple[Outcome, ...], out: Printer) -> None:
    screen.show_plan(outcomes, out)
    screen.show_outcome(outcomes, out)


def look_at(asked: tuple[Request, ...], options: Options, *, keeps_files: bool = True) -> tuple[Outcome, ...]:
    """`keeps_files`: the files of the hosts are asked for too, not only what comes of them."""
    api.treat_signals_as_interrupt()
    with screen.Progress(quiet=options.json) as progress:
        access = _access(options, progress)
        return api.look(asked, access, run_options(options), progress.told, keeps_files=keeps_files)


def _finish(
    task: str,
    options: Options,
    run_id: str,
    outcomes: tuple[Outcome, ...],
    show: Callable[[tuple[Outcome, ...], Printer], None],
    registered: Registration | None = None,
) -> int:
    """`registered` is None where nothing is registered at Contrail, which most testbeds do not ask for."""
    code = registration.exit_code(documents.exit_code(outcomes, task), registered)
    if options.json:
        document = documents.document(task, str(options.testbed_path), run_id, outcomes)
        print(json.dumps({**document, "exit_code": code, **_registration_key(registered)}, indent=2))
        return code
    out = screen.printer(sys.stdout)
    show(outcomes, out)
    if registered is not None:
        from sriov.report.virtual_routers import show_registration

        show_registration(registered, out)
    return code


def _registration_key(found: Registration | None) -> dict[str, object]:
    if found is None:
        return {}
    from sriov.report.virtual_routers import registration_document

    return {"virtual_routers": registration_document(found)}


def load(options: Options) -> Testbed:
    """The testbed, with what Fabric's own options say about the login (-i and the prompts for passwords)."""
    return _with_login(api.load(options.testbed_path), options)


def load_any(options: Options) -> Testbed:
    """The same for a call that names its hosts: it needs no testbed."""
    return load(options) if options.testbed_path.exists() else _with_login(Testbed(path="", hosts=()), options)


def _with_login(bed: Testbed, options: Options) -> Testbed:
    hosts = tuple(_with_password(host, options) for host in bed.hosts)
    return bed._replace(hosts=hosts, key_filename=options.identities or bed.key_filename)


def _with_password(host: Host, options: Options) -> Host:
    return host._replace(password=options.sudo_password or options.login_password or host.password)


def asked_to_remove(options: Options, bed: Testbed) -> tuple[Request, ...]:
    """What `remove` asks of these hosts, whether or not the testbed names them."""
    asked = api.removal(bed, options.hosts, purges=bool(options.own.get("purge")))
    return _allowed(tuple(each._replace(host=_with_password(each.host, options)) for each in asked), options)


def asked_to_discover(options: Options) -> tuple[Request, ...]:
    asked = api.unlisted_requests(load_any(options), options.hosts)
    return tuple(each._replace(host=_with_password(each.host, options)) for each in asked)


def _log(path: str) -> Callable[[str, LogEntry], None]:
    """Appends lines to the operator's log as they come; it is opened before anything is touched."""
    if not path:
        return lambda host, entry: None
    try:
        file = open(path, "a", encoding="utf-8", buffering=1)  # noqa: SIM115 - it stays open for the run
    except OSError as error:
        words = f"--log {path} cannot be written: {error.strerror}"
        raise UsageError("output-not-writable", words, hint="name a file that you may write") from None
    lock = threading.Lock()
    failures: list[OSError] = []

    def write(host: str, entry: LogEntry) -> None:
        with lock:
            try:
                file.write(entry.line + "\n")
            except OSError as error:  # no reason to lose a host in the middle of its change; told once
                if not failures:
                    print(f"warning: --log {path} has lost lines: {error.strerror}", file=sys.stderr)
                failures.append(error)

    return write


def requests(bed: Testbed, options: Options, only: Role | None = None) -> tuple[Request, ...]:
    """The hosts of the call, each with the roles that the call is about."""
    return _allowed(api.requests(bed, options.hosts, only), options)


def _allowed(asked: tuple[Request, ...], options: Options) -> tuple[Request, ...]:
    return tuple(
        request._replace(
            force_vf_reset=options.force_vf_reset,
            force_version=options.force_version,
            start_services=options.start_services,
            removes=request.removes or bool(options.own.get("remove")),
        )
        for request in asked
    )


def _access(options: Options, progress: screen.Progress) -> Access:
    return access(options)._replace(ask=progress.ask)


def access(options: Options) -> Access:
    """How the call says that hosts are reached; a password that is missing is not asked for."""
    return Access(float(options.timeout or 10), options.accept_new_host_keys, options.ssh_config, engine=options.engine)


def run_options(options: Options) -> RunOptions:
    allowed = RunOptions(
        may_reboot=options.reboot == "auto",
        max_unavailable=options.max_unavailable or "1",
        reboot_with_instances=options.reboot_with_instances,
        jobs=options.jobs or 0,
    )
    reboot = float(options.reboot_timeout or allowed.limits.reboot)
    return allowed._replace(limits=allowed.limits._replace(reboot=reboot))
