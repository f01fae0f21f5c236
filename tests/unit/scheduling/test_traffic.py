"""The counters of a host, joined with what the testbed, nova's whitelist, the host and the cloud say of each VF."""

from __future__ import annotations

import io

from planned_host import ETH0, converged, request

from sriov.cloud.drift import Claim, CloudView, Server
from sriov.facts.counters import PortCounters, Reading, Source, Traffic, VfCounters
from sriov.facts.model import Facts, Holder, HolderKind
from sriov.report.printer import Printer
from sriov.report.traffic import show_statistics
from sriov.report.traffic_documents import statistics_document
from sriov.run.outcome import Outcome, Status
from sriov.scheduling.traffic import Statistics, Tenant, VfTraffic, join

PCI = "0000:01:00.0"


def port(uptime: float, *numbers: int) -> VfCounters:
    """The first VF, whose bytes were read so often, a second apart."""
    readings = (Reading(uptime + n, Traffic(number, 1), Traffic(0, 0)) for n, number in enumerate(numbers))
    return VfCounters(0, Source.PORT, tuple(readings))


def seen(*vfs: VfCounters, notes: tuple[str, ...] = ()) -> Facts:
    """The first VF has a guest, the second one a driver that hides it, the third one none."""
    facts = converged()
    held = facts.ports[0].vfs[0]._replace(holder=Holder(HolderKind.GUEST, "instance-00000001"), driver="vfio-pci")
    hidden, bare = (facts.ports[0].vfs[n]._replace(driver=driver) for n, driver in ((1, "vfio-pci"), (2, "")))
    eth0 = facts.ports[0]._replace(vfs=(held, hidden, bare, *facts.ports[0].vfs[3:]))
    return facts._replace(ports=(eth0,), counters=(PortCounters(PCI, "eth0", vfs, notes),))


def joined(facts: Facts, interval: int = 0, view: CloudView | None = None) -> Statistics:
    asked = request(ETH0)
    return join([(asked, facts)], interval, None if view is None else view.tenants([asked.host]))


def vfs_of(found: Statistics) -> tuple[VfTraffic, ...]:
    return found.hosts[0].ports[0].vfs


def test_vf_without_counters_says_where_it_is() -> None:
    away = VfCounters(3, is_away=True)
    reasons = [vf.reason for vf in vfs_of(joined(seen(port(1.0, 5), away, VfCounters(4, interface="eth0v4"))))]
    assert reasons[:6] == [
        "",
        "vfio-pci has it, so only its user can count",
        "it has no driver",
        "its network device is in another network namespace",
        "eth0v4 gives none either",
        "the host has no network device of it (driver igbvf)",
    ]


def test_physical_network_is_that_of_testbed_and_whitelist_once() -> None:
    assert {vf.physnets for vf in vfs_of(joined(seen()))} == {("physnet1",)}


def test_users_are_those_of_the_host_and_of_the_cloud() -> None:
    facts = seen(port(1.0, 5))
    claims = (
        Claim("a", facts.ports[0].vfs[0].pci_address, "port1", "physnet1", "id-1"),
        Claim("a", facts.ports[0].vfs[0].pci_address, "port2", "physnet1"),
        Claim("b", facts.ports[0].vfs[1].pci_address, "port3", "physnet1"),
    )
    view = CloudView(claims, {"id-1": Server("vm1", "a")}, known={"a": request(ETH0).host})
    first, second, *_ = vfs_of(joined(facts, view=view))
    assert first.tenants == (Tenant("port1", "vm1"), Tenant("port2"))
    assert first.users == ("libvirt domain instance-00000001", "port port1 of VM vm1", "port port2")
    assert second.tenants == ()
    assert vfs_of(joined(facts))[0].tenants is None


def test_port_that_was_not_read_has_a_note_and_no_numbers() -> None:
    [eth0] = joined(seen()._replace(counters=())).hosts[0].ports
    assert (eth0.interface, eth0.notes) == ("eth0", ("its VFs appeared while the host was read: ask again",))
    assert {vf.counters.source for vf in eth0.vfs} == {Source.NONE}


def shown(found: Statistics, *outcomes: Outcome) -> list[str]:
    out = io.StringIO()
    show_statistics(found, outcomes, Printer(out))
    return out.getvalue().splitlines()


def test_screen_shows_exact_numbers_below_each_other_and_a_reset() -> None:
    lines = shown(joined(seen(port(1.0, (1 << 53) + 1, (1 << 53) + 1501), notes=("a note",)), 1))
    assert lines[2].split()[3:11] == ["PF", "rx", "9,007,199,254,742,493", "1", *"----"]
    assert lines[2].split()[11:] == ["1,500", "0", "libvirt", "domain", "instance-00000001"]
    assert lines[1].index("bytes") + len("bytes") == lines[2].index("742,493") + len("742,493")
    assert "note eth0: a note" in lines
    assert shown(joined(seen(port(1.0, 9, 5)), 1))[2].split()[-5:-3] == ["reset", "reset"]
    assert not any("-1" in line for line in shown(joined(seen(port(1.0, 9, 5)), 1))[2:4])


def test_document_holds_numbers_and_null_where_there_are_none() -> None:
    asked = request(ETH0)
    found = joined(seen(port(1.0, 9, 5)), 1)
    read = statistics_document("testbed.py", 0, found, [Outcome(asked, Status.UNCHANGED)])
    first, second, *_ = read["hosts"][0]["ports"][0]["vfs"]
    assert first["per_second"] == {"seconds": 1.0, "reset": True, "receive": None, "transmit": None}
    assert first["receive"] == {
        "bytes": 5, "packets": 1, "dropped": None, "errors": None, "broadcast": None, "multicast": None,
    }  # fmt: skip
    assert (second["source"], second["receive"], second["per_second"], second["uptime"]) == ("none", None, None, None)


def test_host_that_did_not_answer_is_said_so() -> None:
    found = join([(request(ETH0), None)])
    assert found.hosts[0].is_silent
    assert shown(found)[0] == "root@a  no answer"
