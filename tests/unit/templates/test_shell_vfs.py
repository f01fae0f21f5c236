"""Taking virtual functions away and making others, by the functions that a host runs. A script is the kernel."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest
from shells import SHELLS, fake, processes, run

from sriov.planning import host_failures
from sriov.planning.host_failures import HostFailure

each_shell = pytest.mark.parametrize("shell", SHELLS)
LIBRARIES = ("common", "failures", "vfs", "units", "steps", "host_users", "holders")


@pytest.fixture
def port(tmp_path: Path) -> Path:
    """eth0 with two VFs, each with a network device; `ip` knows no address."""
    device = tmp_path / "pci/0000:01:00.0"
    for index in range(2):
        vf = tmp_path / f"pci/0000:01:10.{index}"
        (vf / "driver-of/igbvf").mkdir(parents=True)
        (vf / "driver").symlink_to(vf / "driver-of/igbvf")
        (vf / f"net/eth0v{index}").mkdir(parents=True)
        device.mkdir(exist_ok=True)
        (device / f"virtfn{index}").symlink_to(vf)
    (tmp_path / "net/eth0").mkdir(parents=True)
    (tmp_path / "net/eth0/device").symlink_to(device)
    (tmp_path / "domains").mkdir()
    processes(tmp_path)
    fake(tmp_path, "ip", "echo '1: lo    inet 127.0.0.1/8 scope host lo'")
    return device


def step(shell: str, root: Path, command: str) -> HostFailure | None:
    script = f"mkdir -p $state; true >$state/failure\nstep 0 change '' {command}\n"
    ended = run(shell, root, LIBRARIES, script)
    assert ended.stderr == b""
    return host_failures.read(ended.stdout, "00ff")


def clear(shell: str, root: Path, count: int = 2, seconds: int = 1, force: str = "free") -> HostFailure | None:
    return step(shell, root, f"clear_vfs eth0 {count} {seconds} {force}")


def kernel(root: Path, port: Path) -> None:
    """Takes the links away before the write."""
    fake(root, "setsid", f'rm -f {shlex.quote(str(port))}/virtfn*; exec /usr/bin/setsid "$@"')


# --- taking away ---


@each_shell
def test_vfs_are_taken_away_by_one_write_of_0(shell: str, tmp_path: Path, port: Path) -> None:
    kernel(tmp_path, port)
    assert clear(shell, tmp_path) is None
    assert (port / "sriov_numvfs").read_text() == "0\n"
    assert list((tmp_path / "run").glob("writing*")) == []


@each_shell
def test_vfs_that_stay_in_spite_of_the_write_are_told(shell: str, tmp_path: Path, port: Path) -> None:
    failure = clear(shell, tmp_path)
    assert failure is not None
    assert (failure.id, failure.words) == ("vf-removal-refused", "virtual functions of eth0 are still there")


@each_shell
def test_refusal_is_told_in_the_words_of_the_kernel(shell: str, tmp_path: Path, port: Path) -> None:
    (port / "sriov_numvfs").symlink_to("/dev/full")
    failure = clear(shell, tmp_path)
    assert failure is not None
    words = "the kernel refused to remove the virtual functions of eth0: No space left on device"
    assert (failure.id, failure.words) == ("vf-removal-refused", words)


@each_shell
def test_count_that_differs_from_the_plan_stops_the_step(shell: str, tmp_path: Path, port: Path) -> None:
    failure = clear(shell, tmp_path, count=7)
    assert failure is not None
    assert (failure.id, failure.words) == (
        "vf-count-changed",
        "eth0 has 2 virtual functions, not the 7 that were seen. Run again",
    )
    assert not (port / "sriov_numvfs").exists()


GUEST = """<domain><devices><interface type='hostdev'><source>
  <address type='pci' domain='0x0000' bus='0x01' slot='0x10' function='0x1'/></source>
  <address type='pci' domain='0x0000' bus='0x00' slot='0x03' function='0x0'/></interface></devices></domain>
"""


@each_shell
@pytest.mark.parametrize(("folder", "holder"), [("domains", "libvirt domain"), ("defined", "shut-off domain")])
def test_vf_of_a_guest_is_never_taken_away_unless_forced(
    shell: str, tmp_path: Path, port: Path, folder: str, holder: str
) -> None:
    (tmp_path / folder).mkdir(exist_ok=True)
    (tmp_path / folder / "instance-00000001.xml").write_text(GUEST)
    failure = clear(shell, tmp_path)
    assert failure is not None
    words = f"VF 1 (0000:01:10.1) is in use by {holder} instance-00000001."
    assert (failure.id, failure.words) == ("vf-in-use", words)
    assert not (port / "sriov_numvfs").exists()
    clear(shell, tmp_path, force="force")
    assert (port / "sriov_numvfs").read_text() == "0\n"


@each_shell
def test_vfs_whose_users_cannot_be_seen_are_not_taken_away(shell: str, tmp_path: Path, port: Path) -> None:
    fake(tmp_path, "ip", "exit 1")
    failure = clear(shell, tmp_path)
    assert failure is not None
    assert failure.id == "vf-users-unknown"
    assert failure.words.startswith("Who uses VF 0 (0000:01:10.0) cannot be determined: ip addr")
    assert not (port / "sriov_numvfs").exists()


@each_shell
def test_write_that_hangs_is_left_behind_with_its_mark(shell: str, tmp_path: Path, port: Path) -> None:
    fake(tmp_path, "setsid", "exec sleep 0.5")
    failure = clear(shell, tmp_path, seconds=0)
    assert failure is not None
    assert failure.id == "kernel-not-answering"


# --- making ---


def driver(root: Path, port: Path, script: str) -> None:
    """The script that makes VFs; $2 is how many are wanted. It makes them one by one, as `make N`."""
    make = f'make() {{ for n in $(seq "$1"); do ln -s / {shlex.quote(str(port))}/virtfn$((n - 1)); done; }}'
    (root / "sriov-vfs.sh").write_text(f"{make}\n{script}\n")


def make(shell: str, root: Path, port: Path, unit: str = "-") -> HostFailure | None:
    """5 VFs in place of 2, which were taken away before."""
    for link in port.glob("virtfn*"):
        link.unlink()
    return step(shell, root, f"make_vfs eth0 5 5 2 {unit}")


def count(port: Path) -> int:
    return len(list(port.glob("virtfn*")))


REFUSES = (
    "[ $2 != 5 ] || { echo 'the driver of eth0 refused them (Cannot allocate memory); it has 0 of 5' >&2; exit 1; }"
)


@each_shell
def test_vfs_are_made_by_the_script_of_the_units(shell: str, tmp_path: Path, port: Path) -> None:
    driver(tmp_path, port, 'make "$2"')
    assert make(shell, tmp_path, port) is None
    assert count(port) == 5


@each_shell
def test_number_that_the_driver_refuses_leaves_the_old_one(shell: str, tmp_path: Path, port: Path) -> None:
    driver(tmp_path, port, f'{REFUSES}\nmake "$2"')
    failure = make(shell, tmp_path, port)
    assert failure is not None
    assert failure.id == "vf-count-refused"
    assert failure.words == (
        "eth0 cannot have 5 virtual functions: the driver of eth0 refused them (Cannot allocate memory); "
        "it has 0 of 5. The 2 from before are back"
    )
    assert count(port) == 2


@each_shell
def test_number_that_is_made_in_part_leaves_the_old_one(shell: str, tmp_path: Path, port: Path) -> None:
    part = "[ $2 != 5 ] || { make 3; echo 'the driver of eth0 made 3 virtual functions of 5' >&2; exit 1; }"
    driver(tmp_path, port, f'{part}\nmake "$2"')
    fake(
        tmp_path,
        "setsid",
        f'case $* in *"echo 0"*) rm -f {shlex.quote(str(port))}/virtfn* ;; esac; exec /usr/bin/setsid "$@"',
    )
    failure = make(shell, tmp_path, port)
    assert failure is not None
    assert failure.words.endswith("made 3 virtual functions of 5. The 2 from before are back")
    assert count(port) == 2


@each_shell
def test_old_number_comes_back_by_its_unit(shell: str, tmp_path: Path, port: Path) -> None:
    driver(tmp_path, port, REFUSES)
    links = "".join(f"ln -s / {shlex.quote(str(port))}/virtfn{index}; " for index in range(2))
    fake(tmp_path, "systemctl", f'[ "$*" = "restart sriov-vfs-eth0" ] && {{ {links} }}')
    failure = make(shell, tmp_path, port, unit="sriov-vfs-eth0")
    assert failure is not None
    assert failure.words.endswith("The 2 from before are back")
    assert count(port) == 2


@each_shell
def test_old_number_that_does_not_come_back_is_told(shell: str, tmp_path: Path, port: Path) -> None:
    driver(tmp_path, port, REFUSES.replace("[ $2 != 5 ] ||", "").replace("of 5", "of $2"))
    failure = make(shell, tmp_path, port)
    assert failure is not None
    assert failure.words.endswith(
        "The 2 from before could not be put back: "
        "the driver of eth0 refused them (Cannot allocate memory); it has 0 of $2; eth0 has 0 now"
    )


@each_shell
def test_vfs_that_hang_while_they_are_made_end_in_an_error(shell: str, tmp_path: Path, port: Path) -> None:
    driver(tmp_path, port, "sleep 3")
    for link in port.glob("virtfn*"):
        link.unlink()
    failure = step(shell, tmp_path, "make_vfs eth0 5 0 2 -")
    assert failure is not None
    assert failure.id == "kernel-not-answering"
