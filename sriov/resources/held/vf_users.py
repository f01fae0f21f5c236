"""Who uses the virtual functions of a port, and what must therefore stay, or be told.

A guest that is shut off uses its VF too: it starts with it, or not at all. Where users cannot be seen, a VF counts as
used. nova knows of guests alone, so it offers a VF that the host itself uses like any other.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Sequence
from typing import NamedTuple

from sriov.errors import counted
from sriov.facts.model import Facts, Holder, HolderKind, Port, VirtualFunction
from sriov.model import PhysicalFunction
from sriov.resources.contract import Problem, Request, Severity

_OF_THE_HOST = (HolderKind.NETWORK_DEVICE, HolderKind.NAMESPACE, HolderKind.DRIVER)
# `12 (qemu-system-x86)`: what runs guests, as /proc/PID/comm names it, in at most 15 letters. A process without a name
# has ended meanwhile, and counts as a guest's.
_RUNS_GUESTS = re.compile(r"\d+ \((qemu.*|l?kvm.*|cloud-hyperv.*|firecracker|crosvm.*|stratovirt|)\)")


class User(NamedTuple):
    """A VF in use, and by whom in words. `is_known`: False where that cannot be determined; the words say why."""

    vf: VirtualFunction
    words: str
    is_known: bool = True


def users(request: Request, port: Port) -> tuple[User, ...]:
    """The VFs in use; those that the testbed leaves to the host itself are in use by it."""
    pfs = request.physical_functions
    own = next((p for p in pfs if p.label in (port.interface, port.pci_address, port.mac)), None)
    kept = own.exclude_vfs if own else ()
    return tuple(_users(port, kept))


def _users(port: Port, kept: Collection[int]) -> Iterator[User]:
    for vf in port.vfs:
        if vf.holder and vf.holder.is_known:
            yield User(vf, str(vf.holder))
        elif vf.index in kept:
            yield User(vf, "the host itself (exclude_vfs)")
        elif vf.holder:
            yield User(vf, vf.holder.name, is_known=False)


def holding(request: Request, port: Port, what: str, resource: str) -> Problem | None:
    """Why the VFs of this port must not be removed for `what`; None if no one uses them, or the operator insists."""
    used = users(request, port)
    if not used or request.force_vf_reset:
        return None
    return refusal(port, f"{what}: {in_words(used)}", used, "remove", resource)


def refusal(port: Port, message: str, used: Sequence[User], act: str, resource: str) -> Problem:
    """What belongs to this port waits for these users; `act` is what the operator could insist on."""
    is_known = any(user.is_known for user in used)
    first = remedy(used) if is_known else "correct what is named and run again"
    hint = f"{first}, or pass --force-vf-reset to {act} them all the same"
    id = "vf-in-use" if is_known else "vf-users-unknown"
    return Problem(id, resource, port.interface, message, hint, Severity.BLOCKED, holds=port.interface)


def remedy(used: Sequence[User]) -> str:
    """How these VFs get free. A guest that is shut off has its VFs until it is gone, or does without them.

    One that neutron alone knows of does not run here.
    """
    kinds = {user.vf.holder.kind if user.vf.holder else None for user in used if user.is_known}
    if kinds and kinds <= {HolderKind.SHUT_OFF, HolderKind.BOUND_PORT}:
        return "free these VFs (delete the guest, or detach its port)"
    return "free these VFs (shut down or migrate the guest)"


def guests(port: Port) -> tuple[User, ...]:
    """The VFs that a guest holds, or may hold: what the host itself uses waits for no guest to end."""
    return tuple(user for user in _users(port, ()) if user.vf.holder and not _is_of_the_host(user.vf.holder))


def in_words(used: Sequence[User]) -> str:
    """`VF 1 (0000:01:10.2) is in use by libvirt domain instance-00000001; who uses VFs 2, 3 cannot be determined: …`"""
    said = [f"VF {user.vf.index} ({user.vf.pci_address}) is in use by {user.words}" for user in used if user.is_known]
    for reason in dict.fromkeys(user.words for user in used if not user.is_known):
        blind = [str(user.vf.index) for user in used if not user.is_known and user.words == reason]
        said.append(f"who uses {'VF' if len(blind) == 1 else 'VFs'} {', '.join(blind)} cannot be determined: {reason}")
    return "; ".join(said)


def used_by_host(pf: PhysicalFunction, facts: Facts, resource: str) -> Iterator[Problem]:
    """A warning where VFs that the host uses are offered to guests."""
    port = facts.port(interface=pf.interface, pci=pf.pci, mac=pf.mac)
    if port is None or not pf.num_vfs:
        return
    offered = {index for _, indexes in pf.shares() for index in indexes}
    used = [(vf, words) for vf in port.vfs if vf.index in offered and (words := host_use(vf))]
    if not used:
        return
    words = "; ".join(f"VF {vf.index} ({vf.pci_address}) by {by}" for vf, by in used)
    left_out = sorted({*pf.exclude_vfs, *(vf.index for vf, _ in used)})
    message = f"the host itself uses {counted(len(used), 'VF')} that nova may give to guests: {words}"
    hint = f"leave them to the host with 'exclude_vfs': {left_out} in this entry of env.sriov, or end that use"
    yield Problem("vf-used-by-host", resource, port.interface, message, hint, Severity.WARNING)


def host_use(vf: VirtualFunction) -> str:
    """For what the host itself uses a VF; empty where it does not, as far as can be seen."""
    if vf.holder and _is_of_the_host(vf.holder):
        return str(vf.holder)
    return f"network device {vf.traffic}, which is up and sends" if vf.traffic else ""


def _is_of_the_host(holder: Holder) -> bool:
    """A process that runs guests is a guest's, and so is a macvtap device: libvirt makes it for vnic_type macvtap.

    With virtio_vdpa a vDPA device is a network device of the host; with vhost_vdpa nova gives it to guests.
    """
    if holder.kind is HolderKind.PROCESS:
        return not _RUNS_GUESTS.fullmatch(holder.name)
    if holder.kind is HolderKind.VDPA:
        return holder.name.endswith(" (virtio_vdpa)")
    return holder.kind in _OF_THE_HOST and ", which carries macvtap" not in holder.name
