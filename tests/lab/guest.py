"""A guest of the lab: a host with a real kernel that a scenario looks into, reboots, or takes the power from."""

from __future__ import annotations

import contextlib
import random
import shlex
import shutil
import socket
import subprocess
import time
from pathlib import Path

from .image import Image
from .login import Connection, Login
from .qemu import Machine, Qemu, QemuError, make_overlay

# A boot takes 45 s of a processor. On a busy machine that has been ten minutes by the clock: what a guest has used
# tells better that it will not come. (A guest that has stopped uses none.)
BOOT_CPU_SECONDS = 300
BOOT_SECONDS = 1800
COMMAND_SECONDS = 300
BOOTED = "booted"  # the state that every scenario starts from

# Below Linux's range of ports for outgoing connections: nobody takes the guest's port while its power is off.
PORTS = range(20000, 30000)


class GuestError(Exception):
    """The guest does not answer, or a command in it failed."""


class Guest:
    """A guest with its own disk below `directory`. Made by `create` or `copy`; `load` or `power_on` starts it."""

    def __init__(self, name: str, image: Image, directory: Path) -> None:
        self.name = name
        self.image = image
        self.directory = directory
        directory.mkdir(parents=True, exist_ok=True)
        known_hosts = directory / "known_hosts"
        self.login = Login(_free_port(), image.key, known_hosts)
        known_hosts.write_text("".join(f"[127.0.0.1]:{self.login.port} {key}\n" for key in image.host_keys))
        self.machine = Machine(directory, self.login.port)
        self._qemu: Qemu | None = None
        self._connection = Connection(self.login, directory)

    @classmethod
    def create(cls, name: str, image: Image, directory: Path) -> Guest:
        """A guest with a fresh disk, its power off."""
        guest = cls(name, image, directory)
        make_overlay(guest.machine.disk, image.path)
        return guest

    @classmethod
    def copy(cls, name: str, image: Image, directory: Path, disk: Path) -> Guest:
        """A guest with a copy of another's disk, saved states and all, its power off."""
        guest = cls(name, image, directory)
        shutil.copyfile(disk, guest.machine.disk)
        return guest

    # -- power -------------------------------------------------------------------------------------------------

    def power_on(self) -> None:
        """Boot from the disk as it is and wait until SSH answers."""
        self._start("")
        self.wait_for_boot()

    def power_off_hard(self) -> None:
        """Take the power away: nothing is synced, nothing is told."""
        self._connection.close()
        if self._qemu is not None:
            self._qemu.kill()
            self._qemu = None

    def save(self, state: str = BOOTED) -> None:
        """Keep the running guest, memory and disk, under that name."""
        self.sh("sync")
        self._running().save(state)

    def load(self, state: str = BOOTED) -> None:
        """Go back to a saved state; whatever happened since is gone."""
        self.power_off_hard()
        self._start(state)
        self.wait_for_boot()

    def reboot(self) -> None:
        """Reboot as an operator does, by command, and wait for the next boot."""
        before = self.boot_id()
        self.sh("systemctl reboot", check=False)
        self._connection.close()
        self.wait_for_boot(other_than=before)

    def wait_for_boot(self, *, other_than: str = "") -> str:
        """The boot id, once SSH answers with one that differs from `other_than`.

        GuestError if the kernel panics or that takes too long.
        """
        deadline = time.monotonic() + BOOT_SECONDS
        enough = self._running().cpu_seconds() + BOOT_CPU_SECONDS
        while time.monotonic() < deadline and self._running().cpu_seconds() < enough:
            with contextlib.suppress(GuestError):
                if (boot := self.boot_id()) != other_than:
                    return boot
            self._connection.close()  # of a boot that is over or not there yet
            if "Kernel panic" in self.serial_tail():
                break
            time.sleep(0.5)
        raise GuestError(f"{self.name}: no answer of another boot\n{self.serial_tail()}")

    def settle(self) -> str:
        """Wait until systemd has done all that a boot does; its verdict, `running` or `degraded`."""
        return self.sh("systemctl is-system-running --wait", check=False, timeout=BOOT_SECONDS).stdout.strip()

    # -- inside ------------------------------------------------------------------------------------------------

    def sh(
        self, command: str, *, user: str = "root", check: bool = True, timeout: float = COMMAND_SECONDS
    ) -> subprocess.CompletedProcess[str]:
        """Run a shell command in the guest. With `check`, GuestError unless it ends with status 0."""
        done = self._run(command, user=user, timeout=timeout)
        texts = [stream.decode(errors="replace") for stream in (done.stdout, done.stderr)]
        if check and done.returncode != 0:
            raise GuestError(f"{self.name}: status {done.returncode} of: {command}\n{''.join(texts)}")
        return subprocess.CompletedProcess(command, done.returncode, *texts)

    def out(self, command: str) -> str:
        """What a shell command prints, without blanks at the ends."""
        return self.sh(command).stdout.strip()

    def read(self, path: str) -> bytes:
        """A file's bytes; GuestError if it cannot be read."""
        return self._checked(f"cat {shlex.quote(path)}")

    def write(self, path: str, content: bytes) -> None:
        """Put bytes into a file; an existing one keeps its owner and mode."""
        self._checked(f"cat > {shlex.quote(path)}", content)

    def boot_id(self) -> str:
        """`5983b86c-c860-4bdc-815b-b4d647909289`, another one after every boot."""
        return self.sh("cat /proc/sys/kernel/random/boot_id", timeout=60).stdout.strip()

    def serial_tail(self, lines: int = 40) -> str:
        """The end of what the guest wrote to its serial console."""
        log = self.machine.serial_log
        return "\n".join(log.read_text(errors="replace").splitlines()[-lines:]) if log.exists() else ""

    # -- within ------------------------------------------------------------------------------------------------

    def _start(self, state: str) -> None:
        if self._qemu is not None:
            raise GuestError(f"{self.name} runs already")
        self._qemu = Qemu(self.machine, saved_state=state)

    def _running(self) -> Qemu:
        if self._qemu is None:
            raise QemuError(f"{self.name} is switched off")
        return self._qemu

    def _checked(self, command: str, content: bytes = b"") -> bytes:
        done = self._run(command, content)
        if done.returncode != 0:
            raise GuestError(f"{self.name}: {command}: {done.stderr.decode(errors='replace')}")
        return done.stdout

    def _run(
        self, command: str, content: bytes = b"", *, user: str = "root", timeout: float = COMMAND_SECONDS
    ) -> subprocess.CompletedProcess[bytes]:
        """What ssh brought back, whatever its status; GuestError if it was not done in time."""
        try:
            if user == "root":
                return self._connection.run(command, content, timeout=timeout)
            direct = [*self.login.command(user), command]
            return subprocess.run(direct, input=content, capture_output=True, timeout=timeout, check=False)
        except subprocess.TimeoutExpired:
            raise GuestError(f"{self.name}: not done within {timeout:.0f} s: {command}") from None


def _free_port() -> int:
    for port in random.sample(PORTS, 200):
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise GuestError("no free port on 127.0.0.1")
