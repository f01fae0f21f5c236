"""What a simulated fleet is made of: cards, users, hosts and the faults that can be switched on. Values only."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Literal, NamedTuple

Family = Literal["debian", "rhel"]
Cpu = Literal["intel", "amd", "arm"]


class Nic(NamedTuple):
    """A port of a network card.

    `total_vfs`, `offset`, `stride`, `vf_device` are what its SR-IOV capability says; `sriov=False` takes the
    capability away (no `sriov_*` files). `numvfs`: VFs that exist at the first start of the fleet.
    `driver_limit`: the driver enables at most so many, without an error. `configurable=False`: the driver has
    no `sriov_configure`, a write answers ENOENT. `enable_errno`: errno name that the driver answers when VFs are
    to be made (`ENOMEM`: not enough MMIO), or only when more than `refuses_above` are.
    `hot_unplugs`: writing 0 takes held VFs away instead of hanging.
    `acs=False`: no switch or root port above isolates its functions, so the VFs share the IOMMU group of the port.
    `link_delay`, `netdev_delay`: seconds after the write until `virtfnN` and VF netdevs appear;
    `write_seconds`: how long the write itself takes.
    """

    interface: str = "eth0"
    pci: str = "0000:01:00.0"
    total_vfs: int = 7
    driver: str = "igb"
    vf_driver: str = "igbvf"
    vendor: str = "0x8086"
    device: str = "0x10c9"
    vf_device: str = "0x10ca"
    offset: int = 128
    stride: int = 2
    mac: str = "52:54:00:12:34:56"
    numa_node: int = 0
    sriov: bool = True
    acs: bool = True
    up: bool = False
    numvfs: int = 0
    driver_limit: int | None = None
    configurable: bool = True
    enable_errno: str = ""
    refuses_above: int = 0
    hot_unplugs: bool = False
    link_delay: float = 0.0
    netdev_delay: float = 0.0
    write_seconds: float = 0.0


class User(NamedTuple):
    """A login. `password` None: keys only. `sudo`: no right at all, with its password, or without asking."""

    name: str
    uid: int = 1000
    password: str | None = None
    sudo: Literal["no", "password", "nopasswd"] = "nopasswd"
    key: bool = True


TWO_PORTS = (
    Nic("eth0", "0000:01:00.0", mac="52:54:00:12:34:56", up=True),
    Nic("eth1", "0000:01:00.1", mac="52:54:00:12:34:57"),
)


class HostSpec(NamedTuple):
    """A host before its first start.

    `release`: nova's major number, 14 … 34. `roles`: which packaged services exist.
    `cmdline`: GRUB's arguments, `cmdline_default` for GRUB_CMDLINE_LINUX_DEFAULT (Debian only).
    `files`: absolute path -> content, laid over the default files (None removes one).
    `shared`: folders of this machine that the host sees too, at the same place and read-only: an interpreter with the
    modules of a service, for one.
    `iommu`: False is "VT-d off in the BIOS": no DMAR table, no IOMMU groups.
    `memory_mib` bounds the huge pages that the kernel reserves.
    `nova_conf` None takes the packaged file. `reboot_seconds`: how long a reboot keeps the host away.
    """

    name: str = "compute1"
    roles: tuple[str, ...] = ("compute",)
    release: int = 26
    family: Family = "debian"
    cpu: Cpu = "intel"
    nics: tuple[Nic, ...] = TWO_PORTS
    users: tuple[User, ...] = ()
    root_password: str | None = None
    nova_conf: bytes | None = None
    files: Mapping[str, bytes | None] = MappingProxyType({})
    shared: tuple[str, ...] = ()
    cmdline: str = ""
    cmdline_default: str = "quiet"
    iommu: bool = True
    memory_mib: int = 131072
    reboot_seconds: float = 0.2

    def to_json(self) -> dict[str, Any]:
        """All but the file contents, for the fleet's own process."""
        return {
            **self._asdict(),
            "files": {},
            "nova_conf": None,
            "nics": [nic._asdict() for nic in self.nics],
            "users": [user._asdict() for user in self.users],
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> HostSpec:
        return cls(
            **{
                **data,
                "roles": tuple(data["roles"]),
                "shared": tuple(data["shared"]),
                "nics": tuple(Nic(**nic) for nic in data["nics"]),
                "users": tuple(User(**user) for user in data["users"]),
            }
        )

    @property
    def logins(self) -> tuple[User, ...]:
        """root first; it has the fleet's key, and a password if one is set."""
        return (User("root", 0, self.root_password, "nopasswd"), *self.users)


class Faults(NamedTuple):
    """What goes wrong on a host; the default is: nothing.

    SSH: `drop_after_lines` ends the connection after so many lines of a command's output, `drop_at_marker` when
    this text has passed, `reboot_at_marker` reboots the host then, `freeze_at_marker` says nothing from then on;
    `drop_after_bytes` ends it when so many bytes of input have come for one command; `stall_seconds` delays each
    answer; `silent` accepts TCP and never speaks; `prepend_output` and `replace_output` (old, new) make the host lie;
    `endless_output` goes on after the command's own, `drip_seconds` sends a byte each so many seconds.
    Disk: `disk_full` and `read_only` name directories.
    Tools: `missing_tools` by name; `update_grub_error` is the text with which it fails; `update_grub_ignores`
    writes a grub.cfg without a change; `failing_units` fail to start.
    Kernel: `hang_numvfs` names interfaces whose next effective write hangs; it takes effect when the fault is cleared;
    `driver_limit`, `enable_errno` and `refuses_above` as in `Nic`, for every port.
    Boot: `never_returns`; `reboot_seconds` keeps the host away for so long; `old_boot_entry` comes back with the
    command line that it had.
    """

    drop_after_lines: int | None = None
    drop_at_marker: str = ""
    reboot_at_marker: str = ""
    freeze_at_marker: str = ""
    drop_after_bytes: int | None = None
    endless_output: bool = False
    drip_seconds: float = 0.0
    stall_seconds: float = 0.0
    silent: bool = False
    prepend_output: str = ""
    replace_output: tuple[str, str] | None = None
    disk_full: tuple[str, ...] = ()
    read_only: tuple[str, ...] = ()
    missing_tools: tuple[str, ...] = ()
    update_grub_error: str = ""
    update_grub_ignores: bool = False
    failing_units: tuple[str, ...] = ()
    hang_numvfs: tuple[str, ...] = ()
    driver_limit: int | None = None
    enable_errno: str = ""
    refuses_above: int = 0
    never_returns: bool = False
    reboot_seconds: float | None = None
    old_boot_entry: bool = False

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Faults:
        values: dict[str, Any] = {key: tuple(item) if isinstance(item, list) else item for key, item in data.items()}
        return cls(**values)
