"""The hosts of the test cloud: simulated ones, on which the real nova-compute runs and sees their /sys."""

from __future__ import annotations

import shlex
import time
from collections.abc import Mapping
from pathlib import Path

import openstack
from openstack.connection import Connection

from sriov.simulation import Fleet, HostSpec, Nic, SimulatedHost

from . import config, services
from .layout import RUN, STATE, VENV, program
from .processes import PATIENCE, CloudError, Processes

VFS = 3
CARDS = (
    Nic("ens1f0", "0000:81:00.0", total_vfs=7, mac="52:54:00:0a:00:01", up=True),
    Nic("ens2f0", "0000:82:00.0", total_vfs=7, mac="52:54:00:0a:00:02", up=True),
)
SRIOV = {
    "compute1": [
        {"interface": "ens1f0", "VF": VFS, "physnets": ["physnet1"]},
        {"interface": "ens2f0", "VF": VFS, "physnets": ["physnet2"]},
    ],
    "compute2": [{"interface": "ens2f0", "VF": VFS, "physnets": ["physnet2"]}],
}
NETWORK_SIDE = """
env.network_backend = 'ml2'
env.vlan_ranges = {'physnet1': '100:199', 'physnet2': '100:199'}
"""
UNITS = {"openstack": ("neutron-server", "nova-scheduler"), "compute": ("nova-compute", "neutron-sriov-agent")}
NEUTRON = "/etc/neutron"
AGENT_FILES = (f"{NEUTRON}/neutron.conf", f"{NEUTRON}/plugins/ml2/sriov_agent.ini")
_STATE = "/var/lib/nova"
_PID = "/run/nova-compute.pid"


def specs() -> tuple[HostSpec, ...]:
    """The files as an operator has them before SR-IOV; sriov_agent.ini is as its package ships it."""
    neutron = {f"{NEUTRON}/neutron.conf": config.neutron().encode()}
    server = {**neutron, f"{NEUTRON}/plugins/ml2/ml2_conf.ini": config.ml2().encode()}
    nova = config.nova("controller", str(STATE)).encode()
    return (
        HostSpec("controller", ("openstack",), 34, nova_conf=nova, files=server),
        *(
            HostSpec(name, ("compute",), 34, nics=CARDS, nova_conf=config.nova(name, _STATE).encode(), files=neutron)
            for name in SRIOV
        ),
    )


def fleet() -> Fleet:
    return Fleet(specs(), RUN / "fleet")


class Hosts:
    """The fleet, and the services of nova and neutron that run with its files."""

    def __init__(self, simulated: Fleet, running: Processes) -> None:
        self.fleet = simulated
        self._running = running
        self._seen: dict[tuple[str, str], tuple[int, int]] = {}

    def follow(self) -> tuple[str, ...]:
        """Start or restart each service that the hosts' systemd has started since the last look; says which."""
        started = []
        for host in self.fleet.hosts:
            for unit in UNITS["openstack" if host.name == "controller" else "compute"]:
                now = (len(host.boots), host.services[f"{unit}.service"]["starts"])
                if self._seen.get((host.name, unit)) != now:
                    self.restart(host, unit)
                    self._seen[host.name, unit] = now
                    started.append(f"{unit} on {host.name}")
        return tuple(started)

    def restart(self, host: SimulatedHost, unit: str) -> None:
        if unit == "neutron-server":
            services.start_neutron(self._running, host.path(NEUTRON))
        elif unit == "nova-scheduler":
            services.start_nova(self._running, "scheduler", host.path("/etc/nova/nova.conf"))
        elif unit == "nova-compute":
            start_compute(host)
        else:
            self._start_agent(host)

    def _start_agent(self, host: SimulatedHost) -> None:
        files = [word for path in AGENT_FILES for word in ("--config-file", str(host.path(path)))]
        words = [str(VENV / "bin/python"), str(Path(__file__).with_name("nic_agent.py")), host.name, *files]
        self._running.stop(f"agent-{host.name}")
        self._running.start(f"agent-{host.name}", words, services.OPENRC)


def start_compute(host: SimulatedHost) -> None:
    """nova-compute inside the host, where /sys and /etc/nova are the host's."""
    words = shlex.join([*program("nova-compute"), "--config-file", "/etc/nova/nova.conf"])
    done = host.run(
        f"mkdir -p {_STATE} /var/log/nova; [ ! -e {_PID} ] || kill $(cat {_PID}) || :; "
        f"HOME=/root setsid {words} >>/var/log/nova/nova-compute.out 2>&1 </dev/null & echo $! >{_PID}"
    )
    if done.returncode:
        raise CloudError(f"nova-compute on {host.name}: {done.stderr.decode()}")


def wait_ready(hosts: Hosts) -> float:
    """Until every agent lives and every nova-compute has reported since this call. Seconds it took."""
    cloud, begun = openstack.connect(), time.monotonic()
    known = {service.host: service.updated_at for service in cloud.compute.services(binary="nova-compute")}
    while time.monotonic() - begun < PATIENCE:
        agents = {agent.host for agent in cloud.network.agents() if agent.is_alive}
        services_now = [service for service in cloud.compute.services(binary="nova-compute") if service.state == "up"]
        fresh = {service.host for service in services_now if service.updated_at != known.get(service.host)}
        if agents >= set(SRIOV) and fresh >= set(SRIOV) and hypervisors(cloud) >= set(SRIOV):
            return time.monotonic() - begun
        time.sleep(1)
    raise CloudError(f"after {PATIENCE:g} s: agents {agents}, nova-compute {fresh}, hypervisors {hypervisors(cloud)}")


def hypervisors(cloud: Connection) -> set[str]:
    return {found.name for found in cloud.compute.hypervisors()}


def make_image_and_flavor() -> None:
    """Of the smallest kind: no guest will ever read it."""
    cloud = openstack.connect()
    cloud.image.create_image(name="tiny", disk_format="raw", container_format="bare", data=b"\0" * 1024)
    cloud.compute.create_flavor(name="tiny", ram=64, vcpus=1, disk=0)


def launch_plain(name: str, host: str) -> None:
    """A VM without any port, on this host."""
    cloud = openstack.connect()
    image = cloud.image.find_image("tiny", ignore_missing=False)
    flavor = cloud.compute.find_flavor("tiny", ignore_missing=False)
    server = cloud.compute.create_server(
        name=name, image_id=image.id, flavor_id=flavor.id, networks="none", availability_zone=f"nova:{host}"
    )
    cloud.compute.wait_for_server(server, wait=int(PATIENCE))


def shut_off(name: str) -> None:
    """As its owner would; its port stays bound."""
    cloud = openstack.connect()
    server = cloud.compute.find_server(name, ignore_missing=False)
    cloud.compute.stop_server(server)
    cloud.compute.wait_for_server(server, status="SHUTOFF", wait=int(PATIENCE))


def claim(name: str, network_id: str, host: str, profile: Mapping[str, object]) -> None:
    """A port that an administrator binds by hand to a VF; neutron does not ask whose that is."""
    openstack.connect().network.create_port(
        network_id=network_id, name=name, binding_vnic_type="direct", binding_host_id=host, binding_profile=profile
    )


def unclaim(name: str) -> None:
    cloud = openstack.connect()
    cloud.network.delete_port(cloud.network.find_port(name, ignore_missing=False).id)


def states() -> str:
    """Where each VM runs, and what nova says of each nova-compute."""
    cloud = openstack.connect()
    lines = [f"{server.name}: {server.status} on {server.compute_host}" for server in cloud.compute.servers()]
    lines += [
        " ".join(filter(None, (f"nova-compute on {each.host}: {each.status}, {each.state}", each.disabled_reason)))
        for each in cloud.compute.services(binary="nova-compute")
    ]
    return "\n".join(lines)
