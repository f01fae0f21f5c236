"""Words that readers stumble over stay out of what people read: documents, messages, docstrings, comments, names.

Read are: in Markdown the prose, without code blocks and code spans (what these quote is judged at its source); in
Python string literals, docstrings and comments, and by a list of their own the names that are defined; of other files
all of the text.
"""

from __future__ import annotations

import ast
import io
import re
import tokenize
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).parents[3]
ROOTS = (
    "README.md",
    "CHANGELOG.md",
    "CONTRIBUTING.md",
    "SECURITY.md",
    "docs",
    "testbeds",
    "sriov",
    "fabfile",
    "templates",
)
"""Files, and folders with all below; one that is not there has no words."""
COUNTED = ("testbeds", "sriov", "fabfile")
"""Roots whose f-strings must not put a plain plural behind a number."""

WORDS = (
    *("anew", "elsewhere", "lonely", "mend", "mends", "mended", "mending", "nobody", "nobody's"),
    *("somebody", "somebody's", "wherever", "whoever", "hasten", "hastens", "hastened"),
    *("at work", "came to no end", "come to no end", "comes to no end", "in which resources speak", "once logged in"),
    *("take it upon", "takes it upon"),
)
PROSE = (
    *("but for", "none but", "that is due", "what stands there", "where what", "stands", "is told", "are told"),
    *("by intention", "is had", "was had", "of its own accord", "of their own accord"),
)
"""For Markdown alone, in addition to WORDS."""
NAMES = (
    *("anew", "elsewhere", "lonely", "mend", "mended", "nobody", "somebody", "wherever", "whoever"),
    *("helper", "helpers", "manager", "managers", "util", "utils"),
)
"""May be no part of a name that is defined; `_` and capitals part it."""

_GAP = r"[\s#*>]+"  # a phrase may go on in the next line, behind its mark


class Hit(NamedTuple):
    """Where it was found: path below the checkout, line from 1, the word."""

    path: str
    line: int
    word: str


class Text(NamedTuple):
    """Text that people read, and the line where it begins."""

    line: int
    text: str


def files(root: str) -> Iterator[Path]:
    """The text files of a root."""
    at = ROOT / root
    for path in sorted(at.rglob("*")) if at.is_dir() else [at]:
        if path.is_file() and path.suffix != ".pyc":
            yield path


def found(words: Iterable[str], texts: Iterable[Text], path: str = "") -> list[Hit]:
    either = "|".join(_GAP.join(map(re.escape, word.split())) for word in words)
    pattern = re.compile(rf"(?<![\w']){'(?:' + either + ')'}(?![\w'])", re.IGNORECASE)
    return [
        Hit(path, line + text.count("\n", 0, match.start()), " ".join(re.split(_GAP, match[0])).lower())
        for line, text in texts
        for match in pattern.finditer(text)
    ]


def prose(markdown: str) -> Text:
    """The same lines, with code blocks and code spans blank."""
    lines: list[str] = []
    is_fenced = False
    for line in markdown.split("\n"):
        is_fence = line.lstrip().startswith("```")
        is_indented = line.startswith("    ") and not (lines and lines[-1].strip())
        lines.append("" if is_fenced or is_fence or is_indented else line)
        is_fenced ^= is_fence
    return Text(1, re.sub(r"`[^`]*`", lambda span: re.sub(r"[^\n]", " ", span[0]), "\n".join(lines)))


def literals(source: str) -> Iterator[Text]:
    """String literals, docstrings among them, and the fixed parts of f-strings."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield Text(node.lineno, node.value.replace(_UNIX_USER, ""))


_UNIX_USER = "nobody:x:65534:65534:nobody:"


def comments(source: str) -> Text:
    """The comments in their lines, all else left out."""
    lines = [""] * (source.count("\n") + 2)
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.COMMENT:
            lines[token.start[0] - 1] = token.string
    return Text(1, "\n".join(lines))


def defined_names(source: str) -> Iterator[Text]:
    """The names that a module defines, their parts apart: `NoHelper_here` -> `no helper here`."""
    for node in ast.walk(ast.parse(source)):
        name = ""
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            name = node.name
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            name = node.id
        elif isinstance(node, ast.arg):
            name = node.arg
        if name:
            yield Text(getattr(node, "lineno", 1), re.sub(r"_+|(?<=[a-z0-9])(?=[A-Z])", "  ", name))


def hits(path: Path, shown: str = "") -> list[Hit]:
    """Every word of the lists in one file."""
    shown, text = shown or str(path.relative_to(ROOT)), path.read_text(encoding="utf-8")
    if path.suffix == ".md":
        return found((*WORDS, *PROSE), [prose(text)], shown)
    if path.suffix == ".py":
        of_names = found(NAMES, defined_names(text), shown)
        return sorted({*found(WORDS, [*literals(text), comments(text)], shown), *of_names})
    return found(WORDS, [Text(1, text)], shown)


_NUMBER = re.compile(r"\blen\(|\bsum\(|count|number|num_|total|\b(added|free|left|present|removed|vfs)\b")
_PLURAL = re.compile(r" (?:[a-z]+ )?((?!gives\b|this\b|has\b|is\b|was\b|less\b)[a-z]{2,}s|[A-Z]{2,}s)\b")


def disagreements(source: str) -> Iterator[Text]:
    """f-strings with a number and a plural behind it that does not ask the number: `{len(x)} lines`."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.JoinedStr):
            for value, after in zip(node.values, node.values[1:], strict=False):
                if not isinstance(value, ast.FormattedValue) or not isinstance(after, ast.Constant):
                    continue
                plural = _PLURAL.match(str(after.value))
                if plural and _NUMBER.search(ast.unparse(value.value)):
                    yield Text(value.lineno, f"{{{ast.unparse(value.value)}}}{plural[0]}")


@pytest.mark.parametrize("path", [str(path.relative_to(ROOT)) for root in ROOTS for path in files(root)])
def test_text_has_no_word_of_the_lists(path: str) -> None:
    assert [f"{hit.path}:{hit.line}: {hit.word}" for hit in hits(ROOT / path)] == []


@pytest.mark.parametrize("root", COUNTED)
def test_counts_agree_with_their_nouns(root: str) -> None:
    counted = [
        f"{path.relative_to(ROOT)}:{line}: {text}"
        for path in files(root)
        if path.suffix == ".py"
        for line, text in disagreements(path.read_text())
    ]
    assert counted == []


def test_python_is_read_in_literals_comments_and_names(tmp_path: Path) -> None:
    path = tmp_path / "sample.py"
    path.write_text(
        '"""Nobody reads this.\n\nHe takes it\nupon himself."""\n'
        "import lonely  # a name that is only used\n"
        "def mend_it(nobodys):\n"
        "    # it came to\n"
        "    # no end\n"
        '    return f"{lonely.anew} is " "at work, recommended, amended"\n'
    )
    expected = [(1, "nobody"), (3, "takes it upon"), (6, "mend"), (7, "came to no end"), (9, "at work")]
    assert [(hit.line, hit.word) for hit in hits(path, "sample.py")] == expected


def test_markdown_is_read_without_its_code(tmp_path: Path) -> None:
    path = tmp_path / "sample.md"
    path.write_text(
        "Nobody, `nobody`, `a\nnobody`\n\n    $ nobody\n    nobody\n\n- one\n  anew\n\n```\nanew\n```\nIt stands\n"
    )
    expected = [(1, "nobody"), (8, "anew"), (13, "stands")]
    assert [(hit.line, hit.word) for hit in hits(path, "sample.md")] == expected


def test_plural_behind_a_number_is_found() -> None:
    source = 'a = f"{len(x)} lines to add, {name} has files, {len(y)} {word}, {num_vfs} VFs, {count} line"\n'
    assert [text for _, text in disagreements(source)] == ["{len(x)} lines", "{num_vfs} VFs"]
