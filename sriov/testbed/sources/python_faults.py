"""What is wrong with a Python testbed that does not compile or run, in words, with the remedy.

Never quotes the file: the line at fault may be the one that holds the passwords. What is quoted are names
(of variables, modules, exceptions) and the messages of Python's own parser, which hold no literals.
"""

from __future__ import annotations

import re
import traceback
from typing import NamedTuple

_PYTHON_2 = "this line is Python 2; testbeds are read by Python 3"
_PLACEHOLDER = re.compile(r"\{\{|\{%|(?<![\w\]])\{\s*[A-Za-z_]\w*\s*\}|<%|\$\{")
_PLACEHOLDER_HINT = "a template's placeholder seems to be left in this line: put the real value there"
_PYTHON_2_NAMES = frozenset(("unicode", "xrange", "raw_input", "basestring", "long", "execfile", "reduce", "unichr"))
_PYTHON_2_METHODS = frozenset(("has_key", "iteritems", "itervalues", "iterkeys"))
_CURLY = re.compile("[\u2018\u2019\u201c\u201d\u201e\u00ab\u00bb]")


class NotInATestbedError(Exception):
    """A Fabric 1 function (`run`, `sudo`, ...) was called while the testbed was read."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.name = name


class Failure(NamedTuple):
    """An exception that ended a testbed: its type, the name it is about if any, its text, its stack."""

    kind: type[BaseException]
    name: str | None
    text: str
    stack: tuple[traceback.FrameSummary, ...]


def line_text(content: bytes, line: int | None) -> str:
    """That line of the file, for the choice of a hint only."""
    lines = content.decode("utf-8", "replace").splitlines()
    return lines[line - 1] if line and line <= len(lines) else ""


def undecodable_line(content: bytes) -> int | None:
    """The first line that is not UTF-8, None if all are; a `coding:` line in the file is the parser's affair."""
    for number, line in enumerate(content.split(b"\n"), start=1):
        try:
            line.decode("utf-8")
        except UnicodeDecodeError:
            return number
    return None


def of_syntax(message: str, line: str) -> tuple[str, str, str]:
    """(id, what, hint) for a SyntaxError; `line` is the text at fault.

    `of_syntax("Missing parentheses in call to 'print'. Did you mean print(...)?", "print 'x'")` names Python 2.
    """
    what = f"syntax error: {message}"
    if _CURLY.search(line):
        return (
            "testbed-syntax",
            f"syntax error: a curly quote ({message})",
            "type straight quotes (' or \"); word processors bend them",
        )
    if "integer string conversion" in message:  # of more than 4300 digits
        return "testbed-syntax", "a whole number with too many digits", "put it in quotes if it is text"
    if _PLACEHOLDER.search(line):
        return "testbed-placeholder", what, _PLACEHOLDER_HINT
    if re.match(r"\s*(print|exec)\b(?!\s*\()", line) or "<>" in line or re.search(r"\bexcept\b[^:]*,", line):
        return "testbed-python-2", f"{what} (a Python 2 statement)", _PYTHON_2
    if "leading zeros" in message or "invalid hexadecimal" in message or re.search(r"\b\d+[lL]\b", line):
        return "testbed-python-2", f"{what} (a Python 2 number)", _PYTHON_2
    if "indent" in message or "tabs" in message.lower():
        return "testbed-syntax", what, "lines that belong together begin with the same number of blanks"
    if "forgot a comma" in message:
        return "testbed-syntax", what, "a comma seems to be missing at the end of this line or the one before"
    if "never closed" in message or "unmatched" in message or "does not match" in message:
        return "testbed-syntax", what, "count the brackets from here: each ( [ { needs its ) ] }"
    if "unterminated" in message:
        return "testbed-syntax", what, "a closing quote is missing"
    return "testbed-syntax", what, "look at this line and the one before for a missing comma, quote or bracket"


def of_running(failure: Failure, line: str, is_secret: bool) -> tuple[str, str, str]:
    """(id, what, hint) for an exception while the file ran; `is_secret`: the name itself may be a password."""
    name, kind = failure.name, failure.kind
    if is_secret and issubclass(kind, NameError | AttributeError):
        return (
            "testbed-failed",
            "a password without quotes, or a name that is not defined",
            "put the password in quotes",
        )
    if issubclass(kind, NotInATestbedError):
        return "testbed-failed", f"calls fabric.api.{name}", "a testbed only describes hosts; it runs nothing on them"
    if issubclass(kind, NameError):
        return "testbed-failed", f"the name {name!r} is not defined", _undefined_hint(name or "", line)
    if issubclass(kind, ImportError):
        return "testbed-failed", f"imports {name!r}, which is not there", "a testbed needs only fabric.api, os and sys"
    if issubclass(kind, AttributeError) and name in _PYTHON_2_METHODS:
        return "testbed-python-2", f"uses .{name}()", _PYTHON_2
    if issubclass(kind, AttributeError):
        return (
            "testbed-failed",
            f"there is nothing called .{name} here",
            f"set it first: env.{name} = ..." if "env." in line else "",
        )
    if issubclass(kind, SystemExit):
        return (
            "testbed-failed",
            "ends the program (sys.exit) instead of describing hosts",
            "take the call out of the testbed",
        )
    if issubclass(kind, TypeError) and "not supported between" in failure.text:
        return "testbed-python-2", "compares values of different kinds (Python 2 allowed that)", _PYTHON_2
    if issubclass(kind, TypeError) and "unhashable" in failure.text:
        hint = _PLACEHOLDER_HINT if _PLACEHOLDER.search(line) else "a host is text; a comma or bracket may be misplaced"
        return "testbed-failed", "uses a list, set or dictionary as the key of a dictionary", hint
    if issubclass(kind, TypeError) and "not callable" in failure.text:
        return (
            "testbed-failed",
            "calls something that is not a function",
            "a comma seems to be missing before a bracket",
        )
    if _PLACEHOLDER.search(line):
        return "testbed-placeholder", f"fails with {kind.__name__}", _PLACEHOLDER_HINT
    return (
        "testbed-failed",
        f"fails with {kind.__name__}",
        "run `python3 FILE` after setting PYTHONPATH, or look at this line",
    )


def _undefined_hint(name: str, line: str) -> str:
    if _PLACEHOLDER.search(line):
        return _PLACEHOLDER_HINT
    if name in _PYTHON_2_NAMES:
        return _PYTHON_2
    if name == "env":
        return "begin the file with: from fabric.api import env"
    if name in ("os", "sys"):
        return f"begin the file with: import {name}"
    if name in ("true", "false", "null", "none"):
        return "Python writes True, False and None"
    return f"define it above this line, for example {name} = 'root@10.0.0.1', or put it in quotes"
