"""Verdicts on a port's binding, and on what host and guest say of a VF; and what a smoke run writes of them."""

from __future__ import annotations

import dataclasses
import xml.etree.ElementTree as ElementTree

import pytest

from sriov.cloud import checks, host_checks
from sriov.cloud.checks import Result
from sriov.cloud.dialects.binding import BindingVerdict, BoundPort
from sriov.cloud.dialects.ml2 import Ml2
from sriov.cloud.host_checks import Expected

# as neutron 29 showed it for a VM of the test cloud
PORT = BoundPort(
    status="ACTIVE",
    device_id="0d5b1c1e",
    vnic_type="direct",
    vif_type="hw_veb",
    host="compute1",
    mac="fa:16:3e:e5:27:bc",
    vif_details={"connectivity": "l2", "port_filter": False, "vlan": "100"},
    profile={"pci_vendor_info": "8086:10ca", "pci_slot": "0000:81:10.4", "physical_network": "physnet1"},
    network_type="vlan",
    physnet="physnet1",
    vlan=100,
)
EXPECTED = Expected("0d5b1c1e", "instance-00000001", "0000:81:10.4", "8086:10ca", "fa:16:3e:e5:27:bc", 100)
DOMAIN = """<domain type='kvm' id='1'>
  <name>instance-00000001</name>
  <devices>
    <interface type='hostdev' managed='yes'>
      <mac address='fa:16:3e:e5:27:bc'/>
      <driver name='vfio'/>
      <source>
        <address type='pci' domain='0x0000' bus='0x81' slot='0x10' function='0x4'/>
      </source>
      <vlan>
        <tag id='100'/>
      </vlan>
      <address type='pci' domain='0x0000' bus='0x00' slot='0x05' function='0x0'/>
    </interface>
  </devices>
</domain>
"""
VF_LINE = "    vf 2     link/ether fa:16:3e:e5:27:bc brd ff:ff:ff:ff:ff:ff, vlan 100, spoof checking on, trust off"
OLD_VF_LINE = "    vf 2 MAC fa:16:3e:e5:27:bc, vlan 100, spoof checking on, link-state auto"


def host_said(vf_line: str = VF_LINE, domain: str = DOMAIN) -> str:
    link = "7: ens1f0: <BROADCAST,MULTICAST,UP,LOWER_UP> mtu 1500 qdisc mq state UP mode DEFAULT group default\n"
    return f"@vf ens1f0 2\n{link}{vf_line}\n\n@domain\n{domain}\n@end\n"


def wrong(port: BoundPort) -> list[str]:
    return [row.name for row in Ml2().judge(port) if row.verdict is BindingVerdict.WRONG]


def test_binding_as_nova_and_neutron_made_it_is_right_in_every_part() -> None:
    assert {row.verdict for row in Ml2().judge(PORT)} == {BindingVerdict.RIGHT}


@pytest.mark.parametrize(
    ("change", "part"),
    [
        ({"vnic_type": "normal"}, "vnic_type"),
        ({"network_type": "vxlan"}, "network"),
        ({"vif_type": "binding_failed"}, "vif_type"),
        ({"vif_type": "ovs"}, "vif_type"),
        ({"vif_details": {"vlan": "101"}}, "vif_details vlan"),
        ({"vif_details": {}}, "vif_details vlan"),
        ({"profile": {**PORT.profile, "pci_slot": ""}}, "profile pci_slot"),
        ({"profile": {**PORT.profile, "pci_vendor_info": "8086"}}, "profile pci_vendor_info"),
        ({"profile": {**PORT.profile, "physical_network": "physnet2"}}, "profile physical_network"),
        ({"host": ""}, "host_id"),
        ({"status": "DOWN"}, "status"),
    ],
)
def test_each_wrong_part_of_a_binding_is_named_alone(change: dict[str, object], part: str) -> None:
    assert wrong(dataclasses.replace(PORT, **change)) == [part]  # type: ignore[arg-type]


def test_port_that_nobody_uses_is_neither_right_nor_wrong() -> None:
    unused = dataclasses.replace(PORT, device_id="", vif_type="unbound", vif_details={}, profile={}, host="")
    assert Ml2().judge(unused)[-1].verdict is BindingVerdict.OPEN


@pytest.mark.parametrize("line", [VF_LINE, OLD_VF_LINE])
def test_host_that_shows_the_vf_passes_both_checks(line: str) -> None:
    assert [check.outcome for check in host_checks.of_host(host_said(line), EXPECTED)] == [Result.PASSED] * 2


@pytest.mark.parametrize(
    ("said", "outcomes"),
    [
        (host_said(domain=DOMAIN.replace("id='100'", "id='101'")), (Result.FAILED, Result.PASSED)),
        (host_said(domain=DOMAIN.replace("function='0x4'", "function='0x6'")), (Result.FAILED, Result.PASSED)),
        (host_said(VF_LINE.replace("vlan 100", "vlan 101")), (Result.PASSED, Result.FAILED)),
        (host_said(VF_LINE.replace("27:bc", "27:bd")), (Result.PASSED, Result.FAILED)),
        (host_said(VF_LINE.replace(", vlan 100", "")), (Result.PASSED, Result.FAILED)),
        (host_said(""), (Result.PASSED, Result.NOT_MADE)),
        (host_said(domain="no virsh"), (Result.NOT_MADE, Result.PASSED)),
        (host_said().replace("@vf ens1f0 2", "@vf  "), (Result.PASSED, Result.FAILED)),
        (host_said().replace("@end", ""), (Result.NOT_MADE, Result.NOT_MADE)),
    ],
)
def test_what_a_host_does_not_show_is_failed_or_not_made(said: str, outcomes: tuple[Result, ...]) -> None:
    assert tuple(check.outcome for check in host_checks.of_host(said, EXPECTED)) == outcomes


def test_guest_passes_with_the_device_and_its_address() -> None:
    console = (
        "[ 12.3] boot\r\nsriov-smoke pci 0x8086 0x10ca\r\nsriov-smoke net fa:16:3e:e5:27:bc\r\nsriov-smoke end\r\n"
    )
    assert host_checks.of_guest(console, EXPECTED).outcome is Result.PASSED
    assert host_checks.of_guest(console.replace("10ca", "10c9"), EXPECTED).outcome is Result.FAILED
    assert host_checks.of_guest(console.replace("sriov-smoke end", ""), EXPECTED).outcome is Result.NOT_MADE


def test_junit_counts_what_was_not_made_as_skipped() -> None:
    made = (checks.passed("a", "x"), checks.check("vm-in-error", "b", False, "<&>"), checks.not_made("c", "why"))
    suite = ElementTree.fromstring(checks.junit([("physnet1", made)]))[0]  # noqa: S314 - our own text
    assert {key: suite.get(key) for key in ("tests", "failures", "skipped")} == {
        "tests": "3",
        "failures": "1",
        "skipped": "1",
    }
    assert [case.find(kind) is not None for case, kind in zip(suite, ("system-out", "failure", "skipped"), strict=True)]
    assert suite[1][0].get("message") == "<&>"
