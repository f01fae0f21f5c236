"""The whole job on four simulated hosts, told as it goes: what `make demo` runs."""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from .. import layout
from .fleet.fleet import Fleet
from .spec import HostSpec

HOSTS = (HostSpec("openstack1", roles=("openstack",)), HostSpec("compute1"), HostSpec("compute2"), HostSpec("compute3"))


class Step(NamedTuple):
    """What is said, the task that is run, and the exit codes that are in order."""

    text: str
    task: str
    good: tuple[int, ...] = (0,)


STEPS = (
    Step("What would change? `fab plan` looks, and touches nothing.", "plan", (0, 3)),
    Step("Now do it: `fab setup_all`. The compute hosts reboot: their kernels need new arguments.", "setup_all"),
    Step("How does it stand? `fab status`", "status"),
    Step("Once more: a second `fab setup_all` finds nothing to do.", "setup_all"),
)


def stanza(specs: Sequence[HostSpec]) -> dict[str, list[dict[str, object]]]:
    """`env.sriov` for all compute hosts: seven VFs on each port."""
    return {
        spec.name: [
            {"interface": nic.interface, "VF": 7, "physnets": [f"physnet{number}"]}
            for number, nic in enumerate(spec.nics, 1)
        ]
        for spec in specs
        if "compute" in spec.roles
    }


def run(_arguments: argparse.Namespace) -> int:
    """Exit code 0 if every step ended as it should."""
    say("Starting four simulated hosts: one controller, three compute nodes with two SR-IOV ports each.")
    with Fleet(HOSTS) as fleet:
        testbed = fleet.directory / "testbed.py"
        testbed.write_text(fleet.testbed(stanza(HOSTS)))
        say("This is the testbed, the only thing that an operator writes:")
        print(testbed.read_text())
        environment = {
            **os.environ,
            "SRIOV_TESTBED": str(testbed),
            "SRIOV_KNOWN_HOSTS": str(fleet.known_hosts_path),
            "SRIOV_SSH_CONFIG": str(fleet.ssh_config_path),
        }
        return next((code for code in (step(told, environment) for told in STEPS) if code), 0)


def step(told: Step, environment: Mapping[str, str]) -> int:
    """0, or the exit code of a step that did not end as it should."""
    say(told.text)
    fab = Path(sys.executable).with_name("fab")
    command = [str(fab) if fab.exists() else "fab", "-r", str(layout.root()), told.task]
    code = subprocess.run(command, env=environment, check=False).returncode
    return 0 if code in told.good else code


def say(text: str) -> None:
    print(f"\n=== {text}\n", flush=True)
