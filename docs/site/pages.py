"""A hook of MkDocs: the pages of the site that stand outside docs/, and the page of the face for programs.

A link from one file of the checkout to another holds on the site too: `docs/guide.md` in README.md and `../README.md`
in a page of docs/ lead to the pages that these files have become.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mkdocs.config.defaults import MkDocsConfig
    from mkdocs.structure.files import Files
    from mkdocs.structure.pages import Page

ROOT = Path(__file__).parents[2]
PAGES = {
    "README.md": "index.md",
    "CONTRIBUTING.md": "contributing.md",
    "SECURITY.md": "security.md",
    "CHANGELOG.md": "changelog.md",
    "LICENSE": "license.md",
}
API = "# The face for programs\n\n::: sriov.api\n"
_LINK = re.compile(r"(?<=\]\()([^)#\s:]+)(?=[)#])")


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Adds the pages that no file of docs/ holds."""
    from mkdocs.structure.files import File

    texts = {page: (ROOT / name).read_text() for name, page in PAGES.items()} | {"api.md": API}
    texts["license.md"] = f"# License\n\n```text\n{texts['license.md']}```\n"
    for page, text in texts.items():
        files.append(File.generated(config, page, content=text))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Leads links between files of the checkout to their pages."""
    folder = ROOT if page.file.src_uri in PAGES.values() else ROOT / "docs"
    return _LINK.sub(lambda link: _target(folder, link[1]), markdown)


def _target(folder: Path, link: str) -> str:
    """What the link is on the site; what is no page there stays as it is, and the strict build refuses it."""
    path = (folder / link).resolve()
    if path.parent == ROOT and path.name in PAGES:
        return PAGES[path.name]
    return path.name if path.parent == ROOT / "docs" and path.is_file() else link
