"""Fixtures of the lab: one image and one booted state per run, a guest in that state for each scenario."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Generator, Iterator
from pathlib import Path

import pytest
from xdist.remote import Producer
from xdist.scheduler import LoadScopeScheduling

from . import image as images
from . import requirements
from .guest import BOOTED, Guest
from .product import Fab
from .provisioned import PROVISIONED, FirstRun, run_on_fresh_guest
from .snapshot import booted_disk as make_booted_disk

PROVED = "proved"
GUEST = pytest.StashKey[Guest]()


# Workers that run scenarios side by side take the next one in this order: what takes longest first. While one builds
# the disk image, nova's tree is built by the other.
ORDER = (
    *("test_nested_vms.py", "test_setup.py", "test_holders.py", "test_nova_services.py", "test_power_loss.py"),
    *("test_boot_loader.py", "test_fleet.py", "test_logins.py", "test_boot.py", "test_kernel_table.py"),
    "test_counters.py",
)
# Scenarios that start from what one of them made share its worker.
TOGETHER = {
    **{"test_setup.py": "the first run", "test_holders.py": "the first run"},
    **{"test_fleet.py": "the fleet", "test_nova_services.py": "nova"},
}


class SideBySide(LoadScopeScheduling):  # type: ignore[misc] # xdist has no types
    """One scenario at a time for each worker, but for those that belong together."""

    def _split_scope(self, nodeid: str) -> str:
        return TOGETHER.get(Path(nodeid.partition("::")[0]).name, nodeid)


def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> SideBySide:
    return SideBySide(config, log)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The long ones first; what looks for leftovers last."""
    here = Path(__file__).parent
    last = len(ORDER)
    places = {here / name: place for place, name in enumerate(ORDER)} | {here / "test_nothing_left.py": last + 1}
    items.sort(key=lambda item: places.get(item.path, last))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    claims = [
        (report.nodeid.rpartition("::")[2], text)
        for report in terminalreporter.getreports("passed")
        for kind, text in report.user_properties
        if kind == PROVED and report.when == "call"
    ]
    if claims:
        terminalreporter.section("what the scenarios proved")
        for scenario, claim in claims:
            terminalreporter.line(f"{scenario}: {claim}")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """A failed scenario shows the end of its guest's serial console."""
    report = yield
    if report.failed and GUEST in item.stash:
        report.sections.append(("serial console of the guest", item.stash[GUEST].serial_tail()))
    return report


@pytest.fixture(scope="session")
def run_directory() -> Iterator[Path]:
    """Where this run's guests live; removed at its end. Fails if the machine lacks something that the lab needs."""
    try:
        requirements.check()
    except requirements.MissingError as error:
        pytest.fail(str(error), pytrace=False)
    for old in images.lab_directory().glob("run-*"):
        if not Path("/proc", old.name.removeprefix("run-")).exists():
            shutil.rmtree(old)
    directory = images.lab_directory() / f"run-{os.getpid()}"
    directory.mkdir()
    yield directory
    shutil.rmtree(directory)


@pytest.fixture(scope="session")
def base_image(run_directory: Path) -> images.Image:
    """Stock Debian with nova's configuration files and stand-ins for its services."""
    return images.build(images.BASE)


@pytest.fixture(scope="session")
def booted_disk(base_image: images.Image, run_directory: Path) -> Path:
    """A disk that holds the state of a freshly booted guest."""
    return make_booted_disk(base_image, run_directory)


@pytest.fixture(scope="session")
def first_run(base_image: images.Image, booted_disk: Path, run_directory: Path) -> FirstRun:
    """The run of `fab setup_all` on a fresh host, and the host as it was afterwards."""
    guest = Guest.copy("fresh", base_image, run_directory / "fresh", booted_disk)
    return run_on_fresh_guest(guest, Fab())


MakeGuest = Callable[[str, Path, str], Guest]


@pytest.fixture
def make_guest(base_image: images.Image, run_directory: Path, request: pytest.FixtureRequest) -> Iterator[MakeGuest]:
    """Makes a running guest from its name, a disk to copy, and a state saved on that disk."""
    made: list[Guest] = []

    def make(name: str, disk: Path, state: str) -> Guest:
        guest = Guest.copy(name, base_image, run_directory / name, disk)
        made.append(guest)
        request.node.stash[GUEST] = guest
        guest.load(state)
        return guest

    try:
        yield make
    finally:
        for guest in made:
            guest.power_off_hard()
            shutil.rmtree(guest.directory)


@pytest.fixture
def guest(make_guest: MakeGuest, booted_disk: Path) -> Guest:
    """A freshly booted guest, nothing done to it yet."""
    return make_guest("h1", booted_disk, BOOTED)


@pytest.fixture
def provisioned(make_guest: MakeGuest, first_run: FirstRun) -> Guest:
    """A guest as `fab setup_all` left it. Fails where that run failed."""
    answer = first_run.answer
    if answer.returncode != 0:
        pytest.fail(f"setup_all on a fresh host failed:\n{answer.stdout}{answer.stderr}", pytrace=False)
    return make_guest("p1", first_run.disk, PROVISIONED)


@pytest.fixture
def fab() -> Fab:
    """`fab` as an operator types it."""
    return Fab()


@pytest.fixture
def proved(request: pytest.FixtureRequest) -> Callable[[str], None]:
    """Says in the summary what a scenario has shown; to be called once it has."""

    def say(claim: str) -> None:
        request.node.user_properties.append((PROVED, claim))

    return say
