"""The controller ends in the middle: killed, interrupted, asked to end. The next plain run finishes the job."""

from __future__ import annotations

import os
import random
import re
import signal
import subprocess
import time
from collections.abc import Iterator

import pytest
from conftest import CHECKOUT, FAB
from faults.bench import SHORT, Bench, leftovers, torn, tree
from faults.lone_controller import begun, begun_until

from sriov.report.documents import exit_code
from sriov.run.outcome import Status
from sriov.simulation import Fleet, HostSpec, Nic

pytestmark = pytest.mark.slow

KILLED = tuple(f"compute{number}" for number in range(1, 9))
MOMENTS = 50
STARTS = 0.1  # seconds until a controller of its own connects
SEED = 20


def _wanted(number: int) -> list[dict[str, object]]:
    """Another state each time, so that every run has something to do at each of its steps."""
    return [{"interface": "eth0", "VF": 7 - number % 3, "physnets": [f"physnet{number % 4}"]}]


@pytest.fixture(scope="module")
def fleet() -> Iterator[Fleet]:
    specs = [HostSpec(name, nics=(Nic(up=True),), reboot_seconds=0.05) for name in (*KILLED, "control")]
    odd = [HostSpec("gone"), HostSpec("silent"), HostSpec("unheard", reboot_seconds=0.05)]
    slow = HostSpec("slow", nics=(Nic(up=True, write_seconds=4.0),), cmdline="intel_iommu=on iommu=pt")
    with Fleet([*specs, slow, *odd]) as running:
        yield running


@pytest.fixture(scope="module")
def bench(fleet: Fleet, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SRIOV_KNOWN_HOSTS", str(fleet.known_hosts_path))
        yield Bench(fleet, tmp_path_factory.mktemp("interrupted"))


def test_killed_controllers_lose_nothing_and_one_plain_run_converges_all(bench: Bench, fleet: Fleet) -> None:
    chance = random.Random(SEED)
    bench.write({name: _wanted(0) for name in KILLED})
    length = None
    for number in range(MOMENTS):
        bench.write({name: _wanted(number) for name in KILLED})
        if number == 20:  # by now no reboot is due: how long is a run that is left alone?
            start = time.monotonic()
            bench.converge(*KILLED)
            length = time.monotonic() - start
        with begun(bench, *KILLED, max_unavailable="100%"):
            time.sleep(STARTS + chance.uniform(0.0, length or 3.0))
    bench.write({name: _wanted(MOMENTS) for name in (*KILLED, "control")})
    runs = bench.converge(*KILLED, "control", max_unavailable="100%")
    assert {name: run.error for name, run in runs.items()} == dict.fromkeys(runs)
    assert all(run.plan.is_converged for run in runs.values())
    control = {name: text for name, text in tree(fleet["control"]).items() if "host" not in name}
    for name in KILLED:
        mine = {path: text for path, text in tree(fleet[name]).items() if "host" not in path}
        assert torn(mine, control) == []
        assert leftovers(fleet[name]) == []
        assert fleet[name].numvfs("eth0") == fleet["control"].numvfs("eth0")


def test_lock_of_a_controller_that_is_not_heard_of_is_freed_as_the_error_says(bench: Bench, fleet: Fleet) -> None:
    """It is stopped while the host waits for its word: to the host that is a network that was lost."""
    bench.write({"unheard": _wanted(0)})
    with begun_until(bench, "unheard", "rebooting") as pid:
        os.kill(pid, signal.SIGSTOP)
        error = bench.converge("unheard")["unheard"].error
        assert error is not None
        process = re.search(r"another run is changing this host.* \(process (\d+) here\)", error.message)
        assert process is not None, error.message
        assert "`kill` that process" in error.hint
        assert fleet["unheard"].run(f"kill {process[1]}").returncode == 0
        run = bench.converge("unheard")["unheard"]
        assert (run.error, run.plan.is_converged, run.rebooted) == (None, True, True)


def test_host_finishes_the_change_that_a_killed_controller_began(bench: Bench, fleet: Fleet) -> None:
    bench.write({"slow": _wanted(0)})
    bench.converge("slow")
    bench.write({"slow": _wanted(1)})
    with begun_until(bench, "slow", "virtual-functions eth0"):
        pass  # killed at this moment
    deadline = time.monotonic() + 60
    while leftovers(fleet["slow"]) and time.monotonic() < deadline:
        time.sleep(0.2)
    assert fleet["slow"].numvfs("eth0") == 6


def test_next_run_waits_for_the_end_of_what_a_killed_controller_began(bench: Bench, fleet: Fleet) -> None:
    bench.write({"slow": _wanted(0)})
    bench.converge("slow")
    bench.write({"slow": _wanted(2)})
    with begun_until(bench, "slow", "virtual-functions eth0"):
        pass  # killed at this moment
    bench.write({"slow": _wanted(1)})
    bench.events.clear()
    run = bench.converge("slow")["slow"]
    assert run.error is None
    assert run.status is Status.CHANGED
    assert ("slow", "waiting for the end of a run that was cut off") in bench.events
    assert fleet["slow"].numvfs("eth0") == 6


class Controller:
    """`fab` as a process; `until` waits for words on its standard error."""

    def __init__(self, bench: Bench, fleet: Fleet, *words: str) -> None:
        self.process = subprocess.Popen(
            [str(FAB), *words, "--testbed", str(bench.path)],
            cwd=CHECKOUT,
            env={**os.environ, "SRIOV_KNOWN_HOSTS": str(fleet.known_hosts_path), "PYTHONDONTWRITEBYTECODE": "1"},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        self.errors = ""

    def until(self, words: str) -> None:
        assert self.process.stderr is not None
        for line in self.process.stderr:
            self.errors += line
            if words in line:
                return
        raise AssertionError(self.errors)

    def end(self, number: signal.Signals) -> tuple[int, str, str]:
        self.process.send_signal(number)
        out, errors = self.process.communicate(timeout=60)
        return self.process.returncode, out, self.errors + errors


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_interrupted_change_is_reported_with_its_step_and_exit_code_1(
    bench: Bench, fleet: Fleet, number: signal.Signals
) -> None:
    bench.write({"slow": [{"interface": "eth0", "VF": 7 - number % 5, "physnets": ["physnet1"]}]})
    controller = Controller(bench, fleet, "add_vrouter_node", fleet["slow"].login)
    controller.until("virtual-functions eth0")
    code, out, errors = controller.end(number)
    assert code == 1
    assert "interrupted during: virtual-functions eth0" in out
    assert "FAILED" in out
    assert "Traceback" not in out + errors
    time.sleep(4.5)  # the host finishes the step that it is at
    again = bench.converge("slow")["slow"]
    assert (again.error, again.plan.is_converged) == (None, True)


def test_interrupted_wait_for_a_reboot_ends_at_once_and_says_so(bench: Bench, fleet: Fleet) -> None:
    bench.write({"gone": [{"interface": "eth0", "VF": 7, "physnets": ["physnet1"]}]})
    fleet["gone"].fail(never_returns=True)
    controller = Controller(bench, fleet, "add_vrouter_node", fleet["gone"].login)
    controller.until("rebooting")
    time.sleep(2)
    code, out, errors = controller.end(signal.SIGINT)
    assert code == 1
    assert "interrupted while waiting for its reboot" in out
    assert "before its changes began" not in out
    assert "Traceback" not in out + errors
    fleet["gone"].clear_faults()
    fleet["gone"].reboot()
    assert bench.converge("gone")["gone"].status in (Status.UNCHANGED, Status.CHANGED)


def test_interrupted_plan_ends_without_a_traceback(bench: Bench, fleet: Fleet) -> None:
    bench.write({"silent": [{"interface": "eth0", "VF": 7, "physnets": ["physnet1"]}]})
    fleet["silent"].fail(silent=True)
    controller = Controller(bench, fleet, "plan", fleet["silent"].login)
    controller.until("connecting")
    code, out, errors = controller.end(signal.SIGINT)
    assert code == 1
    assert "interrupted" in out
    assert "Traceback" not in out + errors


def test_interruption_between_change_and_reboot_leaves_the_reboot_due(bench: Bench, fleet: Fleet) -> None:
    fleet["silent"].clear_faults()
    bench.write({"silent": [{"interface": "eth0", "VF": 7, "physnets": ["physnet1"]}]})

    def interrupt(name: str, words: str) -> None:
        if words == "waiting for its reboot":
            os.kill(os.getpid(), signal.SIGINT)
            time.sleep(1)

    runs = bench.converge("silent", at=interrupt, limits=SHORT)
    assert exit_code(runs.values()) == 1
    error = runs["silent"].error
    assert error is not None
    assert "interrupted" in error.message
    assert len(fleet["silent"].boots) == 1
    assert bench.converge("silent")["silent"].rebooted


def test_second_interruption_does_not_lose_the_report(bench: Bench, fleet: Fleet) -> None:
    """As of a hasty operator, or of a CI system that sends SIGTERM a moment after SIGINT."""
    bench.write({"slow": [{"interface": "eth0", "VF": 4, "physnets": ["physnet1"]}]})

    def interrupt_twice(name: str, words: str) -> None:
        if words.startswith("virtual-functions eth0"):
            for _ in range(2):
                os.kill(os.getpid(), signal.SIGINT)
                time.sleep(0.3)

    runs = bench.converge("slow", at=interrupt_twice)
    assert exit_code(runs.values()) == 1
    assert "interrupted during: virtual-functions eth0" in str(runs["slow"].error)
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    assert bench.converge("slow")["slow"].plan.is_converged
