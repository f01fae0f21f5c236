"""What the tasks of the cloud do: a checked call, the library's work, the answer. Imported when a task runs."""

from __future__ import annotations

import contextlib
import json
import secrets
import sys
import time
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from sriov import api
from sriov.cloud import claims, networks, ports, servers, session, wanted
from sriov.cloud import smoke as smoking
from sriov.cloud.checks import Check, Result, junit
from sriov.cloud.dialects.binding import BindingVerdict
from sriov.cloud.dialects.dialect import dialect_of
from sriov.errors import CloudError, UsageError
from sriov.model import Testbed
from sriov.report.cloud import (
    binding_document,
    binding_words,
    cloud_document,
    explanation_words,
    smoke_document,
    smoke_words,
)
from sriov.report.documents import DONE, FAILED
from sriov.transport import Script

from .commands import access, load, requests, run_options
from .options import Options

if TYPE_CHECKING:
    from sriov.cloud.session import Connection

_SMOKE_CIDR = "192.0.2.0/24"  # for documentation, RFC 5737: no real network
_HOST_SECONDS = 90.0


def create_network(options: Options) -> int:
    bed = load(options)
    dialect = dialect_of(bed.network_backend)
    name, physnet, vlan, cidr = _said(options, "name", "physnet", "vlan", "cidr", vlan_hint=dialect.needs_vlan)
    asked = wanted.network(name, physnet, vlan, cidr, bed, dialect.lowest_vlan)
    found = networks.ensure(session.login(bed), asked, dialect)
    words = f"network {found.name}: VLAN {found.vlan or '0 (untagged)'} on {found.physnet}, subnet {found.cidr}"
    return _tell("create_sriov_network", options, asdict(found), words, made=bool(found.made))


def create_port(options: Options) -> int:
    network, name = _said(options, "network", "name")
    ip, mac = (str(options.own.get(key, "")) for key in ("ip", "mac"))
    asked = wanted.port(network, name, ip, mac, is_trusted="trusted" in options.own)
    bed = load(options)
    found = ports.ensure(session.login(bed), asked, dialect_of(bed.network_backend))
    words = f"port {found.name} in {found.network}: {found.mac} {' '.join(found.ips)}".rstrip()
    return _tell("create_sriov_port", options, asdict(found), words, made=found.made)


def launch(options: Options) -> int:
    asked = wanted.server(*_said(options, "name", "port", "image", "flavor"))
    bed = load(options)
    dialect, cloud = dialect_of(bed.network_backend), session.login(bed)
    try:
        found = servers.ensure(cloud, asked, watcher(options, asked.name), dialect)
    except servers.ServerError as error:
        physnet = ports.physnet(cloud, error.port_id) if error.fault else ""
        cause = f"\n{_explanation(options, bed, cloud, physnet)}" if physnet else ""
        raise CloudError(error.id, f"{error.message}{cause}", hint=error.hint) from None
    words = f"VM {found.name}: ACTIVE on {found.host or 'a host'}, port {found.port}: {dialect.ready_words}"
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
    bed = load(options)
    dialect = dialect_of(bed.network_backend)
    rows = dialect.judge(ports.bound(session.login(bed), name, dialect))
    code = FAILED if any(row.verdict is BindingVerdict.WRONG for row in rows) else DONE
    return _tell("show_sriov_port", options, binding_document(name, rows), binding_words(rows), code=code)


def smoke(options: Options) -> int:
    """Every physical network of the testbed, or the one of the call. Exit code 1 if any check failed."""
    bed = load(options)
    given = {key: str(value) for key, value in options.own.items()}
    if options.physnet:
        wanted.check_physnet(options.physnet, bed)
    physnets = (options.physnet,) if options.physnet else bed.physnets
    if not physnets:
        words = f"{bed.path} names no physical network"
        raise UsageError("no-physnets", words, hint="its env.sriov is empty: there is nothing to test")
    dialect = dialect_of(bed.network_backend)
    vlan = wanted.vlan_number(given["vlan"], dialect.lowest_vlan) if "vlan" in given else None
    if vlan is None and dialect.needs_vlan:
        raise UsageError("missing-argument", "missing: --vlan", hint=dialect.needs_vlan)
    cidr = wanted.subnet_range(given.get("cidr", _SMOKE_CIDR))
    _check_writable(given.get("junit", ""))
    api.treat_signals_as_interrupt()
    cloud = session.login(bed)
    image, flavor = smoking.choose(cloud, given.get("image", ""), given.get("flavor", ""))
    suites: list[tuple[str, tuple[Check, ...]]] = []
    for physnet in physnets:
        name = f"sriov-smoke-{physnet}-{secrets.token_hex(3)}"
        test = smoking.SmokeTest(name, physnet, vlan, cidr, image, flavor)
        run = smoking.Smoke(
            cloud, test, _asker(bed, options), _explainer(options, bed, cloud, physnet), watcher(options, name), dialect
        )
        suites.append((physnet, run.run()))
    if "junit" in given:
        Path(given["junit"]).write_text(junit(suites), encoding="utf-8")
    has_failed = any(check.outcome is Result.FAILED for _, checks in suites for check in checks)
    document = smoke_document(image, flavor, suites)
    return _tell("smoke", options, document, smoke_words(suites), code=FAILED if has_failed else DONE)


def _check_writable(path: str) -> None:
    """Told before anything is made, not after."""
    if path:
        try:
            Path(path).touch()
        except OSError as error:
            words = f"--junit {path} cannot be written: {error.strerror}"
            raise UsageError("output-not-writable", words, hint="name a file that you may write") from None


def _asker(bed: Testbed, options: Options) -> smoking.AskHost:
    """Runs a script on the compute host that neutron names: by its name in the testbed, or its address."""

    def ask(name: str, script: str) -> str:
        found = claims.named(bed, name)
        if found is None:
            words = f"{name or 'its host'} is not a host of {bed.path} (env.hostnames gives hosts their names)"
            raise CloudError("port-on-unknown-host", words)
        opened = api.open_session(found, bed, access(options))
        try:
            return opened.start(Script(script.encode())).read(b"\n@end\n", _HOST_SECONDS).decode(errors="replace")
        finally:
            opened.close()

    return ask


def _explainer(options: Options, bed: Testbed, cloud: Connection, physnet: str) -> smoking.Explain:
    return lambda error: f"\n{_explanation(options, bed, cloud, physnet)}" if error.fault else ""


def _explanation(options: Options, bed: Testbed, cloud: Connection, physnet: str) -> str:
    """What `explain` says of one more port on a physical network. The VM's own fault is told in any case."""
    asked = requests(bed._replace(contrail_api=""), options)  # a virtual router is no cause of a VM's fault
    return explanation_words(api.explain(asked, physnet, 1, access(options), run_options(options), cloud=cloud)[0])


def watcher(options: Options, name: str) -> servers.Watch:
    """Progress on standard error, one line for each change."""
    begun, last = time.monotonic(), [""]

    def watch(words: str) -> None:
        if not options.json and words != last[0]:
            last[0] = words
            with contextlib.suppress(OSError, ValueError):  # nothing is lost if the output is closed
                print(f"{time.monotonic() - begun:7.1f}s  {name}  {words}", file=sys.stderr, flush=True)

    return watch


def _said(options: Options, *names: str, vlan_hint: str = "") -> tuple[str, ...]:
    """The values of these parameters; UsageError that lists all that are missing, with `vlan_hint` if `vlan` is."""
    values = {**options.own, "physnet": options.physnet}
    if missing := [name for name in names if not values.get(name)]:
        order = ", in this order" if len(names) > 1 else ""
        hint = f"the task takes {', '.join(names)}{order}"
        hint += f"; {vlan_hint}" if vlan_hint and "vlan" in missing else ""
        raise UsageError("missing-argument", f"missing: {', '.join(missing)}", hint=hint)
    return tuple(str(values[name]) for name in names)


def _tell(
    task: str, options: Options, found: Mapping[str, object], words: str, *, made: bool = True, code: int = DONE
) -> int:
    if options.json:
        print(json.dumps(cloud_document(task, str(options.testbed_path), code, found), indent=2))
    else:
        print(words if made else f"{words} (it was there)")
    return code
