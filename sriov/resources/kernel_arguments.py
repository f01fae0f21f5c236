"""Owner of the kernel command line: the boot loader's configuration, and the reboot that puts it in force.

Debian family: a file of our own in `/etc/default/grub.d`, read by grub-mkconfig after all others (cloud images
override the line of `/etc/default/grub` there), then `update-grub`. RHEL family: `grubby`, which edits the boot
entries and `/etc/default/grub` itself. What counts is what the default boot entry holds in the end; where it
already has the arguments, from any writer, there is nothing to do.

The reboot is no change of this module's: it follows from facts, see `_reboot_state`.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from sriov.facts.model import Facts, checksum
from sriov.formats import grub
from sriov.formats.kernel_arguments import (
    KernelArgument,
    StatedArguments,
    edit,
    missing_arguments,
    overruled,
    parse,
    replaces,
    tokens,
)
from sriov.model import Role
from sriov.resources.contract import (
    Capability,
    Change,
    Command,
    Effect,
    Item,
    Problem,
    Reads,
    Reboot,
    RebootState,
    RemoveFile,
    Request,
    Severity,
    Step,
    WriteFile,
)
from sriov.resources.files.grub_drop_in import drop_in_arguments, drop_in_text
from sriov.resources.virtual_functions import VfCount

_DROP_IN_PATH = "/etc/default/grub.d/zz-sriov.cfg"
_GRUB_CFG = ("/boot/grub/grub.cfg", "/boot/grub2/grub.cfg")
_ENTRIES = "/boot/loader/entries/"
_ENVIRONMENTS = ("/boot/grub2/grubenv", "/boot/grub/grubenv")
_GRUBBY_LEDGER = "/var/lib/sriov/grubby"
_DEFAULTS = "/etc/default/grub"
_STAMP = "/var/lib/sriov/rebooted"
_OF_VFS = (KernelArgument("intel_iommu", "on"), KernelArgument("iommu", "pt"))  # see `sriov.resources.iommu`
_UPDATE_GRUB = Command(("timeout", "300", "update-grub"))
_NAME = "kernel-arguments"


def _reads(request: Request) -> Reads:
    if Role.COMPUTE not in request.roles:
        return Reads()
    files = (*_GRUB_CFG, f"{_ENTRIES}*.conf", *_ENVIRONMENTS, _DEFAULTS, _DROP_IN_PATH, _STAMP, _GRUBBY_LEDGER)
    return Reads(files, tools=("update-grub", "grubby"))


def wanted_arguments(items: tuple[Item, ...]) -> tuple[KernelArgument, ...]:
    """What other capabilities want, without what the operator's own list overrules, and then that list."""
    stated = tuple(one for item in items if isinstance(item, StatedArguments) for one in item.arguments)
    ours = tuple(item for item in items if isinstance(item, KernelArgument))
    return (*(one for one in ours if one not in (*overruled(ours, stated), *stated)), *stated)


def default_entry(facts: Facts) -> str | None:
    """Kernel arguments of the entry that boots next; None if no boot entry can be told."""
    entries = {path: facts.text(path) for path in facts.files if path.startswith(_ENTRIES)}
    grubenv = facts.text(_ENVIRONMENTS[0]) or facts.text(_ENVIRONMENTS[1])
    if entries:
        return grub.bls_default_arguments(entries, grubenv)
    for path in _GRUB_CFG:
        if path in facts.files:
            return grub.default_arguments(facts.text(path), grubenv)
    return None


def _changes(
    request: Request, facts: Facts, items: tuple[Item, ...], earlier: tuple[Change, ...]
) -> Iterator[Change | Problem | Reboot]:
    if Role.COMPUTE not in request.roles:
        return
    wanted = wanted_arguments(items)
    # a host without VFs does without, but what an earlier run put there may be in use
    if wanted or not (request.wants_vfs or request.held):
        yield from _boot_loader(facts, _asked(request, facts, items, wanted))
    state = _reboot_state(facts, wanted)
    yield Reboot(state, boot_entry_mark(facts))
    if state is RebootState.FUTILE:
        yield _futile_reboot(facts, wanted)


class _Asked(NamedTuple):
    """`left_over`: of ours on the host, and nothing asks for them any more. They go only if the call removes.

    `is_nothing`: nothing of ours is asked for, nor is it asked to go.
    """

    wanted: tuple[KernelArgument, ...]
    left_over: tuple[KernelArgument, ...]
    is_nothing: bool
    removes: bool

    @property
    def target(self) -> tuple[KernelArgument, ...]:
        """What of ours is to be there after this run; what is wanted has the last word."""
        return self.wanted if self.removes else (*self.left_over, *self.wanted)

    @property
    def removes_some(self) -> bool:
        return self.removes and (bool(self.left_over) or self.is_nothing)


def _asked(request: Request, facts: Facts, items: tuple[Item, ...], wanted: tuple[KernelArgument, ...]) -> _Asked:
    """Left over are those of ours that no other takes the place of. What VFs need belongs to them: it stays with a port
    that does, and goes with the last one that the testbed asks to have none."""
    asks_none = bool(request.physical_functions) and not any(
        isinstance(item, VfCount) and item.is_leftover for item in items
    )
    of_vfs = _OF_VFS if request.wants_vfs or asks_none else ()
    added, taken = _ledger(facts)
    ours = parse(_added_by_us(added, taken)) or drop_in_arguments(facts.text(_DROP_IN_PATH))
    left_over = tuple(one for one in ours if one not in (*wanted, *of_vfs) and not replaces(wanted, one))
    return _Asked(wanted, left_over, not wanted and not asks_none, request.removes)


def _boot_loader(facts: Facts, asked: _Asked) -> Iterator[Change | Problem]:
    entry = default_entry(facts)
    has_bls = any(path.startswith(_ENTRIES) for path in facts.files)
    uses_grubby = has_bls or ("grubby" in facts.tools and "update-grub" not in facts.tools)  # CentOS 7 has no BLS
    if asked.wanted and entry is None:
        yield Problem(
            "no-grub",
            _NAME,
            "boot loader",
            "no GRUB configuration with a default entry was found under /boot",
            "only GRUB 2 is supported; is /boot mounted?",
        )
        return
    tool = "grubby" if uses_grubby else "update-grub"
    if asked.wanted and tool not in facts.tools:
        message, hint = f"the command {tool} is missing", f"install the package that has {tool}"
        yield Problem("missing-tool", _NAME, "boot loader", message, hint)
        return
    change = _with_grubby if uses_grubby else _with_drop_in
    if asked.removes or not asked.is_nothing:
        yield from change(facts, asked, entry or "")
    has_ours = _DROP_IN_PATH in facts.files or _GRUBBY_LEDGER in facts.files
    if not asked.removes and (asked.left_over or (asked.is_nothing and has_ours)):
        yield Change(
            _NAME,
            "boot entries" if uses_grubby else "GRUB",
            found=_text(asked.left_over) or "ours",
            wanted=_text(asked.wanted) or "as before us",
            steps=(),
            diff=tuple(f"-{argument}" for argument in asked.left_over),
            is_leftover=True,
        )


def _with_drop_in(facts: Facts, asked: _Asked, entry: str) -> Iterator[Change]:
    before, wanted = facts.files.get(_DROP_IN_PATH), asked.wanted
    if wanted and not missing_arguments(entry, wanted) and not asked.removes_some:
        return  # from any writer, also an older text of ours
    if not wanted and drop_in_arguments(facts.text(_DROP_IN_PATH)) == asked.target and (asked.target or before is None):
        return
    after = drop_in_text(asked.target) if asked.target else None
    steps: list[Step] = []
    diff: tuple[str, ...] = ()
    if after != before:
        steps.append(
            RemoveFile(_DROP_IN_PATH, checksum(before))
            if after is None
            else WriteFile(_DROP_IN_PATH, checksum(before), after)
        )
        lines = [f"-{argument}" for argument in asked.left_over] if asked.removes else []
        lines += [f"+{argument}" for argument in wanted] if missing_arguments(entry, wanted) else []
        diff = (f"--- {_DROP_IN_PATH}", *(("-(file removed)",) if after is None else lines))
    yield Change(
        _NAME,
        "GRUB",
        found=_found(entry, asked, "ours"),
        wanted=_text(wanted) or "as before us",
        steps=(*steps, _UPDATE_GRUB),
        effect=Effect.REBOOT if missing_arguments(facts.cmdline, wanted) else Effect.NONE,
        diff=diff,
        is_leftover=asked.removes_some,
    )


def _with_grubby(facts: Facts, asked: _Asked, entry: str) -> Iterator[Change]:
    """grubby's own ledger: which arguments we added (first line) and took away (second line)."""
    ours, taken = _ledger(facts)
    wanted, ledger = asked.wanted, checksum(facts.files.get(_GRUBBY_LEDGER))
    missing = missing_arguments(entry, wanted)
    target = tuple(map(str, asked.target))
    stale = [token for token in _added_by_us(ours, taken) if token not in target]  # a drop-in loses them too
    if asked.target and (missing or asked.removes_some or (stale and not wanted)):
        remove, add = edit(" ".join(token for token in tokens(entry) if token not in stale), wanted)
        remove = (*(token for token in tokens(entry) if token in stale), *remove)
        ours, taken = _entered(ours, taken, remove, add)
        ours = [token for token in ours if token not in stale]
        write = WriteFile(_GRUBBY_LEDGER, ledger, f"{' '.join(ours)}\n{' '.join(taken)}\n".encode())
        steps: tuple[Step, ...] = (write, *_grubby(entry, remove, add))
    elif not asked.target and (ours or taken):
        # the ledger goes last: if grubby fails, the next run knows what is left to take out
        steps = (*_grubby(entry, ours, taken), RemoveFile(_GRUBBY_LEDGER, ledger))
    else:
        return
    yield Change(
        _NAME,
        "boot entries",
        found=_found(entry, asked, _text(ours)),
        wanted=_text(wanted) or "as before us",
        steps=steps,
        effect=Effect.REBOOT if missing_arguments(facts.cmdline, wanted) else Effect.NONE,
        diff=("--- boot entries (grubby)", *(f"+{a}" for a in missing)),
        is_leftover=asked.removes_some,
    )


def _found(entry: str, asked: _Asked, ours: str) -> str:
    """What the change begins with: what the boot entry says of the arguments wanted, and what of ours goes."""
    if not asked.wanted:
        return ours
    going = f" and {_text(asked.left_over)}" if asked.removes_some else ""
    return _words(entry, asked.wanted) + going


def _ledger(facts: Facts) -> tuple[list[str], list[str]]:
    lines = (facts.text(_GRUBBY_LEDGER) + "\n\n").split("\n")
    return lines[0].split(), lines[1].split()


def _added_by_us(added: Sequence[str], taken: Sequence[str]) -> list[str]:
    """Of the arguments that grubby added those that are ours: not what we left of one of the host's own, as of
    `intel_iommu=off,sm_on` its `intel_iommu=sm_on`."""

    def is_rest(token: str) -> bool:
        key, _, value = token.partition("=")
        whole = (values.split(",") for name, _, values in (each.partition("=") for each in taken) if name == key)
        return any(set(value.split(",")) < set(values) for values in whole)

    return [token for token in added if not is_rest(token)]


def _entered(
    ours: Sequence[str], taken: Sequence[str], remove: Sequence[str], add: Sequence[str]
) -> tuple[list[str], list[str]]:
    """The ledger after one more edit. A run whose grubby failed has entered the same one before."""
    kept = [token for token in ours if token not in remove]
    known, again = Counter(taken), []
    for token in remove:
        if known[token]:
            known[token] -= 1
        elif token not in ours:
            again.append(token)
    return [*kept, *(token for token in add if token not in kept)], [*taken, *again]


def _grubby(entry: str, remove: Sequence[str], add: Sequence[str]) -> tuple[Command, ...]:
    """What stays of these names is given again: grubby puts what it adds in the place of all tokens of a name, and the
    grubby of EL7 looks at no value when it removes one (so it must not add and remove in one go)."""
    named = [KernelArgument(token.partition("=")[0]) for token in (*remove, *add)]
    gone = {*remove, *add}
    stay = [token for token in tokens(entry) if token not in gone and any(one.names(token) for one in named)]
    options = [("--remove-args", remove), ("--args", [*stay, *add])]
    call = ("timeout", "300", "grubby", "--update-kernel=ALL")
    return tuple(Command((*call, f"{option}={' '.join(words)}")) for option, words in options if words)


def _around_rollback(request: Request, facts: Facts, back: Change) -> Change:
    """The drop-in counts once GRUB's files are made from it; grubby takes out what it had put in."""
    if back.target == _DROP_IN_PATH:
        return back._replace(steps=(*back.steps, _UPDATE_GRUB))
    if back.target == _GRUBBY_LEDGER and isinstance(back.steps[0], RemoveFile):
        return back._replace(steps=(*back.steps, *_grubby(default_entry(facts) or "", *_ledger(facts))))
    return back


def _words(entry: str, wanted: tuple[KernelArgument, ...]) -> str:
    """What the boot entry says of the arguments wanted."""
    return _text(token for token in tokens(entry) if any(argument.names(token) for argument in wanted)) or "not set"


def _text(words: Iterable[object]) -> str:
    return " ".join(map(str, words))


def boot_entry_mark(facts: Facts) -> str:
    """Names the present boot entry in the stamp that a reboot leaves."""
    return hashlib.sha256((default_entry(facts) or "").encode()).hexdigest()[:16]


def _reboot_state(facts: Facts, wanted: tuple[KernelArgument, ...]) -> RebootState:
    """A reboot is due if the kernel lacks what the default entry holds, unless one was made for this very entry."""
    entry = default_entry(facts)
    if not missing_arguments(facts.cmdline, wanted) or entry is None or missing_arguments(entry, wanted):
        return RebootState.NOT_NEEDED
    stamp = facts.text(_STAMP).split()
    if len(stamp) == 2 and stamp[1] == boot_entry_mark(facts) and stamp[0] != facts.boot_id:
        return RebootState.FUTILE
    return RebootState.DUE


def _futile_reboot(facts: Facts, wanted: tuple[KernelArgument, ...]) -> Problem:
    """The loop breaker's evidence."""
    missing = missing_arguments(facts.cmdline, wanted)
    return Problem(
        "reboot-futile",
        _NAME,
        "/proc/cmdline",
        f"the kernel lacks {_text(missing)} after a reboot, although the default boot entry holds it; "
        f"boot entry: {default_entry(facts)!r}; /proc/cmdline: {facts.cmdline!r}",
        "the host boots another entry than GRUB's default (a one-time entry, a boot menu, PXE or another disk): "
        "find out which; no further reboot is made",
        Severity.BLOCKED,
    )


CAPABILITY = Capability(_NAME, _reads, changes=_changes, around_rollback=_around_rollback)
