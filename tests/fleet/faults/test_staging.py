"""New files wait beside their targets from before the first step to their own: what may happen meanwhile."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator

import pytest
from faults.bench import SEVEN, Bench, leftovers, torn, tree, untrue_lines

from sriov.facts.model import checksum
from sriov.planning import answers as refusal
from sriov.planning import script
from sriov.planning.plan import Plan
from sriov.resources.contract import Change, WriteFile
from sriov.run.context import Limits
from sriov.simulation import Fleet, HostSpec, Nic, SimulatedHost
from sriov.simulation.spec import Family

pytestmark = pytest.mark.slow

NOVA_CONF = "/etc/nova/nova.conf"
DROP_IN = "/etc/default/grub.d/zz-sriov.cfg"
OTHER = ({"interface": "eth0", "VF": 7, "physnets": ["physnet2"]},)
FAMILIES: tuple[Family, ...] = ("debian", "rhel")  # dash and bash
SLOWLY = '#!/bin/sh\nsleep 3\nexec {} "$@"\n'
LIMITS = Limits(20, 20, 20, 20, 0.1)


@pytest.fixture(scope="module")
def fleet() -> Iterator[Fleet]:
    names: list[tuple[str, Family]] = [
        (f"{what}-{family}", family) for what in ("restarted", "killed") for family in FAMILIES
    ]
    names += [
        ("linked", "debian"),
        ("foreign", "debian"),
        ("modes", "debian"),
        ("mounted", "debian"),
        ("busy", "debian"),
    ]
    with Fleet([HostSpec(name, family=family, nics=(Nic(up=True),)) for name, family in names]) as running:
        yield running


@pytest.fixture(scope="module")
def bench(fleet: Fleet, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SRIOV_KNOWN_HOSTS", str(fleet.known_hosts_path))
        yield Bench(fleet, tmp_path_factory.mktemp("staging"))


def _make_slow(host: SimulatedHost) -> None:
    """The boot entry has to be made anew, and that takes three seconds; nova.conf comes after it, in two seconds."""
    for name in ("update-grub", "grubby"):
        place = f"/usr/local/sbin/{name}"
        slow = f'#!/bin/sh\nsleep 3\nexec {place}.real "$@"\n'
        host.run(f"[ ! -e {place} ] || {{ mv {place} {place}.real; printf '%s' '{slow}' >{place}; chmod +x {place}; }}")
    host.run(f"rm -f {DROP_IN}; /usr/local/sbin/update-grub.real")
    host.run("/usr/local/sbin/grubby.real --update-kernel=ALL --remove-args='intel_iommu iommu'")
    slow = '#!/bin/sh\n/usr/bin/mv "$@"\ncase "$*" in */nova.conf) sleep 2 ;; esac\n'
    host.run(f"printf '%s' '{slow}' >/usr/local/bin/mv; chmod +x /usr/local/bin/mv")


def _kill_the_process_of_the_lock(host: SimulatedHost) -> None:
    host.run("kill $(sed 's/.*(process \\([0-9]*\\) here).*/\\1/' /run/sriov/lock)")


@pytest.mark.parametrize("family", FAMILIES)
def test_restart_stays_due_although_the_service_began_anew_before_its_file_came(
    bench: Bench, fleet: Fleet, family: str
) -> None:
    name = f"restarted-{family}"
    host = fleet[name]
    bench.write({name: SEVEN})
    assert bench.converge(name, may_reboot=False)[name].error is None
    _make_slow(host)
    bench.write({name: OTHER})

    def meanwhile(_: str, words: str) -> None:
        if words.startswith("kernel-arguments"):
            time.sleep(1.2)
            host.run("systemctl restart nova-compute; systemctl restart openstack-nova-compute")
        if words.startswith("nova-options"):
            time.sleep(0.5)
            _kill_the_process_of_the_lock(host)

    struck = bench.converge(name, at=meanwhile, limits=LIMITS, may_reboot=False)[name]
    assert struck.error is not None
    assert b"physnet2" in host.path(NOVA_CONF).read_bytes()
    assert leftovers(host) == []
    found = [change for change in bench.look(name)[name].plan.changes if change.resource == "services"]
    assert [change.found for change in found] == [f"{NOVA_CONF} is newer than the running service"]


@pytest.mark.parametrize("family", FAMILIES)
def test_process_of_the_lock_can_be_killed_in_the_middle_and_leaves_what_is_done(
    bench: Bench, fleet: Fleet, family: str
) -> None:
    name = f"killed-{family}"
    host = fleet[name]
    bench.write({name: SEVEN})
    assert bench.converge(name, may_reboot=False)[name].error is None
    _make_slow(host)
    before = host.path(NOVA_CONF).read_bytes()
    bench.write({name: OTHER})

    def kill(_: str, words: str) -> None:
        if words.startswith("kernel-arguments"):
            time.sleep(0.5)
            _kill_the_process_of_the_lock(host)

    struck = bench.converge(name, at=kill, limits=LIMITS, may_reboot=False)[name]
    assert struck.error is not None
    assert (leftovers(host), untrue_lines(host)) == ([], [])
    assert host.path(NOVA_CONF).read_bytes() == before
    assert host.path("/run/sriov/lock").read_bytes() == b""
    assert bench.converge(name, may_reboot=False)[name].error is None
    assert b"physnet2" in host.path(NOVA_CONF).read_bytes()


def test_two_names_of_one_file_are_told_before_anything_is_touched(bench: Bench, fleet: Fleet) -> None:
    host = fleet["linked"]
    names = ("/etc/nova/nova.conf.d/site.conf", NOVA_CONF)
    host.run(f"mkdir -p /etc/nova/nova.conf.d && ln -s ../nova.conf {names[0]}")
    bench.write({"linked": SEVEN})
    request = bench.look("linked")["linked"].request
    before = tree(host)
    found = checksum(host.path(NOVA_CONF).read_bytes())
    plan = Plan((Change("nova-options", "both", "", "", tuple(WriteFile(name, found, b"new") for name in names)),))
    made = script.apply(request, plan, "0" * 32, run_id="r", who="me", may_reboot=False)
    host.path("/tmp/script").write_bytes(made.text)
    host.path("/tmp/payload").write_bytes(made.payload)
    error = refusal.read("linked", host.run("sh /tmp/script </tmp/payload").stdout, "0" * 32, plan)
    assert error is not None
    assert f"before its first step: nova-options both: {NOVA_CONF} is another name of a file" in error.message
    assert (torn(tree(host), before), leftovers(host)) == ([], [])


def test_what_another_run_left_is_cleared_and_no_line_of_this_one_lost(bench: Bench, fleet: Fleet) -> None:
    host = fleet["foreign"]
    bench.write({"foreign": SEVEN})
    assert bench.converge("foreign", may_reboot=False)["foreign"].error is None
    lines = [path.read_text() for path in host.path("/var/lib/sriov/runs").glob("*/manifest")]
    other = "/var/lib/sriov/runs/20250101T000000Z-000001"
    manifest = f"0 {checksum(b'old')} {'0' * 64} /etc/nova/other.conf"
    host.run("cd /etc/nova; touch .nova.conf.sriov-new .other.conf.sriov-new; printf old >other.conf")
    host.run(f"mkdir {other}; cd {other}; printf old >0; echo 0 >attempt; echo '{manifest}' >manifest")
    bench.repeat()
    bench.write({"foreign": OTHER})
    assert bench.converge("foreign", may_reboot=False)["foreign"].error is None
    assert not host.path(other).exists()
    assert leftovers(host) == []
    now = "".join(path.read_text() for path in host.path("/var/lib/sriov/runs").glob("*/manifest"))
    assert now.startswith(lines[0])


def test_new_files_have_their_mode_whatever_their_folder_gives(bench: Bench, fleet: Fleet) -> None:
    host = fleet["modes"]
    default = bytes.fromhex("0200000001000700ffffffff04000700ffffffff20000700ffffffff")  # u, g, o: rwx
    folder = host.path("/etc/systemd/system")
    os.setxattr(folder, "system.posix_acl_default", default)
    host.run(f"rmdir {os.path.dirname(DROP_IN)}")
    bench.write({"modes": SEVEN})
    assert bench.converge("modes", may_reboot=False)["modes"].error is None
    assert (folder / "sriov-vfs-eth0.service").stat().st_mode & 0o777 == 0o644
    assert host.path(DROP_IN).stat().st_mode & 0o777 == 0o644
    assert host.path(DROP_IN).parent.stat().st_mode & 0o777 == 0o755


def test_file_that_something_is_mounted_on_is_told_before_anything_is_touched(bench: Bench, fleet: Fleet) -> None:
    """As in a container that is given one file of its host."""
    host = fleet["mounted"]
    host.run("cp /etc/nova/nova.conf /root/outside && mount --bind /root/outside /etc/nova/nova.conf")
    before = tree(host)
    bench.write({"mounted": SEVEN})
    run = bench.converge("mounted", may_reboot=False)["mounted"]
    assert "/etc/nova/nova.conf cannot be replaced, for something is mounted on it" in str(run.error)
    assert tree(host) == before
    assert host.numvfs("eth0") == 0
    host.run("umount /etc/nova/nova.conf")
    assert bench.converge("mounted", may_reboot=False)["mounted"].error is None


def test_driver_that_is_busy_for_a_moment_makes_its_vfs_all_the_same(bench: Bench, fleet: Fleet) -> None:
    host = fleet["busy"]
    host.fail(enable_errno="EAGAIN")
    bench.write({"busy": SEVEN})

    def clear(name: str, words: str) -> None:
        if words.startswith("virtual-functions"):
            threading.Timer(1.5, host.clear_faults).start()

    run = bench.converge("busy", may_reboot=False, at=clear)["busy"]
    assert run.error is None
    assert host.numvfs("eth0") == 7
