"""Hosts set up by the workers of a Dask cluster, of which one dies; and what is refused before anything is touched."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import dask
import pytest
from bench import pose
from bench.fleet import BenchFleet
from bench.tools import ours
from conftest import CHECKOUT
from engine_cluster import Cluster, make_certificate, settings, worker_name
from engine_runs import LIMITS, Told, Yard, simulated

from sriov import testbed
from sriov.errors import UsageError
from sriov.model import Host, Secret
from sriov.resources.contract import Request
from sriov.run.backends import dask as dask_engine
from sriov.run.backends.worker import Job
from sriov.run.context import Settings
from sriov.run.outcome import Status
from sriov.run.phases import Phase
from sriov.simulation import Fleet, HostSpec, Nic, SimulatedHost
from sriov.ssh.worker_login import WorkerLogin

pytestmark = pytest.mark.slow

HOSTS = 60
PORTS = ({"interface": "eth0", "VF": 7, "physnets": ["physnet1"]},)
NIC = (Nic(up=True),)
SPECS = (
    HostSpec("bare1", nics=NIC),
    HostSpec("bare2", nics=NIC),
    HostSpec("slow", nics=(Nic(up=True, write_seconds=3.0),)),
)


@pytest.fixture(scope="module")
def tls(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mapping[str, str]]:
    """In force in this process too."""
    environment = make_certificate(tmp_path_factory.mktemp("tls"))
    with dask.config.set(settings(environment)):
        yield environment


@dataclass(frozen=True)
class Story:
    """Sixty bare hosts set up by threads, made bare again, and set up by a cluster that loses a worker; then a plan."""

    threads: Told
    cluster: Told
    faults: list[str]
    plans: tuple[Mapping[str, Any], Mapping[str, Any]]


@pytest.fixture(scope="module")
def story(tls: Mapping[str, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Story]:
    folder = tmp_path_factory.mktemp("cluster")
    with BenchFleet(HOSTS, f"127.{100 + os.getpid() % 100}") as fleet, pytest.MonkeyPatch.context() as patch:
        patch.setenv("SRIOV_KNOWN_HOSTS", str(fleet.known_hosts))
        call = ours(fleet, HOSTS, True).words
        bed = testbed.load(call[-1])
        yard = Yard(bed, {host.name: host.name for host in bed.hosts})
        with Cluster(folder / "dask", tls, [({}, "")] * 3) as cluster:
            threads = yard.converge()
            fleet.wait_idle(HOSTS, 150)
            fleet.reset(HOSTS)
            changing: set[str] = set()

            def kill_in_the_middle(name: str, words: str) -> None:
                if words.startswith("virtual-functions") and len(changing) < 20:
                    changing.add(name)
                    if len(changing) == 20:
                        cluster.kill(0)

            with dask_engine.open_engine(cluster.address, bed.hosts) as engine:
                told = yard.converge(engine, at=kill_in_the_middle)
            fleet.wait_idle(HOSTS, 150)
            faults = [f"{host.name}: {fault}" for host in fleet.hosts for fault in pose.faults(host.tree)]
            plans = tuple(_plan(call, tls, *engine) for engine in ((), ("--engine", cluster.address)))
        yield Story(threads, told, faults, (plans[0], plans[1]))


def _plan(call: tuple[str, ...], tls: Mapping[str, str], *words: str) -> Mapping[str, Any]:
    fab, _, *bed = call
    answer = subprocess.run(
        [fab, "plan", *bed, "--json", *words], cwd=CHECKOUT, env={**os.environ, **tls}, capture_output=True, text=True
    )
    assert answer.returncode == 0, answer.stdout + answer.stderr
    assert answer.stderr == ""
    read = json.loads(answer.stdout)
    return {**read, "hosts": [{**host, "seconds": 0} for host in read["hosts"]]}


def test_sixty_hosts_are_set_up_though_a_worker_dies(story: Story) -> None:
    assert story.faults == []
    assert {run.status for run in story.cluster.runs.values()} == {Status.CHANGED}
    steps = sum(words.count("connecting") for words in story.cluster.words.values())
    assert steps > 2 * HOSTS  # what the dead one was at has been done again


def _without_notes_on_nova(document: Mapping[str, Any]) -> Mapping[str, Any]:
    """A worker that died may have put nova's file in place: then the next one, which does not, does not ask nova."""
    hosts = {
        name: {**host, "notes": [note for note in host["notes"] if note["id"] != "nova-not-asked"]}
        for name, host in document["hosts"].items()
    }
    return {**document, "hosts": hosts}


def test_report_and_log_of_a_cluster_equal_those_of_threads(story: Story) -> None:
    documents = [_without_notes_on_nova(told.document) for told in (story.cluster, story.threads)]
    assert documents[0] == documents[1]
    assert story.cluster.log == story.threads.log
    assert len(story.threads.log) >= 5 * HOSTS


def test_command_line_gives_the_same_plan_with_a_cluster(story: Story) -> None:
    assert story.plans[0] == story.plans[1]
    assert len(story.plans[0]["hosts"]) == HOSTS


@dataclass(frozen=True)
class Racks:
    """A cluster whose workers know the hosts of their own rack only, and an engine on it."""

    fleet: Fleet
    yard: Yard
    cluster: Cluster
    engine: dask_engine.DaskEngine


@pytest.fixture(scope="module")
def racks(tls: Mapping[str, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Racks]:
    folder = tmp_path_factory.mktemp("racks")
    with Fleet(SPECS) as fleet, pytest.MonkeyPatch.context() as patch:
        patch.setenv("SRIOV_KNOWN_HOSTS", str(fleet.known_hosts_path))
        keys = fleet.known_hosts_path.read_text().splitlines()
        workers = []
        for number, spec in enumerate(SPECS):
            address = fleet[spec.name].login.partition("@")[2].partition(":")[0]
            path = folder / f"known{number}"
            path.write_text("".join(f"{line}\n" for line in keys if address in line))
            workers.append(({"SRIOV_KNOWN_HOSTS": str(path)}, f"rack{number}=10"))
        yard = simulated(fleet, folder / "testbed.py", PORTS)
        names = [fleet[spec.name].login for spec in SPECS]
        placed = (host._replace(worker_resource=f"rack{names.index(host.name)}") for host in yard.bed.hosts)
        yard.bed = yard.bed._replace(hosts=tuple(placed))
        with (
            Cluster(folder / "dask", tls, workers) as cluster,
            dask_engine.open_engine(cluster.address, yard.bed.hosts) as engine,
        ):
            yield Racks(fleet, yard, cluster, engine)


def test_host_is_given_to_the_worker_that_offers_what_it_asks_for(racks: Racks) -> None:
    for number, host in enumerate(racks.yard.bed.hosts):
        request = Request(host, racks.yard.bed, host.roles)
        job = Job(Phase.LOOK, request, Settings("r", WorkerLogin("r"), LIMITS))
        assert racks.engine.submit(worker_name, job).result(30) == f"worker{number}"


def test_hosts_are_rebooted_in_waves_by_workers_near_them(racks: Racks) -> None:
    events: list[tuple[str, str]] = []
    told = racks.yard.converge(racks.engine, at=lambda name, words: events.append((name, words)))
    assert {name: run.status for name, run in told.runs.items()} == {spec.name: Status.CHANGED for spec in SPECS}
    assert [len(racks.fleet[spec.name].boots) for spec in SPECS] == [2, 2, 2]
    turns = [name for name, words in events if words == "rebooting"]
    away: set[str] = set()
    for name, words in events:
        away |= {name} if words == "rebooting" else set()
        away -= {name} if words == "as wanted" else set()
        assert len(away) <= 1
    assert sorted(turns) == sorted(spec.name for spec in SPECS)


def wait_idle(host: SimulatedHost) -> None:
    """Until a script that nobody listens to has finished what it was at."""
    idle = "for f in /run/sriov/writing.*; do [ ! -e $f ] || exit 1; done; flock -n /run/sriov/lock true"
    deadline = time.monotonic() + 30
    while host.run(idle).returncode and time.monotonic() < deadline:
        time.sleep(0.2)


@pytest.fixture
def provisioned(racks: Racks) -> Racks:
    """Whatever was done before: hosts as their testbed wants them."""
    assert {run.error for run in racks.yard.converge().runs.values()} == {None}
    return racks


def test_interruption_ends_the_step_on_the_worker_and_names_it(provisioned: Racks) -> None:
    racks = provisioned
    slow = racks.fleet["slow"].login
    fewer = {host: tuple(pf._replace(num_vfs=5) for pf in host.physical_functions) for host in racks.yard.bed.hosts}
    hosts = tuple(host._replace(physical_functions=pfs) if host.name == slow else host for host, pfs in fewer.items())
    yard = Yard(racks.yard.bed._replace(hosts=hosts), {host.login: host.name for host in racks.fleet.hosts})
    begun = threading.Event()

    def interrupt(name: str, words: str) -> None:
        if words == "virtual-functions eth0" and not begun.is_set():
            begun.set()
            os.kill(os.getpid(), signal.SIGINT)

    runs = yard.converge(racks.engine, at=interrupt).runs
    error = runs["slow"].error
    assert begun.is_set()
    assert error is not None
    assert error.message == "interrupted during: virtual-functions eth0"
    assert {runs[name].status for name in ("bare1", "bare2")} == {Status.UNCHANGED}
    wait_idle(racks.fleet["slow"])
    again = yard.converge(racks.engine).runs["slow"]
    assert (again.error, again.plan.is_converged) == (None, True)


def test_loss_of_the_scheduler_ends_the_run_and_the_next_one_goes_on(
    provisioned: Racks, tls: Mapping[str, str], tmp_path: Path
) -> None:
    racks = provisioned
    three = (
        host._replace(
            worker_resource="",
            physical_functions=tuple(pf._replace(num_vfs=3) for pf in host.physical_functions),
        )
        for host in racks.yard.bed.hosts
    )
    yard = Yard(racks.yard.bed._replace(hosts=tuple(three)), {host.login: host.name for host in racks.fleet.hosts})
    with Cluster(tmp_path / "dask", tls, [({}, "")]) as cluster:
        killed = threading.Event()

        def kill(name: str, words: str) -> None:
            if (name, words) == ("slow", "virtual-functions eth0") and not killed.is_set():
                killed.set()
                cluster.kill_scheduler()

        with dask_engine.open_engine(cluster.address, yard.bed.hosts, no_worker_seconds=2.0) as engine:
            runs = yard.converge(engine, at=kill).runs
    assert killed.is_set()
    assert runs["slow"].status is Status.FAILED
    assert runs["slow"].error is not None
    assert "its step was lost by the engine" in runs["slow"].error.message
    assert "a change may have been under way" in runs["slow"].error.message
    wait_idle(racks.fleet["slow"])
    again = yard.converge().runs
    assert {name: (run.error, run.plan.is_converged) for name, run in again.items()} == dict.fromkeys(
        again, (None, True)
    )


def _refusal(address: str, hosts: tuple[Host, ...] = (), **options: Any) -> str:
    with pytest.raises(UsageError) as refused, dask_engine.open_engine(address, hosts, **options):
        pass
    return str(refused.value)


def test_resource_that_no_worker_offers_is_refused(racks: Racks) -> None:
    hosts = tuple(Host(f"root@h{number}", f"h{number}", worker_resource="rack9") for number in range(2))
    said = _refusal(racks.cluster.address, hosts)
    assert "no worker offers rack9, which root@h0 and 1 more host need" in said
    assert "--resources rack9=100" in said


def test_passwords_do_not_travel_without_tls(racks: Racks) -> None:
    host = Host("root@h", "h", password=Secret("pw"))
    with dask.config.set({"distributed.comm.tls.ca-file": None}):
        assert "the testbed holds passwords, and the connection" in _refusal(racks.cluster.address, (host,))
        assert "what this task reads on the hosts holds passwords" in _refusal(racks.cluster.address, reads_files=True)
        assert "without TLS" in _refusal(racks.cluster.address, patience=2)  # it has TLS, and speaks nothing else


def test_hosts_without_a_worker_in_the_middle_of_a_run_are_given_up(racks: Racks) -> None:
    (host, *_) = racks.yard.bed.hosts
    lost = tuple(host._replace(worker_resource="rack9") for host in racks.yard.bed.hosts)
    yard = Yard(racks.yard.bed._replace(hosts=lost), {host.name: host.name for host in lost})
    with dask_engine.open_engine(racks.cluster.address, (), no_worker_seconds=0.4) as engine:
        run = yard.converge(engine).runs[host.name]
    assert run.error is not None
    assert "no worker with rack9 is left" in run.error.message


def test_cluster_without_workers_is_refused(tls: Mapping[str, str], tmp_path: Path) -> None:
    with Cluster(tmp_path / "dask", tls, ()) as cluster:
        assert "has no workers" in _refusal(cluster.address, patience=1)


def test_wrong_engine_ends_the_call_with_exit_code_2(tmp_path: Path) -> None:
    bed = tmp_path / "bed.py"
    bed.write_text("from fabric.api import env\nenv.roledefs = {'compute': ['root@127.0.0.1:1']}\n")
    for engine, words in (
        ("dask://127.0.0.1:1", "no Dask scheduler answers at 127.0.0.1:1 without TLS"),
        ("spark://127.0.0.1:1", "write dask://scheduler:8786"),
        ("dask://127.0.0.1", "write dask://scheduler:8786"),
    ):
        fab = Path(sys.executable).with_name("fab")
        call = [str(fab), "setup_all", "--testbed", str(bed), "--engine", engine]
        answer = subprocess.run(call, cwd=CHECKOUT, capture_output=True, text=True)
        assert (answer.returncode, answer.stdout) == (2, "")
        assert words in answer.stderr
        assert "Traceback" not in answer.stderr


def test_missing_package_is_named_with_what_to_install() -> None:
    code = """
import sys
sys.modules["distributed"] = None
from sriov.run.backends.dask import open_engine
open_engine("dask://h:1", ()).__enter__()
"""
    answer = subprocess.run([sys.executable, "-c", code], cwd=CHECKOUT, capture_output=True, text=True)
    assert "--engine dask://h:1 needs the package distributed" in answer.stderr
    assert "pip install distributed" in answer.stderr
