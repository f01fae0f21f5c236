"""Configuration files of OpenStack services: their changes, what waits in them, and what must be said beside: a file is
too large to be read, it has another name, or another program has written into our block."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

from sriov.facts.model import Facts, checksum
from sriov.facts.parser import FILE_LIMIT
from sriov.formats.oslo import blocks
from sriov.formats.oslo.document import read
from sriov.formats.oslo.options import ConfigFile
from sriov.resources.contract import Change, Effect, Problem, Request, Severity, WriteFile


class Versions(NamedTuple):
    """Configuration files as they are, as they are to be, and as they are to be without what nothing asks for."""

    present: tuple[ConfigFile, ...]
    kept: tuple[ConfigFile, ...]
    asked: tuple[ConfigFile, ...]


def file_changes(
    request: Request,
    resource: str,
    facts: Facts,
    files: Versions,
    diff: Callable[[ConfigFile, ConfigFile], tuple[str, ...]],
) -> Iterator[Change | Problem]:
    """The changes of configuration files, and apart from them those that would take away what nothing asks for."""
    for before, kept, asked in zip(*files, strict=True):
        has_leftovers = kept.text != asked.text
        after = asked if request.removes else kept
        if before.text != after.text:
            yield from _beside_change(resource, facts, before)
            change = file_change(resource, before, after, diff(before, after))
            yield change._replace(is_leftover=request.removes and has_leftovers)
        if has_leftovers and not request.removes:
            yield file_change(resource, kept, asked, diff(kept, asked))._replace(is_leftover=True)


def waiting(
    request: Request, resource: str, files: tuple[ConfigFile, ...], free: tuple[ConfigFile, ...]
) -> Iterator[Problem]:
    """Which files hold lines that wait for the VFs of a port."""
    for file, wanted in zip(files, free, strict=True):
        if file.text != wanted.text:
            yield Problem(
                "waits-for-vfs",
                resource,
                file.path,
                f"its lines for {', '.join(sorted(request.held))} stay as they are, because the VFs do",
                "they change together: free these VFs and run again",
                Severity.BLOCKED,
            )


def file_change(resource: str, before: ConfigFile, after: ConfigFile, diff: tuple[str, ...]) -> Change:
    """The change of one configuration file of an OpenStack service; `diff` shows our own lines."""
    added = sum(line.startswith("+") and not line.startswith(("+++", "+#")) for line in diff)
    removed = sum(line.startswith("-") and not line.startswith(("---", "-#")) for line in diff)
    return Change(
        resource,
        before.path,
        wanted=f"{added} {'line' if added == 1 else 'lines'} to add, {removed} to remove",
        found="",
        steps=(WriteFile(before.path, checksum(before.text), after.text, "0640"),),
        effect=Effect.RESTART,
        diff=diff,
    )


def not_read(
    resource: str, service: str, facts: Facts, is_read: Callable[[str], bool], *, is_asked: bool = True
) -> Iterator[Problem]:
    """Files of the service of which something was not read: whether they hold lines of ours is not known.

    `is_asked`: this call would write or remove such lines, so it must not go on without them.
    """
    severity = Severity.IMPOSSIBLE if is_asked else Severity.WARNING
    for path in filter(is_read, facts.unreadable):
        hint = f"{service} reads it: look at it on the host"
        yield Problem("unreadable-file", resource, path, "the file cannot be read", hint, severity)
    yield from (problem._replace(severity=severity) for problem in too_large(resource, facts, is_read))


def too_large(resource: str, facts: Facts, is_read: Callable[[str], bool]) -> Iterator[Problem]:
    """Files of the service that were not read to their end: what stands behind that is not known."""
    for path, size in facts.oversized.items():
        if is_read(path):
            yield Problem(
                "file-too-large",
                resource,
                path,
                f"the file has {size:,} bytes or more, and this program reads files of up to {FILE_LIMIT:,} bytes",
                "see what fills it (repeated sections, a log, comments); make it shorter, or move a part of it into a "
                "file of the folder that the service reads too, such as /etc/nova/nova.conf.d, and run again",
            )


def _beside_change(resource: str, facts: Facts, before: ConfigFile) -> Iterator[Problem]:
    """Warnings that go with the change of a file."""
    if names := facts.hard_linked.get(before.path, 0):
        others = f"{names - 1} other {'name' if names == 2 else 'names'}"
        yield Problem(
            "hard-link",
            resource,
            before.path,
            f"the file has {others} (hard links); the change gives this name a file of its own, and under "
            f"{'that name' if names == 2 else 'those names'} the old content stays",
            f"`find / -xdev -samefile {before.path}` lists them: link them again afterwards if they must be one file, "
            "or use a symbolic link, which stays",
            Severity.WARNING,
        )
    document = read(before.path, before.text, any_bytes=True)
    for block in blocks.find(document.path, document.lines):
        said = [number for number in block.others if document.lines[number].strip()]
        if said:
            count = len(said)
            yield Problem(
                "lines-in-our-block",
                resource,
                f"{before.path}:{said[0] + 1}",
                f"{count} {'line' if count == 1 else 'lines'} that another program or user has put into our block "
                f"{block.topic!r}; the block changes: what is not ours goes behind its end, unchanged and in the same "
                "section",
                "nothing has to be done: the service reads the same options as before",
                Severity.WARNING,
            )
