"""Configure Debian's nova in a tree that is being built: one host with database, bus and scheduler of its own.

Runs under the tree's own Python, in a chroot. What the packages shipped stays: options are set in their own files.
"""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

NOVA_CONF = {
    "DEFAULT": {"transport_url": "rabbit://guest:guest@127.0.0.1:5672/", "debug": "true"},
    "api_database": {"connection": "sqlite:////var/lib/nova/nova_api.sqlite"},
    "database": {"connection": "sqlite:////var/lib/nova/nova.sqlite"},
    "conductor": {"workers": "1"},
    "scheduler": {"workers": "1"},
    "oslo_concurrency": {"lock_path": "/var/lib/nova/tmp"},
    "placement": {"auth_type": "none", "endpoint_override": "http://127.0.0.1:8778"},
}
NOVA_COMPUTE_CONF = {"DEFAULT": {"compute_driver": "nspawn_driver.Driver"}}
PROGRAMS = ("nova.cmd.compute", "nova.cmd.conductor", "nova.cmd.manage", "nova.cmd.scheduler")
CELL0 = "sqlite:////var/lib/nova/nova_cell0.sqlite"


def set_options(path: Path, sections: dict[str, dict[str, str]]) -> None:
    """Each option once, below its section's header."""
    text = path.read_text()
    for section, options in sections.items():
        before, header, after = text.partition(f"[{section}]\n")
        body, bracket, rest = after.partition("\n[")
        for name in options:
            body = re.sub(rf"^{name} *=.*\n", "", body, flags=re.MULTILINE)
        lines = "".join(f"{name} = {value}\n" for name, value in options.items())
        text = before + (header or f"\n[{section}]\n") + lines + body + bracket + rest
    path.write_text(text)


def manage(*words: str) -> None:
    command = ["setpriv", "--reuid", "nova", "--regid", "nova", "--init-groups", "nova-manage", *words]
    subprocess.run(command, check=True, cwd="/var/lib/nova")


def compile_imported() -> None:
    """As root, who may write beside the modules: the services, which run as nova, could not."""
    subprocess.run(["python3", "-c", f"import {', '.join(PROGRAMS)}"], check=True, cwd="/")


if __name__ == "__main__":
    compile_imported()
    set_options(Path("/etc/nova/nova.conf"), NOVA_CONF)
    set_options(Path("/etc/nova/nova-compute.conf"), NOVA_COMPUTE_CONF)
    manage("api_db", "sync")
    manage("cell_v2", "map_cell0", "--database_connection", CELL0)
    manage("db", "sync")
    manage("cell_v2", "create_cell", "--name", "cell1")
