"""The floor: paramiko on a tuned socket, one login and one shell script a host. No plan, no check, no report.

The first run writes and starts everything blindly; the run without change reads what there is to know.
"""

from __future__ import annotations

import base64
import contextlib
import shlex
import socket
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import paramiko
from job import DROP_IN, device_specs, load, unit

READ = """\
cat /proc/cmdline /proc/sys/kernel/random/boot_id /proc/uptime
grep -m1 ^vendor_id /proc/cpuinfo
for p in {interfaces}; do
    cd -P "/sys/class/net/$p/device" && pwd -P
    for f in vendor device sriov_totalvfs sriov_offset sriov_stride iommu_group/type; do
        read -r v <$f
        echo "$f=$v"
    done
    for f in virtfn*; do cd -P "$f" && echo "${{PWD##*/}}"; cd ..; done
    cat "/etc/systemd/system/sriov-vfs-$p.service"
    units="$units sriov-vfs-$p.service"
done
grep -E '^[[:space:]]*(menuentry|linux|set default)' /boot/grub/grub.cfg
cat /etc/default/grub /etc/default/grub.d/zz-sriov.cfg /etc/nova/nova.conf
stat -c '%Y %n' /etc/nova/nova.conf
systemctl show -p Id,ActiveState,UnitFileState,NeedDaemonReload,ExecMainStartTimestampMonotonic nova-compute $units
echo read to the end
"""


class QuickSocket(socket.socket):
    def recv(self, size: int, flags: int = 0, /) -> bytes:
        data = super().recv(size, flags)
        with contextlib.suppress(OSError):
            self.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)
        return data


def work(ports: list[dict[str, Any]]) -> str:
    """The whole job as a script."""
    drop_in = f"printf %s {shlex.quote(DROP_IN)} >/etc/default/grub.d/zz-sriov.cfg"
    lines = [
        "set -e",
        drop_in,
        "update-grub >/dev/null 2>&1",
    ]
    for port in ports:
        path = f"/etc/systemd/system/sriov-vfs-{port['interface']}.service"
        lines.append(f"printf %s {shlex.quote(unit(port))} >{path}")
    lines.append("systemctl daemon-reload")
    names = " ".join(f"sriov-vfs-{port['interface']}.service" for port in ports)
    specs = "\\n".join(device_specs(ports))
    lines += [
        f"systemctl enable --now {names}",
        f"sed -i {shlex.quote(chr(92).join(['/^[[]pci]$/a ', chr(10)]) + specs)} /etc/nova/nova.conf",
        "systemctl restart nova-compute",
        "echo read to the end",
    ]
    return "\n".join(lines) + "\n"


def visit(address: str, port: int, host_key: str, key: paramiko.PKey, script: str) -> None:
    plain = socket.create_connection((address, port), 10)
    quick = QuickSocket(plain.family, plain.type, plain.proto, plain.detach())
    quick.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    quick.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)
    client = paramiko.SSHClient()
    kind, data = host_key.split()
    client.get_host_keys().add(f"[{address}]:{port}", kind, paramiko.Ed25519Key(data=base64.b64decode(data)))
    client.connect(address, port, "root", pkey=key, sock=quick, look_for_keys=False, allow_agent=False)
    transport = client.get_transport()
    assert transport is not None
    channel = transport.open_session()
    channel.set_combine_stderr(True)
    channel.exec_command(script)
    output = b""
    while data_in := channel.recv(65536):
        output += data_in
    client.close()
    if not output.endswith(b"read to the end\n"):
        raise SystemExit(f"{address}: {output[-300:]!r}")


def main() -> None:
    job = load()
    key = paramiko.Ed25519Key.from_private_key_file(job["key"])
    interfaces = " ".join(port["interface"] for port in job["ports"])
    script = work(job["ports"]) if job["first"] else READ.format(interfaces=interfaces)
    with ThreadPoolExecutor(64) as pool:
        list(pool.map(lambda host: visit(host[0], job["port"], host[1], key, script), job["hosts"]))


if __name__ == "__main__":
    main()
