"""A testbed written in YAML: the same keys as `env.*`, without the `env.`.

    roledefs:
      compute: [root@10.0.0.2]
    sriov:
      root@10.0.0.2:
        - {interface: eth0, VF: 7, physnets: [physnet1]}

Two things differ from plain YAML 1.1: a key that stands twice in one mapping is a fault (YAML would keep the
last in silence), and `52:54:00:12:34:56` or `0000:01:00.0` are text (YAML 1.1 reads both as base-60 numbers).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import yaml

from sriov.errors import Fault, TestbedError
from sriov.testbed.sources.source import Keys, Source, line_error, read_bytes
from sriov.testbed.wording import as_text


class _Loader(yaml.SafeLoader):
    """SafeLoader with numbers in base 10 only, which says where one has more digits than Python reads (4300)."""

    def whole_number(self, node: yaml.ScalarNode) -> int:
        try:
            return int(self.construct_yaml_int(node))
        except ValueError:
            if not re.fullmatch(r"[-+]?[1-9][0-9_]*", node.value):
                raise
        raise yaml.constructor.ConstructorError(None, None, _TOO_LONG, node.start_mark)


_TOO_LONG = "a whole number with too many digits"
_INT, _FLOAT = "tag:yaml.org,2002:int", "tag:yaml.org,2002:float"
_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag not in (_INT, _FLOAT)]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
_Loader.add_implicit_resolver(_INT, re.compile(r"[-+]?(?:0|[1-9][0-9]*)$"), list("-+0123456789"))
_Loader.add_implicit_resolver(_FLOAT, re.compile(r"[-+]?[0-9]+\.[0-9]+$"), list("-+0123456789"))
_Loader.add_constructor(_INT, _Loader.whole_number)


def read(path: Path) -> Source:
    """Parse the file. Raises TestbedError, with the line, if it is not YAML, not a mapping, or has a key twice."""
    content = read_bytes(path)
    node, values, faults = _parse(content, path)
    if not isinstance(node, yaml.MappingNode) or not isinstance(values, dict):
        raise line_error(
            "not-a-testbed",
            str(path),
            1,
            "is not a mapping of keys",
            "begin with `roledefs:`, as testbeds/example.yaml does",
        )
    if faults:
        raise TestbedError(str(path), faults)
    for key in values:
        if not isinstance(key, str):
            raise line_error("wrong-type", str(path), _line_finder(node)((key,)), "has a key that is not text")
    return Source(str(path), values, _line_finder(node), "")


def _parse(content: bytes, path: Path) -> tuple[yaml.Node | None, object, tuple[Fault, ...]]:
    line, what, hint = None, "", "quote text that holds any of : # * & ! | > @ %"
    loader = None
    try:
        loader = _Loader(content)
        node = loader.get_single_node()
        if node is None:
            return None, None, ()
        faults = tuple(_repeated_keys(node, str(path)))  # now, for a merge (`<<`) adds keys that may be overridden
        return node, loader.construct_document(node), faults
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = mark.line + 1 if mark else None
        # the parser quotes tags and aliases, and a password may begin with '!' or '*'
        what = re.sub(r"'[^']{2,}'", "...", error.problem or "cannot be read")
        hint = "put it in quotes if it is text" if error.problem == _TOO_LONG else hint
    except yaml.YAMLError:
        what = "holds characters that YAML does not allow"
    except (ValueError, TypeError, AttributeError, RecursionError):
        what = "holds a value that YAML cannot build"
    finally:
        if loader:
            loader.dispose()
    raise line_error("yaml-syntax", str(path), line, f"YAML error: {what}", hint)


def _repeated_keys(root: yaml.Node, path: str) -> Iterator[Fault]:
    seen: set[int] = set()
    waiting = [root]
    while waiting:
        node = waiting.pop()
        if id(node) in seen:  # an alias
            continue
        seen.add(id(node))
        if isinstance(node, yaml.SequenceNode):
            waiting.extend(node.value)
        if not isinstance(node, yaml.MappingNode):
            continue
        first: dict[tuple[str, str], int] = {}
        for key, value in node.value:
            waiting.append(value)
            name = (str(key.tag), str(key.value))
            line = key.start_mark.line + 1
            if name in first:
                yield Fault("duplicate-key", f"{path}:{line}", f"line {first[name]} has the same key", "join the two")
            first.setdefault(name, line)


def _line_finder(root: yaml.Node) -> Callable[[Keys], int | None]:
    def find(keys: Keys) -> int | None:
        node, line = root, None
        for key in keys:
            step = _step(node, key)
            if step is None:
                return line
            line, node = step
        return line

    return find


def _step(node: yaml.Node, key: object) -> tuple[int, yaml.Node] | None:
    if isinstance(node, yaml.MappingNode):
        return next(((at.start_mark.line + 1, value) for at, value in node.value if at.value == as_text(key)), None)
    if isinstance(node, yaml.SequenceNode) and isinstance(key, int) and key < len(node.value):
        return node.value[key].start_mark.line + 1, node.value[key]
    return None
