"""One QEMU process: its command line, its control socket, its end. Knows nothing of SSH or of what runs inside."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

NIC_COUNT = 2
CONTROL = "control"  # QEMU's control socket, relative to its directory: the path of a socket has little room
CONTROL_SECONDS = 300


class QemuError(Exception):
    """QEMU did not start, refused a command, or ended by itself."""


@dataclass(frozen=True, slots=True)
class Machine:
    """The hardware of a guest: a q35 with an Intel IOMMU and two Intel 82576 ports of seven VFs each.

    Software emulation of an Intel CPU, one: a second is slower on a busy machine. The two ports hang on one hub,
    so frames sent on one arrive at the other. `port` of 127.0.0.1 leads to the guest's SSH server.
    Its files lie in `directory`.
    """

    directory: Path
    port: int
    memory_mib: int = 1024

    @property
    def disk(self) -> Path:
        return self.directory / "disk.qcow2"

    @property
    def serial_log(self) -> Path:
        return self.directory / "serial.log"

    @property
    def errors(self) -> Path:
        return self.directory / "qemu.log"

    def hardware(self) -> list[str]:
        """What the guest sees; a saved state fits only the same hardware."""
        arguments = ["-accel", "tcg,thread=multi,tb-size=256", "-cpu", "Nehalem-v1", "-smp", "1"]
        arguments += ["-m", str(self.memory_mib)]
        arguments += ["-nodefaults", "-display", "none", "-rtc", "base=utc,clock=host"]
        arguments += ["-machine", "q35,kernel-irqchip=split", "-device", "intel-iommu,intremap=on"]
        for n in range(1, NIC_COUNT + 1):
            arguments += ["-device", f"pcie-root-port,id=rp{n},bus=pcie.0,chassis={n},slot={n},addr={n + 1:#x}"]
            arguments += ["-netdev", f"hubport,id=d{n},hubid=7"]
            arguments += ["-device", f"igb,id=igb{n},bus=rp{n},netdev=d{n},mac=52:54:00:00:01:{n:02x}"]
        arguments += ["-device", "virtio-blk-pci,drive=root,addr=0x10"]
        arguments += ["-device", "virtio-net-pci,netdev=management,addr=0x11,romfile="]
        return [*arguments, "-device", "virtio-rng-pci,addr=0x12"]

    def command(self, saved_state: str = "") -> list[str]:
        """The whole command line. The disk honours the guest's flushes: what it synced survives a killed QEMU."""
        drive = f"file={self.disk},if=none,id=root,format=qcow2,cache=writeback,discard=unmap"
        arguments = ["qemu-system-x86_64", *self.hardware(), "-drive", drive]
        arguments += ["-netdev", f"user,id=management,hostfwd=tcp:127.0.0.1:{self.port}-:22"]
        arguments += ["-serial", f"file:{self.serial_log}", "-qmp", f"unix:{CONTROL},server=on,wait=off"]
        return [*arguments, "-loadvm", saved_state] if saved_state else arguments


def make_overlay(disk: Path, backing: Path) -> None:
    """A new disk whose unwritten parts are those of the raw image `backing`, which stays as it is."""
    subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", "-F", "raw", "-b", str(backing), str(disk)], check=True)


class Qemu:
    """A running QEMU. It dies with the process that started it, even if that one is killed."""

    def __init__(self, machine: Machine, *, saved_state: str = "") -> None:
        self._machine = machine
        (machine.directory / CONTROL).unlink(missing_ok=True)
        with open(machine.errors, "wb") as errors:
            self._process = subprocess.Popen(
                ["setpriv", "--pdeathsig", "KILL", *machine.command(saved_state)],
                cwd=machine.directory,
                stdin=subprocess.DEVNULL,
                stdout=errors,
                stderr=errors,
                start_new_session=True,  # Ctrl-C is for the test run; it ends the guest in order
            )

    @property
    def pid(self) -> int:
        return self._process.pid

    def check_alive(self) -> None:
        """Pass if QEMU runs; QemuError with its last words if not."""
        if self._process.poll() is not None:
            raise QemuError(
                f"QEMU ended with status {self._process.returncode}: {self._machine.errors.read_text()[-500:]}"
            )

    def cpu_seconds(self) -> float:
        """What it has used of processors until now. QemuError if it has ended."""
        self.check_alive()
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")  # utime and stime: proc(5)

    def kill(self) -> None:
        """Power loss: the process is gone at once; what the guest had not flushed is lost."""
        if self._process.poll() is None:
            os.kill(self._process.pid, signal.SIGKILL)
        self._process.wait()

    def save(self, name: str) -> None:
        """Keep RAM, devices and disk under that name inside the disk file; the guest goes on."""
        answer = self._monitor(f"savevm {name}")
        if answer:
            raise QemuError(f"savevm {name}: {answer}")

    def _monitor(self, line: str) -> str:
        """The answer to a line typed at QEMU's monitor; empty for most that succeed."""
        with socket.socket(socket.AF_UNIX) as control:
            control.settimeout(CONTROL_SECONDS)
            self._connect(control)
            with control.makefile("rw") as stream:
                stream.readline()  # the greeting
                for execute, arguments in (
                    ("qmp_capabilities", {}),
                    ("human-monitor-command", {"command-line": line}),
                ):
                    stream.write(json.dumps({"execute": execute, "arguments": arguments}) + "\n")
                    stream.flush()
                    answer = _answer(stream.readline, line)
        return answer

    def _connect(self, control: socket.socket) -> None:
        directory = os.open(self._machine.directory, os.O_PATH)
        try:
            for _ in range(CONTROL_SECONDS * 10):
                self.check_alive()
                try:
                    return control.connect(f"/proc/self/fd/{directory}/{CONTROL}")
                except (FileNotFoundError, ConnectionRefusedError):
                    time.sleep(0.1)
        finally:
            os.close(directory)
        raise QemuError("QEMU never opened its control socket")


def _answer(readline: Callable[[], str], line: str) -> str:
    """The next answer on a control stream, past the events that QEMU reports by itself."""
    while text := readline():
        message = json.loads(text)
        if "return" in message:
            return str(message["return"]).strip() if message["return"] else ""
        if "error" in message:
            raise QemuError(f"{line}: {message['error']}")
    raise QemuError(f"{line}: QEMU closed its control socket")
