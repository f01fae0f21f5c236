"""The files of /proc that differ between hosts: written to a folder, and bound over the machine's own."""

from __future__ import annotations

from pathlib import Path

from ..spec import Cpu

CPUS: dict[Cpu, str] = {
    "intel": "vendor_id\t: GenuineIntel",
    "amd": "vendor_id\t: AuthenticAMD",
    "arm": "CPU implementer\t: 0x41",
}


def write(folder: Path, *, command_line: str, boot_id: str, cpu: Cpu) -> None:
    """`cmdline`, `boot_id` and `cpuinfo`, in `folder`."""
    folder.mkdir(exist_ok=True)
    for name, text in (
        ("cmdline", command_line.rstrip()),
        ("boot_id", boot_id),
        ("cpuinfo", f"processor\t: 0\n{CPUS[cpu]}"),
    ):
        (folder / name).write_text(f"{text}\n")


def command_line(folder: Path) -> str:
    """The command line that was written last, or ''."""
    path = folder / "cmdline"
    return path.read_text().strip() if path.exists() else ""
