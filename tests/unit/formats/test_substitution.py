"""References in values, held against oslo.config."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from oslo_config import cfg

from sriov.formats.oslo.document import read
from sriov.formats.oslo.options import OptionName, items
from sriov.formats.oslo.substitution import UnknownReferenceError, following

SPEC, LIST = OptionName("pci", "spec"), OptionName("pci", "list")
OTHERS = (("DEFAULT", "host"), ("DEFAULT", "a"), ("DEFAULT", "b"), ("pci", "a"), ("pci", "c"), ("other", "x"))
HEAD = """[DEFAULT]
host = h0
a = of default
b = [$host]
[other]
x = ${pci.a}-$host
[pci]
a = of pci
c = "$host"
"""
VALUES = (
    "$host", "${host}", "$$host", "\\$host", "\\\\$host", "$$$host", "$$$$host", "$a", "${a}", "$pci.a", "${pci.a}x",
    "${other.x}", "$other.x", "$b", "$c", "$1", "$", "a$", "${", "${a b}", "${host", "$host-1", "${host}.b", "$.x",
    "A,$host,B", "$host,", "{'devname': '$host'}",
)  # fmt: skip
REFUSED = (
    "$host.", "$nope", "$x", "$HOST", "$G.x", "${PCI.a}", "${DEFAULT.host}", "$DEFAULT.host", "$other.", "$other.x.y",
    "$_", "$spec", "$pci.spec", "$pci.list", "$pci",
)  # fmt: skip


def by_oslo(text: str, folder: Path) -> tuple[str, list[str]]:
    """The values of the two options; the last one counts of the first."""
    path = folder / "x.conf"
    path.write_text(text)
    conf = cfg.ConfigOpts()
    conf(["--config-file", str(path)], project="nova", default_config_dirs=[])
    conf.register_opt(cfg.MultiStrOpt("spec", default=[]), group="pci")
    conf.register_opt(cfg.ListOpt("list", default=[]), group="pci")
    for group, name in OTHERS:
        conf.register_opt(cfg.StrOpt(name), group=None if group == "DEFAULT" else group)
    return conf.pci.spec[-1], conf.pci.list


def by_us(text: str) -> tuple[str, list[str]]:
    document = read("/etc/nova/nova.conf", text.encode())
    follow = following((document,), "pci", (SPEC, LIST))
    spec, listed = (document.options_named(*name)[-1].value for name in (SPEC, LIST))
    return follow(spec), list(items(follow(listed)))


@pytest.mark.parametrize("value", VALUES)
def test_reference_is_followed_as_oslo_config_does(value: str, tmp_path: Path) -> None:
    text = f"{HEAD}spec = {value}\nlist = {value}\n"
    assert by_us(text) == by_oslo(text, tmp_path)


@pytest.mark.parametrize("value", REFUSED)
def test_reference_that_ends_the_service_is_refused(value: str, tmp_path: Path) -> None:
    text = f"{HEAD}list = {value}\nspec = {value}\n"
    if value not in ("$spec", "$pci.spec", "$pci.list"):  # lists, in Python's writing, or endless
        with pytest.raises((cfg.Error, AttributeError)):
            by_oslo(text, tmp_path)
    with pytest.raises(UnknownReferenceError, match="cannot be followed"):
        by_us(text)


@settings(max_examples=150, deadline=None)
@given(
    parts=st.lists(
        st.sampled_from(("$", "$$", "\\", "{", "}", "host", "a", "pci.", "other.x", ".", ",", " ")), max_size=9
    )
)
def test_any_text_is_read_as_oslo_config_reads_it(parts: list[str], tmp_path_factory: pytest.TempPathFactory) -> None:
    value = "".join(parts)
    text = f"{HEAD}spec = {value}\nlist = {value}\n"
    try:
        judged = by_oslo(text, tmp_path_factory.getbasetemp())
    except (cfg.Error, AttributeError, RecursionError):
        with pytest.raises(UnknownReferenceError):
            by_us(text)
    else:
        assert by_us(text) == judged


def test_later_file_and_later_line_give_the_value() -> None:
    documents = (read("1", b"[DEFAULT]\na = 1\na = 2\n[pci]\nb = 5\n"), read("2", b"[DEFAULT]\na = 3\na = 4\n"))
    assert following(documents, "pci")("$a $b") == "4 5"


def test_options_whose_default_differs_by_host_stay_as_they_are_unless_set() -> None:
    unset, given_ = read("1", b"[DEFAULT]\n"), read("1", b"[DEFAULT]\nhost = x\n")
    assert following((unset,), "pci", by_host=("host",))("$host ${host}") == "$host ${host}"
    assert following((given_,), "pci", by_host=("host",))("$host") == "x"
    with pytest.raises(UnknownReferenceError):
        following((unset,), "pci")("$host")


@pytest.mark.parametrize(
    "text",
    [
        "a = $a\n",
        "a = $b\nb = ${a}\n",
        "".join(f"a{n} = $a{n + 1}\n" for n in range(5000)) + "a = $a0\na5000 = x\n",
        "".join(f"a{n} = $a{n + 1}$a{n + 1}\n" for n in range(14)) + "a = $a0$a0$a0$a0\na14 = " + "x" * 5000 + "\n",
    ],
    ids=["itself", "circle", "deep", "wide"],
)
def test_no_file_costs_unbounded_time_or_memory(text: str) -> None:
    with pytest.raises(UnknownReferenceError):
        following((read("1", b"[DEFAULT]\n" + text.encode()),), "DEFAULT")("$a")
