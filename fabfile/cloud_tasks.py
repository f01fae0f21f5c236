"""The tasks that talk to the cloud: from a network to a VM with a VF, and the proof of it."""

from __future__ import annotations

from .operator_task import operator_task
from .options import CIDR, FLAVOR, IMAGE, IP, JUNIT, MAC, NAME, NETWORK, PHYSNET, PORT, TRUSTED, VLAN, Options


@operator_task(positional=("name", "physnet", "vlan", "cidr"), own=(NAME, PHYSNET, VLAN, CIDR))
def create_sriov_network(options: Options) -> int:
    """A VLAN network on a physical network. Example: fab create_sriov_network:vn1,physnet1,100,10.1.0.0/24"""
    from .cloud_commands import create_network

    return create_network(options)


@operator_task(positional=("network", "name"), own=(NETWORK, NAME, IP, MAC, TRUSTED))
def create_sriov_port(options: Options) -> int:
    """A port for a VF in a network. Example: fab create_sriov_port:vn1,port1 --ip 10.1.0.7"""
    from .cloud_commands import create_port

    return create_port(options)


@operator_task(positional=("name", "port", "image", "flavor"), own=(NAME, PORT, IMAGE, FLAVOR))
def launch_sriov_vm(options: Options) -> int:
    """A VM with a VF, followed until it runs. Example: fab launch_sriov_vm:vm1,port1,debian-12,m1.small"""
    from .cloud_commands import launch

    return launch(options)


@operator_task(positional=("name",), own=(NAME,))
def delete_sriov_vm(options: Options) -> int:
    """Delete a VM, and the port if its launch made it. Example: fab delete_sriov_vm:vm1"""
    from .cloud_commands import delete

    return delete(options)


@operator_task(positional=("name",), own=(NAME,))
def show_sriov_port(options: Options) -> int:
    """Each part of a port's binding, right or wrong, with its meaning. Example: fab show_sriov_port:port1"""
    from .cloud_commands import show_port

    return show_port(options)


@operator_task(positional=("physnet",), own=(PHYSNET, VLAN, CIDR, IMAGE, FLAVOR, JUNIT))
def smoke(options: Options) -> int:
    """Network, port and VM, checked on cloud and host, then removed. Example: fab smoke:physnet1 --vlan 100"""
    from .cloud_commands import smoke as run

    return run(options)
