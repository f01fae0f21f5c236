"""Texts that are kept between runs: never stale, never anybody else's, and nothing is lost where none can be kept."""

from __future__ import annotations

import errno
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from sriov import layout, render, render_cache

VALUES = {"interface": "eth0", "num_vfs": 7, "before": ()}
UNIT = "sriov-vfs.service"
PROGRAM = """
import sys
from sriov import render
print(render.render("sriov-vfs.service", interface="eth0", num_vfs=7, before=()), end="")
print("jinja2" in sys.modules, file=sys.stderr)
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(sys, "dont_write_bytecode", False)
    render._rendered.cache_clear()
    return tmp_path / "sriov-fab"


@pytest.fixture
def again(folder: Path) -> Callable[[], str]:
    """The text as the next run gets it."""

    def render_anew() -> str:
        render._rendered.cache_clear()
        render_cache._made_by.cache_clear()
        return render.render(UNIT, interface="eth0", num_vfs=7, before=())

    return render_anew


def test_second_run_gets_the_same_text_without_jinja2(folder: Path) -> None:
    environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": "", "XDG_CACHE_HOME": str(folder.parent)}
    runs = [
        subprocess.run([sys.executable, "-c", PROGRAM], env=environment, capture_output=True, text=True, check=True)
        for _ in range(2)
    ]
    assert [run.stderr for run in runs] == ["True\n", "False\n"]
    assert runs[0].stdout == runs[1].stdout == render.render_once(UNIT, **VALUES)
    assert folder.stat().st_mode & 0o777 == 0o700


def test_kept_text_is_what_is_read(again: Callable[[], str], folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = again()
    monkeypatch.setattr(render, "render_once", lambda template, **values: "rendered anew")
    assert again() == first
    assert len(list(folder.iterdir())) == 1


def test_changed_template_is_rendered_anew(
    again: Callable[[], str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    again()
    shutil.copytree(layout.templates(), tmp_path / "templates")
    monkeypatch.setattr(layout, "templates", lambda: tmp_path / "templates")
    monkeypatch.setattr(render, "render_once", lambda template, **values: "rendered anew")
    before = again()
    with (tmp_path / "templates" / f"{UNIT}.j2").open("a") as file:
        file.write("# more\n")
    assert (before == "rendered anew", again()) == (False, "rendered anew")


@pytest.mark.parametrize("content", [b"", b"no checksum", b"0" * 64 + b"\n[Unit]\n", b"\xff\xfe\n\xff"])
def test_damaged_text_is_rendered_anew(again: Callable[[], str], folder: Path, content: bytes) -> None:
    first = again()
    kept = next(folder.iterdir())
    good = kept.read_bytes()
    kept.write_bytes(content)
    assert again() == first
    assert kept.read_bytes() == good


@pytest.mark.parametrize("mode", [0o770, 0o707])
def test_folder_that_others_can_write_is_left_alone(again: Callable[[], str], folder: Path, mode: int) -> None:
    first = again()
    kept = next(folder.iterdir())
    kept.write_bytes(b"")
    folder.chmod(mode)
    assert again() == first
    assert kept.read_bytes() == b""


def test_folder_of_somebody_else_is_left_alone(
    again: Callable[[], str], folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: os.getuid() + 1)
    assert again() == render.render_once(UNIT, **VALUES)
    assert list(folder.iterdir()) == []


def test_nothing_can_be_kept_and_nothing_is_lost(
    again: Callable[[], str], folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder.parent.joinpath("file").touch()
    monkeypatch.setenv("XDG_CACHE_HOME", str(folder.parent / "file"))
    assert again() == render.render_once(UNIT, **VALUES)


def test_full_disk_leaves_nothing_behind(
    again: Callable[[], str], folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_space(source: str, target: Path) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "replace", no_space)
    assert again() == render.render_once(UNIT, **VALUES)
    assert list(folder.iterdir()) == []


def test_number_of_texts_is_bounded(again: Callable[[], str], folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(render_cache, "TEXTS_KEPT", 3)
    for number in range(10):
        render.render(UNIT, interface=f"eth{number}", num_vfs=7, before=())
        assert len(list(folder.iterdir())) <= 3


def test_values_that_differ_in_kind_only_are_different(folder: Path) -> None:
    names = {render_cache.name_of(UNIT, (("value", value),)) for value in ("1", 1, True, None, (), ("",), "()")}
    assert len(names) == 7
    assert render_cache.name_of(UNIT, (("value", 1.5),)) == ""
