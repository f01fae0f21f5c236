"""The answers of `virsh list` and `virsh dumpxml`, from the status XML of the guests."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ..machine.answer import Answer


def answer(folder: Path, words: Sequence[str]) -> Answer:
    """The answer to the words after `virsh`; `folder` holds a status XML for each guest that runs."""
    domains = sorted(path.stem for path in folder.glob("*.xml"))
    match [word for word in words if not word.startswith("-")]:
        case ["list", *_] if "--name" in words:
            return 0, "".join(f"{name}\n" for name in domains) + "\n", ""
        case ["list", *_]:
            rows = "".join(f" {index:<4} {name:<10} running\n" for index, name in enumerate(domains, 1))
            return 0, f" Id   Name       State\n----------------------------\n{rows}\n", ""
        case ["dumpxml", name] if name in domains:
            text = (folder / f"{name}.xml").read_text()
            start = text.index("<domain ")
            return 0, text[start : text.index("</domain>") + len("</domain>")] + "\n\n", ""
        case ["dumpxml", name]:
            return 1, "", f"error: failed to get domain '{name}'\n"
    return 1, "", f"error: unknown command: '{' '.join(words)}'\n"
