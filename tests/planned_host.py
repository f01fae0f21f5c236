"""One host with one port, as facts: before a run, and as its own plan leaves it."""

from __future__ import annotations

from sriov.facts.model import Facts, Port, Unit, VirtualFunction
from sriov.model import Host, PhysicalFunction, Role, Testbed
from sriov.planning import plan
from sriov.resources.contract import Request, WriteFile

ETH0 = PhysicalFunction(7, ("physnet1",), interface="eth0")
GRUB_CFG = (
    "menuentry 'Debian' {{\n    linux /boot/vmlinuz-6.1 root=UUID=x ro {}\n}}\n"  # as the probe takes it: these lines
)
NOVA_CONF = "/etc/nova/nova.conf"
BARE = Facts(
    boot_id="b",
    cmdline="root=UUID=x ro quiet",
    cpu_vendor="GenuineIntel",
    acpi_tables=frozenset({"DMAR"}),
    nova_versions=("26.2.1",),
    tools=frozenset({"update-grub"}),
    ports=(Port("eth0", "0000:01:00.0", "igb", total_vfs=7, offset=128, stride=2),),
    files={NOVA_CONF: b"[DEFAULT]\n", "/boot/grub/grub.cfg": GRUB_CFG.format("quiet").encode()},
    changed={NOVA_CONF: 1.0},
    units=(Unit("nova-compute", True, "active", "enabled", started_at=10.0),),
)
VFS = tuple(VirtualFunction(i, f"0000:01:1{i // 4}.{i % 4 * 2}", "igbvf") for i in range(7))


def request(
    *pfs: PhysicalFunction,
    roles: frozenset[Role] = frozenset({Role.COMPUTE}),
    force: bool = False,
    removes: bool = False,
) -> Request:
    host = Host("root@a", "a", "root", roles=roles, physical_functions=pfs)
    return Request(host, Testbed("testbed.py", (host,)), roles, force_vf_reset=force, removes=removes)


def converged() -> Facts:
    """BARE after everything that its plan says."""
    port = BARE.ports[0]._replace(vfs=VFS, has_iommu_group=True, iommu_type="identity")
    made = plan.make(request(ETH0), BARE)
    steps = [step for change in made.changes for step in change.steps]
    written = {step.path: step.content for step in steps if isinstance(step, WriteFile)}
    return BARE._replace(
        cmdline=f"{BARE.cmdline} intel_iommu=on iommu=pt",
        ports=(port,),
        files={
            **BARE.files,
            **written,
            "/boot/grub/grub.cfg": GRUB_CFG.format("quiet intel_iommu=on iommu=pt").encode(),
        },
        units=(
            Unit("nova-compute", True, "active", "enabled", started_at=20.0),
            Unit("sriov-vfs-eth0", True, "active", "enabled", started_at=5.0),
        ),
    )
