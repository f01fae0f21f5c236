"""What a scenario looks at in a guest, read without the product: the kernel's own words, files, the journal."""

from __future__ import annotations

import contextlib
import re
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from oslo_config import cfg

from .guest import Guest

SYS = "/sys/class/net/{interface}/device"


def vf_count(guest: Guest, interface: str) -> int:
    """sriov_numvfs, where there is nobody who could make the read hang."""
    return int(guest.out(f"cat {SYS.format(interface=interface)}/sriov_numvfs"))


def vf_addresses(guest: Guest, interface: str) -> list[str]:
    """PCI addresses behind virtfn0, virtfn1, ... in that order."""
    folder = SYS.format(interface=interface)
    return guest.out(
        f"for i in $(seq 0 {vf_count(guest, interface) - 1}); do basename $(readlink {folder}/virtfn$i); done"
    ).split()


def vf_drivers(guest: Guest, interface: str) -> list[str]:
    """The driver of each virtual function, in the order of their index."""
    script = "for a in {}; do basename $(readlink /sys/bus/pci/devices/$a/driver); done"
    return guest.out(script.format(" ".join(vf_addresses(guest, interface)))).split()


def is_up(guest: Guest, interface: str) -> bool:
    """IFF_UP of the interface (include/uapi/linux/if.h)."""
    return bool(int(guest.out(f"cat /sys/class/net/{interface}/flags"), 16) & 1)


def iommu_types(guest: Guest) -> set[str]:
    """`{'identity'}` under iommu=pt, `{'DMA-FQ'}` under Debian's defaults."""
    return set(guest.out("cat /sys/kernel/iommu_groups/*/type").split())


def kernel_arguments(guest: Guest) -> list[str]:
    return guest.out("cat /proc/cmdline").split()


def huge_pages(guest: Guest) -> int:
    """Pages of 2 MiB that the kernel has reserved."""
    return int(guest.out("cat /sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages"))


def transparent_huge_pages(guest: Guest) -> str:
    """The policy in force: `always`, `madvise` or `never`."""
    found = re.search(r"\[(\w+)\]", guest.out("cat /sys/kernel/mm/transparent_hugepage/enabled"))
    assert found is not None
    return found[1]


def boots(guest: Guest) -> int:
    """How often the guest has booted, by its journal."""
    return int(guest.out("journalctl --list-boots --quiet | wc -l"))


def unit_started(guest: Guest, unit: str) -> int:
    """When the unit was last started, in microseconds of the monotonic clock; 0 if it was not."""
    return int(guest.out(f"systemctl show --value -p ExecMainStartTimestampMonotonic {unit}"))


def is_active(guest: Guest, unit: str) -> bool:
    return guest.sh(f"systemctl is-active {unit}", check=False).stdout.strip() == "active"


def kernel_said(guest: Guest, pattern: str) -> list[float]:
    """Seconds since this boot at which the kernel said something that matches the extended regular expression."""
    lines = guest.sh(f"journalctl -b -k -o short-monotonic --no-hostname --quiet -g {pattern!r}", check=False).stdout
    return [float(found[1]) for found in re.finditer(r"^\[ *([0-9.]+)\]", lines, re.MULTILINE)]


def log_executions(guest: Guest) -> None:
    """Let the guest's SSH server log every command that a connection made from now on has it run."""
    guest.write("/etc/ssh/sshd_config.d/verbose.conf", b"LogLevel VERBOSE\n")
    guest.sh("systemctl reload ssh")


def executions(guest: Guest) -> int:
    """How many commands it has logged in this boot."""
    lines = guest.sh("journalctl -b -q -t sshd -o cat -g '^Starting session: command'", check=False).stdout
    return len(lines.splitlines())


@contextlib.contextmanager
def untouched(guest: Guest, *also: str) -> Iterator[None]:
    """Holds if meanwhile no file of the guest was written, no boot happened, and no nova unit was started anew.

    Logs do not count, nor do files below the directories in `also`.
    """
    before = _identity(guest)
    guest.sh("touch /root/marker && sleep 0.1")
    yield
    assert _identity(guest) == before
    skipped = " ".join(f"-path {path} -prune -o" for path in ("/var/log", "/var/lib/systemd", *also))
    written = guest.out(
        f"find / -xdev {skipped} -cnewer /root/marker -type f -print; find /run/systemd/system -cnewer /root/marker"
    )
    assert written == "", f"written meanwhile:\n{written}"


def _identity(guest: Guest) -> tuple[object, ...]:
    units = ("nova-compute", "nova-scheduler")
    return (guest.boot_id(), *(unit_started(guest, unit) for unit in units), *counts(guest))


def counts(guest: Guest) -> tuple[int, ...]:
    """VFs of both ports."""
    return tuple(vf_count(guest, interface) for interface in ("enp1s0", "enp2s0"))


@dataclass(frozen=True, slots=True)
class NovaOptions:
    """What nova 26 would read: whitelist entries as JSON texts, enabled filters by name."""

    device_specs: tuple[str, ...]
    enabled_filters: tuple[str, ...]


NOVA_FILES = ("/etc/nova/nova.conf", "/etc/nova/nova-compute.conf")


def nova_options(guest: Guest) -> NovaOptions:
    """The options as oslo.config, nova's own reader, takes them from the guest's files, drop-ins included."""
    drop_ins = guest.sh("ls /etc/nova/nova.conf.d/*.conf /etc/nova/nova-compute.conf.d/*.conf", check=False).stdout
    with tempfile.TemporaryDirectory() as folder:
        copies = []
        for number, path in enumerate((*NOVA_FILES, *drop_ins.split())):
            copy = Path(folder, f"{number}.conf")
            copy.write_bytes(guest.read(path))
            copies.append(str(copy))
        return _read_as_nova_does(copies)


def _read_as_nova_does(files: list[str]) -> NovaOptions:
    """Options and their older names: nova/conf/pci.py and nova/conf/scheduler.py of 26.2."""
    older = [
        cfg.DeprecatedOpt("passthrough_whitelist", "pci"),
        cfg.DeprecatedOpt("pci_passthrough_whitelist", "DEFAULT"),
    ]
    conf = cfg.ConfigOpts()
    conf.register_opt(cfg.MultiStrOpt("device_spec", default=[], deprecated_opts=older), "pci")
    conf.register_opt(cfg.ListOpt("enabled_filters", default=[]), "filter_scheduler")
    conf([], project="nova", default_config_files=files, default_config_dirs=[])
    return NovaOptions(tuple(conf.pci.device_spec), tuple(conf.filter_scheduler.enabled_filters))
