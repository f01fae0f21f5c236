"""Fabric 1's call grammar on Fabric 3: `fab setup_all:reboot=False`, `fab add_vrouter_node:root@a,root@b`.

`to_invoke` is pure: tokens in, tokens out, in the one spelling that Fabric 3 reads without surprise
(`setup_all --reboot=False`). Fabric's own spelling passes through it too, so that a wrong call of either kind ends
in one line with the nearest right word and exit code 2. `operator_task.install` puts it to work.

    task:a,b,key=value     arguments by position and by name; `\\,` and `\\=` stand for the characters themselves
    task a b --key value   the same, as Fabric 3 has it
    task:a b               the same; a word near a task's name is taken for that name, mistyped
    --key value task       an option before the first task holds for every task of the call

Hosts are the arguments by position of a task that takes hosts; they leave here as one `--hosts=a,b`.
"""

from __future__ import annotations

import enum
import re
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from sriov.errors import did_you_mean, nearest

TRUE_WORDS = ("true", "yes", "on", "1", "y")
FALSE_WORDS = ("false", "no", "off", "0", "n")


class CallError(ValueError):
    """The call cannot be meant; the text says why, in one line. `id`: see `sriov.errors`."""

    def __init__(self, id: str, message: str) -> None:
        super().__init__(message)
        self.id = id


class Hosts(enum.Enum):
    """Whether a task takes hosts."""

    NONE = "none"
    OPTIONAL = "optional"
    REQUIRED = "required"


class Parameter(NamedTuple):
    """One thing that a task can be told. `read` turns its text into a value, or raises ValueError with the reason.

    `name` is Python's (`max_unavailable`); on the command line it has dashes. A switch stands without a value.
    """

    name: str
    read: Callable[[str], object]
    help: str
    is_switch: bool = False

    @property
    def option(self) -> str:
        return "--" + self.name.replace("_", "-")


class Signature(NamedTuple):
    """What a task takes; `positional` names the parameters that Fabric 1 calls may give without their names."""

    parameters: tuple[Parameter, ...]
    hosts: Hosts = Hosts.NONE
    positional: tuple[str, ...] = ()

    def find(self, word: str) -> Parameter | None:
        name = word.replace("-", "_")
        return next((parameter for parameter in self.parameters if parameter.name == name), None)


@dataclass(eq=False, repr=False, slots=True)
class _Call:
    """A task as called. `passed_on` are Fabric's own options that stand behind it."""

    task: str
    hosts: list[str] = field(default_factory=list)
    texts: dict[str, str] = field(default_factory=dict)
    passed_on: list[str] = field(default_factory=list)


def to_bool(text: str) -> bool:
    """`'False'`, `'no'`, `'0'`, `'off'` mean no. Raises ValueError on anything that is not clearly yes or no."""
    word = text.strip().lower()
    if word in TRUE_WORDS + FALSE_WORDS:
        return word in TRUE_WORDS
    raise ValueError("say yes or no")


def to_invoke(argv: Iterable[str], tasks: Mapping[str, Signature], core: Mapping[str, bool]) -> list[str]:
    """The same call in Fabric 3's spelling. Raises CallError, in one line, if it cannot be meant.

    `core` are Fabric's own options, `{'--list': False, '-r': True}`: True if a value follows. They stay as typed.
    """
    everyone, calls, tokens = _Call(""), list[_Call](), deque(argv)
    while tokens:
        token = tokens.popleft()
        current = calls[-1] if calls else everyone
        if token.startswith("-") and len(token) > 1:
            _take_option(token, tokens, current, tasks, core)
        elif task := _task_name(token, tasks):
            calls.append(_fabric_1_call(task, token.partition(":")[2], tasks[task]))
        elif not calls:
            raise _unknown_task(token, tasks)
        else:
            _take_argument(token, current, tasks)
    _refuse_testbed_of_some(calls)
    return everyone.passed_on + [word for call in calls for word in _spelled(call, everyone, tasks[call.task])]


def _task_name(token: str, tasks: Mapping[str, Signature]) -> str:
    """`setup-all:reboot=no` -> `setup_all`; empty if that is no task."""
    name = token.partition(":")[0].replace("-", "_")
    return name if name in tasks else ""


def _unknown_task(token: str, tasks: Mapping[str, Signature]) -> CallError:
    name = token.partition(":")[0]
    words = f"there is no task {name!r}{_suggestion(name, tasks)} (`fab --list` shows the tasks)"
    return CallError("unknown-task", words)


def _suggestion(word: str, known: Iterable[str]) -> str:
    question = did_you_mean(word, known, 0.5)
    return f"; {question}" if question else ""


def _looks_like_task(word: str, tasks: Mapping[str, Signature]) -> bool:
    return bool(nearest(word.replace("-", "_"), tasks, 0.8))


def _fabric_1_call(task: str, arguments: str, signature: Signature) -> _Call:
    """`add_vrouter_node`, `root@a,jobs=4` -> the call with host `root@a` and `jobs` 4."""
    call = _Call(task)
    unnamed = deque(signature.positional)
    for argument in _split(",", arguments) if arguments else ():
        key, *value = _split("=", argument, once=True)
        if value:
            _set_by_name(call, key.strip(), _unescaped(value[0]), signature)
        elif signature.hosts is not Hosts.NONE:
            call.hosts.append(_unescaped(argument))
        elif unnamed:
            _set(call, unnamed.popleft(), _unescaped(argument), signature)
        else:
            raise _too_many(task, _unescaped(argument), signature)
    return call


def _split(separator: str, text: str, once: bool = False) -> list[str]:
    """Split at each separator that has no backslash before it; the backslashes stay."""
    return re.split(rf"(?<!\\){separator}", text, maxsplit=1 if once else 0)


def _unescaped(text: str) -> str:
    return re.sub(r"\\([,=])", r"\1", text)


def _too_many(task: str, argument: str, signature: Signature) -> CallError:
    if signature.positional:
        words = f"{task}: {argument!r} is one argument too many (it takes {', '.join(signature.positional)})"
    else:
        words = f"{task} takes no hosts and no other argument without a name, but was given {argument!r}"
    return CallError("too-many-arguments", words)


def _takes_no_hosts(task: str) -> CallError:
    return CallError("task-without-hosts", f"{task} takes no hosts: it works on all hosts of the testbed")


def _set_by_name(call: _Call, key: str, text: str, signature: Signature) -> None:
    if key in ("hosts", "host") and signature.hosts is not Hosts.NONE:
        call.hosts.extend(re.split("[;,]", text))  # Fabric 1 has hosts='a;b'
    else:
        _set(call, key, text, signature)


def _set(call: _Call, key: str, text: str, signature: Signature) -> None:
    parameter = signature.find(key)
    of_task = f"{call.task}: " if call.task else ""
    if parameter is None:
        known = [parameter.name for parameter in signature.parameters]
        known += ["hosts"] if signature.hosts is not Hosts.NONE else []
        raise CallError("unknown-option", f"{of_task}there is no {key!r}{_suggestion(key, known)}")
    if parameter.name in call.texts:
        raise CallError("option-given-twice", f"{of_task}{parameter.name!r} is given twice")
    try:
        parameter.read(text)
    except ValueError as reason:
        raise CallError("invalid-argument", f"{of_task}{parameter.name} cannot be {text!r}: {reason}") from None
    call.texts[parameter.name] = text


def _take_argument(token: str, call: _Call, tasks: Mapping[str, Signature]) -> None:
    """A word behind a task that is no task: a host, or for a task without hosts its next argument by position."""
    if tasks[call.task].hosts is Hosts.NONE:
        if _takes_by_position(token, call, tasks):
            return
        if re.search(r"[@.\[]", token) or not _suggestion(token.partition(":")[0], tasks):
            raise _too_many(call.task, token, tasks[call.task])
        raise _unknown_task(token, tasks)
    name = token.partition(":")[0]
    if (_looks_like_task(name, tasks) and not re.search(r"[@.\[]", name)) or re.match(r"\w+:.*=", token):
        raise _unknown_task(token, tasks)
    call.hosts.extend(_unescaped(host) for host in _split(",", token))


def _takes_by_position(token: str, call: _Call, tasks: Mapping[str, Signature]) -> bool:
    """`explain physnet1 2` as `explain:physnet1,2`; not if the word looks like a task."""
    signature = tasks[call.task]
    free = [name for name in signature.positional if name not in call.texts]
    texts = [_unescaped(text) for text in _split(",", token)]
    if len(texts) > len(free) or _looks_like_task(token, tasks):
        return False
    for name, text in zip(free, texts, strict=False):
        _set(call, name, text, signature)
    return True


def _take_option(
    token: str, rest: deque[str], call: _Call, tasks: Mapping[str, Signature], core: Mapping[str, bool]
) -> None:
    word, equals, value = token.partition("=")
    takers = [tasks[call.task]] if call.task else list(tasks.values())
    taker = next((taker for taker in takers if word.startswith("--") and taker.find(word[2:])), None)
    if word in ("--hosts", "-H"):
        _add_hosts(call, value if equals else _value_of(word, rest), takers)
    elif taker and (parameter := taker.find(word[2:])):
        if not equals:
            value = "yes" if parameter.is_switch else _value_of(word, rest)
        _set(call, parameter.name, value, taker)
    elif word in core or (not token.startswith("--") and token[:2] in core):  # -d, -rDIR
        call.passed_on.append(token)
        if word in core and core[word] and not equals:
            call.passed_on.append(_value_of(word, rest))
    else:
        known = {parameter.option for taker in takers for parameter in taker.parameters} | core.keys()
        of_task = f"{call.task}: " if call.task else ""
        raise CallError("unknown-option", f"{of_task}there is no option {word}{_suggestion(word, sorted(known))}")


def _value_of(option: str, rest: deque[str]) -> str:
    if not rest or rest[0].startswith("-"):
        raise CallError("option-needs-value", f"{option} needs a value")
    return rest.popleft()


def _add_hosts(call: _Call, text: str, takers: Iterable[Signature]) -> None:
    if all(taker.hosts is Hosts.NONE for taker in takers):
        raise _takes_no_hosts(call.task)
    call.hosts.extend(re.split("[;,]", text))


def _refuse_testbed_of_some(calls: list[_Call]) -> None:
    """`fab setup_all verify --testbed x.py`: the first task would work on another testbed, unnoticed."""
    with_testbed = [call.task for call in calls if "testbed" in call.texts]
    if with_testbed and len(with_testbed) < len(calls):
        words = f"the testbed is given for {with_testbed[0]} only; write --testbed before the first task"
        raise CallError("testbed-for-one-task", words)


def _spelled(call: _Call, everyone: _Call, signature: Signature) -> list[str]:
    said = ",".join([*everyone.hosts, *call.hosts])  # no host holds a comma, written with a backslash or not
    hosts = [host.strip() for host in said.split(",") if host.strip()]
    if hosts and signature.hosts is Hosts.NONE:
        raise _takes_no_hosts(call.task)
    if not hosts and signature.hosts is Hosts.REQUIRED and not {"-h", "--help"} & {*call.passed_on}:
        raise CallError("missing-hosts", f"{call.task} needs a host: fab {call.task}:user@host")
    words = [call.task]
    words += [f"--hosts={','.join(dict.fromkeys(hosts))}"] if hosts else []
    texts = {name: text for name, text in everyone.texts.items() if signature.find(name)} | call.texts
    for parameter in signature.parameters:
        text = texts.get(parameter.name)
        if text is not None and parameter.is_switch:
            words += [parameter.option] if to_bool(text) else []
        elif text is not None:
            words += [f"{parameter.option}={text}"]
    return words + call.passed_on
