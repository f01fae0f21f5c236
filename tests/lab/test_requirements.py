"""A machine that cannot run the lab: what is missing is said, and counts as a failure. Needs no lab itself."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from .requirements import PROGRAMS

HERE = Path(__file__).parent


def test_lab_without_its_programs_fails_and_names_them_all(tmp_path: Path) -> None:
    """A skip would look like success to whoever reads only the last line."""
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-q", str(HERE / "test_boot.py")],
        cwd=HERE.parents[1],
        env={**os.environ, "PATH": str(tmp_path), "SRIOV_LAB": str(tmp_path / "lab")},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 1
    assert [program for program in PROGRAMS if program not in done.stdout] == []
    assert "tests/lab/install.sh" in done.stdout
    assert "skipped" not in done.stdout
    assert "passed" not in done.stdout
