"""The files of one story: what was recorded, what is there now, and a unified diff where they differ."""

from __future__ import annotations

import difflib
import os
from collections.abc import Iterator
from pathlib import Path

GOLDEN = Path(__file__).parent.parent / "golden"
IS_RECORDING = bool(os.environ.get("SRIOV_RECORD"))


class Book:
    """Golden files of `folder`, by their paths below it; a story puts each text once, `judge` comes last."""

    def __init__(self, folder: str) -> None:
        self._folder = GOLDEN / "run" / folder
        self._found: dict[str, str] = {}

    def put(self, name: str, text: str) -> None:
        assert name not in self._found, f"{name} is recorded twice"
        self._found[name] = text if text.endswith("\n") or not text else f"{text}\n\\ no line feed at the end\n"

    def judge(self) -> None:
        """Fails with all differences; when recording it writes the files and fails too, so it is never green."""
        if IS_RECORDING:
            self._write()
            raise AssertionError(f"recorded {len(self._found)} files in {self._folder.name}: look at the diff, commit")
        differences = "".join(self._differences())
        assert not differences, f"goldens differ (SRIOV_RECORD=1 records them again):\n{differences}"

    def _recorded(self) -> dict[str, Path]:
        return {str(path.relative_to(self._folder)): path for path in self._folder.rglob("*") if path.is_file()}

    def _write(self) -> None:
        for name, path in self._recorded().items():
            if name not in self._found:
                path.unlink()
        for name, text in self._found.items():
            path = self._folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(text.encode("utf-8", "surrogateescape"))

    def _differences(self) -> Iterator[str]:
        recorded = self._recorded()
        for name in sorted({*recorded, *self._found}):
            before = recorded[name].read_bytes().decode("utf-8", "surrogateescape") if name in recorded else ""
            now = self._found.get(name, "")
            if name not in recorded:
                yield f"{name}: not recorded\n"
            if name not in self._found:
                yield f"{name}: recorded, and not made any more\n"
            yield from difflib.unified_diff(
                before.splitlines(keepends=True), now.splitlines(keepends=True), f"recorded/{name}", f"now/{name}"
            )
