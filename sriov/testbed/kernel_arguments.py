"""`env.kernel_arguments`: arguments for the kernels of compute hosts, by role or by host, in their order."""

from __future__ import annotations

import re
from collections.abc import Mapping

from sriov.formats.kernel_arguments import KernelArgument, overruled, parse
from sriov.model import PhysicalFunction, Role, Setting
from sriov.testbed.host_strings import HostString
from sriov.testbed.readers import one_of, read_by_name
from sriov.testbed.sources.source import FaultList, Keys
from sriov.testbed.wording import kind, shown

KEY = "kernel_arguments"
_WORD = re.compile(
    r"[A-Za-z0-9_.-]*[A-Za-z0-9_.](=[A-Za-z0-9_.,:=/+@%!*-]*)?"
)  # quotes, `;` and the like are GRUB's own
_EXAMPLE = "write ['hugepagesz=1G', 'hugepages=64', 'isolcpus=2-15']"
_STRANGER = "is neither the role compute nor one of its hosts"
_MOST = 1024  # bytes; the kernel takes 2048 in all (x86, COMMAND_LINE_SIZE), the boot loader's own among them
_PAGES = ("default_hugepagesz", "hugepagesz", "hugepages")
_NEEDED = KernelArgument("intel_iommu", "on")  # what `intel_iommu=off` and `iommu=off` undo
_OFF = (KernelArgument("amd_iommu", "off"), KernelArgument("acpi", "off"))


def read_kernel_arguments(
    values: Mapping[str, object],
    found: Mapping[HostString, frozenset[Role]],
    functions: Mapping[str, tuple[PhysicalFunction, ...]],
    faults: FaultList,
) -> dict[str, tuple[Setting, ...]]:
    """`{'compute': ['hugepages=64'], 'root@10.0.0.2': ['isolcpus=2-15']}`, by host string.

    A host's own list comes behind that of its role, and takes the place of arguments of the same names there.
    """
    computes = [host.name for host, roles in found.items() if Role.COMPUTE in roles]
    names = (Role.COMPUTE.value, *computes)
    value, at = values.get(KEY) or {}, (KEY,)
    lists = read_by_name(value, at, f"write {{'compute': [...]}}; {_EXAMPLE}", one_of(names, _STRANGER), _words, faults)
    for name, words in lists.items():
        concerned = computes if name == Role.COMPUTE.value else [name]
        if any(pf.num_vfs for host in concerned for pf in functions.get(host, ())):
            _refuse_what_forbids_vfs(words, (*at, name), faults)
    of_role = lists.get(Role.COMPUTE.value, ())
    joined = {name: _joined(of_role, lists.get(name, ())) for name in computes}
    return {name: (Setting(KEY, words),) for name, words in joined.items() if words}


def _words(value: object, at: Keys, faults: FaultList) -> tuple[str, ...] | None:
    if not isinstance(value, list | tuple):
        hint = f"write [{shown(value)}]" if isinstance(value, str) else _EXAMPLE
        faults.note("wrong-type", at, f"is {kind(value)}, not a list of kernel arguments", hint)
        return None
    good = []
    for index, word in enumerate(value):
        if not isinstance(word, str):
            faults.note("wrong-type", (*at, index), f"is {kind(word)}, not a kernel argument", _EXAMPLE)
        elif not _WORD.fullmatch(word):
            hint = "write one argument per item, of letters, digits and _ . - , : / + @ % ! * after the ="
            faults.note("invalid-kernel-argument", (*at, index), f"{shown(word)} is not a kernel argument", hint)
        else:
            good.append(word)
    if len(" ".join(good)) > _MOST:
        faults.note(
            "invalid-kernel-argument",
            at,
            f"is longer than {_MOST} bytes",
            "the kernel takes 2048, with those of the boot loader",
        )
    return tuple(good)


def _refuse_what_forbids_vfs(words: tuple[str, ...], at: Keys, faults: FaultList) -> None:
    for index, (word, argument) in enumerate(zip(words, parse(words), strict=True)):
        if overruled((_NEEDED,), (argument,)) or any(
            off.key == argument.key and off.value == argument.value for off in _OFF
        ):
            hint = "VFs for guests need it: remove the argument, or set 'VF': 0 for these hosts"
            faults.note("iommu-switched-off", (*at, index), f"{shown(word)} switches the IOMMU off", hint)


def _joined(of_role: tuple[str, ...], own: tuple[str, ...]) -> tuple[str, ...]:
    taken = {_group(argument) for argument in parse(own)}
    return (*(word for word in of_role if _group(*parse((word,))) not in taken), *own)


def _group(argument: KernelArgument) -> str:
    """Arguments that are one statement: sizes and numbers of huge pages belong together."""
    return _PAGES[0] if argument.key in _PAGES else argument.key
