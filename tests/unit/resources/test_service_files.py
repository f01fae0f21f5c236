"""What a plan says beside the change of a file of nova: its other names, lines of others, that it is too large."""

from __future__ import annotations

from planned_host import BARE, ETH0, NOVA_CONF, converged, request

from sriov.facts.model import VirtualFunction
from sriov.facts.parser import FILE_LIMIT
from sriov.planning import plan
from sriov.resources.contract import Problem

OTHER = ETH0._replace(physnets=("physnet2",))
SECRET = b"password = hunter2\n"


def said(made: plan.Plan, id_: str) -> Problem:
    (problem,) = (problem for problem in made.problems if problem.id == id_)
    return problem


def test_hard_link_is_told_where_the_file_changes() -> None:
    linked = BARE._replace(hard_linked={NOVA_CONF: 2, "/etc/other": 3})
    problem = said(plan.make(request(ETH0), linked), "hard-link")
    assert problem.target == NOVA_CONF
    assert "1 other name (hard links)" in problem.message
    assert plan.make(request(ETH0), converged()._replace(hard_linked={NOVA_CONF: 2})).problems == ()


def test_file_above_the_limit_is_told_with_both_numbers_and_not_written() -> None:
    made = plan.make(request(ETH0), BARE._replace(oversized={NOVA_CONF: FILE_LIMIT + 1}))
    problem = said(made, "file-too-large")
    assert problem in made.impossible
    assert "8,388,609 bytes" in problem.message
    assert "8,388,608 bytes" in problem.message
    assert "nova.conf.d" in problem.hint
    assert NOVA_CONF not in [change.target for change in made.changes]


def test_lines_of_others_in_our_block_are_told_when_they_move_and_not_shown() -> None:
    facts = converged()
    text = facts.files[NOVA_CONF].replace(b"# END", SECRET + b"# END")
    facts = facts._replace(files={**facts.files, NOVA_CONF: text})
    assert plan.make(request(ETH0), facts).is_converged
    made = plan.make(request(OTHER), facts)
    problem = said(made, "lines-in-our-block")
    number = len(text.split(SECRET)[0].splitlines()) + 1
    assert problem.target == f"{NOVA_CONF}:{number}"
    assert "1 line that" in problem.message
    assert problem in made.warnings
    assert "hunter2" not in repr(made)


def test_entry_by_the_name_of_a_vf_is_seen() -> None:
    """nova reads it before ours and takes that VF."""
    facts = converged()
    entry = b'[DEFAULT]\npci_passthrough_whitelist = {"devname": "eth0v0", "physical_network": "physnet9"}\n'
    text = entry + facts.files[NOVA_CONF].replace(b"[DEFAULT]\n", b"")
    assert plan.make(request(ETH0), facts._replace(files={**facts.files, NOVA_CONF: text})).is_converged
    port = facts.ports[0]
    named = port._replace(vfs=tuple(vf._replace(interfaces=(f"eth0v{vf.index}",)) for vf in port.vfs))
    seen = facts._replace(ports=(named,), files={**facts.files, NOVA_CONF: text})
    (change,) = plan.make(request(ETH0), seen).changes[:1]
    assert any(line.startswith("+#sriov-fab-was: pci_passthrough_whitelist") for line in change.diff)


def test_ports_know_the_names_on_their_devices() -> None:
    port = BARE.ports[0]._replace(
        vfs=(VirtualFunction(0, "0000:01:10.0", "igbvf", None, ("eth0v0",)),), beside=("rep0",)
    )
    assert port.netdevs == (("eth0", port.pci_address), ("rep0", port.pci_address), ("eth0v0", "0000:01:10.0"))
