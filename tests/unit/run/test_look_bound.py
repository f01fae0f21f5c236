"""A look holds what neutron says of VFs against the host where it asks who uses them, and not before."""

from __future__ import annotations

from pathlib import Path

import pytest
from planned_host import ETH0, request

from sriov.facts.bound import Bound
from sriov.facts.model import Holder, HolderKind
from sriov.run.look import learn

NONCE = "00ff"
PROBE = (Path(__file__).parents[2] / "golden/facts/compute.probe").read_bytes().replace(b"NONCE", NONCE.encode())
FREE = "0000:01:10.4"


@pytest.mark.parametrize("asks", [True, False])
def test_bound_vf_is_held_where_users_are_asked(asks: bool) -> None:
    asked = request(ETH0)._replace(ask_holders=asks, bound=Bound(((FREE, "port1"),)))
    vfs = {vf.pci_address: vf for port in learn(asked, PROBE, NONCE).facts.ports for vf in port.vfs}
    assert vfs[FREE].holder == (Holder(HolderKind.BOUND_PORT, "port1") if asks else None)
