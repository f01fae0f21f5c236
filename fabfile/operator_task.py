"""How a task of this fabfile is declared, and how a call of `fab` comes to it.

    @operator_task(hosts=Hosts.REQUIRED)
    def add_vrouter_node(options: Options) -> int:
        \"\"\"Set up the compute side of these hosts.\"\"\"
        ...
        return 0

    install(globals())  # at the end of the fabfile

The function gets checked values and returns the exit code. An error of this project's tree ends the program with
its message on stderr (with --json: as the document on stdout) and its exit code, without a traceback.
"""

from __future__ import annotations

import errno
import inspect
import json
import os
import re
import sys
from collections.abc import Callable, Mapping
from typing import Any, NoReturn

from fabric import Task
from invoke.exceptions import Exit

from sriov.errors import SriovError, TestbedError, UsageError, tagged
from sriov.model import Secret

from .fab1 import CallError, Hosts, Parameter, Signature, to_invoke
from .options import FLAGS, Options

_NO_OPTIONS = inspect.Signature([inspect.Parameter("context", inspect.Parameter.POSITIONAL_OR_KEYWORD)])


def operator_task(
    *, hosts: Hosts = Hosts.NONE, positional: tuple[str, ...] = (), own: tuple[Parameter, ...] = ()
) -> Callable[[Callable[[Options], int]], Task]:
    """Make a task of a function from Options to exit code, with all of FLAGS and the task's `own` parameters."""
    signature = Signature((*own, *FLAGS), hosts, positional)

    def declare(body: Callable[[Options], int]) -> Task:
        def run(context: Any, **given: object) -> None:
            options = _options(context, given, signature.parameters)
            try:
                code = body(options)
                sys.stdout.flush()
            except OSError as error:
                if error.errno not in (errno.EPIPE, errno.ENOSPC, errno.EIO):
                    raise
                os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # else Python tries once more at its end
                words = f"the report could not be written: {os.strerror(error.errno)}"
                hint = "`fab status` and `fab verify` show the state of the hosts"
                fail(SriovError("report-not-written", words, hint=hint), as_json=False)
            except SriovError as error:
                if options.debug:
                    sys.excepthook(type(error), error, error.__traceback__)
                fail(error, as_json=options.json)
            if code:
                raise Exit(code=code)

        run.__doc__ = body.__doc__
        run.__signature__ = _python_signature(signature)  # type: ignore[attr-defined] # where Invoke looks for options
        texts = {parameter.name: parameter.help for parameter in signature.parameters}
        if hosts is not Hosts.NONE:
            texts["hosts"] = "hosts of the testbed, separated by commas"
        task = Task(run, name=body.__name__, positional=[], auto_shortflags=False, help=texts)
        task.fab1_signature = signature
        return task

    return declare


def install(names: Mapping[str, Any]) -> None:
    """Rewrite the call of the `fab` that is importing the module of these names, and whose tasks are among them.

    Fabric has read its own options by now and keeps the rest until it knows the tasks. Does nothing if it is
    not `fab` that imports the module. Raises invoke's Exit, with which `fab` ends, if the call is wrong.
    """
    program: Any = getattr(sys.modules.get("fabric.main"), "program", None)
    if not hasattr(program, "core"):
        return
    program.config.tasks.auto_dash_names = False  # setup_all is setup_all, whatever the user's configuration says
    tasks = {task.name: task.fab1_signature for task in names.values() if hasattr(task, "fab1_signature")}
    flags = program.initial_context.flags  # a Lexicon: short flags are aliases, and not among its items
    core = {flag: flags[flag].takes_value and not flags[flag].optional for flag in (*flags, *flags.aliases)}
    hosts, unparsed = program.args.hosts, program.core.unparsed
    of_all = [f"--hosts={hosts.value}"] if hosts.value else []
    of_all += ["--debug"] if program.args.debug.value else []
    try:
        if program.args.dry.value or any(re.fullmatch("--dry|-[A-Za-z]*R[A-Za-z]*", word) for word in unparsed):
            words = "there is no --dry here: `fab plan` says what would change and touches nothing"
            raise CallError("no-dry-run", words)
        unparsed[:] = to_invoke([*of_all, *unparsed], tasks, core)
    except CallError as error:
        as_json = any(re.search(r"(^--|[:,])json(=[yYtT1o].*)?$", word) for word in unparsed)
        fail(UsageError(error.id, str(error)), as_json=as_json)
    hosts.set_value(None, cast=False)  # else Fabric would run each task once for each of them
    if not (program.args.help.value or program.args.complete.value):
        # Invoke copies the options of every task, which takes longer than all else at a start
        for task in names.values():
            if hasattr(task, "fab1_signature") and task.name not in unparsed:
                task.body.__signature__, task.help = _NO_OPTIONS, {}


def fail(error: SriovError, *, as_json: bool) -> NoReturn:
    """End `fab` with the error's exit code; its text goes to stderr, or as JSON to stdout."""
    if as_json:
        from sriov.report.heading import heading  # late: a call that is right needs it later, if at all

        document: dict[str, object] = {
            "id": error.id, "kind": error.kind, "message": error.message, "hint": error.hint
        }  # fmt: skip
        if isinstance(error, TestbedError):
            document["faults"] = [fault._asdict() for fault in error.faults]
        print(json.dumps({**heading(), "error": document, "exit_code": error.exit_code}, indent=2))
        raise Exit(code=error.exit_code)
    raise Exit(on_screen(error), code=error.exit_code)


def on_screen(error: SriovError) -> str:
    """The error's text with its id, for stderr; that and the ids of a testbed's faults are dim.

    FORCE_COLOR asks for styles where no terminal is, NO_COLOR for none.
    """
    text = tagged(str(error), error.id)
    if os.environ.get("NO_COLOR") or not (sys.stderr.isatty() or os.environ.get("FORCE_COLOR")):
        return text
    faults = error.faults if isinstance(error, TestbedError) else ()
    ids = "|".join({error.id, *(fault.id for fault in faults)})
    return re.sub(rf" \[(?:{ids})\]$", "\x1b[2m\\g<0>\x1b[22m", text, flags=re.MULTILINE)


def _python_signature(signature: Signature) -> inspect.Signature:
    kind = inspect.Parameter.POSITIONAL_OR_KEYWORD
    parameters = [inspect.Parameter("context", kind)]
    if signature.hosts is not Hosts.NONE:
        parameters.append(inspect.Parameter("hosts", kind, default=""))
    for parameter in signature.parameters:
        parameters.append(inspect.Parameter(parameter.name, kind, default=False if parameter.is_switch else ""))
    return inspect.Signature(parameters)


def _options(context: Any, given: Mapping[str, object], parameters: tuple[Parameter, ...]) -> Options:
    values: dict[str, Any] = {  # its types are those of the readers; the fields of Options are named after theirs
        parameter.name: parameter.read(str(given[parameter.name]))
        for parameter in parameters
        if given.get(parameter.name) not in ("", False, None)
    }
    own = {name: values.pop(name) for name in tuple(values) if name not in Options._fields}
    config = context.config
    login_password = config.connect_kwargs.get("password")
    sudo_password = config.sudo.password
    return Options(
        hosts=tuple(host for host in str(given.get("hosts", "")).split(",") if host),
        identities=tuple(map(str, config.connect_kwargs.get("key_filename") or ())),
        ssh_config=config._runtime_ssh_path or "",  # Fabric offers no other way to ask for -S
        login_password=Secret(login_password) if login_password else None,
        sudo_password=Secret(sudo_password) if sudo_password else None,
        own=own,
        **values,
    )
