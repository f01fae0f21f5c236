"""What this machine must have before a fleet can start."""

from __future__ import annotations

import importlib.util
import os
import shutil

from ...errors import SriovError


def check_machine() -> None:
    """Raises SriovError that says what to install where a part is missing."""
    if importlib.util.find_spec("asyncssh") is None:
        raise SriovError(
            "simulation-requirement",
            "the simulation needs the Python package asyncssh",
            hint="pip install asyncssh",
        )
    for tool in ("unshare", "nsenter", "setpriv"):
        if shutil.which(tool) is None:
            raise SriovError(
                "simulation-requirement",
                f"the simulation needs the program {tool}",
                hint="install the package util-linux",
            )
    if not os.access("/dev/fuse", os.R_OK | os.W_OK):
        raise SriovError(
            "simulation-requirement",
            "the simulation needs /dev/fuse, readable and writable",
            hint="modprobe fuse; in a container: --device /dev/fuse --cap-add SYS_ADMIN",
        )
