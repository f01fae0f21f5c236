"""What people read of virtual routers: each finding with its id, and what was registered in words."""

from __future__ import annotations

import io

from sriov.cloud.virtual_routers.objects import VirtualRouter
from sriov.cloud.virtual_routers.pairs import PairChange
from sriov.cloud.virtual_routers.registration import HostPairs, Registration
from sriov.errors import CloudError
from sriov.model import Host
from sriov.report.printer import Printer
from sriov.report.virtual_routers import registration_document, show_registration, show_side, side_document
from sriov.scheduling.capacity import Orphan, VirtualRouterSide

HOST = Host("root@a", "a")
MISSING = Orphan("virtual-router-missing", HOST, "virtual-router", "there is none", "provision it")
SILENT = CloudError("contrail-silent", "no answer", hint="look")
CHANGES = (PairChange("physnet1", "eth0", None), PairChange("physnet2", "eth1", "eth7\x1b[2J"))
PAIRS = HostPairs(HOST, VirtualRouter("u", "compute1"), (), CHANGES)


def said(found: Registration) -> list[str]:
    out = io.StringIO()
    show_registration(found, Printer(out))
    return out.getvalue().splitlines()


def test_side_names_each_difference_as_a_warning_or_says_why_there_is_none() -> None:
    out = io.StringIO()
    show_side(VirtualRouterSide((MISSING,)), Printer(out))
    show_side(VirtualRouterSide(error=SILENT), Printer(out))
    show_side(None, Printer(out))
    assert out.getvalue().splitlines() == [
        "warning root@a: virtual-router: there is none [virtual-router-missing]",
        "    -> provision it",
        "Contrail's virtual routers were not asked (no answer)",
    ]
    assert side_document(VirtualRouterSide(error=SILENT)) == {"asked": False, "reason": "no answer", "differences": []}


def test_registration_says_what_is_replaced_and_what_failed() -> None:
    written = PAIRS._replace(is_written=True)
    assert said(Registration((written, PAIRS), (MISSING,), (HOST,), ((None, SILENT), (HOST, SILENT)))) == [
        "registered root@a: virtual-router compute1: physnet1 on eth0, physnet2 on eth1 in place of eth7?[2J",
        "to register root@a: virtual-router compute1: physnet1 on eth0, physnet2 on eth1 in place of eth7?[2J",
        "warning root@a: virtual-router: there is none [virtual-router-missing]",
        "    -> provision it",
        "not registered root@a: a run of the host must succeed first, with its reboot",
        "error Contrail: no answer [contrail-silent]",
        "    -> look",
        "error root@a: no answer [contrail-silent]",
        "    -> look",
    ]


def test_registration_with_nothing_to_do_is_one_line() -> None:
    assert said(Registration()) == ["virtual routers: as wanted"]


def test_hosts_that_were_left_out_are_counted_where_they_are_many() -> None:
    assert "root@a and 3 more: " in said(Registration(left_out=(HOST,) * 8))[0]


def test_document_of_a_registration_has_all_of_it() -> None:
    found = registration_document(Registration((PAIRS,), (MISSING,), (HOST,), ((None, SILENT),)))
    assert found["hosts"] == [
        {"host": "root@a", "name": "compute1", "done": False, "changes": [
            {"physical_network": "physnet1", "interface": "eth0", "found": None},
            {"physical_network": "physnet2", "interface": "eth1", "found": "eth7?[2J"},
        ]}
    ]  # fmt: skip
    assert found["left_out"] == ["root@a"]
    error = {"host": None, "id": "contrail-silent", "kind": "CloudError", "message": "no answer", "hint": "look"}
    assert found["errors"] == [error]
