"""What the operator can say: the options of every task and of single ones, read and checked.

Values of the cloud's tasks are judged in `sriov.cloud.wanted`.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from sriov import layout
from sriov.model import Secret

from .fab1 import Parameter, to_bool


class Options(NamedTuple):
    """What the operator said, checked. None and empty mean that nothing was said.

    `hosts`: host strings as typed. `max_unavailable`: `'2'` or `'25%'`. `timeout`: seconds.
    `own`: the task's own parameters that have no field here, by name.
    `identities`, `ssh_config`, `login_password`, `sudo_password` come from Fabric's own options
    (`-i`, `-S`, `--prompt-for-login-password`, `--prompt-for-sudo-password`).
    """

    hosts: tuple[str, ...] = ()
    testbed: str = ""
    json: bool = False
    jobs: int | None = None
    reboot: str = "auto"
    max_unavailable: str = ""
    accept_new_host_keys: bool = False
    debug: bool = False
    log: str = ""
    force_vf_reset: bool = False
    force_version: bool = False
    start_services: bool = False
    reboot_with_instances: bool = False
    timeout: int | None = None
    reboot_timeout: int | None = None
    engine: str = ""
    run: str = ""
    own: Mapping[str, object] = {}
    physnet: str = ""
    count: int | None = None  # type: ignore[assignment] # hides the method of tuples
    identities: tuple[str, ...] = ()
    ssh_config: str = ""
    login_password: Secret | None = None
    sudo_password: Secret | None = None

    @property
    def testbed_path(self) -> Path:
        """`--testbed`, else `$SRIOV_TESTBED`, else `testbeds/testbed.py` here or beside this fabfile."""
        named = self.testbed or os.environ.get("SRIOV_TESTBED", "")
        return Path(named) if named else layout.default_testbed()


def _text(text: str) -> str:
    if not text.strip():
        raise ValueError("it is empty")
    return text


def _count(text: str) -> int:
    if not re.fullmatch(r"[0-9]{1,6}", text) or int(text) == 0:
        raise ValueError("write a whole number from 1")
    return int(text)


def _reboot(text: str) -> str:
    """`auto` or `never`; Fabric 1 calls say `reboot=False`."""
    if text in ("auto", "never"):
        return text
    try:
        return "auto" if to_bool(text) else "never"
    except ValueError:
        raise ValueError("say auto or never (or yes or no)") from None


def _engine(text: str) -> str:
    if not re.fullmatch(r"dask://([A-Za-z0-9_.-]+|\[[0-9A-Fa-f:.]+\]):[0-9]{1,5}", text):
        raise ValueError("write dask://scheduler:8786")
    return text


def _share(text: str) -> str:
    number = _count(text.removesuffix("%"))
    if text.endswith("%") and number > 100:
        raise ValueError("write at most 100%")
    return text


FLAGS = (
    Parameter("testbed", _text, "testbed file; else $SRIOV_TESTBED, else testbeds/testbed.py"),
    Parameter("json", to_bool, "print one JSON document on stdout, nothing else", is_switch=True),
    Parameter("jobs", _count, "work on so many hosts at once"),
    Parameter("reboot", _reboot, "auto (where the kernel command line needs it) or never"),
    Parameter("max_unavailable", _share, "reboot at most so many hosts at once: a number or a share such as 25%"),
    Parameter("accept_new_host_keys", to_bool, "record the keys of hosts not seen before", is_switch=True),
    Parameter("debug", to_bool, "show tracebacks and each step", is_switch=True),
    Parameter("log", _text, "append each step to this file"),
    Parameter("force_vf_reset", to_bool, "change VF counts even where guests hold VFs", is_switch=True),
    Parameter("reboot_with_instances", to_bool, "reboot even hosts on which instances run", is_switch=True),
    Parameter("timeout", _count, "seconds to wait for a host's SSH (10)"),
    Parameter("reboot_timeout", _count, "seconds to wait for a host's return from its reboot (900)"),
    Parameter("engine", _engine, "let the workers of a Dask cluster do it: dask://scheduler:8786 (docs/scale.md)"),
)
PHYSNET = Parameter("physnet", _text, "the physical network that the ports are on")
COUNT = Parameter("count", _count, "so many direct ports for one VM (1)")
INTERVAL = Parameter("interval", _count, "read the counters twice, so many seconds apart: rates per second too")
DRAIN = Parameter("drain", to_bool, "live-migrate instances before a reboot (cloud credentials)", is_switch=True)
FORCE_VERSION = Parameter("force_version", to_bool, "change even hosts that a newer version has set up", is_switch=True)
START_SERVICES = Parameter(
    "start_services", to_bool, "start services even where they are stopped and disabled", is_switch=True
)
REMOVE = Parameter("remove", to_bool, "also take away what the testbed does not ask for any more", is_switch=True)
PREVIEW = Parameter("plan", to_bool, "say what would go; touch nothing", is_switch=True)
PURGE = Parameter("purge", to_bool, "also the copies that rollback puts back (/var/lib/sriov)", is_switch=True)
RUN = Parameter("run", _text, "the run to take back, as the report named it; else the last one")

NAME = Parameter("name", _text, "its name: what has it is found, not made again")
NETWORK = Parameter("network", _text, "the network's name")
PORT = Parameter("port", _text, "a port's name, or a network's: then a port is made in it")
IMAGE = Parameter("image", _text, "the image's name")
FLAVOR = Parameter("flavor", _text, "the flavor's name")
VLAN = Parameter("vlan", _text, "VLAN of the network, 1 to 4094")
CIDR = Parameter("cidr", _text, "its subnet, such as 10.1.0.0/24")
IP = Parameter("ip", _text, "fixed IP address; else neutron chooses")
MAC = Parameter("mac", _text, "MAC address; else neutron chooses")
TRUSTED = Parameter(
    "trusted", to_bool, "the guest may change the VF's MAC address and see all multicast", is_switch=True
)
JUNIT = Parameter("junit", _text, "also write the checks to this file, as JUnit XML")
