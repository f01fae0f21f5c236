"""The job as one would write it for Fabric: one `run` a command, hosts in threads."""

from __future__ import annotations

import io
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from fabric import Connection
from job import DROP_IN, device_specs, load, unit


def put(connection: Connection, path: str, text: str) -> bool:
    """Whether the file had to be written."""
    found = connection.run(f"cat {path}", hide=True, warn=True)
    if found.ok and found.stdout == text:
        return False
    connection.put(io.BytesIO(text.encode()), path)
    return True


def converge(job: dict[str, Any], address: str) -> None:
    with Connection(
        address, user="root", port=job["port"],
        connect_kwargs={"key_filename": job["key"], "look_for_keys": False, "allow_agent": False},
    ) as connection:  # fmt: skip
        if put(connection, "/etc/default/grub.d/zz-sriov.cfg", DROP_IN):
            connection.run("update-grub", hide=True)
        fresh = False
        for port in job["ports"]:
            name = f"sriov-vfs-{port['interface']}.service"
            written = put(connection, f"/etc/systemd/system/{name}", unit(port))
            count = connection.run(f"cat /sys/class/net/{port['interface']}/device/sriov_numvfs", hide=True)
            enabled = connection.run(f"systemctl is-enabled {name}", hide=True, warn=True)
            if written or enabled.failed or int(count.stdout) != port["num_vfs"]:
                connection.run("systemctl daemon-reload", hide=True)
                connection.run(f"systemctl enable --now {name}", hide=True)
                fresh = True
        conf = connection.run("cat /etc/nova/nova.conf", hide=True).stdout
        lines = conf.split("\n")
        missing = [line for line in device_specs(job["ports"]) if line not in lines]
        if missing:
            at = lines.index("[pci]") + 1
            connection.put(io.BytesIO("\n".join([*lines[:at], *missing, *lines[at:]]).encode()), "/etc/nova/nova.conf")
        if missing or fresh:
            connection.run("systemctl restart nova-compute", hide=True)
        connection.run("systemctl is-active nova-compute", hide=True)


def main() -> None:
    job = load()
    with ThreadPoolExecutor(50) as pool:
        list(pool.map(lambda host: converge(job, host[0]), job["hosts"]))


if __name__ == "__main__":
    main()
