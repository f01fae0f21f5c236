"""Where the test cloud keeps its things, and the numbers that its parts share."""

from __future__ import annotations

import os
from pathlib import Path

CACHE = Path(os.environ.get("SRIOV_CLOUD") or Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache") / "sriov-cloud")
HOME = CACHE.expanduser().absolute()
VENV = Path("/usr/games")  # there on every Debian, and empty; the installed services are laid over it, for us alone
RUN = HOME / "run"
ETC, LOG, STATE = RUN / "etc", RUN / "log", RUN / "state"
DATABASE_TEMPLATE = HOME / "database"
SECRET = "secret"
AUTH_URL = "http://127.0.0.1:5000/v3"
PORTS = {"keystone": 5000, "placement": 8778, "glance": 9292, "neutron": 9696, "nova": 8774}
DATABASES = ("keystone", "placement", "glance", "nova_api", "nova", "nova_cell0", "neutron")


def python() -> str:
    return str(VENV / "bin/python")


def program(name: str) -> list[str]:
    """A console script, run by the interpreter that stands beside it: its first line names another place."""
    return [python(), str(VENV / "bin" / name)]
