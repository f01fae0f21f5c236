"""The documents as a site: it builds strictly, fetches nothing, and its links lead somewhere."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[3]
FETCHED = re.compile(
    r'<(?:script|img|iframe)[^>]*\bsrc="?(?:https?:)?//|<link[^>]*\bhref="?(?:https?:)?//|url\((?:https?:)?//'
)


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("copy")
    for name in ("docs", "sriov"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    for path in (*ROOT.glob("*.md"), ROOT / "LICENSE", ROOT / "mkdocs.yml"):
        shutil.copy(path, folder)
    return folder


def build(folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict"],
        cwd=folder,
        env={**os.environ, "NO_MKDOCS_2_WARNING": "1"},
        capture_output=True,
        text=True,
        timeout=120,
    )


@pytest.fixture(scope="module")
def site(copy: Path) -> Path:
    answer = build(copy)
    assert answer.returncode == 0, answer.stdout + answer.stderr
    return copy / "build/site"


def test_site_holds_the_pages_that_stand_outside_docs_and_the_face_for_programs(site: Path) -> None:
    assert "make demo" in (site / "index.html").read_text()
    assert "A newcomer" in (site / "contributing.html").read_text()
    api = (site / "api.html").read_text()
    assert "converge" in api
    assert "Brings every host to what is asked" in api


def test_links_between_files_of_the_checkout_lead_to_pages(site: Path) -> None:
    assert 'href="guide.html"' in (site / "index.html").read_text()
    assert 'href="architecture.html"' in (site / "contributing.html").read_text()


def test_no_page_fetches_anything_from_another_host(site: Path) -> None:
    pages = [*site.rglob("*.html"), *site.rglob("*.css")]
    assert len(pages) > 15
    assert [path.name for path in pages if FETCHED.search(path.read_text())] == []


@pytest.mark.parametrize(("file", "link"), [("README.md", "docs/nothing.md"), ("docs/guide.md", "../NOTHING.md")])
def test_link_that_leads_nowhere_is_an_error(copy: Path, site: Path, file: str, link: str) -> None:
    kept = (copy / file).read_text()
    (copy / file).write_text(f"{kept}\n[nowhere]({link})\n")
    try:
        answer = build(copy)
    finally:
        (copy / file).write_text(kept)
    assert answer.returncode != 0
    assert link in answer.stdout + answer.stderr
