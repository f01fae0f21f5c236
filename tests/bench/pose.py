"""The files of a benchmark host: a bare Debian compute host with one two-port card, and what the job leaves there.

/sys is plain files here, not a simulated kernel: a hundred FUSE mounts would take part in what is measured.
"""

from __future__ import annotations

import os
import shutil
import time
from pathlib import Path

from sriov.simulation import disk as poses
from sriov.simulation.spec import HostSpec

PORTS = {"ens1f0": ("0000:3b:00.0", "physnet1"), "ens1f1": ("0000:3b:00.1", "physnet2")}
NUM_VFS = 7
ARGUMENTS = ("intel_iommu=on", "iommu=pt")
SPEC = HostSpec("bench", roles=("compute",), release=26, cmdline="console=ttyS0")
UNITS = ("nova-compute.service", "libvirtd.service")
NOVA_CONF = "etc/nova/nova.conf"
GRUB_CFG = "boot/grub/grub.cfg"
DROP_INS = "etc/default/grub.d"
SYSTEM = "etc/systemd/system"
SSHD_LOG = "run/sshd.log"
WANTS = f"{SYSTEM}/multi-user.target.wants"


def lay(root: Path) -> None:
    """All files of a bare host below `root`, an empty folder."""
    for file in poses.files(SPEC):
        path = root / file.path.lstrip("/")
        if file.link:
            path.symlink_to(file.link)
        elif file.folder:
            path.mkdir(exist_ok=True)
        else:
            path.write_bytes(file.content)
    with (root / "etc/passwd").open("a") as accounts:
        accounts.write("sshd:x:101:65534::/run/sshd:/usr/sbin/nologin\n")
    (root / NOVA_CONF).chmod(0o640)
    package = f"opt/nova/lib/python3.11/site-packages/nova-{poses.nova_version(SPEC)}.dist-info"
    for folder in (
        "run/sshd",
        "run/units",
        package,
    ):
        (root / folder).mkdir(parents=True)
    (root / DROP_INS).mkdir()
    for unit in UNITS:
        _begin(root, unit)
    _lay_sys(root / "sys")
    _lay_proc(root / "fixed")


def _begin(root: Path, unit: str) -> None:
    now = int(_uptime() * 1e6) + 20_000
    (root / "run/units" / unit).write_text(f"active\n{now}\n")


def _lay_proc(folder: Path) -> None:
    """What is bound over files of /proc. The kernel has its arguments: no tool reboots here."""
    folder.mkdir()
    (folder / "cmdline").write_text(f"BOOT_IMAGE=/boot/vmlinuz root=UUID={poses.ROOT_UUID} ro {' '.join(ARGUMENTS)}\n")
    (folder / "cpuinfo").write_text("processor\t: 0\nvendor_id\t: GenuineIntel\n")


def _lay_sys(sys: Path) -> None:
    (sys / "firmware/acpi/tables").mkdir(parents=True)
    (sys / "firmware/acpi/tables/DMAR").write_bytes(b"DMAR")
    (sys / "class/net").mkdir(parents=True)
    for name in ("ice", "iavf"):
        (sys / "bus/pci/drivers" / name).mkdir(parents=True)
    for number, (interface, (address, _)) in enumerate(PORTS.items()):
        device = sys / "devices" / address
        net = device / "net" / interface
        net.mkdir(parents=True)
        (net / "address").write_text(f"52:54:00:12:34:{number:02x}\n")
        (net / "flags").write_text("0x1003\n")
        (net / "device").symlink_to(f"../../../{address}")
        (sys / "class/net" / interface).symlink_to(f"../../devices/{address}/net/{interface}")
        values = {
            "vendor": "0x8086", "device": "0x1592", "sriov_vf_device": "1889", "sriov_totalvfs": "64",
            "sriov_offset": f"{16 + 7 * number}", "sriov_stride": "1", "sriov_numvfs": "0",
        }  # fmt: skip
        for key, value in values.items():
            (device / key).write_text(f"{value}\n")
        group = sys / f"kernel/iommu_groups/{number}"
        group.mkdir(parents=True)
        (group / "type").write_text("identity\n")
        (device / "iommu_group").symlink_to(f"../../kernel/iommu_groups/{number}")
        (device / "driver").symlink_to("../../bus/pci/drivers/ice")
        (device / "spare").mkdir()
        for index in range(NUM_VFS):
            vf = sys / f"devices/0000:3b:0{2 + number}.{index}"
            vf.mkdir()
            (vf / "driver").symlink_to("../../bus/pci/drivers/iavf")
            (device / f"spare/virtfn{index}").symlink_to(f"../{vf.name}")


def reset(root: Path, grub_cfg: bytes) -> None:
    """Bare again; `root` is the tree of a running host, `grub_cfg` what its own update-grub made at the start."""
    (root / GRUB_CFG).write_bytes(grub_cfg)
    units = (root / SYSTEM).glob("*.s*")  # and the script that they call
    for path in (*(root / DROP_INS).iterdir(), *units, *(root / WANTS).glob("sriov-*")):
        path.unlink()
    for folder in ("var/lib/sriov", "run/sriov", "root/.ansible", "run/units"):
        shutil.rmtree(root / folder, ignore_errors=True)
    (root / NOVA_CONF).write_bytes(poses.nova_conf(SPEC))
    for address, _ in PORTS.values():
        device = root / "sys/devices" / address
        (device / "sriov_numvfs").write_text("0\n")
        for link in device.glob("virtfn*"):
            link.rename(device / "spare" / link.name)
    (root / "run/units").mkdir()
    for unit in UNITS:
        _begin(root, unit)


def faults(root: Path) -> list[str]:
    """What the job has not brought about on a host; empty after a good run."""
    found = []
    entry = (root / GRUB_CFG).read_text().split("menuentry ", 1)[1].split("}")[0]
    found += [f"no {word} in the default boot entry" for word in ARGUMENTS if word not in entry.split()]
    conf = (root / NOVA_CONF).read_text().split("\n[pci]\n", 1)[1].split("\n[")[0]
    specs = "".join(line for line in conf.split("\n") if line.startswith("device_spec")).replace(" ", "")
    for interface, (address, physnet) in PORTS.items():
        device = root / "sys/devices" / address
        count = len(list(device.glob("virtfn*")))
        if count != NUM_VFS or (device / "sriov_numvfs").read_text().strip() != str(NUM_VFS):
            found.append(f"{interface} has {count} virtual functions")
        unit = f"sriov-vfs-{interface}.service"
        if not (root / SYSTEM / unit).exists() or not os.path.lexists(root / WANTS / unit):
            found.append(f"{unit} is not there or not enabled")
        if f'{{"devname":"{interface}","physical_network":"{physnet}"}}' not in specs:
            found.append(f"nova.conf does not name {interface}")
    started = int((root / "run/units/nova-compute.service").read_text().split()[1]) / 1e6
    if started < os.stat(root / NOVA_CONF).st_mtime - (time.time() - _uptime()) - 0.02:
        found.append("nova-compute has not read its file")
    return found


def _uptime() -> float:
    return float(Path("/proc/uptime").read_text().split()[0])


def fingerprint(root: Path) -> tuple[tuple[str, int, int], ...]:
    """Changes when anything of the job is written, made or restarted: (path, size, time of change in ns)."""
    paths = [root / NOVA_CONF, root / GRUB_CFG, root / "run/units/nova-compute.service"]
    paths += sorted((*(root / DROP_INS).iterdir(), *(root / SYSTEM).glob("*.s*"), *(root / "run/units").iterdir()))
    stats = ((path.name, os.lstat(path)) for path in paths)
    return tuple((name, stat.st_size, stat.st_mtime_ns) for name, stat in stats)
