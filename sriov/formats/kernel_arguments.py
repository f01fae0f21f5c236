"""The kernel command line as the kernel reads it: which arguments are in force, and which tokens undo others.

Tokens and names are those of the kernel's `lib/cmdline.c` and `kernel/params.c`. Then come three kinds of argument:

- plain: the last token of a name counts. A wanted list that repeats a name wants its last tokens in that order;
- adding up, each token and each word of its comma list: `intel_iommu=` (`intel_iommu_setup` in
  drivers/iommu/intel/iommu.c) and x86's `iommu=` (`iommu_setup` in arch/x86/kernel/pci-dma.c). `iommu.passthrough=`
  (drivers/iommu/iommu.c) sets what `iommu=pt` and `iommu=nopt` set;
- huge pages (mm/hugetlb.c): `hugepages=` counts for the `hugepagesz=` or `default_hugepagesz=` before it, else for the
  default size. A wanted list says all that is to be: pairs of other sizes are another list.

Pure. A command line is text, what is wanted a sequence of `KernelArgument`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

_TOKEN = re.compile(r'(?:[^\s"]|"[^"]*(?:"|$))+', re.ASCII)
_SWITCHES = (("on", "off"), ("sm_on", "sm_off"), ("pt", "nopt"))  # words of which the later one counts
_OFF = "off"
_SWITCHED_OFF_BY = {"intel_iommu": ("intel_iommu", "iommu"), "iommu": ("iommu",)}  # by the word `off`
_DEFAULT_SIZE = "default_hugepagesz"
_POOLS = ("hugepagesz", "hugepages")
_UNITS = {"": 0, "k": 10, "m": 20, "g": 30, "t": 40, "p": 50, "e": 60}


class KernelArgument(NamedTuple):
    """`intel_iommu=on` is `KernelArgument("intel_iommu", "on")`; an empty value stands for the bare name."""

    name: str
    value: str = ""

    def __str__(self) -> str:
        return f"{self.name}={self.value}" if self.value else self.name

    @property
    def key(self) -> str:
        """The name as the kernel compares it: `-` and `_` are one."""
        return self.name.replace("-", "_")

    def names(self, token: str) -> bool:
        """Whether the token is this argument, with whatever value."""
        return _parted(token).key == self.key


class Passthrough(NamedTuple):
    """Whether the host's own devices go untranslated, and the token that decides it."""

    is_on: bool
    token: str


class Edit(NamedTuple):
    """Tokens that go, each as it stands on the line, and those that come behind what is left."""

    remove: tuple[str, ...]
    add: tuple[str, ...]


class StatedArguments(NamedTuple):
    """A list that the operator states, in its order: it comes behind what we want, and so has the last word."""

    arguments: tuple[KernelArgument, ...]


class Removal(NamedTuple):
    """A kind of token that a configuration must not bring: `name` with `value`, or with any where that is None; or
    only `word` of its comma list, the token going if no other is left."""

    name: str
    value: str | None = None
    word: str = ""


def _parted(token: str) -> KernelArgument:
    bare = token[1:].removesuffix('"') if token.startswith('"') else token
    name, _, value = bare.partition("=")
    unquoted = value[1:].removesuffix('"') if value.startswith('"') else value
    return KernelArgument(name.replace("-", "_"), unquoted)


def tokens(arguments: str) -> tuple[str, ...]:
    """Arguments as the kernel parts them: blanks inside double quotes do not count. Quotes are kept."""
    return tuple(_TOKEN.findall(arguments))


def _of_kernel(arguments: str) -> tuple[str, ...]:
    """The tokens up to `--`, behind which all goes to init."""
    found = tokens(arguments)
    return found[: found.index("--")] if "--" in found else found


def _words(token: str) -> Iterator[str]:
    """The words of a comma list that the kernel comes to; x86's `iommu=usedac` ends its own list."""
    name, value = _parted(token)
    for word in value.split(","):
        yield word
        if name == "iommu" and word.startswith("usedac"):
            return


def _has_off(token: str, names: Sequence[str]) -> bool:
    """The kernel compares beginnings of words only: `offline` is `off`."""
    return _parted(token).name in names and any(word.startswith(_OFF) for word in _words(token))


def passthrough(arguments: str) -> Passthrough | None:
    """What x86's command line says of it, by `iommu=pt`, `iommu=nopt` and `iommu.passthrough=`, the last of which
    counts; None where it says nothing, so that the kernel's build decides."""
    state = None
    for token in _of_kernel(arguments):
        name, value = _parted(token)
        if name == "iommu":
            said = [word.startswith("pt") for word in _words(token) if word.startswith(("pt", "nopt"))]
        else:
            said = _booleans(value) if name == "iommu.passthrough" else []
        if said:
            state = Passthrough(said[-1], token)
    return state


def _booleans(value: str) -> list[bool]:
    """The kernel's kstrtobool(): it looks at one letter, or two behind `o`; nothing where it knows neither."""
    known = re.match(r"(?i)([1yt]|on)|([0nf]|of)", value)
    return [bool(known[1])] if known else []


def missing_arguments(arguments: str, wanted: Iterable[KernelArgument]) -> tuple[str, ...]:
    """What of `wanted` is not in force, as `name=value`, in the order wanted; of huge pages all or nothing."""
    return tuple(map(str, _lacking(_of_kernel(arguments), tuple(wanted))))


def _lacking(found: Sequence[str], wanted: Sequence[KernelArgument]) -> list[KernelArgument]:
    return [argument for argument in wanted if not _in_force(found, argument, wanted)]


def _in_force(found: Sequence[str], argument: KernelArgument, wanted: Sequence[KernelArgument]) -> bool:
    key = argument.key
    if key in _SWITCHED_OFF_BY:
        return all(_word_in_force(found, key, word) for word in argument.value.split(","))
    if key in (_DEFAULT_SIZE, *_POOLS):
        return _huge_pages_in_force(found, wanted)
    values = [same.value for same in wanted if same.key == key]
    return [_parted(token).value for token in found if argument.names(token)][-len(values) :] == values


def _word_in_force(found: Sequence[str], name: str, word: str) -> bool:
    if word != _OFF and any(_has_off(token, ("iommu",)) for token in found):  # for good, whatever comes after it
        return False
    if word in ("pt", "nopt"):
        state = passthrough(" ".join(found))
        return state is not None and state.is_on == (word == "pt")
    rivals = next((switch for switch in _SWITCHES if word in switch), (word,))
    same = (said for token in found if _parted(token).name == name for said in _words(token))
    said = [heard for heard in same if heard.startswith(rivals)]
    return bool(said) and said[-1].startswith(word)


class HugePages(NamedTuple):
    """Sizes in bytes; one that the kernel cannot read stays text."""

    default: int | str | None  # what `default_hugepagesz=` says
    pools: Mapping[int | str | None, str]  # size to number of pages as written; None: the kernel's default size


def huge_pages(found: Iterable[str]) -> HugePages:
    """What these tokens reserve. Not heard are a size that was given before, with the number behind it, and a second
    number for a size."""
    default: int | str | None = None
    current: int | str | None = None
    counted: list[int | str | None] = []  # sizes that have had a number, in that order
    pools: dict[int | str | None, str] = {}
    is_valid = True
    for name, value in map(_parted, found):
        if name == "hugepagesz":
            size = _size(value)
            is_valid = size not in pools or (size == default and not pools[size])
            current = size if is_valid else current
            pools.setdefault(size, "")
        elif name == _DEFAULT_SIZE:
            is_valid = default is None
            if is_valid:
                default = _size(value)
                current = current if default in pools else default
                pools.setdefault(default, pools.pop(None, ""))
        elif name == "hugepages":
            if is_valid and counted[-1:] != [current]:
                pools[current] = value
                counted.append(current)
            is_valid = True
    return HugePages(default, pools)


def _size(text: str) -> int | str:
    """Bytes, as the kernel's memparse() has it: `1G` is `1024M`."""
    parts = re.fullmatch(r"(0x[0-9a-f]+|[0-9]+)([kmgtpe]?)", text.lower())
    if not parts:
        return text
    base = 16 if parts[1].startswith("0x") else 8 if parts[1].startswith("0") else 10
    digits = parts[1].removeprefix("0x")
    return text if base == 8 and set(digits) & {"8", "9"} else int(digits, base) << _UNITS[parts[2]]


def _huge_pages_in_force(found: Iterable[str], wanted: Sequence[KernelArgument]) -> bool:
    stated = {argument.key for argument in wanted}
    there = huge_pages(found)
    # a wanted list that leaves the default size alone means the one of the line
    usual = () if _DEFAULT_SIZE in stated or there.default is None else (f"{_DEFAULT_SIZE}={there.default}",)
    ours = huge_pages([*usual, *map(str, wanted)])
    if there.default != ours.default:
        return False
    same = {size: count for size, count in there.pools.items() if count} == {s: c for s, c in ours.pools.items() if c}
    return not stated.intersection(_POOLS) or (same and ours.pools.keys() <= there.pools.keys())


def parse(words: Iterable[str]) -> tuple[KernelArgument, ...]:
    """`("hugepages=64", "nosmt")` as arguments, in their order."""
    return tuple(KernelArgument(*word.partition("=")[::2]) for word in words)


def overruled(ours: Iterable[KernelArgument], stated: Iterable[KernelArgument]) -> tuple[KernelArgument, ...]:
    """Which of ours would not be in force behind which the stated ones stand: `iommu=pt` before `iommu=nopt`."""
    later = tuple(stated)
    return tuple(one for one in ours if missing_arguments(" ".join(map(str, (one, *later))), (one,)))


def replaces(wanted: Iterable[KernelArgument], earlier: KernelArgument) -> bool:
    """Whether a list that has `wanted` in its place says something else of what `earlier` says: `isolcpus=4` of
    `isolcpus=2`, `iommu=nopt` of `iommu=pt`, any huge pages of all that were reserved before."""
    ours = tuple(wanted)
    if earlier.key in _SWITCHED_OFF_BY:
        return earlier in overruled((earlier,), ours)
    pages = (_DEFAULT_SIZE, *_POOLS)
    return any(one.key == earlier.key or (one.key in pages and earlier.key in pages) for one in ours)


def removals(wanted: Iterable[KernelArgument]) -> tuple[Removal, ...]:
    """The tokens that have to stay away where `wanted` is put behind all others: what undoes it, and itself."""
    found: list[Removal] = []
    for argument in wanted:
        key = argument.key
        if key in _SWITCHED_OFF_BY:
            found.append(Removal(key, argument.value))
            found += [Removal(name, word=_OFF) for name in _SWITCHED_OFF_BY[key]]
        else:
            found += map(Removal, _POOLS if key in _POOLS else (key,))
    return tuple(dict.fromkeys(found))


def opposing(arguments: str, wanted: Iterable[KernelArgument]) -> tuple[str, ...]:
    """Tokens that undo what of `wanted` is not in force, in their order: `intel_iommu=off`. Others stay."""
    found, ours = _of_kernel(arguments), tuple(wanted)
    missing = _lacking(found, ours)
    return tuple(token for token in found if any(_undoes(token, argument, ours) for argument in missing))


def _undoes(token: str, argument: KernelArgument, wanted: Sequence[KernelArgument]) -> bool:
    key = argument.key
    if key in _SWITCHED_OFF_BY:
        return _has_off(token, _SWITCHED_OFF_BY[key])
    if key in _POOLS:
        return _parted(token).name in _POOLS
    values = () if key == _DEFAULT_SIZE else [same.value for same in wanted if same.key == key]
    return argument.names(token) and _parted(token).value not in values


def edit(arguments: str, wanted: Iterable[KernelArgument]) -> Edit:
    """What puts `wanted` in force. Of a comma list only `off` goes: `intel_iommu=off,sm_on` comes back as
    `intel_iommu=sm_on`."""
    ours = tuple(wanted)
    remove = opposing(arguments, ours)
    left = [token for token in _of_kernel(arguments) if token not in remove]
    back = [rest for token in remove if (rest := _without_off(token)) and rest not in left]
    return Edit(remove, (*dict.fromkeys(back), *map(str, _lacking([*left, *back], ours))))


def _without_off(token: str) -> str:
    """What a token of an argument that adds up says beside `off`; empty if nothing."""
    name, value = _parted(token)
    words = ",".join(word for word in value.split(",") if word and not word.startswith(_OFF))
    is_whole = words.count('"') % 2 == 0  # else it would swallow what comes behind
    return f"{name}={words}" if words and is_whole and name in _SWITCHED_OFF_BY else ""
