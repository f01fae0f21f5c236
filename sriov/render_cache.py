"""Texts as templates gave them before: so a run that finds hosts as wanted does not load Jinja2, a tenth of its time.

A text is found by the checksum of all that it is made of - the templates, the code that renders them, the values - so
none is ever stale. The files are this user's own: one that is damaged, or lies where others can write, is no text.
Where nothing can be kept, or Python is told to write no bytecode, rendering takes its time and that is all.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import importlib.util
import os
import stat
import sys
from collections.abc import Hashable
from pathlib import Path

from sriov import layout

TEXTS_KEPT = 500  # then all go, for most are of templates and testbeds of the past


def name_of(template: str, values: tuple[tuple[str, Hashable], ...], *, anew: bool = False) -> str:
    """The name of this text; empty where none is kept. `anew`: by the files as they are now."""
    if sys.dont_write_bytecode:
        return ""
    try:
        made_by = _made_by.__wrapped__() if anew else _made_by()
        return hashlib.sha256(f"{made_by} {template} {_exact(values)}".encode()).hexdigest()
    except (OSError, TypeError, UnicodeEncodeError):
        return ""


def load(name: str) -> str | None:
    with contextlib.suppress(OSError, RuntimeError, ValueError):
        folder = _folder()
        if name and folder:
            checksum, _, text = (folder / name).read_bytes().partition(b"\n")
            if hashlib.sha256(text).hexdigest().encode() == checksum:
                return text.decode()
    return None


def store(name: str, text: str) -> None:
    with contextlib.suppress(OSError, RuntimeError, ValueError):
        folder = _folder()
        if not name or not folder:
            return
        kept = list(folder.iterdir())
        for path in kept if len(kept) >= TEXTS_KEPT else ():
            path.unlink(missing_ok=True)
        import tempfile  # late, for it is slow to load

        content = text.encode()
        number, new = tempfile.mkstemp(dir=folder)
        try:
            with open(number, "wb") as file:
                file.write(hashlib.sha256(content).hexdigest().encode() + b"\n" + content)
            os.replace(new, folder / name)
        except OSError:  # a full disk
            os.unlink(new)


def _folder() -> Path | None:
    """`~/.cache/sriov-fab`; None where others could write in it. OSError, RuntimeError if there is none."""
    folder = Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / "sriov-fab"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    seen = folder.lstat()
    own = stat.S_ISDIR(seen.st_mode) and seen.st_uid == os.geteuid() and not seen.st_mode & 0o022
    return folder if own else None


@functools.cache
def _made_by() -> str:
    """What makes texts of values: templates and code by their content, Jinja2 by its place and age."""
    made = hashlib.sha256()
    code = Path(__file__).parent
    for path in (*sorted(layout.templates().glob("*.j2")), code / "quoting.py", code / "template_engine.py"):
        made.update(f"{path.name} {hashlib.sha256(path.read_bytes()).hexdigest()}\n".encode())
    found = importlib.util.find_spec("jinja2")
    if found is not None and found.origin:
        made.update(f"{found.origin} {os.stat(found.origin).st_mtime_ns}".encode())
    return made.hexdigest()


def _exact(value: object) -> str:
    """In one way for one value; TypeError for a value that may hold more than it shows."""
    if isinstance(value, tuple):
        return f"({','.join(map(_exact, value))})"
    if type(value) in (str, int, bool, type(None)):
        return repr(value)
    raise TypeError(type(value).__name__)
