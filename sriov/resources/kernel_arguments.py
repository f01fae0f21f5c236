"""Owner of the kernel command line: the boot loader's configuration, and the reboot that puts it in force.

Debian family: a file of our own in `/etc/default/grub.d`, read by grub-mkconfig after all others (cloud images
override the line of `/etc/default/grub` there), then `update-grub`. RHEL family: `grubby`, which edits the boot
entries and `/etc/default/grub` itself. What counts is what the default boot entry holds in the end; where it
holds the arguments already, whoever wrote them, there is nothing to do.

The reboot is no change of this module's: it follows from facts, see `_reboot_state`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

from sriov.facts.model import Facts, checksum
from sriov.formats import grub
from sriov.formats.grub import KernelArgument
from sriov.model import Role
from sriov.rendering.templates import render
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

_DROP_IN_PATH = "/etc/default/grub.d/zz-sriov.cfg"
_GRUB_CFG = ("/boot/grub/grub.cfg", "/boot/grub2/grub.cfg")
_ENTRIES = "/boot/loader/entries/"
_ENVIRONMENTS = ("/boot/grub2/grubenv", "/boot/grub/grubenv")
_GRUBBY_LEDGER = "/var/lib/sriov/grubby"
_DEFAULTS = "/etc/default/grub"
_STAMP = "/var/lib/sriov/rebooted"
_UPDATE_GRUB = Command(("timeout", "300", "update-grub"))
_NAME = "kernel-arguments"


def _reads(request: Request) -> Reads:
    if Role.COMPUTE not in request.roles:
        return Reads()
    files = (*_GRUB_CFG, f"{_ENTRIES}*.conf", *_ENVIRONMENTS, _DEFAULTS, _DROP_IN_PATH, _STAMP, _GRUBBY_LEDGER)
    return Reads(files, tools=("update-grub", "grubby"))


def _wanted_arguments(items: tuple[Item, ...]) -> tuple[KernelArgument, ...]:
    return tuple(dict.fromkeys(item for item in items if isinstance(item, KernelArgument)))


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
    wanted = _wanted_arguments(items)
    yield from _boot_loader(facts, wanted)
    state = _reboot_state(facts, wanted)
    yield Reboot(state, boot_entry_mark(facts))
    if state is RebootState.FUTILE:
        yield _futile_reboot(facts, wanted)


def _boot_loader(facts: Facts, wanted: tuple[KernelArgument, ...]) -> Iterator[Change | Problem]:
    entry = default_entry(facts)
    has_bls = any(path.startswith(_ENTRIES) for path in facts.files)
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
    lacking = grub.lacking(entry, wanted)
    if not wanted:
        after = None
    elif before is None and not lacking:
        return  # somebody else's configuration has them
    else:
        after = render("grub-drop-in.cfg", arguments=tuple((a.name, a.value) for a in wanted)).encode()
    if after == before and not lacking:
        return
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
        effect=Effect.REBOOT if grub.lacking(facts.cmdline, wanted) else Effect.NONE,
        diff=diff,
    )


def _with_grubby(facts: Facts, wanted: tuple[KernelArgument, ...], entry: str) -> Iterator[Change]:
    """grubby's own ledger: which arguments we added (first line) and took away (second line)."""
    ledger = (facts.text(_GRUBBY_LEDGER) + "\n\n").split("\n")
    ours, taken = ledger[0].split(), ledger[1].split()
    lacking = grub.lacking(entry, wanted)
    if wanted and lacking:
        remove = grub.conflicting(entry, wanted)
        text = " ".join(dict.fromkeys([*ours, *lacking])) + "\n" + " ".join(dict.fromkeys([*taken, *remove])) + "\n"
        step = _grubby(remove, tuple(lacking))
        write = WriteFile(_GRUBBY_LEDGER, checksum(facts.files.get(_GRUBBY_LEDGER)), text.encode())
        steps: tuple[Step, ...] = (write, step)
    elif not wanted and ours:
        # the ledger goes last: if grubby fails, the next run knows what is left to take out
        steps = (
            _grubby(tuple(ours), tuple(taken)),
            RemoveFile(_GRUBBY_LEDGER, checksum(facts.files.get(_GRUBBY_LEDGER))),
        )
    else:
        return
    yield Change(
        _NAME,
        "boot entries",
        found=_words(entry, wanted) if wanted else _text(ours),
        wanted=_text(wanted) or "as before us",
        steps=steps,
        effect=Effect.REBOOT if grub.lacking(facts.cmdline, wanted) else Effect.NONE,
        diff=("--- boot entries (grubby)", *(f"+{a}" for a in lacking)),
    )


def _grubby(remove: tuple[str, ...], add: tuple[str, ...]) -> Command:
    words = ["timeout", "300", "grubby", "--update-kernel=ALL"]
    if remove:
        words.append("--remove-args=" + " ".join(remove))
    if add:
        words.append("--args=" + " ".join(add))
    return Command(tuple(words))


def _around_rollback(request: Request, facts: Facts, back: Change) -> Change:
    """The drop-in counts once GRUB's files are made from it; grubby takes out what it had put in."""
    if back.target == _DROP_IN_PATH:
        return back._replace(steps=(*back.steps, _UPDATE_GRUB))
    if back.target == _GRUBBY_LEDGER and isinstance(back.steps[0], RemoveFile):
        ours, taken, *_ = (facts.text(_GRUBBY_LEDGER) + "\n\n").split("\n")
        return back._replace(steps=(*back.steps, _grubby(tuple(ours.split()), tuple(taken.split()))))
    return back


def _words(entry: str, wanted: tuple[KernelArgument, ...]) -> str:
    """What the boot entry says of the arguments wanted."""
    names = {a.name for a in wanted}
    return _text(t for t in grub.tokens(entry) if t.split("=", 1)[0] in names) or "not set"


def _text(words: object) -> str:
    return " ".join(str(word) for word in words)  # type: ignore[attr-defined]


def boot_entry_mark(facts: Facts) -> str:
    """Names the present boot entry in the stamp that a reboot leaves."""
    return hashlib.sha256((default_entry(facts) or "").encode()).hexdigest()[:16]


def _reboot_state(facts: Facts, wanted: tuple[KernelArgument, ...]) -> RebootState:
    """A reboot is due if the kernel lacks what the default entry holds, unless one was made for this very entry."""
    entry = default_entry(facts)
    if not grub.lacking(facts.cmdline, wanted) or entry is None or grub.lacking(entry, wanted):
        return RebootState.NOT_NEEDED
    stamp = facts.text(_STAMP).split()
    if len(stamp) == 2 and stamp[1] == boot_entry_mark(facts) and stamp[0] != facts.boot_id:
        return RebootState.FUTILE
    return RebootState.DUE


def _futile_reboot(facts: Facts, wanted: tuple[KernelArgument, ...]) -> Problem:
    """The loop breaker's evidence."""
    lacking = grub.lacking(facts.cmdline, wanted)
    return Problem(
        _NAME,
        "/proc/cmdline",
        f"the kernel lacks {_text(lacking)} after a reboot, although the default boot entry holds it; "
        f"boot entry: {default_entry(facts)!r}; /proc/cmdline: {facts.cmdline!r}",
        "the host boots another entry than GRUB's default (a one-time entry, a boot menu, PXE or another disk): "
        "find out which, no further reboot will be made",
        Severity.BLOCKED,
    )


CAPABILITY = Capability("kernel-arguments", _reads, changes=_changes, around_rollback=_around_rollback)
