"""Starts benchmark hosts and ends with its standard input. A program of its own: it forks, and stays small.

Input: one line of JSON, a list of {"name", "root", "address", "port", "keys"}. Output: a line `NAME PID` for each
host; PID is its first process, an sshd, in pid and mount namespaces of its own. Whatever happens in a host ends
with that process.
"""

from __future__ import annotations

import ctypes
import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

from sriov.simulation.machine import namespace

from . import pose

CLONE_NEWNS, CLONE_NEWUTS, CLONE_NEWPID = 0x20000, 0x4000000, 0x20000000
MS_PRIVATE = 1 << 18
PR_SET_PDEATHSIG = 1
HERE = Path(__file__).parent
UPDATE_GRUB = HERE.parent.parent / "sriov/simulation/stubs/update-grub.sh"
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
SSHD_CONFIG = """\
Port {port}
ListenAddress {address}
HostKey /etc/ssh/host_key
AuthorizedKeysFile /etc/ssh/authorized_keys
PermitRootLogin prohibit-password
PasswordAuthentication no
UsePAM no
UseDNS no
MaxStartups 500
StrictModes no
SetEnv PATH={path}
LogLevel VERBOSE
Subsystem sftp /usr/lib/openssh/sftp-server
"""


def build(plan: dict[str, Any]) -> str:
    """The tree of a host: its own files in memory, the machine's programs read-only."""
    root = str(plan["root"])
    namespace.mount("none", "/", flags=MS_PRIVATE | namespace.MS_REC)
    namespace.mount("tmpfs", root, "tmpfs", 0, "mode=755,size=64m")
    pose.lay(Path(root))
    namespace.bind("/usr", f"{root}/usr", read_only=True)
    for name in ("bin", "sbin", "lib", "lib32", "lib64", "libx32"):
        if os.path.islink(f"/{name}"):
            os.symlink(os.readlink(f"/{name}"), f"{root}/{name}")
    local = f"{root}/usr/local"
    namespace.mount("tmpfs", local, "tmpfs", 0, "mode=755,size=4m")
    for folder in ("bin", "sbin", "lib/units"):
        os.makedirs(f"{local}/{folder}")
    for place, source in (
        ("bin/systemctl", HERE / "host_commands/systemctl"),
        ("sbin/ip", HERE / "host_commands/ip"),
        ("sbin/update-grub", UPDATE_GRUB),
    ):
        shutil.copy(source, f"{local}/{place}")
        os.chmod(f"{local}/{place}", 0o755)  # noqa: S103 - programs
    for unit in pose.UNITS:
        Path(f"{local}/lib/units/{unit}").touch()
    namespace.make_devices(root)
    os.mkdir(f"{root}/proc")
    namespace.mount("proc", f"{root}/proc", "proc")
    for name in ("cmdline", "cpuinfo"):
        namespace.bind(f"{root}/fixed/{name}", f"{root}/proc/{name}")
    shutil.copytree(plan["keys"], f"{root}/etc/ssh")
    shutil.copytree("/etc/alternatives", f"{root}/etc/alternatives", symlinks=True)  # awk, which
    Path(f"{root}/etc/ssh/sshd_config").write_text(
        SSHD_CONFIG.format(port=plan["port"], address=plan["address"], path=PATH)
    )
    return root


def run(plan: dict[str, Any], report: int) -> None:
    """First process of a host; becomes its sshd."""
    namespace.libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    os.umask(0o022)
    name = plan["name"].encode()
    namespace.libc.sethostname(name, len(name))
    namespace.enter(build(plan))
    null = os.open("/dev/null", os.O_RDWR)
    for number in (0, 1, 2):
        os.dup2(null, number)
    environment = {"PATH": PATH}
    subprocess.run(["update-grub"], env=environment, check=True)
    os.write(report, b".")
    words = ["/usr/sbin/sshd", "-D", "-E", f"/{pose.SSHD_LOG}", "-f", "/etc/ssh/sshd_config"]
    os.execve(words[0], words, environment)  # noqa: S606


def start(plan: dict[str, Any]) -> tuple[int, int]:
    """Forks a host: the process that waits for it, and the end of a pipe that tells the host's pid, then `.`."""
    reading, writing = os.pipe()
    keeper = os.fork()
    if keeper:
        os.close(writing)
        return keeper, reading
    os.close(reading)
    namespace.libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if namespace.libc.unshare(CLONE_NEWNS | CLONE_NEWUTS | CLONE_NEWPID):
        raise OSError(ctypes.get_errno(), "the benchmark must run as root")
    first = os.fork()
    if first == 0:
        try:
            run(plan, writing)
        finally:
            os._exit(1)
    os.write(writing, f"{first} ".encode())
    os.close(writing)
    os.waitpid(first, 0)
    os._exit(0)


def main() -> None:
    plans = json.loads(sys.stdin.readline())
    begun = [(plan["name"], *start(plan)) for plan in plans]
    for name, _, pipe in begun:
        said = b""
        while data := os.read(pipe, 64):
            said += data
        os.close(pipe)
        words = said.replace(b".", b"").split()
        print(name, words[0].decode() if b"." in said and words else "failed", flush=True)
    sys.stdin.read()
    for _, keeper, _ in begun:
        os.kill(keeper, signal.SIGKILL)  # its host is killed with it
        os.waitpid(keeper, 0)


if __name__ == "__main__":
    main()
