"""What reaches a stream: plain lines in a file, colours and folded columns in a window, read as a window shows them."""

import io

import pytest
from rich.text import Text

from sriov.report import screen
from sriov.report.printer import Printer
from sriov.run.context import Event

HEADER = ("host", "result")
ROWS: list[tuple[str | tuple[str, str], ...]] = [
    ("compute1", ("as wanted", "green")),
    ("c2", ""),
    ("主機", ("FAILED", "bold red")),
]


class Window(io.StringIO):
    def isatty(self) -> bool:
        return True


def shown(stream: io.StringIO) -> list[str]:
    """The lines, without what gives them colour."""
    return [line.rstrip() for line in Text.from_ansi(stream.getvalue()).plain.splitlines()]


def test_file_gets_plain_lines_without_trailing_blanks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("FORCE_COLOR", raising=False)
    out = io.StringIO()
    plain = screen.printer(out)
    plain.table(HEADER, ROWS[:2])
    plain.line(("error ", "bold red"), ("c2", "bold"), ": [words]\n    -> hint")
    assert type(plain) is Printer
    assert out.getvalue() == "host      result\ncompute1  as wanted\nc2\nerror c2: [words]\n    -> hint\n"


@pytest.mark.parametrize("stream", [Window, io.StringIO])
def test_styles_reach_a_window_and_whoever_asks_for_them(
    stream: type[io.StringIO], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in {"FORCE_COLOR": "1", "TERM": "xterm", "COLUMNS": "80"}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("NO_COLOR", raising=False)
    out = stream()
    screen.printer(out).table(HEADER, ROWS)
    assert "\x1b[32mas wanted\x1b[0m" in out.getvalue()
    assert shown(out) == ["host      result", "compute1  as wanted", "c2", "主機      FAILED"]


def test_narrow_window_folds_columns_and_loses_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "14")
    out = Window()
    screen.printer(out).table(HEADER, ROWS)
    lines = shown(out)
    assert max(map(len, lines)) <= 14
    assert len(lines) > 4
    assert "".join("".join(lines).split()).count("FAILED") == 1


def test_live_lines_name_who_is_at_work_and_count_who_is_done(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    out = Window()
    with screen.Progress(out) as progress:
        progress.told("c1", Event("as wanted", is_rest=True))
        progress.told("c2", Event("probing"))
    said = " ".join(" ".join(shown(out)).split())
    assert "c2 probing 0s" in said
    assert "1 of 2 hosts done" in said
