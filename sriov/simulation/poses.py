"""The files of a host as it stands before the first visit: Debian or RHEL family, any nova release.

Pure: a HostSpec in, a list of files out. What is generated on a real host (grub.cfg) is generated on the
simulated one too, by its own update-grub.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from .spec import HostSpec

KERNELS = {
    "debian": ("6.1.0-18-amd64", "6.1.0-17-amd64"),
    "rhel": ("5.14.0-427.13.1.el9_4.x86_64", "5.14.0-362.8.1.el9_3.x86_64"),
}
ROOT_UUID = "3f4d0d4e-9c25-4b55-9d3a-0f8d5e8c7a11"
MACHINE_ID = "c2b1a7d09f0e4f0b8a4f5f6f3a0d7e21"
NOVA_GID = 64060
RELEASE_NAMES = [
    "newton",
    "ocata",
    "pike",
    "queens",
    "rocky",
    "stein",
    "train",
    "ussuri",
    "victoria",
    "wallaby",
    "xena",
    "yoga",
    "zed",
    "2023.1",
    "2023.2",
    "2024.1",
    "2024.2",
    "2025.1",
    "2025.2",
    "2026.1",
    "2026.2",
]
UNITS = {
    ("debian", "compute"): ("libvirtd", "nova-compute", "neutron-sriov-agent"),
    ("debian", "openstack"): ("nova-api", "nova-conductor", "nova-scheduler", "neutron-server"),
    ("rhel", "compute"): ("libvirtd", "openstack-nova-compute", "neutron-sriov-nic-agent"),
    ("rhel", "openstack"): (
        "openstack-nova-api",
        "openstack-nova-conductor",
        "openstack-nova-scheduler",
        "neutron-server",
    ),
}
NEUTRON_CONF = b"""[DEFAULT]
#core_plugin = <None>
core_plugin = ml2
transport_url = rabbit://openstack:s3cr3t-rabbit-passw0rd@controller:5672/

[database]
connection = mysql+pymysql://neutron:s3cr3t-neutron-passw0rd@controller/neutron
"""
ML2_CONF_INI = b"""[DEFAULT]

[ml2]
# List of network type driver entrypoints. (list value)
#type_drivers = local,flat,vlan,gre,vxlan,geneve
type_drivers = flat,vlan
# An ordered list of networking mechanism driver entrypoints. (list value)
#mechanism_drivers =
mechanism_drivers = openvswitch

[ml2_type_vlan]
# List of <physical_network>:<vlan_min>:<vlan_max> or <physical_network>. (list value)
#network_vlan_ranges =
"""
SRIOV_AGENT_INI = b"""[DEFAULT]

[agent]

[sriov_nic]
# Comma-separated list of <physical_network>:<network_device> tuples. (list value)
#physical_device_mappings =
# Comma-separated list of <network_device>:<vfs_to_exclude> tuples. (list value)
#exclude_devices =
"""
CPU_VENDORS = {"intel": "GenuineIntel", "amd": "AuthenticAMD", "arm": ""}


@dataclass(frozen=True, slots=True)
class FileOf:
    """A file to be laid on a host; `link` makes it a symbolic link, `folder` a directory."""

    path: str
    content: bytes = b""
    mode: int = 0o644
    gid: int = 0
    uid: int = 0
    link: str = ""
    folder: bool = False


def packaged_services(spec: HostSpec) -> tuple[str, ...]:
    """Names of the packaged units, with `.service`; those of each role once."""
    names = [name for role in spec.roles for name in UNITS.get((spec.family, role), ())]
    return tuple(f"{name}.service" for name in dict.fromkeys(names))


def nova_version(spec: HostSpec) -> str:
    """`26.2.1`."""
    return f"{spec.release}.2.1"


def site_packages(spec: HostSpec) -> str:
    """Where the Python packages of the distribution stand."""
    return "/usr/lib/python3/dist-packages" if spec.family == "debian" else "/usr/lib/python3.9/site-packages"


def egg_info(spec: HostSpec) -> str:
    suffix = "" if spec.family == "debian" else "-py3.9"
    return f"nova-{nova_version(spec)}{suffix}.egg-info"


def files(spec: HostSpec) -> Iterator[FileOf]:
    """All files, parents before children; those of `spec.files` come last and win."""
    for name in (
        "boot",
        "etc",
        "home",
        "opt",
        "root",
        "run",
        "tmp",
        "var",
        "var/lib",
        "var/log",
        "etc/nova",
        "run/lock",
    ):
        yield FileOf(f"/{name}", mode={"tmp": 0o1777, "root": 0o700}.get(name, 0o755), folder=True)
    for user in spec.users:
        yield FileOf(f"/home/{user.name}", mode=0o750, uid=user.uid, gid=user.uid, folder=True)
    yield from _accounts(spec)
    yield from (_debian(spec) if spec.family == "debian" else _rhel(spec))
    yield from _units(spec)
    conf = spec.nova_conf if spec.nova_conf is not None else nova_conf(spec)
    if spec.roles:
        yield FileOf("/etc/nova/nova.conf", conf, 0o640, NOVA_GID)
    yield from _neutron(spec)
    for path, content in spec.files.items():
        if content is not None:
            yield FileOf(path, content)


def _neutron(spec: HostSpec) -> Iterator[FileOf]:
    """neutron's files as its packages write them, for the services that `UNITS` names."""
    if spec.roles:
        for folder in ("/etc/neutron", "/etc/neutron/plugins", "/etc/neutron/plugins/ml2"):
            yield FileOf(folder, mode=0o755, folder=True)
        yield FileOf("/etc/neutron/neutron.conf", NEUTRON_CONF, 0o640, NOVA_GID)
    if "compute" in spec.roles:
        yield FileOf("/etc/neutron/plugins/ml2/sriov_agent.ini", SRIOV_AGENT_INI, 0o640, NOVA_GID)
    if "openstack" in spec.roles:
        yield FileOf("/etc/neutron/plugins/ml2/ml2_conf.ini", ML2_CONF_INI, 0o640, NOVA_GID)


def _accounts(spec: HostSpec) -> Iterator[FileOf]:
    accounts = "root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/:/usr/sbin/nologin\n"
    accounts += f"nova:x:{NOVA_GID}:{NOVA_GID}::/var/lib/nova:/bin/sh\n"
    group = f"root:x:0:\nnogroup:x:65534:\nnova:x:{NOVA_GID}:\n"
    secrets = ""
    for user in spec.users:
        accounts += f"{user.name}:x:{user.uid}:{user.uid}::/home/{user.name}:/bin/sh\n"
        group += f"{user.name}:x:{user.uid}:\n"
        secrets += f"{user.name} {user.sudo} {user.password or ''}\n"
    yield FileOf("/etc/passwd", accounts.encode())
    yield FileOf("/etc/group", group.encode())
    yield FileOf("/etc/simulated-sudoers", secrets.encode(), 0o600)
    yield FileOf("/etc/hostname", f"{spec.name}\n".encode())
    yield FileOf("/etc/hosts", f"127.0.0.1 localhost\n127.0.1.1 {spec.name}\n".encode())
    yield FileOf("/etc/machine-id", f"{MACHINE_ID}\n".encode(), 0o444)
    yield FileOf("/etc/fstab", f"UUID={ROOT_UUID} / ext4 errors=remount-ro 0 1\n".encode())


def _debian(spec: HostSpec) -> Iterator[FileOf]:
    yield FileOf(
        "/etc/os-release",
        b'PRETTY_NAME="Debian GNU/Linux 12 (bookworm)"\nNAME="Debian GNU/Linux"\nVERSION_ID="12"\n'
        b'VERSION="12 (bookworm)"\nVERSION_CODENAME=bookworm\nID=debian\n',
    )
    yield FileOf("/etc/default", mode=0o755, folder=True)
    yield FileOf("/etc/default/grub", grub_defaults(spec).encode())
    yield FileOf("/boot/grub", mode=0o755, folder=True)
    for kernel in KERNELS["debian"]:
        for name in (f"vmlinuz-{kernel}", f"initrd.img-{kernel}", f"config-{kernel}"):
            yield FileOf(f"/boot/{name}", b"simulated\n")


def grub_defaults(spec: HostSpec) -> str:
    """/etc/default/grub as Debian's package writes it."""
    return (
        "# If you change this file, run 'update-grub' afterwards to update\n"
        "# /boot/grub/grub.cfg.\n"
        "# For full documentation of the options in this file, see:\n"
        "#   info -f grub -n 'Simple configuration'\n\n"
        "GRUB_DEFAULT=0\nGRUB_TIMEOUT=5\n"
        "GRUB_DISTRIBUTOR=`lsb_release -i -s 2> /dev/null || echo Debian`\n"
        f'GRUB_CMDLINE_LINUX_DEFAULT="{spec.cmdline_default}"\n'
        f'GRUB_CMDLINE_LINUX="{spec.cmdline}"\n\n'
        "# Uncomment to disable graphical terminal (grub-pc only)\n#GRUB_TERMINAL=console\n\n"
        "# Uncomment to disable generation of recovery mode menu entries\n"
        '#GRUB_DISABLE_RECOVERY="true"\n'
    )


def _rhel(spec: HostSpec) -> Iterator[FileOf]:
    yield FileOf(
        "/etc/os-release",
        b'NAME="Rocky Linux"\nVERSION="9.4 (Blue Onyx)"\nID="rocky"\nID_LIKE="rhel centos fedora"\n'
        b'VERSION_ID="9.4"\nPRETTY_NAME="Rocky Linux 9.4 (Blue Onyx)"\n',
    )
    line = f"crashkernel=1G-4G:192M,4G-64G:256M,64G-:512M {spec.cmdline}".rstrip()
    yield FileOf("/etc/default", mode=0o755, folder=True)
    yield FileOf(
        "/etc/default/grub",
        (
            "GRUB_TIMEOUT=5\nGRUB_DISTRIBUTOR=\"$(sed 's, release .*$,,g' /etc/system-release)\"\n"
            'GRUB_DEFAULT=saved\nGRUB_DISABLE_SUBMENU=true\nGRUB_TERMINAL_OUTPUT="console"\n'
            f'GRUB_CMDLINE_LINUX="{line}"\nGRUB_DISABLE_RECOVERY="true"\nGRUB_ENABLE_BLSCFG=true\n'
        ).encode(),
    )
    for folder in ("/boot/grub2", "/boot/loader", "/boot/loader/entries"):
        yield FileOf(folder, mode=0o755, folder=True)
    for kernel in KERNELS["rhel"]:
        for name in (f"vmlinuz-{kernel}", f"initramfs-{kernel}.img"):
            yield FileOf(f"/boot/{name}", b"simulated\n")
        entry = (
            f"title Rocky Linux ({kernel}) 9.4 (Blue Onyx)\nversion {kernel}\nlinux /vmlinuz-{kernel}\n"
            f"initrd /initramfs-{kernel}.img\noptions root=UUID={ROOT_UUID} ro {line}\n"
            "grub_users $grub_users\ngrub_arg --unrestricted\ngrub_class rocky\n"
        )
        yield FileOf(f"/boot/loader/entries/{MACHINE_ID}-{kernel}.conf", entry.encode())
    env = f"# GRUB Environment Block\nsaved_entry={MACHINE_ID}-{KERNELS['rhel'][0]}\nboot_success=0\n"
    yield FileOf("/boot/grub2/grubenv", env.ljust(1024, "#").encode())
    yield FileOf("/boot/grub2/grub.cfg", b"# the entries stand in /boot/loader/entries\ninsmod blscfg\nblscfg\n")


def _units(spec: HostSpec) -> Iterator[FileOf]:
    wants = "/etc/systemd/system/multi-user.target.wants"
    for folder in ("/etc/systemd", "/etc/systemd/system", wants):
        yield FileOf(folder, mode=0o755, folder=True)
    for unit in packaged_services(spec):
        yield FileOf(f"{wants}/{unit}", link=f"/lib/systemd/system/{unit}")


def nova_conf(spec: HostSpec) -> bytes:
    """A packaged nova.conf: comments above all, and the options that every installation sets."""
    version = f"{RELEASE_NAMES[spec.release - 14]}" if 14 <= spec.release <= 34 else str(spec.release)
    return f"""[DEFAULT]

#
# From nova.conf
#
# nova {nova_version(spec)} ({version})

# The IP address which is used to connect to the management network. (string value)
#my_ip = <host_ipv4>
my_ip = 10.0.0.11

# The network address and optional user credentials for connecting to the messaging backend. (string value)
#transport_url = rabbit://
transport_url = rabbit://openstack:s3cr3t-rabbit-passw0rd@controller:5672/

# The directory in which nova's state is kept. (string value)
#state_path = $pybasedir
state_path = /var/lib/nova

#debug = false

[api]
#auth_strategy = keystone
auth_strategy = keystone

[filter_scheduler]
#
# Filters that the scheduler will use. (list value)
#

[keystone_authtoken]
auth_url = http://controller:5000/
username = nova
password = s3cr3t-keystone-passw0rd

[libvirt]
#virt_type = kvm
virt_type = kvm

[pci]
#
# Configuration options for PCI passthrough
#

[placement]
region_name = RegionOne
auth_type = password
password = s3cr3t-placement-passw0rd

[vnc]
enabled = true
server_listen = 0.0.0.0
""".encode()
