"""`python -m sriov.simulation up`: a fleet to rehearse on, in the foreground; `demo`: the whole job on one."""

from __future__ import annotations

import argparse
import signal
import sys
from pathlib import Path
from types import FrameType

from ..errors import SriovError, UsageError, tagged
from . import demo
from .fleet.fleet import Fleet
from .spec import Cpu, Family, HostSpec

HOSTS = "openstack1,compute1,compute2,compute3"
RELEASES = range(14, 35)  # nova's major numbers that a host can have


def spec_of(name: str, *, release: int = 26, family: Family = "debian", cpu: Cpu = "intel") -> HostSpec:
    """The role is told by the name: `openstack…`, `compute…`, `all…`. Raises UsageError for another one."""
    roles = {"openstack": ("openstack",), "compute": ("compute",), "all": ("openstack", "compute")}
    for prefix, found in roles.items():
        if name.startswith(prefix):
            return HostSpec(name, roles=found, release=release, family=family, cpu=cpu)
    raise UsageError(
        "simulation-call", f"the name {name!r} does not say the role", hint=f"begin it with one of {', '.join(roles)}"
    )


def up(arguments: argparse.Namespace) -> int:
    """Run the fleet until SIGTERM or Ctrl-C."""
    specs = [
        spec_of(name, release=arguments.release, family=arguments.family, cpu=arguments.cpu)
        for name in arguments.hosts.split(",")
    ]
    for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
        signal.signal(number, _leave)
    with Fleet(specs, arguments.directory) as fleet:
        (fleet.directory / "testbed.py").write_text(fleet.testbed(demo.stanza(specs)))
        environment = f"SRIOV_KNOWN_HOSTS={fleet.known_hosts_path} SRIOV_SSH_CONFIG={fleet.ssh_config_path}"
        print(f"ready {environment} SRIOV_TESTBED={fleet.directory}/testbed.py", flush=True)
        signal.pause()
    return 0


def _leave(_number: int, _frame: FrameType | None) -> None:
    sys.exit(0)  # through the context manager, which ends the fleet


def parser() -> argparse.ArgumentParser:
    top = argparse.ArgumentParser(prog="python -m sriov.simulation", description=__doc__)
    verbs = top.add_subparsers(dest="verb", required=True)
    command = verbs.add_parser("up", help="run simulated hosts until SIGTERM or Ctrl-C")
    command.add_argument("--hosts", default=HOSTS, help="names; the role is how a name begins (default: %(default)s)")
    command.add_argument("--directory", type=Path, required=True, help="where testbed.py, known_hosts and keys go")
    command.add_argument("--release", type=int, choices=RELEASES, default=26, metavar="N", help="nova's, 14 to 34")
    command.add_argument("--family", choices=("debian", "rhel"), default="debian")
    command.add_argument("--cpu", choices=("intel", "amd", "arm"), default="intel")
    command.set_defaults(run=up)
    verbs.add_parser("demo", help="plan, setup_all, status, and again, on four hosts").set_defaults(run=demo.run)
    return top


def main() -> int:
    arguments = parser().parse_args()
    try:
        return int(arguments.run(arguments))
    except SriovError as error:
        print(tagged(f"error: {error}", error.id), file=sys.stderr)
        return error.exit_code


if __name__ == "__main__":
    sys.exit(main())
