"""The pure parts of the benchmark: statistics, verdicts, what the kernel's messages mean, the document; and that the
floor reads what sriov-fab reads."""

from __future__ import annotations

import math
import os
import random
import re
import signal
import socket
import struct
import subprocess
import sys
import time
from collections.abc import Iterable
from pathlib import Path

import pytest
from bench import against, document, kernel_events, pose
from bench.checkout import UnknownRevisionError, checkout
from bench.counts import Counts, programs, traffic
from bench.fleet import BenchFleet, BenchHost
from bench.kernel_events import EXEC, EXIT, FORK, Ended, ProcEvent, ended_socket, proc_event
from bench.measure import Cost
from bench.rounds import Cell, Results, Run
from bench.verdict import growth, interval

ROOT = Path(__file__).parents[3]
SAME = Counts(1, 7, 10_000, 17_000)


def run(wall: float, fault: str = "") -> Run:
    return Run(Cost(wall, wall / 2, 46, 0, ""), 0.04, fault)


def outcome(before: Iterable[float], after: Iterable[float], counts: Counts = SAME, fault: str = "") -> against.Outcome:
    """Of one cell."""
    cells = [Cell(side, 10, False) for side in (against.BEFORE, against.AFTER)]
    runs = {cells[0]: [run(wall) for wall in before], cells[1]: [run(wall, fault) for wall in after]}
    return against.Outcome({cells[0]: SAME, cells[1]: counts}, Results(runs))


# statistics


def test_interval_is_students_t_on_logarithms() -> None:
    found = interval([1.0, 1.1, 1.21])
    half = 4.303 * math.log(1.1) / math.sqrt(3)
    assert found.ratio == pytest.approx(1.1)
    assert (found.low, found.high) == pytest.approx((1.1 * math.exp(-half), 1.1 * math.exp(half)))


def test_interval_of_reciprocal_ratios_is_reciprocal() -> None:
    ratios = [0.9, 1.3, 1.05, 1.2]
    there, back = interval(ratios), interval([1 / ratio for ratio in ratios])
    assert (back.low, back.high) == pytest.approx((1 / there.high, 1 / there.low))


def test_interval_holds_the_truth_19_times_out_of_20() -> None:
    chance = random.Random(7)
    hits = 0
    for _ in range(2000):
        found = interval([math.exp(chance.gauss(0.1, 0.2)) for _ in range(5)])
        hits += found.low < math.exp(0.1) < found.high
    assert 0.935 < hits / 2000 < 0.965


@pytest.mark.parametrize("pairs", [31, 32, 200])
def test_interval_takes_any_number_of_pairs(pairs: int) -> None:
    found = interval([0.98, *[1.0] * (pairs - 2), 1.02])
    assert found.low < 1 < found.high


def test_interval_of_one_pair_excludes_nothing() -> None:
    found = interval([3.0])
    assert (found.low, found.high) == (0, math.inf)
    assert not found.is_slower


def test_interval_of_no_pair_is_an_error() -> None:
    with pytest.raises(ValueError, match="no pair"):
        interval([])


@pytest.mark.parametrize(
    ("ratios", "verdict"),
    [
        ([1.0, 1.01, 0.99], "not slower"),
        ([1.06, 1.06, 1.06], "SLOWER"),
        ([1.05, 1.05, 1.05], "not slower"),
        ([1.0, 1.2, 1.1], "unclear: more rounds would tell"),
        ([0.9, 0.9, 0.91], "faster"),
    ],
)
def test_verdict_asks_where_the_whole_interval_lies(ratios: list[float], verdict: str) -> None:
    assert interval(ratios).verdict == verdict


@pytest.mark.parametrize(
    ("after", "grown"),
    [
        (SAME, ()),
        (SAME._replace(programs=8), ("programs",)),
        (SAME._replace(executions=1.1), ("executions",)),
        (SAME._replace(bytes_to=10_200, bytes_from=17_341), ("bytes_from",)),
        (Counts(0, 1, 1, 1), ()),
    ],
)
def test_growth_is_any_of_programs_and_more_than_two_percent_of_bytes(after: Counts, grown: tuple[str, ...]) -> None:
    assert growth(SAME, after) == grown


def test_ratios_are_of_the_same_round_and_of_runs_that_count() -> None:
    over, under = Cell("a", 1, False), Cell("b", 1, False)
    results = Results({over: [run(2), run(6, "wrong"), run(9)], under: [run(1), run(2), run(3), run(4)]})
    assert results.ratios(over, under) == [2, 3]


# outcome


def test_outcome_of_the_same_tree_is_good() -> None:
    found = outcome([1.0, 1.1, 0.9], [1.0, 1.1, 0.91])
    assert found.is_good
    assert "| N=10 no-op | 1.004 |" in "\n".join(against.text(found))


@pytest.mark.parametrize(
    ("found", "said"),
    [
        (outcome([1, 1, 1], [1.1, 1.11, 1.12]), "| 3 | SLOWER |"),
        (outcome([1, 1, 1], [1, 1, 1], SAME._replace(programs=8)), "| 1 | 7 -> 8 | 10000 | 17000 | GREW: programs |"),
        (outcome([1, 1, 1], [1, 1, 1], fault="exit code 1"), "NO PAIR COUNTS"),
        (outcome([1, 1, 1], [1, 1, 1], fault="exit code 1"), "- does not count: after, N=10 no-op: exit code 1"),
    ],
)
def test_outcome_is_bad_and_says_why(found: against.Outcome, said: str) -> None:
    assert not found.is_good
    assert said in "\n".join(against.text(found))


def test_fault_while_counting_is_bad() -> None:
    found = outcome([1, 1, 1], [1, 1, 1])._replace(counting_faults=[(Cell(against.AFTER, 10, True), "wrong")])
    assert not found.is_good


def test_rounds_are_fewer_with_many_hosts() -> None:
    plan = against.Plan((1, 10, 100), 15, 5)
    assert [plan.rounds(count) for count in plan.counts] == [15, 15, 5]


# counts


def test_programs_are_those_of_all_descendants() -> None:
    events = [
        ProcEvent(FORK, 20, 10), ProcEvent(EXEC, 20), ProcEvent(EXEC, 20),  # a shell that execs a shell
        ProcEvent(FORK, 21, 20), ProcEvent(EXEC, 21), ProcEvent(EXIT, 21), ProcEvent(EXEC, 21),  # 21 is a stranger now
        ProcEvent(FORK, 30, 11), ProcEvent(EXEC, 30),
        ProcEvent(EXEC, 99),
    ]  # fmt: skip
    assert programs([10, 11, 12], events) == {10: 3, 11: 1, 12: 0}


def test_traffic_is_that_of_the_hosts_sshd() -> None:
    ended = [
        Ended("127.88.0.1", 22622, sent=5, received=3), Ended("127.88.0.1", 22622, sent=50, received=30),
        Ended("127.0.0.1", 50000, sent=3, received=5), Ended("127.88.0.1", 80, sent=9, received=9),
    ]  # fmt: skip
    assert traffic(["127.88.0.1", "127.88.0.2"], ended) == {"127.88.0.1": (33, 55), "127.88.0.2": (0, 0)}


def process_message(what: int, *numbers: int) -> bytes:
    return bytes(36) + struct.pack("=IIQ", what, 0, 0) + struct.pack(f"={len(numbers)}I", *numbers)


@pytest.mark.parametrize(
    ("message", "event"),
    [
        (process_message(FORK, 7, 6, 9, 9), ProcEvent(FORK, 9, 6)),
        (process_message(FORK, 6, 6, 9, 6), ProcEvent(0, 0)),  # a thread
        (process_message(EXEC, 9, 9), ProcEvent(EXEC, 9)),
        (process_message(EXIT, 9, 9, 0, 17), ProcEvent(EXIT, 9)),
        (process_message(EXIT, 10, 9, 0, 17), ProcEvent(0, 0)),  # a thread
        (process_message(0, 0), ProcEvent(0, 0)),
    ],
)
def test_process_message_is_read(message: bytes, event: ProcEvent) -> None:
    assert proc_event(message) == event


def socket_message(family: int, *attributes: tuple[int, bytes]) -> bytes:
    place = struct.pack(">HH", 22622, 50000) + socket.inet_aton("127.88.0.1") + bytes(12) + bytes(16) + bytes(12)
    head = bytes([family, 7, 0, 0]) + place + bytes(20)
    packed = b"".join(struct.pack("=HH", 4 + len(data), kind) + data for kind, data in attributes)
    return bytes(16) + head + packed


def test_socket_message_is_read() -> None:
    info = bytes(kernel_events.BYTES_ACKED) + struct.pack("=QQ", 17, 4) + bytes(80)
    message = socket_message(socket.AF_INET, (15, b"\0\0\0\0"), (kernel_events.INET_DIAG_INFO, info))
    assert ended_socket(message) == Ended("127.88.0.1", 22622, sent=17, received=4)


@pytest.mark.parametrize("message", [socket_message(socket.AF_INET6), socket_message(socket.AF_INET)])
def test_socket_message_without_bytes_is_none(message: bytes) -> None:
    assert ended_socket(message) is None


# checkout


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    folder = tmp_path / "repository"
    folder.mkdir()
    (folder / "file").write_text("as it was\n")
    who = ("-c", "user.name=bench", "-c", "user.email=bench@localhost")
    for words in (("init", "-q"), ("add", "file"), (*who, "commit", "-q", "-m", "first")):
        subprocess.run(["git", "-C", folder, *words], check=True)
    (folder / "file").write_text("as it is\n")
    return folder


def worktrees(repository: Path) -> int:
    listed = subprocess.run(["git", "-C", repository, "worktree", "list"], check=True, capture_output=True, text=True)
    return len(listed.stdout.splitlines())


def test_checkout_holds_the_revision_and_goes_again(repository: Path) -> None:
    with checkout("HEAD", repository) as tree:
        assert (tree / "file").read_text() == "as it was\n"
        assert worktrees(repository) == 2
    assert not tree.parent.exists()
    assert worktrees(repository) == 1


def test_checkout_goes_on_failure(repository: Path) -> None:
    with pytest.raises(RuntimeError, match="of the bench"), checkout("HEAD", repository) as tree:
        raise RuntimeError("of the bench")
    assert not tree.parent.exists()
    assert worktrees(repository) == 1


@pytest.mark.parametrize("revision", ["no-such-branch", "--help", ""])
def test_checkout_of_an_unknown_revision_is_an_error(repository: Path, revision: str) -> None:
    with pytest.raises(UnknownRevisionError), checkout(revision, repository):
        pass
    assert worktrees(repository) == 1


def test_unknown_revision_ends_with_2() -> None:
    call = [sys.executable, "-m", "tests.bench", "--against", "no-such-branch"]
    ended = subprocess.run(call, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    assert ended.returncode == 2
    assert ended.stderr.startswith("no-such-branch: ")


# document


def test_performance_begins_with_the_method() -> None:
    assert (ROOT / "docs/performance.md").read_text().startswith(document.METHOD + "\n## Measured\n")


def test_document_gives_floors_as_ours_over_theirs() -> None:
    ours, floor, login, fabric = (Cell(tool, 1, False) for tool in ("sriov-fab", "floor", "login", "fabric"))
    results = Results({ours: [run(3)], floor: [run(2)], login: [run(1)], fabric: [run(6)]}, {floor: SAME})
    text = document.text(results, (1,), 1, document.StartUp(0.2, 0.19), (1.0, 2.0))
    table = text.partition("### Times faster")[2].partition("### Wall")[0]
    assert "| one-exec floor (paramiko, tuned socket) | 1.50 (at most 1.25) | - |" in table
    assert "| login and `true` (paramiko, tuned socket) | 3.00 | - |" in table
    assert "| naive Fabric, threads | 2.00 (2.1) | - |" in table
    assert "| one-exec floor (paramiko, tuned socket), no-op | 1 | 7 | 10000 | 17000 |" in text


# the floor


def test_floor_reads_every_virtual_function(tmp_path: Path) -> None:
    pose.lay(tmp_path)
    for address, _ in pose.PORTS.values():
        for link in (tmp_path / "sys/devices" / address / "spare").iterdir():
            link.rename(link.parent.parent / link.name)
    script = (ROOT / "tests/bench/peers/files/read.sh").read_text()
    for folder in ("sys", "etc", "boot", "run", "opt"):
        script = script.replace(f"/{folder}/", f"{tmp_path}/{folder}/")
    programs = f"PATH={ROOT}/tests/bench/host_commands:/usr/bin:/bin\n"
    script = "\n".join(programs if line.startswith("PATH=") else line for line in script.split("\n"))
    words = ["sh", "-c", f"interfaces='{' '.join(pose.PORTS)}'\n{script}"]
    said = subprocess.run(words, capture_output=True, text=True, timeout=20, check=True)
    found = [line for line in said.stdout.split("\n") if line.startswith("vf=")]
    assert found == [f"vf=virtfn{n} 0000:3b:0{2 + port}.{n} iavf" for port in range(2) for n in range(pose.NUM_VFS)]
    for sign in ("boot_id=", "there=", "group_type", "address=52:54:00:12:34:01", "Id=nova-compute.service", "[pci]"):
        assert sign.replace("group_type", "iommu_group/type=identity") in said.stdout
    assert said.stdout.endswith("read to the end\n")
    assert said.stderr == ""


def test_login_that_stays_open_is_named_with_its_process() -> None:
    with subprocess.Popen(["sh", "-c", "sleep 47 & wait"]) as host:
        try:
            fleet = BenchFleet(1)
            fleet.hosts = (BenchHost("host1", "127.0.0.1", host.pid, ""),)
            deadline = time.monotonic() + 30
            while not any(re.fullmatch(r"\d+ sleep 47", words) for words in fleet.hosts[0].open_processes()):
                assert time.monotonic() < deadline
                time.sleep(0.01)
            with pytest.raises(RuntimeError, match=r"(?s)stay open on the hosts after 0 s:.host1: \d+ sleep 47$"):
                fleet.wait_idle(1, 0)
        finally:
            for words in fleet.hosts[0].open_processes():
                os.kill(int(words.split()[0]), signal.SIGKILL)
    fleet.wait_idle(1, 0)
