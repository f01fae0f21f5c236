"""Kernel arguments that the operator states (`env.kernel_arguments`), and the proof that their huge pages are there.

They stand behind what other capabilities want, and so have the last word. Whether the kernel runs with them is told by
its command line, as for all arguments; huge pages are counted too, for the kernel reserves fewer without an error where
memory is short (mm/hugetlb.c, `hugetlb_hstate_alloc_pages`).
"""

from __future__ import annotations

from collections.abc import Iterator

from sriov.errors import counted
from sriov.facts.model import Facts
from sriov.formats.kernel_arguments import (
    KernelArgument,
    StatedArguments,
    huge_pages,
    missing_arguments,
    overruled,
    parse,
    tokens,
)
from sriov.model import Role
from sriov.resources.contract import Capability, Change, Item, Problem, Reads, Request, Severity

_NAME = "stated-arguments"
_KEY = "kernel_arguments"
_POOL = "/sys/kernel/mm/hugepages/hugepages-{}kB/nr_hugepages"
_USUAL_SIZE = 2 << 20  # of x86-64 and of arm64 with pages of 4 KiB, where the command line names none


def _stated(request: Request) -> tuple[KernelArgument, ...]:
    return parse(request.host.words(_KEY)) if Role.COMPUTE in request.roles else ()


def _reads(request: Request) -> Reads:
    has_pages = any(argument.key == "hugepages" for argument in _stated(request))
    return Reads(values=(_POOL.format("*"),)) if has_pages else Reads()


def _desired(request: Request, facts: Facts) -> Iterator[Item | Problem]:
    stated = _stated(request)
    if not stated:
        return
    yield StatedArguments(stated)
    if not missing_arguments(facts.cmdline, stated) and any(argument.key == "hugepages" for argument in stated):
        yield from _missing_pages(facts)


def _missing_pages(facts: Facts) -> Iterator[Problem]:
    """What the running kernel was told to reserve, and has not."""
    told = huge_pages(tokens(facts.cmdline))
    for size, count in told.pools.items():
        wanted = sum(int(part.rpartition(":")[2]) for part in count.split(",") if part.rpartition(":")[2].isdecimal())
        size = size or told.default or _USUAL_SIZE
        if not wanted or not isinstance(size, int):
            continue
        present = facts.values.get(_POOL.format(size >> 10))
        target = f"hugepagesz={_shown(size)}"
        if present is None:
            message = "this kernel has no huge pages of that size"
            hint = "1 GiB needs a CPU with pdpe1gb (x86); /sys/kernel/mm/hugepages shows the sizes"
            yield Problem("huge-page-size-unsupported", _NAME, target, message, hint, Severity.BLOCKED)
        elif present.isdecimal() and int(present) < wanted:
            pages = counted(int(present), "huge page")
            message = f"the kernel has {pages} of that size, its command line asks for {wanted}"
            hint = "the memory was not sufficient at boot, or pages were given back since then (vm.nr_hugepages)"
            yield Problem("huge-pages-missing", _NAME, target, message, hint, Severity.BLOCKED)


def _shown(size: int) -> str:
    """As on the command line: `1G`, `2M`, `64K`."""
    shift, unit = next((s, unit) for s, unit in ((30, "G"), (20, "M"), (10, "K")) if size % (1 << s) == 0)
    return f"{size >> shift}{unit}"


def _changes(request: Request, facts: Facts, items: tuple[Item, ...], earlier: tuple[Change, ...]) -> Iterator[Problem]:
    stated = _stated(request)
    for ours in overruled((item for item in items if isinstance(item, KernelArgument)), stated):
        yield Problem(
            "argument-overruled",
            _NAME,
            str(ours),
            f"it gives way to env.{_KEY}: {' '.join(map(str, stated))}",
            f"remove the argument from env.{_KEY} to have {ours} again",
            Severity.WARNING,
        )


CAPABILITY = Capability(_NAME, _reads, _desired, _changes)
