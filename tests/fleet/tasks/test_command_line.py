"""What an operator types besides setup_all, and what a program reads: the tasks, their JSON, their exit codes."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Mapping
from typing import Any

import pytest
from conftest import CHECKOUT, FAB, Operator, Visit

from sriov import testbed
from sriov.report import documents as report
from sriov.simulation import Fleet, HostSpec

SEVEN = [
    {"interface": "eth0", "VF": 7, "physnets": ["physnet1"]},
    {"pci": "0000:01:00.1", "VF": 6, "physnets": ["physnet2", "physnet3"], "exclude_vfs": [0]},
]
BEDS = {"compute1": SEVEN, "both": [{"mac": "52:54:00:12:34:56", "VF": 7, "physnets": ["physnet1"]}]}
TASKS = (
    "setup_all",
    "add_vrouter_node",
    "setup_openstack_node",
    "setup_sriov_node",
    "plan",
    "verify",
    "status",
    "discover",
)


@pytest.fixture(scope="module")
def hosts() -> tuple[HostSpec, ...]:
    return (HostSpec("compute1"), HostSpec("both", roles=("compute", "openstack"), release=31))


@pytest.fixture(scope="module")
def pending(operator: Operator) -> Visit:
    operator.write(BEDS)
    return operator.fab("setup_all:reboot=False")


def reader_of(document: Mapping[str, Any], kind: Any) -> None:
    """The keys of a document are those that docs/json.md promises, in that order."""
    assert list(document) == list(kind.__annotations__)
    page = (CHECKOUT / "docs/json.md").read_text()
    for key in document:
        assert f"`{key}`" in page, key


def test_reboot_that_is_not_allowed_is_left_and_said(pending: Visit, fleet: Fleet) -> None:
    assert pending.code == 0, pending.said
    assert set(pending.reboots.values()) == {0}
    assert "a reboot is needed and was not allowed" in pending.out
    assert fleet["compute1"].numvfs("eth0") == 7
    assert "iommu" not in fleet["compute1"].cmdline


def test_port_named_by_address_serves_each_network_with_the_vfs_that_exist(pending: Visit, fleet: Fleet) -> None:
    host = fleet["compute1"]
    listed = host.run("for f in /sys/class/net/eth1/device/virtfn*; do echo ${f##*virtfn} $(readlink $f); done")
    existing = {int(n): link[-12:] for n, link in (line.split() for line in listed.stdout.decode().splitlines())}
    assert sorted(existing) == [0, 1, 2, 3, 4, 5]
    text = host.path("/etc/nova/nova.conf").read_text()
    for index, address in existing.items():
        served = [line for line in text.splitlines() if address in line and "physical_network" in line]
        physnet = {0: []}.get(index, ["physnet2" if index < 4 else "physnet3"])
        assert [json.loads(line.split("=", 1)[1])["physical_network"] for line in served] == physnet, index


def test_port_named_by_mac_has_its_vfs(pending: Visit, fleet: Fleet) -> None:
    assert fleet["both"].numvfs("eth0") == 7
    assert '"devname": "eth0"' in fleet["both"].path("/etc/nova/nova.conf").read_text()


def test_verify_ends_with_3_while_a_reboot_is_pending(operator: Operator, pending: Visit) -> None:
    visit = operator.fab("verify")
    assert (visit.code, visit.touched) == (3, frozenset())
    assert "reboot: the kernel command line takes effect with it" in visit.out


def test_node_tasks_bring_only_the_hosts_that_are_named(operator: Operator, fleet: Fleet, pending: Visit) -> None:
    visit = operator.fab(f"add_vrouter_node:{fleet['compute1'].login},{fleet['both'].login}", "--reboot", "never")
    assert visit.code == 0
    assert set(visit.connections.values()) == {1}
    only = operator.fab(f"setup_openstack_node:{fleet['both'].login}")
    assert (only.code, only.connections) == (0, {"compute1": 0, "both": 1})
    assert set(only.reboots.values()) == {0}, "the scheduler's side needs no reboot"


def test_status_shows_each_port_in_one_row(operator: Operator, pending: Visit) -> None:
    visit = operator.fab("status", NO_COLOR="1")
    assert (visit.code, visit.touched) == (0, frozenset())
    row = next(line.split() for line in visit.out.splitlines() if " eth1 " in line)
    assert row[:7] == ["eth1", "0000:01:00.1", "igb", "6", "0", "7", "physnet2"]
    assert "\x1b[" not in visit.said


def test_discovered_stanza_loads_as_a_testbed(operator: Operator, fleet: Fleet, pending: Visit) -> None:
    visit = operator.fab(f"discover:{fleet['compute1'].login},{fleet['both'].login}")
    assert (visit.code, visit.touched) == (0, frozenset())
    assert visit.out.startswith("env.sriov = {")
    operator.write({}, visit.out)
    bed = testbed.load(operator.bed)
    operator.write(BEDS)
    assert [[pf.label for pf in host.physical_functions] for host in bed.hosts] == [["eth0", "eth1"]] * 2
    assert {pf.num_vfs for host in bed.hosts for pf in host.physical_functions} == {7}


@pytest.mark.parametrize("task", TASKS)
def test_json_is_all_that_stands_on_stdout(operator: Operator, fleet: Fleet, pending: Visit, task: str) -> None:
    hosts = f":{fleet['both'].login}" if task == "discover" or task.endswith("_node") else ""
    visit = operator.fab(
        f"{task}{hosts}", "--json", *(("--reboot", "never") if task.startswith(("set", "add")) else ())
    )
    document = visit.document
    assert document["task"] == task
    reader_of(document, report.RunDocument)
    if task not in ("status", "discover"):
        assert document["exit_code"] == visit.code
    for host in document["hosts"]:
        reader_of(host, report.HostDocument)
        for port in host["ports"]:
            reader_of(port, report.PortDocument)


def test_json_of_a_plan_holds_its_changes_and_problems(operator: Operator, pending: Visit) -> None:
    operator.write({"compute1": [{**SEVEN[0], "VF": 5}, {**SEVEN[0], "interface": "eth9"}]})
    document = operator.fab("plan", "--json").document
    operator.write(BEDS)
    host = next(host for host in document["hosts"] if host["changes"] and host["problems"])
    reader_of(host["changes"][0], report.ChangeDocument)
    reader_of(host["problems"][0], report.ProblemDocument)
    assert document["exit_code"] == 2


def test_json_of_an_error_is_a_document_too(operator: Operator) -> None:
    visit = operator.fab("setup_all", "--json", "--testbed", "/nowhere/testbed.py", testbed=False)
    assert visit.code == 2
    error = visit.document["error"]
    assert (error["kind"], visit.document["exit_code"]) == ("TestbedError", 2)
    assert "/nowhere/testbed.py" in error["message"]


def test_list_and_help_name_every_task_and_option(operator: Operator) -> None:
    listed = operator.fab("--list", testbed=False)
    assert listed.code == 0
    for task in TASKS:
        assert f"  {task} " in listed.out
    told = operator.fab("--help", "setup_all", testbed=False)
    for option in ("--testbed", "--json", "--jobs", "--reboot", "--max-unavailable", "--accept-new-host-keys"):
        assert option in told.out


@pytest.mark.parametrize(
    ("typed", "word", "offered"),
    [
        ("fab set", "set", ["setup_all", "setup_openstack_node", "setup_sriov_node"]),
        ("fab plan --j", "--j", ["--jobs", "--json"]),
    ],
)
def test_bash_completes_tasks_and_options(typed: str, word: str, offered: list[str]) -> None:
    program = f"""
        eval "$(fab --print-completion-script bash)"
        COMP_WORDS=({typed})
        _complete_fab fab {word}
        printf '%s\\n' "${{COMPREPLY[@]}}"
    """
    path = f"{FAB.parent}:{os.environ['PATH']}"
    ended = subprocess.run(
        ["bash", "-c", program], cwd=CHECKOUT, env={**os.environ, "PATH": path}, capture_output=True, text=True
    )
    assert (sorted(ended.stdout.split()), ended.stderr) == (offered, "")


def test_report_that_cannot_be_written_is_told_without_a_traceback(operator: Operator, pending: Visit) -> None:
    environment = {**os.environ, "HOME": str(operator.home), "PYTHONDONTWRITEBYTECODE": "1"}
    words = [str(FAB), "plan", "--testbed", str(operator.bed)]
    with open("/dev/full", "w") as full:
        found = subprocess.run(words, cwd=CHECKOUT, stdout=full, stderr=subprocess.PIPE, text=True, env=environment)
    assert found.returncode == 1
    assert "the report could not be written: No space left on device" in found.stderr
    assert "Traceback" not in found.stderr
    assert "Exception ignored" not in found.stderr
