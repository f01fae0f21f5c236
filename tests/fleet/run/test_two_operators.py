"""Two runs over the same hosts at once: one has the lock, the other says who, and looking needs no lock."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from faults.bench import SEVEN, Bench, Tree, leftovers, torn, tree

from sriov.run.outcome import Outcome, Status
from sriov.simulation import Fleet, HostSpec, Nic

pytestmark = pytest.mark.slow

NAMES = tuple(f"compute{number}" for number in range(1, 9))


@dataclass(frozen=True)
class Story:
    """`first` has the locks; `second` comes while each host makes its VFs; `seen` is a plan of that time."""

    before: dict[str, Tree]
    first: dict[str, Outcome]
    second: dict[str, Outcome]
    seen: dict[str, Outcome]
    after: dict[str, Tree]
    left: dict[str, list[str]]
    third: dict[str, Outcome]


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Story]:
    slow = (Nic(up=True, write_seconds=8.0),)
    specs = [HostSpec(name, nics=slow, cmdline="intel_iommu=on iommu=pt") for name in NAMES]
    with Fleet(specs) as fleet, pytest.MonkeyPatch.context() as patch:
        patch.setenv("SRIOV_KNOWN_HOSTS", str(fleet.known_hosts_path))
        folder = tmp_path_factory.mktemp("operators")
        one, other = Bench(fleet, folder), Bench(fleet, folder)
        one.who = other.who = "operator@desk"
        one.write(dict.fromkeys(NAMES, SEVEN))
        yield _live(fleet, one, other)


def _live(fleet: Fleet, one: Bench, other: Bench) -> Story:
    before = {host.name: tree(host) for host in fleet.hosts}
    at_it = {name: threading.Event() for name in NAMES}
    done: dict[str, Outcome] = {}

    def begun(name: str, words: str) -> None:
        if words.startswith("virtual-functions"):
            at_it[name].set()

    thread = threading.Thread(target=lambda: done.update(one.converge(at=begun)))
    thread.start()
    for event in at_it.values():
        event.wait(30)
    second = other.converge()
    seen = other.look()
    thread.join(60)
    after = {host.name: tree(host) for host in fleet.hosts}
    left = {host.name: leftovers(host) for host in fleet.hosts}
    return Story(before, done, second, seen, after, left, other.converge())


@pytest.mark.parametrize("name", NAMES)
def test_second_operator_is_told_who_holds_the_lock_and_since_when(story: Story, name: str) -> None:
    error = story.second[name].error
    assert error is not None
    assert "another run is changing this host" in error.message
    assert re.search(r"operator@desk since \d{4}-\d\d-\d\d \d\d:\d\d:\d\d", error.message)
    assert "nothing was touched by this run" in error.hint


@pytest.mark.parametrize("name", NAMES)
def test_first_operator_finishes_as_if_alone(story: Story, name: str) -> None:
    assert story.first[name].status is Status.CHANGED, story.first[name].error
    assert story.left[name] == []
    assert story.third[name].status is Status.UNCHANGED
    assert torn(story.after[name], tree_of(story.before[name], story.after["compute1"])) == []


def tree_of(before: Tree, reference: Tree) -> Tree:
    """The wanted files, with what names the host as it was."""
    own = {name: text for name, text in before.items() if "host" in name}
    return {**reference, **own}


@pytest.mark.parametrize("name", NAMES)
def test_plan_does_not_wait_for_the_lock(story: Story, name: str) -> None:
    assert story.seen[name].error is None
    assert story.seen[name].plan.changes
