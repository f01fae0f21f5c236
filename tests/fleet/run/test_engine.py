"""Any Executor will do: the steps of hosts, done in other processes, come to what threads come to."""

from __future__ import annotations

import multiprocessing
import pickle
from collections.abc import Iterator
from concurrent.futures import Executor, Future, ProcessPoolExecutor
from dataclasses import dataclass

import pytest
from engine_runs import LIMITS, Told, simulated
from faults.bench import leftovers

from sriov.errors import ConnectError, LockedError
from sriov.model import CloudLogin, Host, Role, Secret, Testbed
from sriov.resources.contract import Request
from sriov.run import lock_owner
from sriov.run.backends.worker import Job, alone, carry_out
from sriov.run.context import Settings
from sriov.run.outcome import Status, outcome_of
from sriov.run.phases import Phase
from sriov.simulation import Fleet, HostSpec, Nic, User
from sriov.ssh.worker_login import WorkerLogin

pytestmark = pytest.mark.slow

PORTS = ({"interface": "eth0", "VF": 7, "physnets": ["physnet1"]},)
READY = "intel_iommu=on iommu=pt"
NIC = (Nic(up=True),)
SPECS = (
    HostSpec("control", roles=("openstack",)),
    *(HostSpec(f"bare{number}", nics=NIC) for number in range(1, 4)),
    *(HostSpec(f"ready{number}", nics=NIC, cmdline=READY) for number in range(1, 3)),
    HostSpec("guests", nics=NIC),
    HostSpec("broken", nics=NIC, cmdline=READY),
    HostSpec("silent", nics=NIC),
)
USERS = (HostSpec("asks", nics=NIC, users=(User("ops", 1000, "pw-ops", "password"),)),)


@dataclass(frozen=True)
class Story:
    """The same on two equal fleets: bare hosts, then hosts that are as wanted; `fleet` is that of the processes."""

    fleet: Fleet
    threads: tuple[Told, Told]
    processes: tuple[Told, Told]


def _prepare(fleet: Fleet) -> None:
    fleet["guests"].run("mkdir -p /run/libvirt/qemu; echo '<domstatus/>' >/run/libvirt/qemu/instance-0000002a.xml")
    fleet["broken"].run("rm -rf /run/sriov; echo >/run/sriov")  # nowhere to take the lock
    fleet["silent"].fail(silent=True)


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Story]:
    folder = tmp_path_factory.mktemp("engine")
    found: list[tuple[Told, Told]] = []
    with Fleet(SPECS) as one, Fleet(SPECS) as other, pytest.MonkeyPatch.context() as patch:
        for number, fleet in enumerate((one, other)):
            _prepare(fleet)
            patch.setenv("SRIOV_KNOWN_HOSTS", str(fleet.known_hosts_path))
            yard = simulated(fleet, folder / f"testbed{number}.py", PORTS)
            with ProcessPoolExecutor(4, mp_context=multiprocessing.get_context("spawn")) as pool:
                engine = pool if fleet is other else None
                first, second = (yard.converge(engine, 2.0, max_unavailable="2") for _ in range(2))
                found.append((first, second))
        yield Story(other, found[0], found[1])


def test_report_of_other_processes_equals_that_of_threads(story: Story) -> None:
    for ours, theirs in zip(story.threads, story.processes, strict=True):
        assert theirs.document == ours.document
    statuses = {name: run.status for name, run in story.processes[0].runs.items()}
    assert statuses == {
        "control": Status.CHANGED,
        **{f"bare{number}": Status.CHANGED for number in range(1, 4)},
        **{f"ready{number}": Status.CHANGED for number in range(1, 3)},
        "guests": Status.PENDING,
        "broken": Status.FAILED,
        "silent": Status.FAILED,
    }


def test_log_of_other_processes_equals_that_of_threads(story: Story) -> None:
    assert story.processes[0].log == story.threads[0].log
    assert len(story.processes[0].log) > 10
    assert story.processes[1].log == []


def test_each_word_of_a_host_comes_once_and_in_order(story: Story) -> None:
    words = story.processes[0].words["ready1"]
    assert words[:3] == ["connecting", "probing", "differs"]
    assert words[-2:] == ["verifying", "as wanted"]
    assert words.count("virtual-functions eth0") == story.threads[0].words["ready1"].count("virtual-functions eth0")


def test_hosts_are_rebooted_once_and_left_clean(story: Story) -> None:
    for number in range(1, 4):
        host = story.fleet[f"bare{number}"]
        assert (len(host.boots), host.numvfs("eth0"), leftovers(host)) == (2, 7, [])


def test_what_comes_back_holds_no_file_and_no_password(story: Story) -> None:
    run = story.processes[0].runs["ready1"]
    assert run.facts is not None
    assert run.facts.files == {}
    assert b"[DEFAULT]" not in pickle.dumps((run.first_plan, run.facts))
    assert run.first_plan.changes


def test_step_takes_along_no_password_but_that_of_its_host() -> None:
    one, other = (Host(f"ops@{name}", name, password=Secret(f"pw-{name}")) for name in ("one", "other"))
    login = CloudLogin("http://keystone", "admin", Secret("pw-cloud"), "admin")
    for role in Role:
        request = Request(one, Testbed("bed.py", (one, other), cloud_login=login), frozenset({role}))
        sent = pickle.dumps(alone(request))
        assert b"pw-one" in sent
        assert b"pw-other" not in sent
        assert b"pw-cloud" not in sent


def test_sudo_that_asks_is_refused_by_a_worker_in_clear_words(tmp_path_factory: pytest.TempPathFactory) -> None:
    with Fleet(USERS) as fleet, pytest.MonkeyPatch.context() as patch:
        patch.setenv("SRIOV_KNOWN_HOSTS", str(fleet.known_hosts_path))
        yard = simulated(fleet, tmp_path_factory.mktemp("asks") / "testbed.py", PORTS)
        (host,) = yard.bed.hosts
        host = host._replace(name=fleet["asks"].login_of("ops"), user="ops")
        request = Request(host, yard.bed, host.roles)
        settings = Settings("r", WorkerLogin("r", yard.bed.key_filename), LIMITS)
        answer = pickle.loads(pickle.dumps(carry_out(Job(Phase.LOOK, request, settings))))  # noqa: S301 - our own
    error = outcome_of(answer.state).error
    assert isinstance(error, ConnectError)
    assert "a worker cannot ask for the sudo password of ops" in error.message
    assert "env.passwords" in error.hint


class Broken(Executor):
    """Whose workers are gone."""

    def submit(self, fn: object, /, *args: object, **kwargs: object) -> Future[None]:  # type: ignore[override]
        future: Future[None] = Future()
        future.set_exception(RuntimeError("the cluster\nfell over"))
        return future


def test_step_that_the_engine_loses_is_its_host_s_failure(
    story: Story, tmp_path_factory: pytest.TempPathFactory
) -> None:
    yard = simulated(story.fleet, tmp_path_factory.mktemp("lost") / "testbed.py", PORTS)
    run = yard.converge(Broken()).runs["ready1"]
    assert run.error is not None
    assert "lost by the engine (RuntimeError: the cluster fell over); nothing was touched" in run.error.message


def test_lock_of_an_earlier_attempt_of_the_same_run_is_waited_for() -> None:
    words = "ops@elsewhere (pid 7, run 20260101T000000Z-abcdef) since 2026-01-01 00:00:00 UTC"
    owner = lock_owner.parse(words)
    assert owner == ("ops@elsewhere", 7, "20260101T000000Z-abcdef")
    assert owner.ends_by_itself("20260101T000000Z-abcdef")
    assert not owner.ends_by_itself("20260101T000000Z-abcde")
    assert not owner.ends_by_itself("")
    assert not lock_owner.here("r").ends_by_itself("s")
    assert lock_owner.parse(str(lock_owner.here("r"))) == lock_owner.here("r")


@pytest.mark.parametrize("words", ["", "somebody", "a@b (pid x, run y)", "a@b (pid 1"])
def test_lock_with_words_of_others_names_no_owner(words: str) -> None:
    assert lock_owner.parse(words) is None


def test_error_of_a_host_is_the_same_in_another_process() -> None:
    sent = LockedError("host-locked", "root@a", "another run", hint="wait", step="the lock")
    sent.holder = "ops@desk (pid 7, run r)"
    found = pickle.loads(pickle.dumps(sent))  # noqa: S301 - our own
    assert (type(found), vars(found)) == (LockedError, vars(sent))
    assert (found.kind, str(found)) == ("HostError", str(sent))
