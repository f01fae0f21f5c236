"""The text that looks at a host: its header of variables, and what the fixed text makes of them in a shell."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from shells import SHELLS, words_of

from sriov import layout
from sriov.facts.parser import sections
from sriov.model import Host, PhysicalFunction, Role, Testbed
from sriov.planning.probe import counters, functions, look, probe_script
from sriov.rendering.plain import assignments, text_of
from sriov.resources.contract import Request

ROOT = Path(__file__).parents[3]
PORTS = (PhysicalFunction(7, ("a",), interface="eth[01]"), PhysicalFunction(5, ("b",), mac="52:54:00:12:34:56"))
HOST = Host("root@a", "a", physical_functions=PORTS)
COMPUTE = Request(HOST, Testbed("testbed.py", (HOST,)), frozenset({Role.COMPUTE}))


def header(request: Request) -> dict[str, str]:
    """The variables of a look, as a shell reads them."""
    lines = look(request, own_lock=False).removesuffix(text_of("probe.sh"))
    names = [line.partition("=")[0] for line in lines.splitlines()]
    program = lines + "".join(f'printf "%s\\0" "${name}"\n' for name in names)
    values = subprocess.run(["sh", "-uc", program], capture_output=True, text=True, check=True).stdout.split("\0")
    return dict(zip(names, values[:-1], strict=True))


def looked(shell: str, **values: str) -> Iterator[tuple[str, str, bytes]]:
    """The sections that the fixed text prints of this very machine, with these variables and no others."""
    variables = assignments(**dict.fromkeys(header(COMPUTE), "") | values)
    program = f"nonce=n\n{functions(COMPUTE)}{variables}{text_of('probe.sh')}"
    return sections(subprocess.run([*words_of(shell), "-c", program], capture_output=True, check=True).stdout, "n")


def test_header_sets_the_variables_that_the_text_names() -> None:
    named = re.findall(r"^#   (\w+) ", (layout.templates() / "probe.sh").read_text(), re.MULTILINE)
    assert list(header(COMPUTE)) == named


def test_header_says_what_a_compute_host_is_asked() -> None:
    found = header(COMPUTE)
    assert (found["ports"], found["by_address"]) == ("eth[01]", "52:54:00:12:34:56")
    assert found["units"] == "nova-compute.service openstack-nova-compute.service"
    assert found["own_units"] == "/etc/systemd/system/sriov-vfs-*.service"
    assert {"/etc/nova/nova.conf", "/etc/nova/nova-compute.conf.d/*.conf"} < set(found["files"].split())
    assert found["tools"] == "update-grub grubby"
    assert "pcie_aspm" not in found["values"], "no change depends on it"
    assert (found["compute"], found["all_ports"], found["own_lock"], found["manifest"]) == ("yes", "", "", "")


def test_header_of_a_discovery_asks_for_ports_alone() -> None:
    found = header(COMPUTE._replace(roles=frozenset(), all_ports=True))
    assert {name: value for name, value in found.items() if value and name not in ("limit", "needed")} == {
        "all_ports": "yes",
        "holders": "yes",
        "values": "/var/lib/sriov/version /sys/module/pcie_aspm/parameters/policy",
    }


def test_guests_are_looked_for_where_that_is_asked_for() -> None:
    assert "see_domains" not in functions(COMPUTE)
    assert header(COMPUTE)["holders"] == ""
    asked = COMPUTE._replace(ask_holders=True)
    assert "see_domains" in functions(asked)
    assert header(asked)["holders"] == "yes"


def test_rollback_names_its_run_or_the_last_one() -> None:
    assert header(COMPUTE._replace(rollback=""))["manifest"] == "-"
    assert header(COMPUTE._replace(rollback="20261128-0210"))["manifest"] == "20261128-0210"


@pytest.mark.parametrize(("interval", "line"), [(0, "interval=\n"), (5, "interval=5\n")])
def test_counters_are_read_before_the_look_if_they_are_asked_for(interval: int, line: str) -> None:
    asked = COMPUTE._replace(counter_interval=interval)
    assert counters(asked) == line.replace("=\n", "=''\n") + text_of("vf-counters.sh")
    [named] = re.findall(r"^#   (\w+) ", (layout.templates() / "vf-counters.sh").read_text(), re.MULTILINE)
    assert named == "interval"
    text = probe_script(asked, "0").text.decode()
    assert text.index(text_of("vf-counters.sh")) < text.index(text_of("probe.sh"))
    assert counters(COMPUTE) == ""


@pytest.mark.parametrize("shell", ["dash", "bash"])
def test_values_are_read_where_they_are_asked_for(shell: str, tmp_path: Path) -> None:
    for size, number in (("1G", "8\n"), ("2M", "")):
        (tmp_path / f"hugepages-{size}").mkdir()
        (tmp_path / f"hugepages-{size}/nr").write_text(number)
    found = {name: content for name, _, content in looked(shell, values=f"{tmp_path}/hugepages-*/nr {tmp_path}/none")}
    lines = [line for line in found["host"].decode().splitlines() if line.startswith("value=")]
    assert lines == [f"value={tmp_path}/hugepages-1G/nr 8", f"value={tmp_path}/hugepages-2M/nr "]
    assert list(found) == ["host", "end"]


@pytest.mark.parametrize("shell", SHELLS)
@pytest.mark.parametrize(("group_of_vf", "said"), [("7", ["group_shared=7"]), ("8", []), ("", [])])
def test_group_that_a_port_shares_with_its_vfs_is_told(
    shell: str, group_of_vf: str, said: list[str], tmp_path: Path
) -> None:
    for name, group in (("pf", "7"), ("vf", group_of_vf)):
        (tmp_path / name).mkdir()
        (tmp_path / "groups" / group).mkdir(parents=True, exist_ok=True)
        (tmp_path / name / "iommu_group").symlink_to(tmp_path / "groups" / group if group else "nowhere")
    (tmp_path / "pf/vendor").write_text("0x8086\n")
    (tmp_path / "pf/virtfn0").symlink_to(tmp_path / "vf")
    (tmp_path / "net/eth0").mkdir(parents=True)
    (tmp_path / "net/eth0/device").symlink_to(tmp_path / "pf")
    found = {name: content for name, _, content in looked(shell, net=f"{tmp_path}/net", all_ports="yes")}
    assert [line for line in found["port"].decode().splitlines() if line.startswith("group_")][1:] == said


def test_what_is_not_asked_for_is_not_told() -> None:
    found = {name: content for name, _, content in looked("sh", ports="eth[01] *")}
    assert list(found) == ["host", "end"]
    assert b"value=" not in found["host"]


def test_host_as_wanted_costs_no_template_engine() -> None:
    code = (
        "import sys, planned_host as t; from sriov.planning import plan, probe; asked = t.request(t.ETH0)\n"
        "assert not plan.make(asked, t.converged()).changes and probe.probe_script(asked, '0')\n"
        "print('jinja2' in sys.modules)"
    )
    environment = {**os.environ, "PYTHONPATH": f"{ROOT}:{ROOT / 'tests'}"}
    ended = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert ended.stdout == "False\n"
