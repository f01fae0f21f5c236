"""The floor: paramiko on a tuned socket, one login and one shell script a host. No plan, no check, no report.

The first run writes and starts everything blindly; the run without change reads what sriov-fab reads. It prefers the
same ciphers, and its script arrives as that of sriov-fab does: so both start the same programs on a host. `"empty"` in
place of the job's script: one execution of `true`, for what a login costs by itself.
"""

from __future__ import annotations

import base64
import contextlib
import shlex
import socket
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import paramiko
from job import DROP_IN, HERE, device_specs, load, unit

THREADS = 64
AT_ONCE = 32768  # bytes


class QuickSocket(socket.socket):
    read = b""

    def recv(self, size: int, flags: int = 0, /) -> bytes:
        if not self.read:
            self.read = super().recv(AT_ONCE, flags)
            with contextlib.suppress(OSError):
                self.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)
        data, self.read = self.read[:size], self.read[size:]
        return data


def transport(*args: Any, **kwargs: Any) -> paramiko.Transport:
    made = paramiko.Transport(*args, **kwargs)
    options = made.get_security_options()
    options.ciphers = sorted(options.ciphers, key=lambda cipher: "-gcm@" not in cipher)
    return made


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


def reading(ports: list[dict[str, Any]]) -> str:
    """The look at a host as a script."""
    interfaces = " ".join(port["interface"] for port in ports)
    return f"interfaces={shlex.quote(interfaces)}\n" + (HERE / "files/read.sh").read_text()


def log_in(address: str, port: int, host_key: str, key: paramiko.PKey) -> paramiko.SSHClient:
    plain = socket.create_connection((address, port), 10)
    quick = QuickSocket(plain.family, plain.type, plain.proto, plain.detach())
    quick.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    quick.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)
    client = paramiko.SSHClient()
    kind, data = host_key.split()
    client.get_host_keys().add(f"[{address}]:{port}", kind, paramiko.Ed25519Key(data=base64.b64decode(data)))
    client.connect(
        address, port, "root", pkey=key, sock=quick, look_for_keys=False, allow_agent=False, transport_factory=transport
    )
    return client


def log_out(client: paramiko.SSHClient) -> None:
    login = client.get_transport()
    assert login is not None
    login.sock.shutdown(socket.SHUT_RDWR)  # else paramiko's thread sees the end up to 100 ms later
    client.close()


def channel_of(client: paramiko.SSHClient) -> paramiko.Channel:
    login = client.get_transport()
    assert login is not None
    return login.open_session()


def do_nothing(client: paramiko.SSHClient) -> str:
    """What went wrong; empty after a good run."""
    channel = channel_of(client)
    channel.exec_command("true")
    return "" if channel.recv_exit_status() == 0 else "true failed"


def run(script: str, vfs: int) -> Callable[[paramiko.SSHClient], str]:
    """As `do_nothing`, of this script: it has to come to its end and to name so many VFs."""
    text = script.encode()

    def act(client: paramiko.SSHClient) -> str:
        channel = channel_of(client)
        channel.set_combine_stderr(True)
        channel.exec_command(f"exec sh -c 'eval \"$(head -c {len(text)})\"'")
        channel.sendall(text)
        output = b""
        while data := channel.recv(AT_ONCE):
            output += data
        whole: bool = output.endswith(b"read to the end\n") and output.count(b"\nvf=virtfn") == vfs
        return "" if whole else repr(output[-300:])

    return act


def chosen(job: dict[str, Any]) -> Callable[[paramiko.SSHClient], str]:
    if job["empty"]:
        return do_nothing
    if job["first"]:
        return run(work(job["ports"]), 0)
    return run(reading(job["ports"]), sum(port["num_vfs"] for port in job["ports"]))


def main() -> None:
    job = load()
    key = paramiko.Ed25519Key.from_private_key_file(job["key"])
    act = chosen(job)

    def visit(host: tuple[str, str]) -> None:
        client = log_in(host[0], job["port"], host[1], key)
        wrong = act(client)
        log_out(client)
        if wrong:
            raise SystemExit(f"{host[0]}: {wrong}")

    with ThreadPoolExecutor(THREADS) as pool:
        list(pool.map(visit, job["hosts"]))


if __name__ == "__main__":
    main()
