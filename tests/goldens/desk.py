"""An operator with a fleet and testbeds for some of its hosts, and what `fab` says to them."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from conftest import CHECKOUT, FAB

from sriov.simulation import Fleet

from .book import Book
from .normalise import Normaliser

Entries = Sequence[Mapping[str, object]]

ARGUMENTS = "intel_iommu=on iommu=pt"  # on the command line of hosts whose kernel needs nothing
ETH0 = {"interface": "eth0", "VF": 7, "physnets": ["physnet1"]}
ETH1 = {"interface": "eth1", "VF": 5, "physnets": ["physnet1", "physnet2"], "exclude_vfs": [0]}
BY_ADDRESS = (
    {"pci": "0000:01:00.0", "VF": 7, "physnets": ["physnet1"]},
    {"mac": "52:54:00:12:34:57", "VF": 3, "physnets": ["physnet2"]},
)
ML2 = "env.network_backend = 'ml2'\nenv.vlan_ranges = {'physnet1': '100:199', 'physnet2': ['10:19', '30:39']}\n"


class Desk:
    """`fab` on a fleet, with normalised words."""

    def __init__(self, fleet: Fleet, home: Path) -> None:
        self.fleet = fleet
        self.home = home
        self.bed = home / "testbed.py"
        (home / ".ssh").mkdir(mode=0o700, parents=True)
        shutil.copy(fleet.known_hosts_path, home / ".ssh/known_hosts")
        self.normal = Normaliser(fleet, home)

    def write(self, sriov: Mapping[str, Entries], more: str = "", **logins: str) -> None:
        """A testbed of these hosts only; `logins`: users other than root, by host name."""
        strings = {name: self.fleet[name].login_of(logins.get(name, "root")) for name in sriov}
        roles = {
            role: [strings[name] for name in sriov if role in self.fleet[name].spec.roles]
            for role in ("openstack", "compute")
        }
        entries = {strings[name]: list(ports) for name, ports in sriov.items() if ports}
        self.bed.write_text(
            f"from fabric.api import env\nenv.roledefs = { ({'all': list(strings.values()), **roles})!r}\n"
            f"env.hostnames = { ({'all': list(sriov)})!r}\nenv.key_filename = {str(self.fleet.key_path)!r}\n"
            f"env.sriov = {entries!r}\n{more}"
        )

    def fab(self, *words: str, **environment: str) -> subprocess.CompletedProcess[str]:
        """`{name}` in a word becomes the login of that host."""
        logins = {host.name: host.login for host in self.fleet.hosts}
        for host in self.fleet.hosts:
            host.reset_counts()
        return subprocess.run(
            [str(FAB), *(word.format(**logins) for word in words), "--testbed", str(self.bed)],
            cwd=CHECKOUT,
            env={"PATH": os.environ["PATH"], "LANG": "C.UTF-8", "HOME": str(self.home)} | environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=120,
            start_new_session=True,  # no terminal to ask at
            check=False,
        )

    def document(self, *words: str, **environment: str) -> str:
        """The JSON document of a call, its exit code, and what stood on standard error."""
        ended = self.fab(*words, "--json", **environment)
        return self.normal(f"$ fab {' '.join(words)} --json\n{ended.stdout}$? {ended.returncode}\n{ended.stderr}")

    def words(self, *words: str) -> str:
        """What people read, one stream after the other; one host at a time, so that lines keep their order."""
        ended = self.fab(*words, "--jobs", "1")
        return self.normal(
            f"$ fab {' '.join(words)} --jobs 1\n{ended.stdout}"
            f"--- standard error\n{ended.stderr}--- exit code {ended.returncode}\n"
        )


def side_by_side(fleet: Fleet, home: Path, book: Book, *stories: Callable[[Desk, Book], None]) -> None:
    """Stories about different hosts, each with a desk of its own, at once: half of each is waiting."""
    with ThreadPoolExecutor(len(stories)) as pool:
        told = [pool.submit(story, Desk(fleet, home / story.__name__), book) for story in stories]
        for one in told:
            one.result()
