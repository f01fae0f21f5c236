"""Writes constraints.txt: what `pip` installs today for these Pythons, each in a fresh environment of its own.

    python -m tests.constraints python3.11 python3.12 python3.13

A package whose version differs from one Python to the next, or that not all of them need, gets a marker.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

ROOT = Path(__file__).parents[1]
FILE = ROOT / "constraints.txt"
HEAD = """\
# The exact versions that the tests run with: `make` installs with these. What the project itself asks for stands in
# pyproject.toml, as ranges. Written by `python -m tests.constraints`.
"""
VERSION = "import sys; print('%d.%d' % sys.version_info[:2])"
Freeze = Mapping[str, str]
"""Package to version."""


def freeze(python: str) -> tuple[str, Freeze]:
    """The version of that Python, and all that a fresh environment of it holds, without the project itself."""
    minor = subprocess.check_output([python, "-c", VERSION], text=True).strip()
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([python, "-m", "venv", folder], check=True)
        pip = [str(Path(folder, "bin/python")), "-m", "pip", "--quiet", "--disable-pip-version-check"]
        subprocess.run([*pip, "install", "--upgrade", "pip"], check=True)
        subprocess.run([*pip, "install", "--editable", f"{ROOT}[test]"], check=True)
        subprocess.run([*pip, "install", "--no-deps", "contrail-api-client"], check=True)  # as the Makefile does
        lines = subprocess.check_output([*pip, "freeze", "--all", "--exclude-editable"], text=True).splitlines()
    return minor, dict(line.split("==") for line in lines if "==" in line)


def merged(frozen: Mapping[str, Freeze]) -> str:
    """One line for a package that is the same for all Pythons (`3.11`, ...), else one for each that has it."""
    lines = []
    for name in sorted({name for packages in frozen.values() for name in packages}, key=str.lower):
        found = {minor: packages.get(name) for minor, packages in frozen.items()}
        if len({*found.values()}) == 1:
            lines.append(f"{name}=={next(iter(found.values()))}")
        else:
            lines += [f'{name}=={v} ; python_version == "{minor}"' for minor, v in found.items() if v]
    return HEAD + "".join(f"{line}\n" for line in lines)


if __name__ == "__main__":
    FILE.write_text(merged(dict(freeze(python) for python in sys.argv[1:] or ["python3"])))
