"""All of it once: network, port and VM on a physical network, looked at from every side, taken down in every case."""

from __future__ import annotations

import base64
import contextlib
import dataclasses
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sriov.cloud import host_checks, networks, ports, servers
from sriov.cloud.checks import Check, Result, check, not_made, passed
from sriov.cloud.dialects.binding import BindingVerdict, BoundPort
from sriov.cloud.dialects.dialect import Dialect
from sriov.cloud.host_checks import Expected
from sriov.cloud.session import cloud_errors
from sriov.cloud.wanted import WantedNetwork, WantedPort, WantedServer
from sriov.errors import CloudError, SriovError
from sriov.signals import shielded_from_signals

if TYPE_CHECKING:
    from openstack.connection import Connection

AskHost = Callable[[str, str], str]
"""(host as neutron calls it, script) -> its output; SriovError says why it cannot be asked."""
Explain = Callable[[servers.ServerError], str]
"""The cause of a VM's failure, as far as it can be told."""
_NO_VM = "there is no VM to look at"


@dataclass(frozen=True, slots=True)
class SmokeTest:
    """What one run makes; `vlan` None leaves it to neutron. `name` is that of each thing that it makes."""

    name: str
    physnet: str
    vlan: int | None
    cidr: str
    image: str
    flavor: str
    guest_seconds: float = 60.0


@dataclass
class Smoke:
    """One run. `checks` grows while it goes; nothing but an interruption leaves `run`, and that after the clean-up."""

    cloud: Connection
    test: SmokeTest
    ask_host: AskHost
    explain: Explain
    watch: servers.Watch
    dialect: Dialect
    waits: servers.LaunchWaits = dataclasses.field(default_factory=servers.LaunchWaits)
    checks: list[Check] = dataclasses.field(default_factory=list)

    def run(self) -> tuple[Check, ...]:
        try:
            with contextlib.suppress(_StopError):
                self._make_and_look()
        finally:
            self._clean_up()
        return tuple(self.checks)

    def _make_and_look(self) -> None:
        test = self.test
        with self._checking("the network is made"):
            network = networks.ensure(
                self.cloud, WantedNetwork(test.name, test.physnet, test.vlan, test.cidr), self.dialect
            )
            self._add(passed("the network is made", f"VLAN {network.vlan} on {test.physnet}"))
        with self._checking("the port is made"):
            port = ports.ensure(self.cloud, WantedPort(test.name, test.name), self.dialect)
            self._add(passed("the port is made", f"{port.mac}, vnic_type direct"))
        with self._checking("the VM and its port become ACTIVE"):
            wanted = WantedServer(test.name, test.name, test.image, test.flavor)
            script = base64.b64encode(host_checks.GUEST_SCRIPT.encode()).decode()
            server = servers.ensure(self.cloud, wanted, self.watch, self.dialect, self.waits, script)
            self._add(passed("the VM and its port become ACTIVE", f"on {server.host or 'a host'}"))
        with self._checking("the port's binding"):
            bound = ports.bound(self.cloud, test.name, self.dialect)
            self._look_at_binding(bound, network.vlan)
        profile = {key: str(value) for key, value in bound.profile.items()}
        expected = Expected(
            server.id, server.instance, profile.get("pci_slot", ""), profile.get("pci_vendor_info", ""),
            bound.mac, network.vlan,
        )  # fmt: skip
        self._look_at_host(bound.host, expected)
        self._look_into_guest(expected)

    def _look_at_binding(self, bound: BoundPort, vlan: int) -> None:
        for row in self.dialect.judge(bound):
            is_right, words = row.verdict is BindingVerdict.RIGHT, f"{row.value}: {row.meaning}"
            unknown = Check(row.id, f"binding {row.name}", Result.NOT_MADE, words)
            made = check(row.id, f"binding {row.name}", is_right, words)
            self._add(unknown if row.verdict is BindingVerdict.UNKNOWN else made)
        name, words = f"the VLAN is {vlan} in network and binding", f"the network has {bound.vlan}"
        self._add(check("vf-vlan-differs", name, bound.vlan == vlan, words))

    def _look_at_host(self, host: str, expected: Expected) -> None:
        try:
            found = host_checks.of_host(self.ask_host(host, host_checks.question(expected)), expected)
        except SriovError as error:
            names = (host_checks.IN_DOMAIN, host_checks.ON_LINK)
            found = tuple(not_made(name, error.message) for name in names)
        for each in found:
            self._add(each)

    def _look_into_guest(self, expected: Expected) -> None:
        deadline = time.monotonic() + self.test.guest_seconds
        self.watch("waiting for the guest's console")
        try:
            while True:
                with cloud_errors("reading the console of the VM"):
                    answer = self.cloud.compute.get_server_console_output(expected.server_id)
                console = str(answer.get("output") or "")
                if host_checks.END_MARK in console or time.monotonic() > deadline:
                    self._add(host_checks.of_guest(console, expected))
                    return
                time.sleep(min(5.0, self.waits.pause * 3))
        except CloudError as error:
            self._add(not_made(host_checks.IN_GUEST, error.message))

    @contextlib.contextmanager
    def _checking(self, name: str) -> Iterator[None]:
        """A failure of this step is a failed check, and ends the run: the next steps stand on it."""
        self._begun = time.monotonic()
        self.watch(name)
        try:
            yield
        except servers.ServerError as error:
            self._add(Check(error.id, name, Result.FAILED, f"{error.message}{self.explain(error)}"))
            raise _StopError from None
        except SriovError as error:
            self._add(Check(error.id, name, Result.FAILED, str(error)))
            raise _StopError from None

    def _add(self, made: Check) -> None:
        now = time.monotonic()
        self.checks.append(dataclasses.replace(made, seconds=now - self._begun))
        self._begun = now

    def _clean_up(self) -> None:
        """Server, port, network; each is tried although another failed, and what is left is named."""
        with shielded_from_signals():
            self._take_away()

    def _take_away(self) -> None:
        left = []
        self._begun = time.monotonic()
        self.watch("cleaning up")
        for what, act in (
            ("VM", lambda: servers.delete(self.cloud, self.test.name, self.watch, self.waits)),
            ("port", self._delete_port),
            ("network", self._delete_network),
        ):
            try:
                act()
            except SriovError as error:
                left.append(f"the {what} {self.test.name} ({error.message})")
        words = f"left behind: {'; '.join(left)}" if left else "VM, port and network are gone"
        self.watch(words)  # of an interrupted run this is all that is told
        self._add(check("smoke-left-behind", "nothing is left behind", not left, words))

    def _delete_port(self) -> None:
        port = ports.find(self.cloud, self.test.name)
        if port is not None:
            ports.delete(self.cloud, port.id)

    def _delete_network(self) -> None:
        with cloud_errors(f"looking for the network {self.test.name}"):
            network = self.cloud.network.find_network(self.test.name)
        if network is not None:
            networks.delete(self.cloud, network.id)

    _begun: float = 0.0


class _StopError(Exception):
    """The rest of a run has nothing to stand on."""


def choose(cloud: Connection, image: str, flavor: str) -> tuple[str, str]:
    """Ids of image and flavor: as named, else of the smallest active image, and of the smallest flavor that it fits.

    Raises CloudError if there is none.
    """
    with cloud_errors("looking for an image and a flavor"):
        images = [found for found in cloud.image.images(status="active") if image in ("", found.name, found.id)]
        flavors = [found for found in cloud.compute.flavors() if flavor in ("", found.name, found.id)]
    if not images:
        message = f"there is no active image {image}".rstrip()
        raise CloudError("not-in-cloud", message, hint="`openstack image list` shows them")
    chosen = min(images, key=lambda found: (found.size or 0, str(found.name)))
    fitting = [
        found
        for found in flavors
        if flavor or (found.ram >= (chosen.min_ram or 0) and (not found.disk or found.disk >= (chosen.min_disk or 0)))
    ]
    if not fitting:
        raise CloudError(
            "not-in-cloud",
            f"there is no flavor {flavor}".rstrip() + f" for the image {chosen.name}",
            hint="`openstack flavor list` shows them; name one with --flavor",
        )
    smallest = min(fitting, key=lambda found: (found.ram, found.vcpus, found.disk or 0, str(found.name)))
    return str(chosen.id), str(smallest.id)  # several may have one name
