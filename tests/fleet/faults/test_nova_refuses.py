"""A simulated host with a real nova: what that refuses is not put in place, and the service runs on."""

from __future__ import annotations

import subprocess

import nova_judge
import pytest
from conftest import Operator

from sriov.simulation import HostSpec

pytestmark = [pytest.mark.nova, pytest.mark.slow]
NOVA_CONF = "/etc/nova/nova.conf"
PROGRAM = "/opt/nova/nova-compute"
SECRET = "planted-in-an-environment"
UNIT = f"""[Service]
Environment=OS_PCI__REPORT_IN_PLACEMENT=false TOKEN={SECRET}
ExecStart={PROGRAM} --config-file {NOVA_CONF}
[Install]
WantedBy=multi-user.target
"""


@pytest.fixture(scope="module")
def hosts() -> tuple[HostSpec, ...]:
    python = nova_judge.python()
    ask = "import sys; print(sys.prefix); print(sys.base_prefix)"
    prefixes = subprocess.run([python, "-c", ask], stdout=subprocess.PIPE, text=True, check=True).stdout.split()
    shared = tuple(path for path in prefixes if not path.startswith("/usr"))
    files = {
        "/etc/systemd/system/nova-compute.service": UNIT.encode(),
        PROGRAM: f"#!{python}\n".encode(),
    }
    return tuple(HostSpec(name, files=files, shared=shared, release=34) for name in ("refused", "taken"))


@pytest.fixture(scope="module", autouse=True)
def testbed(operator: Operator) -> None:
    operator.write(
        {host.name: [{"interface": "eth0", "VF": 7, "physnets": ["physnet1"]}] for host in operator.fleet.hosts}
    )


def test_file_that_nova_refuses_is_not_put_in_place(operator: Operator) -> None:
    host = operator.fleet["refused"]
    # no check of ours knows this one
    with host.path(NOVA_CONF).open("ab") as file:
        file.write(b"\n[DEFAULT]\nservice_down_time = soon\n")
    before = host.path(NOVA_CONF).read_bytes()
    visit = operator.fab(f"add_vrouter_node:{host.login}", "--reboot", "never")
    assert visit.code == 1
    assert "nova-refuses-file" in visit.said
    assert "[DEFAULT] service_down_time: ConfigFileValueError" in visit.said
    assert host.path(NOVA_CONF).read_bytes() == before
    assert visit.restarted["refused"] == ()
    assert host.numvfs("eth0") == 0


def test_file_that_nova_takes_is_put_in_place_without_a_note(operator: Operator) -> None:
    host = operator.fleet["taken"]
    visit = operator.fab(f"add_vrouter_node:{host.login}", "--reboot", "never")
    assert b"physnet1" in host.path(NOVA_CONF).read_bytes()
    assert "nova-not-asked" not in visit.said
    assert "OS_PCI__REPORT_IN_PLACEMENT" in visit.said
    assert SECRET not in visit.said
