"""The lab ends what it starts, also when it is interrupted or killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from .image import Image
from .leftovers import left_after_a_moment, leftovers

pytestmark = pytest.mark.lab

# A run of its own in a process of its own: starts a guest, says so, and waits to be ended.
INTERRUPTED_RUN = """
import signal, sys, time
from pathlib import Path
from {package}.guest import BOOTED, Guest
from {package}.image import BASE, build
guest = Guest.copy("interrupted", build(BASE), Path(sys.argv[1]), Path(sys.argv[2]))
try:
    guest.load(BOOTED)
    print("up", flush=True)
    time.sleep(600)
finally:
    guest.power_off_hard()
"""


@pytest.mark.parametrize("ending", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_guest_ends_with_an_interrupted_run(
    ending: signal.Signals, base_image: Image, booted_disk: Path, run_directory: Path
) -> None:
    """Ctrl-C, a polite and an impolite kill of the run itself."""
    directory = run_directory / f"interrupted-{ending.name}"
    package = __name__.rpartition(".")[0]
    root = Path(__file__).parents[package.count(".") + 1]
    command = [sys.executable, "-c", INTERRUPTED_RUN.format(package=package), str(directory), str(booted_disk)]
    environment = {**os.environ, "PYTHONPATH": str(root)}
    with subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as run:
        try:
            assert run.stdout is not None
            assert run.stdout.readline() == "up\n"
            assert leftovers(directory) != []
            run.send_signal(ending)
            run.wait(60)
        finally:
            run.kill()
    assert left_after_a_moment(directory) == []
