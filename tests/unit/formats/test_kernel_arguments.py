"""Kernel arguments as the kernel adds them up: what is in force, what undoes it, what puts it right."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from sriov.formats.kernel_arguments import (
    Edit,
    KernelArgument,
    edit,
    missing_arguments,
    opposing,
    overruled,
    parse,
    passthrough,
    tokens,
)

Wanted = tuple[KernelArgument, ...]
INTEL = (KernelArgument("intel_iommu", "on"), KernelArgument("iommu", "pt"))
AMD = (KernelArgument("iommu", "pt"),)


def wanted(line: str) -> Wanted:
    return tuple(KernelArgument(*token.split("=", 1)) for token in line.split())


HUGE = wanted("default_hugepagesz=1G hugepagesz=1G hugepages=64 isolcpus=2-15")
TWO_SIZES = wanted("hugepagesz=1G hugepages=8 hugepagesz=2M hugepages=8")


def after(line: str, want: Wanted) -> str:
    """The line with its edit made."""
    made = edit(line, want)
    return " ".join([*(token for token in tokens(line) if token not in made.remove), *made.add])


def test_tokens_parts_at_blanks_outside_of_double_quotes() -> None:
    assert tokens(' a  dyndbg="file x +p"\tb=\'c "d e" "f') == ("a", 'dyndbg="file x +p"', "b='c", '"d e"', '"f')


@pytest.mark.parametrize(
    ("arguments", "missing", "undoing"),
    [
        ("quiet intel_iommu=on iommu=pt", (), ()),
        ("intel_iommu=on intel_iommu=igfx_off iommu=pt", (), ()),
        ("intel_iommu=igfx_off intel_iommu=on iommu=pt iommu=1", (), ()),
        ("intel_iommu=on,igfx_off iommu=1 iommu=pt", (), ()),
        ("intel_iommu=on,sm_on iommu=pt", (), ()),
        ("intel_iommu=sm_on,on iommu=force,pt", (), ()),
        ("intel_iommu=on intel_iommu=sm_off,strict,sp_off,tboot_noforce iommu=pt iommu=soft", (), ()),
        ("intel_iommu=off iommu=soft intel_iommu=on iommu=pt", (), ()),
        ("intel_iommu=off,on iommu=nopt iommu=pt", (), ()),
        ("intel_iommu=on iommu.passthrough=1", (), ()),
        ("intel_iommu=on iommu=nopt iommu.passthrough=on", (), ()),
        ("intel_iommu=on iommu.passthrough=0 iommu=pt", (), ()),
        ("intel_iommu=on iommu.passthrough=1 iommu.passthrough=what", (), ()),
        ("intel_iommu=on iommu=pt,usedac,nopt,off", (), ()),
        ('"intel_iommu=on" iommu="pt"', (), ()),
        ("intel-iommu=on iommu=pt", (), ()),
        ("", ("intel_iommu=on", "iommu=pt"), ()),
        ("iommu=soft", ("intel_iommu=on", "iommu=pt"), ()),
        ("intel_iommu=sm_on iommu=pt", ("intel_iommu=on",), ()),
        ("xintel_iommu=on iommu=xpt", ("intel_iommu=on", "iommu=pt"), ()),
        ("intel_iommu=on intel_iommu=off iommu=pt", ("intel_iommu=on",), ("intel_iommu=off",)),
        ("intel_iommu=on,off iommu=pt", ("intel_iommu=on",), ("intel_iommu=on,off",)),
        ("intel_iommu=off,sm_on iommu=pt", ("intel_iommu=on",), ("intel_iommu=off,sm_on",)),
        ("intel_iommu iommu=pt", ("intel_iommu=on",), ()),
        ("intel_iommu=on iommu=off iommu=pt", ("intel_iommu=on", "iommu=pt"), ("iommu=off",)),
        ("intel_iommu=on iommu=pt,off", ("intel_iommu=on", "iommu=pt"), ("iommu=pt,off",)),
        ("intel_iommu=on iommu=pt iommu=nopt", ("iommu=pt",), ()),
        ("intel_iommu=on iommu=pt iommu.passthrough=off", ("iommu=pt",), ()),
        ("iommu=pt -- intel_iommu=on", ("intel_iommu=on",), ()),
        ('note="intel_iommu=on iommu=pt"', ("intel_iommu=on", "iommu=pt"), ()),
        ("amd_iommu=on iommu=pt", ("intel_iommu=on",), ()),
    ],
)
def test_arguments_are_compared_as_the_kernel_adds_them_up(
    arguments: str, missing: tuple[str, ...], undoing: tuple[str, ...]
) -> None:
    assert missing_arguments(arguments, INTEL) == missing
    assert opposing(arguments, INTEL) == undoing


@pytest.mark.parametrize(
    ("arguments", "missing"),
    [
        ("quiet iommu.passthrough=1", ()),
        ("iommu.passthrough=Y iommu=soft", ()),
        ("iommu=pt amd_iommu=pgtbl_v2", ()),
        ("iommu.passthrough", ("iommu=pt",)),
        ("iommu=soft", ("iommu=pt",)),
        ("iommu=off iommu.passthrough=1", ("iommu=pt",)),
        ("iommu=noagp,off iommu=pt", ("iommu=pt",)),
    ],
)
def test_amd_wants_passthrough_in_whatever_words(arguments: str, missing: tuple[str, ...]) -> None:
    assert missing_arguments(arguments, AMD) == missing


@pytest.mark.parametrize(
    ("arguments", "decided"),
    [
        ("iommu=nopt", (False, "iommu=nopt")),
        ("iommu=pt iommu=nopt", (False, "iommu=nopt")),
        ("iommu=nopt iommu=pt", (True, "iommu=pt")),
        ("iommu=pt,nopt", (False, "iommu=pt,nopt")),
        ("iommu=pt iommu.passthrough=0", (False, "iommu.passthrough=0")),
        ("iommu=soft intel_iommu=on", None),
        ("-- iommu=nopt", None),
    ],
)
def test_last_word_on_passthrough_decides(arguments: str, decided: tuple[bool, str] | None) -> None:
    assert passthrough(arguments) == decided


@pytest.mark.parametrize(
    ("arguments", "missing", "undoing"),
    [
        ("quiet nosmt", (), ()),
        ("quiet nosmt=force", ("nosmt",), ("nosmt=force",)),
        ("nosmt=force nosmt", (), ()),
        ("nosmt nosmt=force", ("nosmt",), ("nosmt=force",)),
    ],
)
def test_last_token_of_a_plain_name_counts(arguments: str, missing: tuple[str, ...], undoing: tuple[str, ...]) -> None:
    assert missing_arguments(arguments, wanted("nosmt")) == missing
    assert opposing(arguments, wanted("nosmt")) == undoing


def test_repeated_plain_name_keeps_its_order() -> None:
    consoles = wanted("console=tty0 console=ttyS0")
    assert missing_arguments("console=ttyS1 console=tty0 console=ttyS0", consoles) == ()
    assert missing_arguments("console=ttyS0 console=tty0", consoles) == ("console=tty0", "console=ttyS0")
    assert opposing("console=ttyS0 console=tty0", consoles) == ()


ALL_HUGE = ("default_hugepagesz=1G", "hugepagesz=1G", "hugepages=64")


@pytest.mark.parametrize(
    ("arguments", "missing", "undoing"),
    [
        ("default_hugepagesz=1G hugepagesz=1G hugepages=64 isolcpus=2-15", (), ()),
        ("isolcpus=1 hugepagesz=1024M hugepages=64 default_hugepagesz=1g isolcpus=2-15", (), ()),
        ("default_hugepagesz=1G hugepages=64 isolcpus=2-15", (), ()),
        ("hugepages=64 default_hugepagesz=1G hugepagesz=1G isolcpus=2-15", (), ()),
        ("hugepagesz=1G hugepages=64 isolcpus=2-15", ALL_HUGE, ("hugepagesz=1G", "hugepages=64")),
        ("isolcpus=4 quiet", (*ALL_HUGE, "isolcpus=2-15"), ("isolcpus=4",)),
        (
            "default_hugepagesz=1G hugepagesz=1G hugepages=4 hugepagesz=2M hugepages=64 isolcpus=2-15",
            ALL_HUGE,
            ("default_hugepagesz=1G", "hugepagesz=1G", "hugepages=4", "hugepagesz=2M", "hugepages=64"),
        ),
        # the number belongs to the size before it, and a second one for the same size is not heard
        ("default_hugepagesz=1G hugepagesz=2M hugepages=64 isolcpus=2-15", ALL_HUGE, None),
        ("default_hugepagesz=1G hugepages=4 hugepages=64 isolcpus=2-15", ALL_HUGE, None),
        ("default_hugepagesz=1G hugepages=64 hugepagesz=1G hugepages=4 isolcpus=2-15", (), ()),
    ],
)
def test_huge_pages_count_by_size(arguments: str, missing: tuple[str, ...], undoing: tuple[str, ...] | None) -> None:
    assert missing_arguments(arguments, HUGE) == missing
    assert undoing is None or opposing(arguments, HUGE) == undoing


def test_huge_pages_of_two_sizes_keep_their_pairs_and_order() -> None:
    line = " ".join(map(str, TWO_SIZES))
    assert after("quiet", TWO_SIZES) == f"quiet {line}"
    assert after("hugepagesz=1G hugepages=8 quiet", TWO_SIZES) == f"quiet {line}"
    assert missing_arguments("hugepagesz=2M hugepages=8 hugepagesz=1G hugepages=8", TWO_SIZES) == ()
    assert missing_arguments("default_hugepagesz=2M hugepages=8", wanted("hugepages=8")) == ()
    assert missing_arguments("quiet", wanted("hugepagesz=1G")) == ("hugepagesz=1G",)


@pytest.mark.parametrize(
    ("arguments", "made"),
    [
        ("quiet", Edit((), ("intel_iommu=on", "iommu=pt"))),
        ("intel_iommu=off iommu=pt", Edit(("intel_iommu=off",), ("intel_iommu=on",))),
        ("intel_iommu=off,sm_on iommu=pt", Edit(("intel_iommu=off,sm_on",), ("intel_iommu=sm_on", "intel_iommu=on"))),
        ("intel_iommu=on iommu=off iommu=pt", Edit(("iommu=off",), ())),
        ("intel_iommu=on iommu=off,soft iommu=soft", Edit(("iommu=off,soft",), ("iommu=pt",))),
        ("intel_iommu=on intel_iommu=igfx_off iommu=pt", Edit((), ())),
        ("intel_iommu=on,off iommu=pt", Edit(("intel_iommu=on,off",), ("intel_iommu=on",))),
    ],
)
def test_edit_takes_off_what_undoes_and_nothing_else(arguments: str, made: Edit) -> None:
    assert edit(arguments, INTEL) == made


@dataclass
class Kernel:
    """What the kernel makes of a line, written down after its C: next_arg() and parse_args(), iommu_setup(),
    intel_iommu_setup(), iommu_set_def_domain_type(), and the three of mm/hugetlb.c. None: not said."""

    no_iommu: bool = False
    passes: bool | None = None
    dmar: bool | None = None
    plain: dict[str, str | None] = field(default_factory=dict)
    pages: dict[str, str] = field(default_factory=dict)
    default: str = ""
    _parsed: str = ""
    _last: str | None = None
    _valid: bool = True

    def boot(self, line: str) -> Kernel:
        at = 0
        while True:
            while at < len(line) and line[at] in " \t\n\v\f\r":
                at += 1
            if at == len(line):
                return self
            start, in_quote = at, False
            while at < len(line) and (in_quote or line[at] not in " \t\n\v\f\r"):
                in_quote ^= line[at] == '"'
                at += 1
            name, value = self._argument(line[start:at])
            if name == "--" and value is None:
                return self
            self._set(name.replace("-", "_"), value)

    @staticmethod
    def _argument(text: str) -> tuple[str, str | None]:
        if quoted := text.startswith('"'):
            text = text[1:]
        equals = text.find("=", 1)
        name, value = (text[:equals], text[equals + 1 :]) if equals > 0 else (text, None)
        if value is not None and value.startswith('"'):
            value = value[1:]
            if value.endswith('"'):
                return name, value[:-1]
        if quoted and (value or name).endswith('"'):
            return (name, value[:-1]) if value is not None else (name[:-1], None)
        return name, value

    def _set(self, name: str, value: str | None) -> None:
        self.plain[name] = value
        if name == "iommu" and value is not None:
            for word in value.split(","):
                self.no_iommu |= word[:3] == "off"
                if word[:6] == "usedac":
                    return
                self.passes = True if word[:2] == "pt" else False if word[:4] == "nopt" else self.passes
        elif name == "intel_iommu" and value is not None:
            for word in value.split(","):
                self.dmar = True if word[:2] == "on" else False if word[:3] == "off" else self.dmar
        elif name == "iommu.passthrough" and value:
            true, false = value[0] in "yY1tT", value[0] in "nN0fF"
            if value[0] in "oO" and len(value) > 1:
                true, false = value[1] in "nN", value[1] in "fF"
            self.passes = True if true else False if false else self.passes
        elif value is not None:
            self._set_pages(name, value)

    def _set_pages(self, name: str, value: str) -> None:
        if name == "hugepagesz":
            self._valid = value not in self.pages or (value == self.default and not self.pages[value])
            if self._valid:
                self.pages.setdefault(value, "")
                self._parsed = value
        elif name == "default_hugepagesz" and self.default:
            self._valid = False
        elif name == "default_hugepagesz":
            if value not in self.pages:
                self._parsed = value
            self.default, self._valid = value, True
            self.pages.setdefault(value, self.pages.pop("", ""))
        elif name == "hugepages":
            if self._valid and self._parsed != self._last:
                self.pages[self._parsed] = value
                self._last = self._parsed
            self._valid = True

    def has(self, want: Wanted) -> bool:
        ours = Kernel().boot(" ".join(map(str, want)))
        plain = [argument for argument in want if "iommu" not in argument.name and "huge" not in argument.name]
        return (
            not (self.no_iommu and (ours.passes or ours.dmar))
            and ours.passes in (None, self.passes)
            and ours.dmar in (None, self.dmar)
            and all(
                argument.name in self.plain and (self.plain[argument.name] or "") == argument.value
                for argument in plain
            )
            and (not ours.default or ours.default == self.default)
            and (not any(ours.pages.values()) or _counted(ours.pages) == _counted(self.pages))
        )


def _counted(pages: dict[str, str]) -> dict[str, str]:
    return {size: count for size, count in pages.items() if count}


IOMMU_TOKEN = st.sampled_from(
    (
        "quiet", "iommu=pt", "iommu=nopt", "iommu=off", "iommu=soft", "iommu=1", "iommu=off,soft", "iommu=pt,off",
        "iommu=usedac,off", "iommu", "iommu=", "iommu=ptx", "iommu.passthrough=1", "iommu.passthrough=0",
        "iommu.passthrough=on", "iommu.passthrough=off", "iommu.passthrough=x", "iommu.passthrough", "iommu.strict=1",
        "intel_iommu=on", "intel_iommu=off", "intel-iommu=on", "intel_iommu=sm_on", "intel_iommu=off,sm_on",
        "intel_iommu=on,off", "intel_iommu=igfx_off", "intel_iommu", '"intel_iommu=off"', 'iommu="pt"', 'iommu=pt"',
        'note="iommu=off', 'a="b c"', "--", "isolcpus=1", "isolcpus=2-15", "isolcpus",
    )
)  # fmt: skip
HUGE_TOKEN = st.sampled_from(
    (
        "hugepages=8", "hugepages=64", "hugepagesz=1G", "hugepagesz=2M", "default_hugepagesz=1G", "isolcpus=2-15",
        "default_hugepagesz=2M", "isolcpus=1", "quiet",
    )
)  # fmt: skip
ASKED = st.sampled_from((INTEL, AMD, wanted("isolcpus=2-15 iommu=pt"), wanted("isolcpus")))
ASKED_HUGE = st.sampled_from(
    (HUGE, TWO_SIZES, wanted("hugepagesz=1G hugepages=8"), wanted("default_hugepagesz=1G hugepages=64"))
)
CASES = st.one_of(
    st.tuples(st.lists(IOMMU_TOKEN, max_size=8).map(" ".join), ASKED),
    st.tuples(st.lists(HUGE_TOKEN, max_size=8).map(" ".join), ASKED_HUGE),
)


@settings(max_examples=500)
@given(CASES)
@example(("hugepagesz=1G hugepagesz=1G hugepages=8", wanted("hugepagesz=1G hugepages=8")))
def test_what_is_lacking_is_what_the_kernel_has_not(case: tuple[str, Wanted]) -> None:
    line, want = case
    assert (missing_arguments(line, want) == ()) is Kernel().boot(line).has(want)


@settings(max_examples=500)
@given(CASES)
@example(('iommu=pt" iommu=pt,off iommu=pt"', INTEL))
def test_edit_puts_the_wanted_in_force_and_leaves_the_rest(case: tuple[str, Wanted]) -> None:
    line, want = case
    made = edit(line, want)
    result = after(line, want)
    assert bool(made.remove or made.add) == (missing_arguments(line, want) != ())
    assert not [token for token in made.remove if token in ("quiet", "iommu=soft", "intel_iommu=sm_on", "iommu=nopt")]
    if "--" in tokens(line) or line.count('"') % 2:  # what is added comes to init, or into the quotes
        return
    assert Kernel().boot(result).has(want)
    assert edit(result, want) == Edit((), ())
    stay = [token for token in tokens(line) if token not in made.remove]
    assert list(tokens(result))[: len(stay)] == stay


@pytest.mark.parametrize(
    ("stated", "given_up"),
    [
        ("", ""),
        ("isolcpus=2-15", ""),
        ("iommu=nopt", "iommu=pt"),
        ("iommu.passthrough=0", "iommu=pt"),
        ("iommu.passthrough=1", ""),
        ("iommu=soft", ""),
        ("intel_iommu=sm_on", ""),
        ("intel_iommu=igfx_off iommu=pt", ""),
        ("intel_iommu=off", "intel_iommu=on"),
        ("iommu=off", "intel_iommu=on iommu=pt"),
    ],
)
def test_list_of_the_operator_overrules_what_it_undoes_and_nothing_else(stated: str, given_up: str) -> None:
    assert overruled(INTEL, parse(stated.split())) == parse(given_up.split())
