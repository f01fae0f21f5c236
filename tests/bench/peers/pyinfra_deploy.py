"""The job as a pyinfra deploy."""

from pathlib import Path

from pyinfra import host
from pyinfra.operations import files, server, systemd

HERE = Path(__file__).parent

grub = files.put(
    name="Kernel arguments",
    src=str(HERE / "files/zz-sriov.cfg"),
    dest="/etc/default/grub.d/zz-sriov.cfg",
    mode="644",
)
server.shell(name="GRUB's configuration", commands=["update-grub"], _if=grub.did_change)
units = [
    files.template(
        name=f"Unit of {port['interface']}",
        src=str(HERE / "files/sriov-vfs.service.j2"),
        dest=f"/etc/systemd/system/sriov-vfs-{port['interface']}.service",
        mode="644",
        **{key: port[key] for key in ("interface", "num_vfs")},
    )
    for port in host.data.ports
]
systemd.daemon_reload(name="Units", _if=lambda: any(unit.did_change() for unit in units))
started = [
    systemd.service(
        name=f"Virtual functions of {port['interface']}",
        service=f"sriov-vfs-{port['interface']}.service",
        running=True,
        enabled=True,
    )
    for port in host.data.ports
]
conf = files.block(
    name="Whitelist of nova-compute",
    path="/etc/nova/nova.conf",
    content="\n".join(
        f'device_spec = {{"devname": "{port["interface"]}", "physical_network": "{port["physnet"]}"}}'
        for port in host.data.ports
    ),
    line=r"^\[pci\]$",
    after=True,
)
systemd.service(
    name="nova-compute",
    service="nova-compute.service",
    restarted=True,
    _if=lambda: conf.did_change() or any(start.did_change() for start in started),
)
