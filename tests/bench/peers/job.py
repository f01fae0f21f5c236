"""What the two peers in plain Python are told: `python … JOB.json`."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any


def load() -> dict[str, Any]:
    """{"hosts": [[address, "ssh-ed25519 AAAA…"], …], "port": 22622, "key": path, "ports": […], "first": bool,
    "empty": bool}"""
    job: dict[str, Any] = json.loads(Path(sys.argv[1]).read_text())
    return job


HERE = Path(__file__).parent
DROP_IN = (HERE / "files/zz-sriov.cfg").read_text()


def unit(port: dict[str, Any]) -> str:
    text = (HERE / "files/sriov-vfs.service.j2").read_text()
    for key in ("interface", "num_vfs"):
        text = text.replace("{{ " + key + " }}", str(port[key]))
    return text


def device_specs(ports: list[dict[str, Any]]) -> list[str]:
    return [f'device_spec = {{"devname": "{p["interface"]}", "physical_network": "{p["physnet"]}"}}' for p in ports]
