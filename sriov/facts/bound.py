"""VFs that neutron has given to VMs, held against what a host itself shows."""

from __future__ import annotations

from typing import NamedTuple

from sriov.facts.model import Facts, Holder, HolderKind, VirtualFunction


class Bound(NamedTuple):
    """The VFs of a host that neutron has given to VMs, as asked before the run: PCI address and name of the port.

    `unseen`: why that is not known. Empty both where no cloud was asked.
    """

    ports: tuple[tuple[str, str], ...] = ()
    unseen: str = ""


def with_bound(facts: Facts, bound: Bound) -> Facts:
    """The facts with bound VFs held by the guests of their ports, where the host itself knows no holder: a guest that
    nova has shut off need not be defined there."""
    if not any(bound):
        return facts
    names = dict(bound.ports)

    def held(vf: VirtualFunction) -> VirtualFunction:
        if vf.holder is not None and vf.holder.is_known:
            return vf
        if vf.pci_address in names:
            return vf._replace(holder=Holder(HolderKind.BOUND_PORT, names[vf.pci_address]))
        return vf._replace(holder=Holder(HolderKind.UNKNOWN, bound.unseen)) if bound.unseen and not vf.holder else vf

    ports = tuple(port._replace(vfs=tuple(map(held, port.vfs))) for port in facts.ports)
    return facts._replace(ports=ports)
