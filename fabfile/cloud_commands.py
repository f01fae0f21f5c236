"""What the tasks of the cloud do: a checked call, the library at work, the answer. Imported when a task runs."""

from __future__ import annotations

import contextlib
import json
import secrets
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from sriov import api
from sriov.cloud import binding, claims, networks, ports, servers, session, wanted
from sriov.cloud import smoke as smoking
from sriov.cloud.checks import Check, Outcome, junit
from sriov.errors import CloudError, UsageError
from sriov.model import Role, Testbed
from sriov.report import documents as report
from sriov.scheduling import explain as explaining
from sriov.transport import Script

from .capacity_commands import explanation
from .commands import access, load
from .operator_task import Options

if TYPE_CHECKING:
    from openstack.connection import Connection

_SMOKE_CIDR = "192.0.2.0/24"  # for documentation, RFC 5737: nobody's network
_HOST_SECONDS = 90.0


def create_network(options: Options) -> int:
    name, physnet, vlan, cidr = _said(options, "name", "physnet", "vlan", "cidr")
    bed = load(options)
    asked = wanted.network(name, physnet, vlan, cidr, bed)
    found = networks.ensure(session.login(bed), asked)
    words = f"network {found.name}: VLAN {found.vlan} on {found.physnet}, subnet {found.cidr}"
    return _tell("create_sriov_network", options, asdict(found), words, made=bool(found.made))


def create_port(options: Options) -> int:
    network, name = _said(options, "network", "name")
    ip, mac = (str(options.own.get(key, "")) for key in ("ip", "mac"))
    asked = wanted.port(network, name, ip, mac, is_trusted="trusted" in options.own)
    found = ports.ensure(session.login(load(options)), asked)
    words = f"port {found.name} in {found.network}: {found.mac} {' '.join(found.ips)}".rstrip()
    return _tell("create_sriov_port", options, asdict(found), words, made=found.made)


def launch(options: Options) -> int:
    asked = wanted.server(*_said(options, "name", "port", "image", "flavor"))
    bed = load(options)
    cloud = session.login(bed)
    try:
        found = servers.ensure(cloud, asked, watcher(options, asked.name))
    except servers.ServerError as error:
        physnet = ports.physnet(cloud, error.port_id) if error.fault else ""
        cause = f"\n{_explanation(options, bed, cloud, physnet)}" if physnet else ""
        raise CloudError(f"{error.message}{cause}", hint=error.hint) from None
    words = f"VM {found.name}: ACTIVE on {found.host or 'a host'}, its port {found.port} too"
    return _tell("launch_sriov_vm", options, asdict(found), words, made=bool(found.made))


def delete(options: Options) -> int:
    (name,) = _said(options, "name")
    asked = wanted.server(name, name, name, name).name
    deleted = servers.delete(session.login(load(options)), asked, watcher(options, asked))
    words = f"VM {asked}: deleted" if "server" in deleted else f"VM {asked}: there is none"
    words += ", with the port that its launch made" if "port" in deleted else ""
    return _tell("delete_sriov_vm", options, {"name": asked, "deleted": list(deleted)}, words)


def show_port(options: Options) -> int:
    """Exit code 1 if any part of the binding is wrong."""
    (name,) = _said(options, "name")
    rows = binding.judge(ports.bound(session.login(load(options)), name))
    code = report.FAILED if any(row.verdict is binding.Verdict.WRONG for row in rows) else report.DONE
    document = {"name": name, "binding": [{**asdict(row), "verdict": row.verdict.value} for row in rows]}
    words = "\n".join(f"{row.verdict.value:8}{row.name}: {row.value}\n        {row.meaning}" for row in rows)
    return _tell("show_sriov_port", options, document, words, code=code)


def smoke(options: Options) -> int:
    """Every physical network of the testbed, or the one of the call. Exit code 1 if any check failed."""
    bed = load(options)
    given = {key: str(value) for key, value in options.own.items()}
    if options.physnet:
        wanted.check_physnet(options.physnet, bed)
    physnets = (options.physnet,) if options.physnet else bed.physnets
    if not physnets:
        raise UsageError(f"{bed.path} names no physical network", hint="its env.sriov is empty: nothing to try")
    vlan = wanted.vlan_number(given["vlan"]) if "vlan" in given else 0
    cidr = wanted.subnet_range(given.get("cidr", _SMOKE_CIDR))
    _check_writable(given.get("junit", ""))
    api.end_as_ctrl_c_does()
    cloud = session.login(bed)
    image, flavor = smoking.choose(cloud, given.get("image", ""), given.get("flavor", ""))
    suites: list[tuple[str, tuple[Check, ...]]] = []
    for physnet in physnets:
        name = f"sriov-smoke-{physnet}-{secrets.token_hex(3)}"
        test = smoking.SmokeTest(name, physnet, vlan, cidr, image, flavor)
        run = smoking.Smoke(
            cloud, test, _asker(bed, options), _explainer(options, bed, cloud, physnet), watcher(options, name)
        )
        suites.append((physnet, run.run()))
    if "junit" in given:
        Path(given["junit"]).write_text(junit(suites), encoding="utf-8")
    failures = sum(check.outcome is Outcome.FAILED for _, checks in suites for check in checks)
    code = report.FAILED if failures else report.DONE
    document = {"image": image, "flavor": flavor, "physnets": {name: _documents(checks) for name, checks in suites}}
    return _tell("smoke", options, document, "\n".join(_lines(suites)), code=code)


def _documents(checks: tuple[Check, ...]) -> list[dict[str, object]]:
    return [{**asdict(check), "outcome": check.outcome.value, "seconds": round(check.seconds, 3)} for check in checks]


def _lines(suites: list[tuple[str, tuple[Check, ...]]]) -> Iterator[str]:
    for physnet, checks in suites:
        yield physnet
        for check in checks:
            yield f"  {check.outcome.value:9} {check.name}\n            {check.words}"
        counts = {outcome: sum(check.outcome is outcome for check in checks) for outcome in Outcome}
        yield "  " + ", ".join(f"{count} {outcome.value}" for outcome, count in counts.items())


def _check_writable(path: str) -> None:
    """Told before anything is made, not after."""
    if path:
        try:
            Path(path).touch()
        except OSError as error:
            raise UsageError(f"--junit {path} cannot be written: {error.strerror}") from None


def _asker(bed: Testbed, options: Options) -> smoking.AskHost:
    """Runs a script on the compute host that neutron names: by its name in the testbed, or its address."""

    def ask(name: str, script: str) -> str:
        found = claims.named(bed, name)
        if found is None:
            raise CloudError(f"{name or 'its host'} is no host of {bed.path} (env.hostnames gives hosts their names)")
        opened = api.open_session(found, bed, access(options))
        try:
            return opened.start(Script(script.encode())).read(b"\n@end\n", _HOST_SECONDS).decode(errors="replace")
        finally:
            opened.close()

    return ask


def _explainer(options: Options, bed: Testbed, cloud: Connection, physnet: str) -> smoking.Explain:
    return lambda error: f"\n{_explanation(options, bed, cloud, physnet)}" if error.fault else ""


def _explanation(options: Options, bed: Testbed, cloud: Connection, physnet: str) -> str:
    """What `explain` says of one more port on a physical network, a line for each host; bound VFs count as used."""
    try:
        bound, unasked = claims.bound(cloud, bed), ""
    except CloudError as error:  # the VM's own fault is to be told in any case
        bound, unasked = {}, f"  (without what neutron has bound: {error.message})"
    found = explanation(bed, options._replace(json=True), physnet, 1, bound)
    lines = [
        f"  {host.host.label}, {host.role.value}: {_failing(host)}" for host in (*found.schedulers, *found.computes)
    ]
    return "\n".join([f"  explain:{physnet} says: {found.verdict.value}", *lines, *([unasked] if unasked else [])])


def _failing(host: explaining.Explained) -> str:
    step = host.failing
    if step is None:
        return f"nothing is wrong, {host.free} VFs are free" if host.role is Role.COMPUTE else "nothing is wrong"
    return f"{step.name}: {step.found}" + (f"\n      -> {step.remedy}" if step.remedy else "")


def watcher(options: Options, name: str) -> servers.Watch:
    """Progress on standard error, one line for each change."""
    begun, last = time.monotonic(), [""]

    def watch(words: str) -> None:
        if not options.json and words != last[0]:
            last[0] = words
            with contextlib.suppress(OSError, ValueError):  # nothing is lost where nobody reads any more
                print(f"{time.monotonic() - begun:7.1f}s  {name}  {words}", file=sys.stderr, flush=True)

    return watch


def _said(options: Options, *names: str) -> tuple[str, ...]:
    """The values of these parameters; UsageError that lists all that are missing."""
    values = {**options.own, "physnet": options.physnet}
    if missing := [name for name in names if not values.get(name)]:
        raise UsageError(f"missing: {', '.join(missing)}", hint=f"it takes {', '.join(names)}, in this order")
    return tuple(str(values[name]) for name in names)


def _tell(
    task: str, options: Options, found: Mapping[str, object], words: str, *, made: bool = True, code: int = report.DONE
) -> int:
    if options.json:
        document = {"task": task, "testbed": str(options.testbed_path), "exit_code": code, **found}
        print(json.dumps(document, indent=2))
    else:
        print(words if made else f"{words} (it was there)")
    return code
