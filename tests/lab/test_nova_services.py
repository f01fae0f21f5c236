"""Debian's packaged nova, its real services on one host: scheduler, conductor, compute, RabbitMQ, a database.

Stand-ins: placement (`nspawn_placement.py`), and nova's fake virt driver, with the PCI devices of the host's /sys.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from .nspawn import Container, Fleet, FleetError, Visit
from .nspawn_tree import BOOKWORM, TRIXIE, TreeRecipe, build
from .product import Entry, entry

pytestmark = pytest.mark.lab

PORTS = (entry("enp1s0", 7, "physnet1"), entry("enp2s0", 7, "physnet2"))
POOLS = {
    **{("type-PF", physnet): 1 for physnet in ("physnet1", "physnet2")},
    **{("type-VF", physnet): 7 for physnet in ("physnet1", "physnet2")},
}
SERVICES = ("rabbitmq-server", "nova-conductor", "nova-scheduler", "nova-compute")
START_SECONDS = 600
PCI_FILTER = "PciPassthroughFilter"
Proved = Callable[[str], None]

# nova's own reading of its files, by its own code: options, whitelist entries, filter classes.
READ = """
import json, sys
from nova import config, objects
config.parse_args(["nova", *(f"--config-file={path}" for path in sys.argv[1:])])
import nova.conf
from nova.pci.whitelist import Whitelist
from nova.scheduler import filters
CONF = nova.conf.CONF
Whitelist(CONF.pci.device_spec)
handler = filters.HostFilterHandler()
known = {one.__name__ for one in handler.get_matching_classes(CONF.filter_scheduler.available_filters)}
enabled = CONF.filter_scheduler.enabled_filters
assert set(enabled) <= known, set(enabled) - known
print(json.dumps({"specs": [json.loads(spec) for spec in CONF.pci.device_spec], "filters": enabled}))
"""
# nova-conductor's question to the running nova-scheduler, over the message bus, by nova's own code.
CHOOSE = """
import uuid
from nova import config, context, exception, objects
config.parse_args(["nova", "--config-file=/etc/nova/nova.conf"])
objects.register_all()
from nova.scheduler.client import query
asked, vm = context.get_admin_context(), str(uuid.uuid4())
asked.project_id = asked.user_id = uuid.uuid4().hex
flavor = objects.Flavor(id=1, flavorid="1", name="one", vcpus=1, memory_mb=64, root_gb=0, ephemeral_gb=0, swap=0,
    extra_specs={}, rxtx_factor=1, vcpu_weight=0, disabled=False, is_public=True)
none, image = objects.InstancePCIRequests(requests=[]), objects.ImageMeta.from_dict({})
spec = objects.RequestSpec.from_components(asked, vm, image, flavor, None, none, {}, None, None)
try:
    print(query.SchedulerQueryClient().select_destinations(asked, spec, [vm], True)[0][0].service_host)
except exception.NoValidHost:
    print("NoValidHost")
except Exception as error:
    print("NoValidHost" if "NoValidHost" in type(error).__name__ else repr(error))
"""
SITE_FILTERS = Path(__file__).parents[1] / "nova/site_filters.py"
COMPUTE_FILES = ("/etc/nova/nova.conf", "/etc/nova/nova-compute.conf")
SCHEDULER_FILES = COMPUTE_FILES[:1]


@dataclass(frozen=True, slots=True)
class NovaHost:
    """The container with all services; compute and openstack host at once."""

    fleet: Fleet
    host: Container

    def fab(self, *words: str, entries: tuple[Entry, ...] = PORTS, more: str = "") -> Visit:
        return self.fleet.fab(*words, "--json", testbed=self.fleet.testbed([self.host], entries, more=more))

    def read(self, *files: str) -> dict[str, list[object]]:
        """What nova's own code makes of these files; FleetError with its traceback where it refuses them."""
        self.host.write("/run/read.py", READ.encode())
        words = " ".join(files)
        said = self.host.out(f"cd / && setpriv --reuid nova --regid nova --init-groups python3 /run/read.py {words}")
        found: dict[str, list[object]] = json.loads(said.splitlines()[-1])
        return found

    def chosen(self) -> str:
        """The host that the running scheduler chooses for a VM, or `NoValidHost`; asked as nova-conductor asks."""
        self.host.write("/run/choose.py", CHOOSE.encode())
        said = self.host.out("cd / && setpriv --reuid nova --regid nova --init-groups python3 /run/choose.py")
        return said.splitlines()[-1]

    def main_pid(self, unit: str) -> str:
        """Process and its begin: another pair after every start."""
        return self.host.out(f"systemctl show --value -p MainPID -p ExecMainStartTimestampMonotonic {unit}")

    def is_active(self, unit: str) -> bool:
        return self.host.sh(f"systemctl is-active -q {unit}", check=False).returncode == 0

    def wait_active(self) -> None:
        """Until all services say that they are ready; FleetError after START_SECONDS."""
        deadline = time.monotonic() + START_SECONDS
        while waiting := [unit for unit in SERVICES if not self.is_active(unit)]:
            if time.monotonic() > deadline:
                raise FleetError(f"not active after {START_SECONDS} s: {waiting}\n{self.log(waiting[-1])[-3000:]}")
            time.sleep(0.5)

    def log(self, unit: str) -> str:
        """What the service's present process has logged."""
        pid = self.host.out(f"systemctl show --value -p MainPID {unit}")
        return self.host.sh(f"grep -h ' {pid} ' /var/log/nova/{unit}.log", check=False).stdout

    def logged_filters(self) -> list[str]:
        """The enabled filters that the running scheduler has logged at its start (`log_opt_values`)."""
        marker = "filter_scheduler.enabled_filters = "
        line = next(line for line in self.log("nova-scheduler").splitlines() if marker in line)
        value = line.partition(marker)[2].partition("]")[0]
        found: list[str] = json.loads(value.replace("'", '"') + "]")
        return found

    def state(self) -> list[str]:
        """Differs after a write to nova's files, a start of a service, a boot."""
        return [
            self.host.boot_id(),
            self.host.out("ls -lin --time-style=full-iso /etc/nova /etc/nova/nova.conf /etc/nova/nova-compute.conf"),
            self.host.out("sha256sum /etc/nova/*.conf"),
            *map(self.main_pid, SERVICES),
        ]


@pytest.fixture(
    scope="module",
    params=[
        pytest.param(BOOKWORM, id=BOOKWORM.name),
        pytest.param(TRIXIE, id=TRIXIE.name, marks=pytest.mark.lab_slow),
    ],
)
def nova(request: pytest.FixtureRequest, run_directory: Path) -> Iterator[NovaHost]:
    """A host whose services run, none of them touched by the product yet."""
    recipe: TreeRecipe = request.param
    with Fleet(build(recipe), ["allinone"], run_directory / recipe.name) as fleet:
        nova = NovaHost(fleet, fleet["allinone"])
        nova.wait_active()
        yield nova


@pytest.fixture(scope="module")
def with_filter(nova: NovaHost) -> tuple[list[str], dict[str, str], Visit]:
    """`setup_openstack_node`: the filters before it, the services' processes before it, its answer."""
    before = nova.logged_filters(), {unit: nova.main_pid(unit) for unit in SERVICES}
    return *before, nova.fab(f"setup_openstack_node:{nova.host.login}")


@pytest.fixture(scope="module")
def provisioned(nova: NovaHost, with_filter: object) -> tuple[dict[str, str], Visit]:
    """`setup_all`, without its reboot: the services' processes before it, its answer."""
    before = {unit: nova.main_pid(unit) for unit in SERVICES}
    return before, nova.fab("setup_all", "--reboot", "never")


def pools(nova: NovaHost) -> dict[tuple[str, str], int]:
    """Device type and physical network -> devices, in the running nova-compute's latest view of its host."""
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        views = [line for line in nova.log("nova-compute").splitlines() if "Final resource view" in line]
        if views:
            parts = views[-1].partition("pci_stats=")[2].split("PciDevicePool(")[1:]
            return {(quoted(part, "dev_type="), quoted(part, "physical_network=")): count(part) for part in parts}
        time.sleep(0.5)
    raise FleetError(f"nova-compute has not looked at its host:\n{nova.log('nova-compute')[-3000:]}")


def quoted(text: str, name: str) -> str:
    return text.partition(name)[2].split("'")[1]


def count(text: str) -> int:
    return int(text.partition("count=")[2].partition(",")[0])


def test_scheduler_is_restarted_and_has_the_filter(
    nova: NovaHost, with_filter: tuple[list[str], dict[str, str], Visit], proved: Proved
) -> None:
    filters, pids, visit = with_filter
    assert PCI_FILTER not in filters
    assert visit.code == 0
    assert nova.is_active("nova-scheduler")
    assert nova.main_pid("nova-scheduler") != pids["nova-scheduler"]
    assert {unit for unit in SERVICES if nova.main_pid(unit) != pids[unit]} == {"nova-scheduler"}
    assert nova.logged_filters() == [*filters, PCI_FILTER]
    assert nova.read(*SCHEDULER_FILES)["filters"] == [*filters, PCI_FILTER]
    proved(
        f"the real nova-scheduler is restarted and logs {PCI_FILTER} beside its {len(filters)} others; "
        "its own code finds the class"
    )


def test_compute_is_restarted_and_knows_its_physical_networks(
    nova: NovaHost, provisioned: tuple[dict[str, str], Visit], proved: Proved
) -> None:
    pids, visit = provisioned
    assert visit.code == 0
    notes = [note["id"] for note in visit.hosts[nova.host.login]["notes"]]
    assert notes == ["reboot-not-allowed"]  # both services could be asked
    # the scheduler reads the file with the whitelist too
    assert {unit for unit in SERVICES if nova.main_pid(unit) != pids[unit]} == {"nova-compute", "nova-scheduler"}
    assert [unit for unit in SERVICES if not nova.is_active(unit)] == []
    specs = [
        {"devname": "enp1s0", "physical_network": "physnet1"},
        {"devname": "enp2s0", "physical_network": "physnet2"},
    ]
    assert nova.read(*COMPUTE_FILES)["specs"] == specs
    assert pools(nova) == POOLS
    proved("the real nova-compute is restarted, becomes active, and counts 7 VFs for each physical network")


def test_second_run_restarts_nothing(nova: NovaHost, provisioned: object, proved: Proved) -> None:
    before = nova.state()
    for words in (("setup_all", "--reboot", "never"), (f"setup_openstack_node:{nova.host.login}",)):
        assert nova.fab(*words).code == 0
        assert nova.state() == before
    proved("second runs: same inodes and times of nova's files, same processes of all services")


def test_filter_of_the_site_is_loaded_by_the_running_scheduler_and_chooses(
    nova: NovaHost, provisioned: object, proved: Proved
) -> None:
    """Attached by its path; asked for a host with and without its consent; taken back with its lines."""
    host, task = nova.host, f"setup_openstack_node:{nova.host.login}"
    before, filters = nova.state(), nova.logged_filters()
    exactly = f"env.scheduler_filters = {[*filters, 'site_filters.HalfFull']!r}\n"
    host.write("/usr/lib/python3/dist-packages/site_filters.py", SITE_FILTERS.read_bytes())
    assert nova.fab(task, more=exactly.replace("site_filters.", "")).code == 2  # nothing provides that name
    assert nova.state() == before
    assert nova.fab(task, more=exactly).code == 0
    assert nova.logged_filters() == [*filters, "HalfFull"]
    assert nova.read(*SCHEDULER_FILES)["filters"] == [*filters, "HalfFull"]
    consenting = nova.chosen()
    host.sh("touch /run/half-full")
    refusing = nova.chosen()
    assert nova.fab(task, "--remove").code == 0
    assert (consenting, refusing, nova.chosen()) == ("allinone", "NoValidHost", "allinone")
    assert nova.logged_filters() == filters
    assert host.out("sha256sum /etc/nova/nova.conf") in before[2]
    proved("the real nova-scheduler loads a filter of the site's own and chooses by it; taken back, it is gone")


# What stands in the file, and what an operator makes of its first occurrence; nothing stands at the file's begin.
BROKEN = {
    "a key before any section": (b"", b"debug = true\n[DEFAULT]\n"),
    "a section without its end": (b"", b"[pci\n[DEFAULT]\n"),
    "bytes that are not UTF-8": (b"", b"# Stra\xdfe\n"),
    "a byte order mark": (b"", b"\xef\xbb\xbf[DEFAULT]\n"),
    "a wrapped line after a comment": (b"", b"[DEFAULT]\n# comment\n  continued\n"),
    "a whitelist entry in single quotes": (b"", b"[pci]\ndevice_spec = {'devname': 'enp9s0'}\n"),
    "an empty available filter": (b"", b"[filter_scheduler]\navailable_filters =\n"),
    "a filter that the release lacks": (b"\nenabled_filters = ", b"\nenabled_filters = RamFilter,"),
}


@pytest.mark.parametrize(("old", "new"), BROKEN.values(), ids=BROKEN)
def test_file_that_nova_refuses_stays_as_it_is_and_is_named(
    nova: NovaHost, provisioned: object, old: bytes, new: bytes, proved: Proved
) -> None:
    """The operator's own slip, and a run that would have had something to write into that file."""
    host = nova.host
    host.sh("cp -a /etc/nova/nova.conf /root/nova.conf.good")
    try:
        host.write("/etc/nova/nova.conf", host.read("/etc/nova/nova.conf").replace(old, new, 1))
        with pytest.raises(FleetError):
            nova.read(*COMPUTE_FILES)
        before = nova.state()
        visit = nova.fab("setup_all", "--reboot", "never", entries=(entry("enp1s0", 7, "physnet9"), PORTS[1]))
        assert visit.code == 2
        host_document = visit.hosts[host.login]
        assert "/etc/nova/nova.conf" in json.dumps([host_document["problems"], host_document["error"]])
        assert nova.state() == before
    finally:
        host.sh("cp -a /root/nova.conf.good /etc/nova/nova.conf")
    proved("refused with file and line, no byte written, no service touched")


# What no check of ours knows, and the words of Debian's nova.
REFUSED = {
    "a value of another option": (b"[DEFAULT]\nservice_down_time = soon\n", "[DEFAULT] service_down_time: ConfigFile"),
    "a module that is not there": (
        b"[filter_scheduler]\navailable_filters = nova.scheduler.filters.all_filters\navailable_filters = our.Filter\n",
        "ModuleNotFoundError: ",
    ),
}


@pytest.mark.parametrize(("slip", "words"), REFUSED.values(), ids=REFUSED)
def test_file_that_nova_itself_refuses_is_not_put_in_place(
    nova: NovaHost, provisioned: object, slip: bytes, words: str, proved: Proved
) -> None:
    """The operator's slip since the services started, and a run that writes another line into that file."""
    host = nova.host
    host.sh("cp -a /etc/nova/nova.conf /root/nova.conf.good")
    try:
        host.write("/etc/nova/nova.conf", host.read("/etc/nova/nova.conf") + b"\n" + slip)
        before = nova.state()
        visit = nova.fab("setup_all", "--reboot", "never", entries=(entry("enp1s0", 7, "physnet9"), PORTS[1]))
        assert visit.code == 1
        error = visit.hosts[host.login]["error"]
        assert error["id"] == "nova-refuses-file"
        assert "Read by /usr/bin/python3" in error["message"]
        assert words in error["message"]
        assert nova.state() == before
    finally:
        host.sh("cp -a /root/nova.conf.good /etc/nova/nova.conf")
    proved("its own nova refuses what is staged, in its own words: no byte written, the same processes of all services")


def test_services_come_back_from_the_reboot_with_the_vfs_before_them(
    nova: NovaHost, provisioned: object, proved: Proved
) -> None:
    visit = nova.fab("setup_all")
    assert visit.code == 0
    assert visit.hosts[nova.host.login]["rebooted"]
    nova.wait_active()
    show = "systemctl show --value -p ExecMainStartTimestampMonotonic"
    vfs = max(int(nova.host.out(f"{show} sriov-vfs-{interface}")) for interface in ("enp1s0", "enp2s0"))
    assert 0 < vfs < int(nova.host.out(f"{show} nova-compute"))
    assert nova.host.out("cat /sys/class/net/enp?s0/device/sriov_numvfs").split() == ["7", "7"]
    assert pools(nova) == POOLS
    before = nova.state()
    assert nova.fab("setup_all").code == 0
    assert nova.state() == before
    proved("after the run's one reboot all services are active again, the VFs before nova-compute; again nothing to do")
