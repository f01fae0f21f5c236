"""The pools of huge pages that a kernel of x86-64 reserves at boot, by its arguments and as far as memory goes."""

from __future__ import annotations

from ..tree.nodes import Directory

_SIZES = {"2M": 2048, "1G": 1048576}  # KiB
FOLDER = "kernel/mm/hugepages"


def reserved(command_line: str, memory_mib: int) -> dict[int, int]:
    """Pages by their size in KiB. `hugepages=` counts for the size before it; of memory some is the kernel's own."""
    default = current = 2048
    told: dict[int, int] = {}
    for token in command_line.split():
        name, _, value = token.partition("=")
        if name == "default_hugepagesz" and value in _SIZES:
            default = current = _SIZES[value]
        elif name == "hugepagesz" and value in _SIZES:
            current = _SIZES[value]
        elif name == "hugepages" and value.isdecimal():
            told[current] = int(value)
            current = default
    left = memory_mib * 1024 * 9 // 10
    found = dict.fromkeys(_SIZES.values(), 0)
    for size, count in told.items():
        found[size] = min(count, left // size)
        left -= found[size] * size
    return found


def show(root: Directory, pools: dict[int, int]) -> None:
    for size, count in pools.items():
        root.make(f"{FOLDER}/hugepages-{size}kB").text(nr_hugepages=str(count), free_hugepages=str(count))
