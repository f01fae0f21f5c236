"""What is shown on the test cloud: our tool sets up its hosts; VMs come up, or fail for the reason that is named."""

from __future__ import annotations

import contextlib
import os
import re
import shlex
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import openstack
from openstack.network.v2.port import Port

from sriov.simulation import SimulatedHost

from . import hosts as cloud_hosts
from . import services
from .hosts import Hosts
from .layout import RUN
from .processes import CloudError

CHECKOUT = Path(__file__).parent.parent.parent


class Teller:
    """Types commands and prints what they say, as a transcript."""

    def __init__(self, hosts: Hosts) -> None:
        self.hosts = hosts
        self.bed = RUN / "testbed.py"
        self.bed.write_text(hosts.fleet.testbed(cloud_hosts.SRIOV) + cloud_hosts.NETWORK_SIDE)
        self.environment = {
            **os.environ,
            **services.OPENRC,
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            "SRIOV_TESTBED": str(self.bed),
            "SRIOV_KNOWN_HOSTS": str(hosts.fleet.known_hosts_path),
            "SRIOV_SSH_CONFIG": str(hosts.fleet.ssh_config_path),
        }

    def restarted(self) -> None:
        """Real services follow what the hosts' systemd did; nova-compute then tells placement and the scheduler."""
        for words in self.hosts.follow():
            print(f"(restarted: {words})", flush=True)
        cloud_hosts.wait_ready(self.hosts)

    def lose_kernel_arguments(self, host: SimulatedHost) -> None:
        """The host boots without them; its nova-compute starts again, as it would by itself."""
        host.reboot()
        self.restarted()

    def say(self, words: str) -> None:
        print(f"\n# {words}", flush=True)

    def fab(self, *words: str, code: int = 0, follow: bool = False, **environment: str) -> str:
        """Prints the call and its answer; raises if it ends otherwise than expected."""
        said = "".join(f"{name}={value} " for name, value in environment.items())
        print(f"$ {said}fab {shlex.join(words)}", flush=True)
        begun = time.monotonic()
        with ThreadPoolExecutor() as pool:
            running = pool.submit(
                subprocess.run, ["fab", *words], cwd=CHECKOUT, env={**self.environment, **environment}, text=True,
                stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False,
            )  # fmt: skip
            while follow and not running.done():  # a host that reboots starts its nova-compute by itself
                with contextlib.suppress(CloudError):  # just then it may be away; the next look finds it
                    self.hosts.follow()
                time.sleep(0.5)
            done = running.result()
        if follow:
            self.hosts.follow()
        print(done.stdout.replace(str(RUN), "$SRIOV_CLOUD/run").rstrip())
        print(f"[exit code {done.returncode}, {time.monotonic() - begun:.1f} s]", flush=True)
        if done.returncode != code:
            raise AssertionError(f"fab {words}: exit code {done.returncode}, wanted {code}")
        return done.stdout


def tell(hosts: Hosts, words: list[str]) -> int:
    """All of it, or the chapters named; with `shell COMMAND...` only the cloud, and that command in it."""
    os.environ.update(services.OPENRC)
    teller = Teller(hosts)
    begin(teller)
    if words[:1] == ["shell"]:
        return subprocess.run(words[1:], env=teller.environment, cwd=CHECKOUT, check=False).returncode
    for chapter in CHAPTERS:
        if not words or chapter.__name__ in words:
            chapter(teller)
    teller.say("All of it came out as it should.")
    return 0


def begin(teller: Teller) -> None:
    teller.say("Three bare hosts; the tool sets them up, the real services of nova and neutron start with its files.")
    teller.fab("setup_all")
    show_network_side(teller)
    started = teller.hosts.follow()
    seconds = cloud_hosts.wait_ready(teller.hosts)
    teller.say(f"Started: {', '.join(started)}. Agents and computes are up after {seconds:.0f} s.")
    cloud_hosts.make_image_and_flavor()
    teller.fab("setup_all")


def show_network_side(teller: Teller) -> None:
    """What the tool wrote into neutron's files."""
    for name, file in (("controller", "ml2_conf.ini"), ("compute1", "sriov_agent.ini")):
        text = teller.hosts.fleet[name].path(f"/etc/neutron/plugins/ml2/{file}").read_text()
        ours = re.findall(r"^# BEGIN sriov-fab.*?^# END sriov-fab[^\n]*$", text, re.DOTALL | re.MULTILINE)
        print(f"({name}: {file})\n" + "\n".join(ours))


def from_network_to_vm(teller: Teller) -> None:
    teller.say("The smoke test, VLAN 100, twice.")
    for _ in range(2):
        said = teller.fab("smoke:physnet1", "--vlan", "100")
        for words in ("hw_veb", "vif_details vlan\n            100:", "0 failed", "VM, port and network are gone"):
            expect(words, said)
    teller.say("Step by step; each step a second time finds what is there.")
    teller.fab("create_sriov_network:vn1,physnet1,100,10.1.0.0/24")
    expect("it was there", teller.fab("create_sriov_network:vn1,physnet1,100,10.1.0.0/24"))
    expect("VLAN is 100, wanted 101", teller.fab("create_sriov_network:vn1,physnet1,101,10.1.0.0/24", code=1))
    teller.fab("create_sriov_port:vn1,port1")
    expect("it was there", teller.fab("create_sriov_port:vn1,port1"))
    expect("not yet", teller.fab("show_sriov_port:port1"))
    teller.fab("launch_sriov_vm:vm1,port1,tiny,tiny")
    expect("it was there", teller.fab("launch_sriov_vm:vm1,port1,tiny,tiny"))
    expect("right   vif_details vlan: 100", teller.fab("show_sriov_port:port1"))


def no_vf_left(teller: Teller) -> None:
    teller.say("All VFs used: the fourth VM finds none of three.")
    for name in ("vm2", "vm3"):
        teller.fab(f"launch_sriov_vm:{name},vn1,tiny,tiny")
    said = teller.fab("launch_sriov_vm:vm4,vn1,tiny,tiny", code=1)
    expect("No valid host", said)
    expect("no valid host", said)
    expect("vm2-port", said)
    teller.fab("delete_sriov_vm:vm4")


def without_the_filter(teller: Teller) -> None:
    teller.say("The filter taken out, by hand, while no VF is free: nova finds out late, on the host.")
    controller = teller.hosts.fleet["controller"]
    edit(controller, r"PciPassthroughFilter,?", "")
    controller.restart("nova-scheduler.service")
    teller.restarted()
    said = teller.fab("launch_sriov_vm:vm4,vn1,tiny,tiny", code=1)
    expect("PciPassthroughFilter", said)
    teller.fab("delete_sriov_vm:vm4")
    teller.fab("setup_all")
    teller.restarted()


def with_a_broken_whitelist(teller: Teller) -> None:
    teller.say("The whitelist names another device, by a slip of the pen; all VFs of physnet1 are free.")
    for name in ("vm1", "vm2", "vm3"):
        teller.fab(f"delete_sriov_vm:{name}")
    expect("there is none", teller.fab("delete_sriov_vm:vm3"))
    compute = teller.hosts.fleet["compute1"]
    edit(compute, r'"devname": "ens1f0"', '"devname": "ens1f9"')
    compute.restart("nova-compute.service")
    teller.restarted()
    expect("ens1f9", teller.fab("launch_sriov_vm:vm4,vn1,tiny,tiny", code=1))
    teller.fab("delete_sriov_vm:vm4")
    teller.fab("setup_all")
    take_the_slip_out(teller, compute)
    teller.fab("launch_sriov_vm:vm4,port1,tiny,tiny")
    teller.fab("delete_sriov_vm:vm4")


def sides_compared(teller: Teller) -> None:
    teller.say("Sysfs, whitelist and neutron agree: one VM runs; then it is shut off, and keeps its VF.")
    compute, cloud = teller.hosts.fleet["compute1"], openstack.connect()
    for call in ("create_sriov_network:vn1,physnet1,100,10.1.0.0/24", "create_sriov_port:vn1,port1"):
        teller.fab(call)
    teller.fab("launch_sriov_vm:vm5,port1,tiny,tiny")
    port = cloud.network.find_port("port1", ignore_missing=False)
    address = port.binding_profile["pci_slot"]
    number = vf_number(compute, "ens1f0", address)
    instance = cloud.compute.find_server("vm5", details=True, ignore_missing=False).instance_name
    compute.hold_vf("ens1f0", number, kind="domain", name=instance)
    said = teller.fab("capacity")
    expect(f"({address}) is in use by libvirt domain {instance}, bound to port port1", plain(said))
    refuse("orphan", said)
    compute.release_vf("ens1f0", number, name=instance)
    cloud_hosts.shut_off("vm5")
    said = teller.fab("capacity")
    expect(f"({address}) is bound to port port1", plain(said))
    expect("physnet1: 2 free", said)
    expect("2 of 3 free", teller.fab("explain:physnet1,3", code=3))
    expect("keystone refused the login", teller.fab("capacity", code=1, OS_PASSWORD="wrong"))
    orphans(teller, compute, port)
    teller.fab("delete_sriov_vm:vm5")


def orphans(teller: Teller, compute: SimulatedHost, port: Port) -> None:
    teller.say(
        "What one side has and another lacks: a second port for the VF, a host that is gone, a stranger's guest."
    )
    address, profile = port.binding_profile["pci_slot"], port.binding_profile
    cloud_hosts.claim("twin", port.network_id, "compute1", profile)
    cloud_hosts.claim("left", port.network_id, "compute9", profile)
    compute.hold_vf("ens2f0", 0, kind="domain", name="by-hand")
    said = plain(teller.fab("capacity"))
    expect(f"{address}: claimed by 2 ports:", said)
    expect("port twin: bound to " + address + " though no VM has it", said)
    expect("compute9: port left: bound to a host that the testbed does not have", said)
    expect("held by libvirt domain by-hand, but no port of neutron claims it", said)
    compute.release_vf("ens2f0", 0, name="by-hand")
    for name in ("twin", "left"):
        cloud_hosts.unclaim(name)
    teller.say("The whitelist loses the entry; then the VFs are gone as well. The tool brings both back.")
    edit(compute, r'"devname": "ens1f0"', '"devname": "ens1f9"')
    expect(f"bound to {address}, which no whitelist entry gives to guests", plain(teller.fab("capacity")))
    compute.run("echo 0 >/sys/class/net/ens1f0/device/sriov_numvfs")
    expect(f"bound to {address}, which is not a device of this host", plain(teller.fab("capacity")))
    teller.fab("setup_all")
    take_the_slip_out(teller, compute)
    refuse("orphan", teller.fab("capacity"))


def vf_number(host: SimulatedHost, interface: str, address: str) -> int:
    device = f"/sys/class/net/{interface}/device"
    found = host.run(f"for d in {device}/virtfn*; do echo $d $(basename $(readlink $d)); done").stdout.decode()
    return next(int(line.split()[0].rpartition("virtfn")[2]) for line in found.splitlines() if address in line)


def plain(said: str) -> str:
    """As on a terminal that is wide enough."""
    return " ".join(said.split())


def refuse(words: str, said: str) -> None:
    if words in said:
        raise AssertionError(f"{words!r} was said")


def drained(teller: Teller) -> None:
    teller.say("A reboot is due on compute1, and two VMs run there: one with a VF, one without.")
    compute = teller.hosts.fleet["compute1"]
    # as on a host that nobody has set up: without the mark, too, of the reboot that was made for these arguments
    compute.run("rm /etc/default/grub.d/zz-sriov.cfg /var/lib/sriov/rebooted && update-grub")
    teller.lose_kernel_arguments(compute)
    teller.fab("create_sriov_network:vn1,physnet1,100,10.1.0.0/24")
    teller.fab("launch_sriov_vm:vm4,vn1,tiny,tiny")
    cloud_hosts.launch_plain("plain", "compute1")
    expect("vm4", teller.fab("setup_all", "--drain", code=3, follow=True))
    print(cloud_hosts.states())
    teller.say("Without the VM that cannot leave, the host is drained, rebooted, and takes VMs again.")
    teller.fab("delete_sriov_vm:vm4")
    teller.fab("setup_all", "--drain", follow=True)
    print(cloud_hosts.states())


CHAPTERS = (from_network_to_vm, no_vf_left, without_the_filter, with_a_broken_whitelist, sides_compared, drained)


def expect(words: str, said: str) -> None:
    if words not in said:
        raise AssertionError(f"{words!r} was not said")


def take_the_slip_out(teller: Teller, compute: SimulatedHost) -> None:
    teller.say(
        "A line of ours that was edited counts as the operator's: it stays, behind our block; now it is removed."
    )
    edit(compute, r"(?m)^device_spec = .*ens1f9.*\n", "")
    compute.restart("nova-compute.service")
    teller.restarted()


def edit(host: SimulatedHost, pattern: str, text: str) -> None:
    """As an operator with an editor would."""
    path = host.path("/etc/nova/nova.conf")
    before = path.read_text()
    after = re.sub(pattern, text, before)
    if after == before:
        raise AssertionError(f"{pattern} does not stand in nova.conf of {host.name}")
    path.write_text(after)
