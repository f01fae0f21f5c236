"""A Dask cluster on loopback: a scheduler and workers, each a process, with TLS from a certificate of its own."""

from __future__ import annotations

import datetime
import ipaddress
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType

from conftest import CHECKOUT
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

_WAIT = 60.0  # seconds, on a machine that has much else to do


def make_certificate(folder: Path) -> dict[str, str]:
    """A key and the certificate that it has signed itself; as distributed's configuration, for the environment."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "cluster")])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .sign(key, hashes.SHA256())
    )
    cert_path, key_path = folder / "cluster.pem", folder / "cluster.key"
    cert_path.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    key_path.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    prefix = "DASK_DISTRIBUTED__COMM__TLS__"
    found = {f"{prefix}CA_FILE": str(cert_path)}
    for role in ("CLIENT", "SCHEDULER", "WORKER"):
        found |= {f"{prefix}{role}__CERT": str(cert_path), f"{prefix}{role}__KEY": str(key_path)}
    return found


def settings(environment: Mapping[str, str]) -> dict[str, str]:
    """What stands in such an environment, for dask.config.set: dask reads its environment once."""
    names = ((name.removeprefix("DASK_").lower(), value) for name, value in environment.items())
    return {name.replace("__", ".").replace("_", "-"): value for name, value in names}


class Cluster:
    """Context manager. Each of `workers` is what stands in its environment beside the rest, and what it offers."""

    def __init__(
        self,
        folder: Path,
        tls: Mapping[str, str],
        workers: Sequence[tuple[Mapping[str, str], str]],
        threads: int = 8,
    ) -> None:
        self._folder = folder
        self._tls = tls
        self._wanted = workers
        self._threads = threads
        self._processes: list[subprocess.Popen[bytes]] = []
        self.workers: list[subprocess.Popen[bytes]] = []
        self.address = ""

    def __enter__(self) -> Cluster:
        self._folder.mkdir()
        protocol = "tls" if self._tls else "tcp"
        file = self._folder / "scheduler.json"
        words = ("--protocol", protocol, "--host", "127.0.0.1", "--port", "0", "--scheduler-file", str(file))
        try:
            scheduler = self._start("dask_scheduler", "scheduler", {}, *words)
            self._until(scheduler, lambda: file.exists() and file.read_text().endswith("}"))
            address = json.loads(file.read_text())["address"]
            self.address = "dask://" + address.partition("://")[2]
            for number, (environment, offer) in enumerate(self._wanted):
                call = [address, "--no-nanny", "--nthreads", str(self._threads), "--name", f"worker{number}"]
                call += ("--local-directory", str(self._folder), *(("--resources", offer) if offer else ()))
                self.workers.append(self._start("dask_worker", f"worker{number}", environment, *call))
            for number, worker in enumerate(self.workers):
                log = self._folder / f"worker{number}.log"
                self._until(worker, lambda log=log: b"Registered to" in log.read_bytes())
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def _start(self, module: str, name: str, more: Mapping[str, str], *words: str) -> subprocess.Popen[bytes]:
        environment = {
            **os.environ, **self._tls, **more,
            "PYTHONPATH": f"{CHECKOUT}:{CHECKOUT / 'tests'}",
            "PYTHONDONTWRITEBYTECODE": "1",
        }  # fmt: skip
        call = [sys.executable, "-m", f"distributed.cli.{module}", "--no-dashboard", *words]
        with (self._folder / f"{name}.log").open("wb") as log:
            process = subprocess.Popen(call, env=environment, stdout=log, stderr=log, stdin=subprocess.DEVNULL)
        self._processes.append(process)
        return process

    def _until(self, process: subprocess.Popen[bytes], is_ready: object) -> None:
        deadline = time.monotonic() + _WAIT
        while not is_ready():  # type: ignore[operator]
            if process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError("\n".join(path.read_text() for path in self._folder.glob("*.log")))
            time.sleep(0.1)

    def kill(self, number: int) -> None:
        self.workers[number].send_signal(signal.SIGKILL)
        self.workers[number].wait()

    def kill_scheduler(self) -> None:
        self._processes[0].send_signal(signal.SIGKILL)
        self._processes[0].wait()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for process in reversed(self._processes):
            process.kill()
            process.wait()


def worker_name(step: object) -> str:
    """On a worker: its name."""
    from distributed import get_worker

    return str(get_worker().name)
