"""Options of nova in the environment of its services beat the files; other variables are never told."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest
from oslo_config import cfg
from planned_host import BARE, ETH0, request
from shells import SHELLS, fake, words_of

from sriov.facts.model import Facts, Unit
from sriov.facts.parser import parse
from sriov.formats.nova.starting.environment import variables
from sriov.model import Role
from sriov.planning import plan
from sriov.planning.probe import functions, look
from sriov.resources.contract import Severity

UNIT = Unit("nova-compute", True, "active", "enabled", started_at=10.0)
SECRET = "s3cr3t-of-a-service"


def said(environment: tuple[str, ...], release: str = "26.2.1") -> list[tuple[str, str, Severity]]:
    facts = BARE._replace(units=(UNIT._replace(environment=environment),), nova_versions=(release,))
    found = plan.make(request(ETH0), facts).problems
    return [(one.id, one.message.split()[0], one.severity) for one in found]


@pytest.mark.parametrize("name", ["OS_PCI__DEVICE_SPEC", "OS_FILTER_SCHEDULER__ENABLED_FILTERS"])
def test_option_of_ours_in_the_environment_is_reported(name: str) -> None:
    assert said((name,)) == [("option-in-environment", name, Severity.WARNING)]


@pytest.mark.parametrize(
    ("name", "release"),
    [("OS_PCI__DEVICE_SPEC", "23.0.0"), ("OS_PCI__PASSTHROUGH_WHITELIST", "26.0.0"), ("OS_PCI__DEVICE_SPEC", "18.0.0")],
)
def test_name_that_the_release_does_not_take_is_not_reported(name: str, release: str) -> None:
    assert said((name,), release) == []


def test_option_of_no_concern_is_not_reported() -> None:
    assert said(("OS_DEFAULT__DEBUG", "OS_API__AUTH_STRATEGY")) == []


@pytest.mark.parametrize(
    ("unit", "role", "name"),
    [
        ("neutron-sriov-nic-agent", Role.COMPUTE, "OS_SRIOV_NIC__PHYSICAL_DEVICE_MAPPINGS"),
        ("neutron-sriov-agent", Role.COMPUTE, "OS_SRIOV_NIC__EXCLUDE_DEVICES"),
        ("neutron-server", Role.OPENSTACK, "OS_ML2__MECHANISM_DRIVERS"),
        ("neutron-rpc-server", Role.OPENSTACK, "OS_ML2_TYPE_VLAN__NETWORK_VLAN_RANGES"),
    ],
)
@pytest.mark.parametrize("backend", ["ml2", "contrail"])
def test_option_of_neutron_is_reported_under_ml2(unit: str, role: Role, name: str, backend: str) -> None:
    asked = request(ETH0, roles=frozenset({role}))
    bed = asked.testbed._replace(network_backend=backend)
    unit_seen = UNIT._replace(name=unit, environment=(name, "OS_ML2__TYPE_DRIVERS"))
    facts = BARE._replace(units=(UNIT, unit_seen), nova_versions=("26.2.1",))
    found = plan.make(asked._replace(testbed=bed), facts).problems
    warned = [(one.target, one.message.split()[0]) for one in found if one.id == "option-in-environment"]
    assert warned == ([(unit, name)] if backend == "ml2" else [])


def test_environment_beats_the_file_as_oslo_reads_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (name,) = (name for name, option in variables(34).items() if option.key == "enabled_filters")
    monkeypatch.setenv(name, "A,B")
    (tmp_path / "nova.conf").write_text("[filter_scheduler]\nenabled_filters = C\n")
    conf = cfg.ConfigOpts()
    conf(["--config-file", str(tmp_path / "nova.conf")])
    conf.register_opt(cfg.ListOpt("enabled_filters"), group="filter_scheduler")
    assert conf.filter_scheduler.enabled_filters == ["A", "B"]


# --- the probe ---


def probed(shell: str, root: Path, shown: str) -> tuple[bytes, Facts]:
    """A host whose `systemctl` answers so."""
    (root / "shown").write_text(shown)
    fake(root, "systemctl", f"cat {root}/shown")
    asked = request(ETH0, roles=frozenset({Role.COMPUTE}))
    script = f"nonce=00ff\n{functions(asked)}PATH={root}/bin:$PATH\nnet={root}/net\n{look(asked, own_lock=True)}"
    done = subprocess.run(
        [*words_of(shell), "-c", script], capture_output=True, timeout=60, check=False, env={**os.environ}
    )
    return done.stdout, parse(done.stdout, "00ff", "host")


@pytest.mark.parametrize("shell", SHELLS)
def test_probe_tells_names_of_options_and_no_other_value(shell: str, tmp_path: Path) -> None:
    running = {"A": "1\nx", "OS_PCI__DEVICE_SPEC": SECRET, "OS_PASSWORD": SECRET, "Z": f"{SECRET} OS_X__Y=1"}
    (tmp_path / "env file").write_text(f"# x\nOS_FILTER_SCHEDULER__ENABLED_FILTERS='{SECRET}'\nPASSWORD={SECRET}\n")
    with subprocess.Popen(["sleep", "9"], env={"PATH": os.environ["PATH"], **running}) as process:
        shown = (
            f'MainPID={process.pid}\nEnvironment=TOKEN={SECRET} "OS_PCI__REPORT_IN_PLACEMENT=tr ue" * X=1\n'
            f"EnvironmentFiles={tmp_path}/env file (ignore_errors=yes)\n"
            "Id=nova-compute.service\nLoadState=loaded\nActiveState=active\n\n"
            "MainPID=0\nId=sriov-vfs-eth0.service\nLoadState=loaded\nActiveState=active\n"
        )
        output, facts = probed(shell, tmp_path, shown)
        process.terminate()
    assert [(unit.name, set(unit.environment)) for unit in facts.units] == [
        (
            "nova-compute",
            {"OS_PCI__DEVICE_SPEC", "OS_PCI__REPORT_IN_PLACEMENT", "OS_FILTER_SCHEDULER__ENABLED_FILTERS"},
        ),
        ("sriov-vfs-eth0", set()),
    ]
    assert SECRET.encode() not in output
    assert SECRET not in repr(facts)
