"""VMs with a VF: found by name or launched, followed until they run, deleted."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sriov.cloud import ports
from sriov.cloud.dialects.dialect import Dialect, Difference
from sriov.cloud.networks import refuse_differences
from sriov.cloud.session import cloud_errors
from sriov.cloud.wanted import WantedPort, WantedServer
from sriov.errors import CloudError, printable

if TYPE_CHECKING:
    from openstack.compute.v2.server import Server
    from openstack.connection import Connection
    from openstack.network.v2.port import Port

Watch = Callable[[str], None]
"""Told what the VM is at, in a few words, whenever that changes."""
OURS = "made by launch_sriov_vm for "
PORT_SUFFIX = "-port"


@dataclass(frozen=True, slots=True)
class LaunchWaits:
    """Bounds in seconds: for the server, then for its port (under ML2 an agent sets it up), and for its end."""

    server: float = 600.0
    port: float = 90.0
    end: float = 180.0
    pause: float = 1.0


@dataclass(frozen=True, slots=True)
class MadeServer:
    """A VM that runs, its port up. `host` is empty where these credentials do not see it."""

    id: str
    name: str
    host: str
    instance: str
    port_id: str
    port: str
    made: tuple[str, ...]


class ServerError(CloudError):
    """The VM does not run: `fault` is nova's own word, `port_id` the port that it was to have."""

    def __init__(self, id: str, message: str, *, fault: str, port_id: str, hint: str = "") -> None:
        super().__init__(id, message, hint=hint)
        self.fault = fault
        self.port_id = port_id


def ensure(
    cloud: Connection,
    wanted: WantedServer,
    watch: Watch,
    dialect: Dialect,
    waits: LaunchWaits | None = None,
    user_data: str = "",
) -> MadeServer:
    """The VM of that name, running, its port up; launched if there is none.

    Raises ServerError if nova gives it up or its port stays down, CloudError if another VM has the name.
    """
    waits = waits or LaunchWaits()
    with cloud_errors(f"looking for the VM {wanted.name}"):
        image = cloud.image.find_image(wanted.image)
        flavor = cloud.compute.find_flavor(wanted.flavor)
        server = cloud.compute.find_server(wanted.name)
    if image is None or flavor is None:
        what, name = ("image", wanted.image) if image is None else ("flavor", wanted.flavor)
        raise CloudError("not-in-cloud", f"there is no {what} {name}", hint=f"`openstack {what} list` shows them")
    made: tuple[str, ...] = ()
    if server is not None:
        port_id, port_name = _check(cloud, server, wanted, image.id, (flavor.id, flavor.name))
    else:
        port_id, port_name, port_made = _port(cloud, wanted, dialect)
        made += ("port",) if port_made else ()
        watch("launching")
        body = {"user_data": user_data} if user_data else {}
        with cloud_errors(f"launching the VM {wanted.name}"):
            server = cloud.compute.create_server(
                name=wanted.name, image_id=image.id, flavor_id=flavor.id, networks=[{"port": port_id}], **body
            )
        made += ("server",)
    server = _wait_active(cloud, server.id, wanted.name, port_id, watch, waits)
    _wait_port(cloud, wanted.name, port_id, watch, dialect, waits)
    return MadeServer(
        id=server.id,
        name=wanted.name,
        host=server.hypervisor_hostname or server.compute_host or "",
        instance=server.instance_name or "",
        port_id=port_id,
        port=port_name,
        made=made,
    )


def _port(cloud: Connection, wanted: WantedServer, dialect: Dialect) -> tuple[str, str, bool]:
    """(id, name, made): the port of that name, or one of ours in the network of that name."""
    port = ports.find(cloud, wanted.port)
    if port is not None:
        if port.binding_vnic_type != "direct":
            raise CloudError(
                "port-not-direct",
                f"the port {wanted.port} is of type {port.binding_vnic_type}, not direct: its VM would get no VF",
                hint="fab create_sriov_port makes one that is",
            )
        _refuse_used(port, wanted.port)
        dialect.refuse_port(port, wanted.port)
        return port.id, wanted.port, False
    with cloud_errors(f"looking for the network {wanted.port}"):
        network = cloud.network.find_network(wanted.port)
    if network is None:
        raise CloudError(
            "not-in-cloud",
            f"there is neither a port nor a network {wanted.port}",
            hint="fab create_sriov_network and fab create_sriov_port make them",
        )
    name = wanted.name + PORT_SUFFIX
    left = ports.find(cloud, name)
    if left is not None:
        _refuse_used(left, name)
    made = ports.ensure(cloud, WantedPort(wanted.port, name), dialect, OURS + wanted.name)
    return made.id, made.name, made.made


def _refuse_used(port: Port, name: str) -> None:
    if port.device_id:
        message = f"the port {name} is in use by {port.device_id}"
        raise CloudError("port-in-use", message, hint="give each VM a port of its own")


def _check(
    cloud: Connection, server: Server, wanted: WantedServer, image_id: str, flavor: tuple[str, str]
) -> tuple[str, str]:
    """(id, name) of the port of an existing VM; nova shows its flavor by id or, since 2.47, by name alone."""
    with cloud_errors(f"looking at the ports of the VM {wanted.name}"):
        attached = list(cloud.network.ports(device_id=server.id))
        networks = {
            port.network_id: str(network.name)
            for port in attached
            if (network := cloud.network.find_network(port.network_id)) is not None
        }
    names = {name: port for port in attached for name in (port.id, port.name, networks.get(port.network_id, ""))}
    of_server = server.flavor or {}
    found_flavor = of_server.get("original_name") or of_server.get("id")
    differences: list[Difference] = []
    if (server.image or {}).get("id") != image_id:
        differences.append(("image", (server.image or {}).get("id") or "none", wanted.image))
    if found_flavor not in flavor:
        differences.append(("flavor", found_flavor, wanted.flavor))
    if wanted.port not in names and server.status == "BUILD":  # its port may not have heard of it yet
        of_launch = ports.find(cloud, wanted.port) or ports.find(cloud, wanted.name + PORT_SUFFIX)
        names |= {wanted.port: of_launch} if of_launch is not None else {}
    if wanted.port not in names and server.status != "ERROR":
        shown = ", ".join(sorted(port.name or port.id for port in attached)) or "none"
        differences.append(("port", shown, wanted.port))
    refuse_differences("VM", wanted.name, differences)
    port = names.get(wanted.port)
    return (port.id, port.name or port.id) if port is not None else ("", wanted.port)


def _wait_active(
    cloud: Connection, server_id: str, name: str, port_id: str, watch: Watch, waits: LaunchWaits
) -> Server:
    deadline = time.monotonic() + waits.server
    while True:
        with cloud_errors(f"looking at the VM {name}"):
            server = cloud.compute.get_server(server_id)
        watch(" ".join(filter(None, (server.status, server.task_state))))
        if server.status == "ACTIVE" and not server.task_state:
            return server
        if server.status not in ("BUILD", "ACTIVE"):
            raise _boot_failure(server, name, port_id)
        if time.monotonic() > deadline:
            raise ServerError(
                "vm-not-active",
                f"the VM {name} is still {server.status} ({server.task_state or 'no task'}) after {waits.server:g} s",
                fault="",
                port_id=port_id,
                hint="is nova-compute of its host alive? `openstack compute service list` tells",
            )
        time.sleep(waits.pause)


def _boot_failure(server: Server, name: str, port_id: str) -> ServerError:
    fault = " ".join(printable(str((server.fault or {}).get("message") or "")).split())
    if server.status != "ERROR":
        return ServerError(
            "vm-not-active",
            f"the VM {name} is {server.status}",
            fault=fault,
            port_id=port_id,
            hint=f"start it, or fab delete_sriov_vm:{name} and launch it again",
        )
    return ServerError(
        "vm-in-error",
        f"the VM {name} is in ERROR: {fault or 'nova gives no reason'}",
        fault=fault,
        port_id=port_id,
        hint=f"correct the cause, then fab delete_sriov_vm:{name} and launch it again",
    )


def _wait_port(cloud: Connection, name: str, port_id: str, watch: Watch, dialect: Dialect, waits: LaunchWaits) -> None:
    """A server can be ACTIVE while its port is DOWN: then the guest has a VF that leads nowhere."""
    deadline = time.monotonic() + waits.port
    while True:
        with cloud_errors(f"looking at the port of the VM {name}"):
            port = cloud.network.get_port(port_id)
        if dialect.is_up(port):
            return
        watch(f"ACTIVE, its port {port.status}")
        if time.monotonic() > deadline:
            raise ServerError(
                "port-down",
                f"the VM {name} is ACTIVE, but its port is {port.status} after {waits.port:g} s",
                fault="",
                port_id=port_id,
                hint=f"fab show_sriov_port:{port.name or port.id} says what is wrong",
            )
        time.sleep(waits.pause)


def delete(cloud: Connection, name: str, watch: Watch, waits: LaunchWaits | None = None) -> tuple[str, ...]:
    """What was deleted: `server`, and `port` if a launch had made it. It is no error if the VM is gone already."""
    waits = waits or LaunchWaits()
    deleted: tuple[str, ...] = ()
    with cloud_errors(f"looking for the VM {name}"):
        server = cloud.compute.find_server(name)
    if server is not None:
        with cloud_errors(f"deleting the VM {name}"):
            cloud.compute.delete_server(server.id, ignore_missing=True)
        _wait_gone(cloud, server.id, name, watch, waits)
        deleted += ("server",)
    port = ports.find(cloud, name + PORT_SUFFIX)
    # an administrator sees the ports of all projects, and a port may have been given to another VM meanwhile
    is_free = port is not None and port.device_id in ("", None, server.id if server is not None else "")
    if port is not None and is_free and port.description == OURS + name:
        ports.delete(cloud, port.id)
        deleted += ("port",)
    elif port is not None and is_free and not port.description and server is not None:
        watch(f"its port {port.name} stays: neutron here keeps no description that would tell whether a launch made it")
    return deleted


def _wait_gone(cloud: Connection, server_id: str, name: str, watch: Watch, waits: LaunchWaits) -> None:
    deadline = time.monotonic() + waits.end
    while True:
        with cloud_errors(f"looking at the VM {name}"):
            server = cloud.compute.find_server(server_id)
        if server is None or server.status == "DELETED":
            return
        watch("being deleted")
        if time.monotonic() > deadline:
            raise CloudError(
                "vm-not-deleted",
                f"the VM {name} is still there after {waits.end:g} s ({server.status})",
                hint="is nova-compute of its host alive?",
            )
        time.sleep(waits.pause)
