"""oslo.config itself is the judge of how a file is read."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from oslo_config import cfg

from sriov.errors import FormatError
from sriov.formats.oslo import document as oslo

PIECES = (
    b"[DEFAULT]", b"[default]", b"[PCI]", b"[ pci]", b"[]", b"[x", b"[DEFAULT] # x", b"a = 1", b"A:b=c", b"a: 2 ",
    b"  b = 3", b"\t# c", b"# comment", b"; comment", b"=v", b"key", b"k = 'quoted'", b'k = "', b"k = \"a'", b"k =",
    b" ", b"", b"\xc2\x85", b"x = a\xe2\x80\xa8b", b"y = \x0c", b"\xc2\xa0z = 1", b"\xff", b"k = \xe9", b"\x0cq = 1",
    b"\xef\xbb\xbf", b"n = \x00", b"\x1c", b"k = a\\",
)  # fmt: skip
LINES = st.lists(st.tuples(st.sampled_from(PIECES), st.sampled_from((b"\n", b"\n", b"\r\n", b"\r", b""))), max_size=14)
FILES = st.one_of(
    LINES.map(lambda pairs: b"".join(line + end for line, end in pairs)),
    LINES.map(lambda pairs: b"[DEFAULT]\n" + b"".join(line + end for line, end in pairs)),
    st.binary(max_size=40).map(lambda data: b"[DEFAULT]\n" + data),
)


def as_oslo_reads(data: bytes) -> dict[str, dict[str, list[str]]] | None:
    """Sections, options and values; None for a file that oslo.config refuses."""
    sections: dict[str, dict[str, list[str]]] = {}
    with TemporaryDirectory() as folder:
        path = Path(folder, "nova.conf")
        path.write_bytes(data)
        parser = cfg.ConfigParser(str(path), {})
        parser._add_normalized(sections)
        try:
            parser.parse()
        except (cfg.ParseError, UnicodeDecodeError):
            return None
    return sections


def as_we_read(data: bytes) -> dict[str, dict[str, list[str]]] | None:
    try:
        document = oslo.read("nova.conf", data)
    except FormatError:
        return None
    sections: dict[str, dict[str, list[str]]] = {header.section: {} for header in document.headers}
    for option in document.options:
        sections[option.section].setdefault(option.key, []).append(option.value)
    return sections


@settings(max_examples=600, deadline=None)
@given(FILES)
@example(b"[DEFAULT]\na = 1\n\n  b\n")
@example(b"[DEFAULT]\na = [\n  1\n  # c\n  ]\n")
@example(b"\xef\xbb\xbf[DEFAULT]\na=1\n")
@example(b"[DEFAULT]\ra=1\r")
def test_read_agrees_with_oslo_config_on_any_bytes(data: bytes) -> None:
    assert as_we_read(data) == as_oslo_reads(data)


@given(FILES)
def test_read_keeps_every_byte_of_what_it_reads(data: bytes) -> None:
    try:
        document = oslo.read("nova.conf", data)
    except FormatError:
        return
    assert b"".join(document.lines) == data


@pytest.mark.parametrize(
    ("data", "line", "reason"),
    [
        (b"\xef\xbb\xbf[DEFAULT]\n", 1, "byte order mark"),
        (b"# c\na = 1\n[DEFAULT]\n", 2, "before any section"),
        (b"[DEFAULT] # x\n", 1, "must end with ]"),
        (b"\n[]\n", 2, "without a name"),
        (b"[DEFAULT]\na = 1\n# c\n  b\n", 4, "continuation"),
        (b"[DEFAULT]\n\nword\n", 3, "neither an option"),
        (b"[DEFAULT]\n= 1\n", 2, "without a name"),
        (b"[DEFAULT]\n# caf\xe9\n", 2, "not UTF-8"),
    ],
)
def test_read_names_line_and_reason_of_what_it_refuses(data: bytes, line: int, reason: str) -> None:
    with pytest.raises(FormatError, match=reason) as caught:
        oslo.read("/etc/nova/nova.conf", data)
    assert (caught.value.path, caught.value.line) == ("/etc/nova/nova.conf", line)


def test_read_takes_latin_1_where_python_2_may_read_it() -> None:
    document = oslo.read("nova.conf", b"[DEFAULT]\n# caf\xe9\na = 1\n", any_bytes=True)
    assert [option.value for option in document.options] == ["1"]
    assert b"".join(document.lines) == b"[DEFAULT]\n# caf\xe9\na = 1\n"


def test_read_counts_the_lines_of_a_wrapped_value() -> None:
    (option,) = oslo.read("nova.conf", b"[pci]\r\n#\r\nalias = {\r\n  1\r\n\t}\r\n\r\n").options
    assert (option.section, option.first, option.last, option.value) == ("pci", 2, 4, "{\n1\n}")


def test_an_error_never_repeats_the_line() -> None:
    with pytest.raises(FormatError) as caught:
        oslo.read("nova.conf", b"[DEFAULT]\nsecret-word\n")
    assert "secret" not in str(caught.value)
