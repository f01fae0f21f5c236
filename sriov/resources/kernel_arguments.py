"""Owner of the kernel command line: the boot loader's configuration, and the reboot that puts it in force.

Debian family: a file of our own in `/etc/default/grub.d`, read by grub-mkconfig after all others (cloud images
override the line of `/etc/default/grub` there), then `update-grub`. RHEL family: `grubby`, which edits the boot
entries and `/etc/default/grub` itself. What counts is what the default boot entry holds in the end; where it
holds the arguments already, whoever wrote them, there is nothing to do.

The reboot is no change of this module's: it follows from facts, see `reboot_state`.
"""

from __future__ import annotations

import enum
import hashlib
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

from sriov import render
from sriov.facts import ABSENT, Facts, Replaced, checksum
from sriov.formats import grub
from sriov.formats.kernel_arguments import KernelArgument, edit, lacking, removals, tokens
from sriov.model import Role
from sriov.resource import Change, Command, Effect, Item, Problem, RemoveFile, Request, Severity, Step, WriteFile

DROP_IN = "zz-sriov.cfg"
_DROP_IN_PATH = f"/etc/default/grub.d/{DROP_IN}"
_GRUB_CFG = ("/boot/grub/grub.cfg", "/boot/grub2/grub.cfg")
_GRUBBY_LEDGER = "/var/lib/sriov/grubby"
_STAMP = "/var/lib/sriov/rebooted"
_UPDATE_GRUB = Command(("timeout", "300", "update-grub"))
_NAME = "kernel-arguments"


def wanted_arguments(items: tuple[Item, ...]) -> tuple[KernelArgument, ...]:
    return tuple(item for item in items if isinstance(item, KernelArgument))


def default_entry(facts: Facts) -> str | None:
    """Kernel arguments of the entry that boots next; None if no boot entry can be told."""
    entries = {path: facts.text(path) for path in facts.files if path.startswith("/boot/loader/entries/")}
    grubenv = facts.text("/boot/grub2/grubenv") or facts.text("/boot/grub/grubenv")
    if entries:
        return grub.bls_default_arguments(entries, grubenv)
    for path in _GRUB_CFG:
        if path in facts.files:
            return grub.default_arguments(facts.text(path), grubenv)
    return None


def changes(
    request: Request, facts: Facts, items: tuple[Item, ...], earlier: tuple[Change, ...]
) -> Iterator[Change | Problem]:
    if Role.COMPUTE not in request.roles:
        return
    wanted = wanted_arguments(items)
    if request.wants_vfs and not wanted:
        return  # the host does without, but what an earlier run put there may be in use
    entry = default_entry(facts)
    has_bls = any(path.startswith("/boot/loader/entries/") for path in facts.files)
    uses_grubby = has_bls or ("grubby" in facts.tools and "update-grub" not in facts.tools)  # CentOS 7 has no BLS
    if wanted and entry is None:
        yield Problem(
            _NAME,
            "boot loader",
            "no GRUB configuration with a default entry was found under /boot",
            "only GRUB 2 is supported; is /boot mounted?",
        )
        return
    tool = "grubby" if uses_grubby else "update-grub"
    if wanted and tool not in facts.tools:
        yield Problem(_NAME, "boot loader", f"the command {tool} is missing", f"install the package with {tool}")
        return
    if uses_grubby:
        yield from _with_grubby(facts, wanted, entry or "")
    else:
        yield from _with_drop_in(facts, wanted, entry or "")


def _with_drop_in(facts: Facts, wanted: tuple[KernelArgument, ...], entry: str) -> Iterator[Change]:
    before = facts.files.get(_DROP_IN_PATH)
    is_right = not lacking(entry, wanted) if wanted else before is None
    if is_right:
        return  # whoever wrote it, and be it an older text of ours
    after = drop_in_text(wanted) if wanted else None
    steps: list[Step] = []
    diff: tuple[str, ...] = ()
    if after != before:
        steps.append(
            RemoveFile(_DROP_IN_PATH, checksum(before))
            if after is None
            else WriteFile(_DROP_IN_PATH, checksum(before), after)
        )
        sign = "-" if after is None else "+"
        diff = (f"--- {_DROP_IN_PATH}", *(f"{sign}{a}" for a in (wanted or ("(file removed)",))))
    yield Change(
        _NAME,
        "GRUB",
        found=_words(entry, wanted) if wanted else "ours",
        wanted=_text(wanted) or "as before us",
        steps=(*steps, _UPDATE_GRUB),
        effect=Effect.REBOOT if lacking(facts.cmdline, wanted) else Effect.NONE,
        diff=diff,
    )


def drop_in_text(wanted: tuple[KernelArgument, ...]) -> bytes:
    """The file in /etc/default/grub.d; whatever stands on the host's own lines, now or later, it brings `wanted`."""
    gone = removals(wanted)
    return render.render(
        "grub-drop-in.cfg",
        append=tuple(map(str, wanted)),
        remove=tuple((one.name, one.value) for one in gone if not one.word),
        strip=tuple((one.name, one.word) for one in gone if one.word),
    ).encode()


def _with_grubby(facts: Facts, wanted: tuple[KernelArgument, ...], entry: str) -> Iterator[Change]:
    """grubby's own ledger: which arguments we added (first line) and took away (second line)."""
    ours, taken = _ledger(facts)
    ledger = checksum(facts.files.get(_GRUBBY_LEDGER))
    missing = lacking(entry, wanted)
    if wanted and missing:
        remove, add = edit(entry, wanted)
        ours, taken = _entered(ours, taken, remove, add)
        write = WriteFile(_GRUBBY_LEDGER, ledger, f"{' '.join(ours)}\n{' '.join(taken)}\n".encode())
        steps: tuple[Step, ...] = (write, *_grubby(entry, remove, add))
    elif not wanted and (ours or taken):
        # the ledger goes last: if grubby fails, the next run knows what is left to take out
        steps = (*_grubby(entry, ours, taken), RemoveFile(_GRUBBY_LEDGER, ledger))
    else:
        return
    yield Change(
        _NAME,
        "boot entries",
        found=_words(entry, wanted) if wanted else _text(ours),
        wanted=_text(wanted) or "as before us",
        steps=steps,
        effect=Effect.REBOOT if lacking(facts.cmdline, wanted) else Effect.NONE,
        diff=("--- boot entries (grubby)", *(f"+{a}" for a in missing)),
    )


def _ledger(facts: Facts) -> tuple[list[str], list[str]]:
    lines = (facts.text(_GRUBBY_LEDGER) + "\n\n").split("\n")
    return lines[0].split(), lines[1].split()


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


def after_rollback(replaced: Replaced, facts: Facts) -> tuple[Command, ...]:
    """What has to follow when one of our files is back to what it was."""
    if replaced.path == _DROP_IN_PATH:
        return (_UPDATE_GRUB,)
    if replaced.path == _GRUBBY_LEDGER and replaced.before == ABSENT:
        return _grubby(default_entry(facts) or "", *_ledger(facts))
    return ()


def _words(entry: str, wanted: tuple[KernelArgument, ...]) -> str:
    """What the boot entry says of the arguments wanted."""
    return _text(token for token in tokens(entry) if any(argument.names(token) for argument in wanted)) or "not set"


def _text(words: Iterable[object]) -> str:
    return " ".join(map(str, words))


class RebootState(enum.Enum):
    """Whether the kernel runs with what the boot entry holds."""

    NOT_NEEDED = "not needed"
    DUE = "due"
    FUTILE = "futile"  # it was tried for just this boot entry, and the kernel still lacks it


def boot_entry_mark(facts: Facts) -> str:
    """Names the present boot entry in the stamp that a reboot leaves."""
    return hashlib.sha256((default_entry(facts) or "").encode()).hexdigest()[:16]


def reboot_state(facts: Facts, items: tuple[Item, ...]) -> RebootState:
    """A reboot is due if the kernel lacks what the default entry holds, unless one was made for this very entry."""
    wanted = wanted_arguments(items)
    entry = default_entry(facts)
    if not lacking(facts.cmdline, wanted) or entry is None or lacking(entry, wanted):
        return RebootState.NOT_NEEDED
    stamp = facts.text(_STAMP).split()
    if len(stamp) == 2 and stamp[1] == boot_entry_mark(facts) and stamp[0] != facts.boot_id:
        return RebootState.FUTILE
    return RebootState.DUE


def futile_reboot(facts: Facts, items: tuple[Item, ...]) -> Problem:
    """The loop breaker's evidence."""
    missing = lacking(facts.cmdline, wanted_arguments(items))
    return Problem(
        _NAME,
        "/proc/cmdline",
        f"the kernel lacks {_text(missing)} after a reboot, although the default boot entry holds it; "
        f"boot entry: {default_entry(facts)!r}; /proc/cmdline: {facts.cmdline!r}",
        "the host boots another entry than GRUB's default (a one-time entry, a boot menu, PXE or another disk): "
        "find out which, no further reboot will be made",
        Severity.BLOCKED,
    )
