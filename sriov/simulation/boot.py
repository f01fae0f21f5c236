"""What a boot loader does with the files of a host: which kernel command line the default entry gives."""

from __future__ import annotations

import re
from pathlib import Path

_ENTRY = re.compile(r"^\s*menuentry\s+(?:'[^']*'|\"[^\"]*\"|\S+)[^\n{]*\{(.*?)^\s*\}", re.MULTILINE | re.DOTALL)
_LINUX = re.compile(r"^\s*linux(?:16|efi)?\s+(\S+)[ \t]*(.*)$", re.MULTILINE)


def command_line(tree: Path) -> str | None:
    """`BOOT_IMAGE=… root=… ro …` of the default entry; None where no entry can be booted.

    RHEL family: the BLS entry that grubenv names, else the newest; Debian: the first menuentry of grub.cfg.
    """
    entries = sorted((tree / "boot/loader/entries").glob("*.conf"), reverse=True)
    if entries:
        saved = re.search(r"^saved_entry=(.+)$", _text(tree / "boot/grub2/grubenv"), re.MULTILINE)
        chosen = [entry for entry in entries if saved and entry.stem == saved[1].strip()] or entries
        fields = dict(line.partition(" ")[::2] for line in _text(chosen[0]).splitlines())
        return f"BOOT_IMAGE=(hd0,gpt2){fields.get('linux', '')} {' '.join(fields.get('options', '').split())}"
    for entry in _ENTRY.finditer(_text(tree / "boot/grub/grub.cfg")):
        linux = _LINUX.search(entry[1])
        if linux:
            return f"BOOT_IMAGE={linux[1]} {' '.join(linux[2].split())}"
    return None


def is_passthrough(command_line: str, cpu: str) -> bool:
    """Whether the kernel's default IOMMU domain is `identity` with these arguments."""
    tokens = command_line.split()
    iommu = [token.split("=", 1)[1] for token in tokens if token.startswith("iommu=")]
    intel = [token.split("=", 1)[1] for token in tokens if token.startswith("intel_iommu=")]
    enabled = cpu != "intel" or (bool(intel) and "on" in intel[-1].split(","))
    return bool(iommu) and "pt" in iommu[-1].split(",") and enabled


def _text(path: Path) -> str:
    try:
        return path.read_text("utf-8", "replace")
    except OSError:
        return ""
