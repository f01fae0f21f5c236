"""A testbed written in Python: runs the operator's own file and keeps what it left in `env`.

Testbeds begin with `from fabric.api import env`, a module that Fabric lost with version 2. While the file runs,
stand-ins for `fabric` and `fabric.api` are in `sys.modules`; what was there before comes back afterwards.
The file is trusted, as any fabfile is: it is the operator's own code and nothing is fenced off. Only its
output is led to stderr, since stdout may be carrying a JSON document.
"""

from __future__ import annotations

import ast
import contextlib
import sys
import threading
import traceback
import warnings
from collections.abc import Iterator
from pathlib import Path
from types import CodeType, ModuleType

from sriov.testbed.sources import python_faults
from sriov.testbed.sources.python_lines import holds_password, line_finder
from sriov.testbed.sources.source import Source, line_error, read_bytes
from sriov.testbed.wording import as_text

_STAND_INS = ("fabric", "fabric.api", "fabric.state")
_sys_modules_lock = threading.RLock()


class Env(dict[str, object]):
    """Fabric 1's `env`: a dict whose keys are attributes too. It starts with the containers that Fabric 1 had."""

    def __init__(self) -> None:
        super().__init__(hosts=[], roles=[], roledefs={}, passwords={})

    def __getattr__(self, name: str) -> object:
        try:
            return self[name]
        except KeyError:
            raise AttributeError(f"env has no {name}", name=name, obj=self) from None

    def __setattr__(self, name: str, value: object) -> None:
        self[name] = value

    def __delattr__(self, name: str) -> None:
        del self[name]


def read(path: Path) -> Source:
    """Run the file. Raises TestbedError, with the line, if it does not compile or does not run to its end."""
    content = read_bytes(path)
    code = _compile(content, path)
    env = Env()
    names: dict[str, object] = {"__name__": "testbed", "__file__": str(path), "__builtins__": __builtins__}
    failure = _run(code, env, names)
    if failure is not None:
        line = next((frame.lineno for frame in reversed(failure.stack) if frame.filename == str(path)), None)
        text = python_faults.line_text(content, line)
        id, what, hint = python_faults.of_running(failure, text, holds_password(_tree(content), line))
        raise line_error(id, str(path), line, what, hint)
    return Source(str(path), env, line_finder(lambda: _tree(content), names), "env.")


def _tree(content: bytes) -> ast.Module:
    """The syntax tree of a file that compiles; only faults need it, and it takes as long as the load itself."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return ast.parse(content)


def _compile(content: bytes, path: Path) -> CodeType:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # an old '\d' in the operator's file is none of our business
            return compile(content, str(path), "exec")
    except SyntaxError as error:
        text = python_faults.line_text(content, error.lineno)
        line = error.lineno
        id, what, hint = python_faults.of_syntax(error.msg, text)
        if not content.isascii() and (undecodable := python_faults.undecodable_line(content)):
            line = undecodable
            id, what, hint = "not-a-testbed", "holds bytes that are not UTF-8", "save it as UTF-8"
    except (ValueError, RecursionError, MemoryError):
        line, id, what, hint = None, "testbed-syntax", "is not Python that can be read", ""
    raise line_error(id, str(path), line, what, hint)  # out here: the original, which quotes the line, is not chained


def _run(code: CodeType, env: Env, names: dict[str, object]) -> python_faults.Failure | None:
    with _sys_modules_lock, _fabric_1(env), contextlib.redirect_stdout(sys.stderr), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            exec(code, names)  # noqa: S102 - a testbed is the operator's own program
        except (Exception, SystemExit) as error:
            stack = tuple(traceback.extract_tb(error.__traceback__))
            return python_faults.Failure(type(error), getattr(error, "name", None), as_text(error) or "", stack)
    return None


@contextlib.contextmanager
def _fabric_1(env: Env) -> Iterator[None]:
    before = {name: sys.modules.get(name) for name in _STAND_INS}
    fabric, api, state = (ModuleType(name) for name in _STAND_INS)
    for module in (api, state):
        vars(module).update(env=env, __all__=["env"], __getattr__=_not_in_a_testbed)
    vars(fabric).update(api=api, state=state, __path__=[])
    sys.modules.update(zip(_STAND_INS, (fabric, api, state), strict=True))
    try:
        yield
    finally:
        for name, module_before in before.items():
            if module_before is None:
                sys.modules.pop(name, None)
            else:
                sys.modules[name] = module_before


def _not_in_a_testbed(name: str) -> object:
    """`from fabric.api import env, run` loads; calling `run` does not, since a testbed only describes."""
    if name.startswith("__"):
        raise AttributeError(name)

    def refuse(*_: object, **__: object) -> object:
        raise python_faults.NotInATestbedError(name)

    return refuse
