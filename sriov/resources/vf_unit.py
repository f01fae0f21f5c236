"""The systemd unit that makes the virtual functions of a port at every boot: its name, its file, its text."""

from __future__ import annotations

from sriov.facts.model import Facts
from sriov.rendering import quoting
from sriov.rendering.plain import filled

PREFIX = "sriov-vfs-"
_FOLDER = "/etc/systemd/system/"
FILES = f"{_FOLDER}{PREFIX}*.service"
# who looks at VFs: nova bug 1892361 - a compute service that saw the PF without VFs keeps stale pools
_BEFORE = (
    "nova-compute.service",
    "openstack-nova-compute.service",
    "neutron-sriov-agent.service",
    "neutron-sriov-nic-agent.service",
    "supervisor-vrouter.service",
    "contrail-vrouter-agent.service",
)


def name_of(interface: str) -> str:
    return f"{PREFIX}{quoting.unit_name(interface)}"


def path_of(interface: str) -> str:
    return f"{_FOLDER}{name_of(interface)}.service"


def text_of(interface: str, num_vfs: int) -> bytes:
    return filled(
        "sriov-vfs.service",
        interface=interface,
        name=quoting.Verbatim(quoting.plain(interface)),
        device=quoting.unit_name(interface),
        num_vfs=num_vfs,
        before=" ".join(_BEFORE),
    ).encode()


def interface_of(path: str, facts: Facts) -> str:
    """The port that a unit file of ours is for, also if it is not there any more; empty for any other path."""
    if not path.startswith(_FOLDER + PREFIX):
        return ""
    if path not in facts.files:
        return quoting.from_unit_name(path.removeprefix(_FOLDER + PREFIX).removesuffix(".service"))
    text = facts.text(path)
    return next((line[12:].strip() for line in text.split("\n") if line.startswith("# interface ")), "")


def diff(path: str, before: bytes | None, after: bytes | None) -> tuple[str, ...]:
    """The lines that say how many VFs; empty where the file stays."""
    if before == after:
        return ()
    return (f"--- {path}", *_described("-", before), *_described("+", after))


def _described(sign: str, text: bytes | None) -> tuple[str, ...]:
    lines = (text or b"").decode(errors="replace").split("\n")
    return tuple(sign + line.strip() for line in lines if line.startswith("Description="))
