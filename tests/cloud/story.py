"""What is shown on the test cloud: our tool sets up its hosts; VMs come up, or fail for the reason that is named."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from sriov.simulation import SimulatedHost
from tests.cloud import hosts as cloud_hosts
from tests.cloud import services
from tests.cloud.hosts import Hosts
from tests.cloud.layout import RUN

CHECKOUT = Path(__file__).parent.parent.parent


class Teller:
    """Types commands and prints what they say, as a transcript."""

    def __init__(self, hosts: Hosts) -> None:
        self.hosts = hosts
        self.bed = RUN / "testbed.py"
        self.bed.write_text(hosts.fleet.testbed(cloud_hosts.SRIOV))
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

    def fab(self, *words: str, code: int = 0, follow: bool = False) -> str:
        """Prints the call and its answer; raises if it ends otherwise than expected."""
        print(f"$ fab {shlex.join(words)}", flush=True)
        begun = time.monotonic()
        with ThreadPoolExecutor() as pool:
            running = pool.submit(
                subprocess.run, ["fab", *words], cwd=CHECKOUT, env=self.environment, text=True,
                stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False,
            )  # fmt: skip
            while follow and not running.done():  # a host that reboots starts its nova-compute by itself
                self.hosts.follow()
                time.sleep(0.5)
            done = running.result()
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
    for chapter in (from_network_to_vm, no_vf_left, without_the_filter, with_a_broken_whitelist, drained):
        if not words or chapter.__name__ in words:
            chapter(teller)
    teller.say("All of it came out as it should.")
    return 0


def begin(teller: Teller) -> None:
    teller.say("Three bare hosts; the tool sets them up, the real nova services start with its files.")
    teller.fab("setup_all")
    started = teller.hosts.follow()
    teller.hosts.start_agents()
    seconds = cloud_hosts.wait_ready(teller.hosts)
    teller.say(f"Started: {', '.join(started)}. Agents and computes are up after {seconds:.0f} s.")
    cloud_hosts.make_image_and_flavor()
    teller.fab("setup_all")


def from_network_to_vm(teller: Teller) -> None:
    teller.say("The smoke test, VLAN 100.")
    said = teller.fab("smoke:physnet1", "--vlan", "100")
    for words in ("hw_veb", "vif_details vlan\n            100:", "0 failed", "VM, port and network are gone"):
        expect(words, said)
    teller.say("Step by step; each step a second time finds what is there.")
    teller.fab("create_sriov_network:vn1,physnet1,100,10.1.0.0/24")
    expect("it was there", teller.fab("create_sriov_network:vn1,physnet1,100,10.1.0.0/24"))
    expect("VLAN is 100, wanted 101", teller.fab("create_sriov_network:vn1,physnet1,101,10.1.0.0/24", code=1))
    teller.fab("create_sriov_port:vn1,port1")
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
    compute = teller.hosts.fleet["compute1"]
    edit(compute, r'"devname": "ens1f0"', '"devname": "ens1f9"')
    compute.restart("nova-compute.service")
    teller.restarted()
    expect("ens1f9", teller.fab("launch_sriov_vm:vm4,vn1,tiny,tiny", code=1))
    teller.fab("delete_sriov_vm:vm4")
    teller.fab("setup_all")
    teller.restarted()
    teller.fab("launch_sriov_vm:vm4,port1,tiny,tiny")
    teller.fab("delete_sriov_vm:vm4")


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


def expect(words: str, said: str) -> None:
    if words not in said:
        raise AssertionError(f"{words!r} was not said")


def edit(host: SimulatedHost, pattern: str, text: str) -> None:
    """As an operator with an editor would."""
    path = host.path("/etc/nova/nova.conf")
    before = path.read_text()
    after = re.sub(pattern, text, before)
    if after == before:
        raise AssertionError(f"{pattern} does not stand in nova.conf of {host.name}")
    path.write_text(after)
