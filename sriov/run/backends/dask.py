"""Jobs on the workers of a Dask cluster: the one user of `distributed`.

Dask gives a job to a worker that offers what the host asks for, and to another one when that worker dies. Words of
hosts under way come back as events of one topic, which all runs on the cluster share; each takes its own.
"""

from __future__ import annotations

import contextlib
import logging
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Executor, Future
from typing import Any

from sriov.errors import UsageError, counted
from sriov.model import Host
from sriov.run.backends import worker
from sriov.run.backends.worker import Job, Message

SCHEME = "dask://"
ANSWER_SECONDS = 10.0  # seconds for the scheduler and its workers to answer before the run begins
NO_WORKER_SECONDS = 60.0  # seconds that hosts wait in the middle of a run where no worker is left that may take them
_TOPIC = "sriov-fab"
_RETRIES = 2  # of a step that could not be carried out; what goes wrong with a host is a result, not a failure
_ENCRYPTED = ("tls://", "wss://")


class NoWorkerError(RuntimeError):
    """No worker is left that may take the step."""


class DaskEngine(Executor):
    """An Executor over a `distributed.Client`. A step goes to a worker that offers what it asks for."""

    def __init__(self, client: Any, no_worker_seconds: float = NO_WORKER_SECONDS) -> None:
        self._client = client
        self._lonely = no_worker_seconds
        self._executors: dict[str, Executor] = {}
        self._pending: dict[Future[Any], str] = {}
        self._lock = threading.Lock()
        self._closed = threading.Event()
        threading.Thread(target=self._watch_over, name="dask-engine", daemon=True).start()

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        resource = next((arg.resource for arg in args if isinstance(arg, Job)), "")
        future = self._executor(resource).submit(_with_events, fn, *args, **kwargs)
        with self._lock:
            self._pending[future] = resource
        future.add_done_callback(self._forget)
        return future

    def _executor(self, resource: str) -> Executor:
        with self._lock:
            if resource not in self._executors:
                wanted = {"resources": {resource: 1}} if resource else {}
                self._executors[resource] = self._client.get_executor(pure=False, retries=_RETRIES, **wanted)
            return self._executors[resource]

    def _forget(self, future: Future[Any]) -> None:
        with self._lock:
            self._pending.pop(future, None)

    def listen(self, heard: Callable[[Message], None]) -> None:
        self._client.subscribe_topic(_TOPIC, lambda event: heard(Message(*event[1])))

    def interrupt(self, run: str) -> None:
        _ask_workers(self._client, ANSWER_SECONDS, worker.interrupt, run)

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Ends the connection to the scheduler, which then forgets what was still to be done."""
        self._closed.set()
        with self._lock:
            pending = tuple(self._pending)
        if wait and not cancel_futures:
            for future in pending:
                with contextlib.suppress(BaseException):
                    future.result()
        with contextlib.suppress(Exception):
            self._client.close(timeout=2)

    def _watch_over(self) -> None:
        """Dask waits for ever for a worker with a resource; a run does not."""
        alone_since: dict[str, float] = {}
        while not self._closed.wait(min(5.0, self._lonely / 4)):
            with self._lock:
                wanted = set(self._pending.values())
            offers = _offers(self._client, self._lonely) if wanted else []
            for resource in wanted:
                if any(not resource or offer.get(resource, 0) >= 1 for offer in offers):
                    alone_since.pop(resource, None)
                elif time.monotonic() - alone_since.setdefault(resource, time.monotonic()) > self._lonely:
                    self._give_up(resource)

    def _give_up(self, resource: str) -> None:
        with self._lock:
            stranded = [future for future, wanted in self._pending.items() if wanted == resource]
        what = f"no worker with {resource} is left" if resource else "no worker is left"
        for future in stranded:
            with contextlib.suppress(Exception):  # it may have ended just now
                future.set_exception(NoWorkerError(what))


def _with_events(fn: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    """On the worker: what the hosts of a step are at goes to the topic while it is so."""
    from distributed import get_worker

    here = get_worker()
    with worker.telling(lambda message: here.log_event(_TOPIC, list(message))):
        return fn(*args, **kwargs)


def _offers(client: Any, patience: float) -> list[dict[str, float]]:
    """The resources of each worker; none at all where the scheduler does not answer."""
    workers = _within(patience, lambda: client.scheduler_info(n_workers=-1)["workers"])
    return [each["resources"] for each in (workers or {}).values()]


def _within(patience: float, ask: Callable[[], Any]) -> Any:
    """What it answers; None if it does not in time, for distributed's errors of what is lost are of many kinds."""
    found: list[Any] = []

    def run() -> None:
        with contextlib.suppress(Exception):
            found.append(ask())

    asking = threading.Thread(target=run, daemon=True)  # who hangs is not waited for
    asking.start()
    asking.join(patience)
    return found[0] if found else None


@contextlib.contextmanager
def open_engine(
    address: str,
    hosts: Iterable[Host],
    *,
    reads_files: bool = False,
    patience: float = ANSWER_SECONDS,
    no_worker_seconds: float = NO_WORKER_SECONDS,
) -> Iterator[DaskEngine]:
    """The cluster at `dask://scheduler:8786`, fit for these hosts; TLS as distributed's own configuration has it.

    `reads_files`: the files of the hosts, which hold passwords, come back. UsageError, with nothing touched, if the
    package, the scheduler, a worker or the encryption is missing that the hosts need.
    """
    hosts = tuple(hosts)
    client = _client(address, hosts, reads_files, patience)
    try:
        _check_workers(client, address, hosts, patience)
        engine = DaskEngine(client, no_worker_seconds)
    except BaseException:
        client.close(timeout=2)
        raise
    try:
        yield engine
    finally:
        engine.shutdown(wait=False, cancel_futures=True)


def _client(address: str, hosts: tuple[Host, ...], reads_files: bool, patience: float) -> Any:
    try:
        import distributed
    except ImportError:
        raise UsageError(
            "package-missing",
            f"--engine {address} needs the package distributed, which is not installed",
            hint="install it, here and where the workers run: pip install distributed",
        ) from None
    for name in ("distributed", "distributed.client", "distributed.comm", "tornado"):
        logging.getLogger(name).setLevel(logging.CRITICAL)  # what they would print, we say better
    dask: Any = distributed  # its functions have no types
    security = dask.Security()
    is_encrypted = bool(security.get_tls_config_for_role("client").get("ca_file"))
    if not is_encrypted:
        _refuse_secrets(address, hosts, reads_files)
    place = address.removeprefix(SCHEME)
    try:
        return dask.Client(
            f"{'tls' if is_encrypted else 'tcp'}://{place}",
            security=security,
            timeout=patience,
            set_as_default=False,
        )
    except Exception as error:  # a name that is none, a refused connection, a certificate, silence
        words = " ".join(str(error).split())[:200] or type(error).__name__
        raise UsageError(
            "no-scheduler",
            f"no Dask scheduler answers at {place} {'with' if is_encrypted else 'without'} TLS: {words}",
            hint="does `dask scheduler` run there, and is it encrypted as distributed is configured here?",
        ) from None


def _refuse_secrets(address: str, hosts: tuple[Host, ...], reads_files: bool) -> None:
    if any(host.password for host in hosts):
        what = "the testbed holds passwords"
    elif reads_files:
        what = "what this task reads on the hosts holds passwords"
    else:
        return
    raise UsageError(
        "cluster-not-encrypted",
        f"{what}, and the connection to {address} would not be encrypted",
        hint="set up TLS for the cluster and distributed.comm.tls in ~/.config/dask (docs/scale.md)",
    )


def _check_workers(client: Any, address: str, hosts: tuple[Host, ...], patience: float) -> None:
    try:
        client.wait_for_workers(1, timeout=patience)
    except Exception:
        raise UsageError(
            "no-worker",
            f"{address} has no workers",
            hint=f"start some: dask worker {address.removeprefix(SCHEME)} (docs/scale.md)",
        ) from None
    workers = client.scheduler_info(n_workers=-1)["workers"]
    if client.scheduler.address.startswith(_ENCRYPTED):
        plain = sorted(name for name in workers if not name.startswith(_ENCRYPTED))
        if plain:
            raise UsageError(
                "cluster-not-encrypted",
                f"the worker {plain[0]} accepts connections without TLS",
                hint="start it with TLS, as the scheduler is (docs/scale.md)",
            )
    for resource in sorted({host.worker_resource for host in hosts} - {""}):
        if not any(each["resources"].get(resource, 0) >= 1 for each in workers.values()):
            of = [host.name for host in hosts if host.worker_resource == resource]
            more = len(of) - 1
            needy = f"{of[0]} and {more} more {'host' if more == 1 else 'hosts'} need" if more else f"{of[0]} needs"
            raise UsageError(
                "no-worker",
                f"no worker offers {resource}, which {needy} (env.worker_resources)",
                hint=f"start one with --resources {resource}=100, or correct env.worker_resources",
            )
    _check_versions(client)


def _ask_workers(
    client: Any, patience: float, function: Callable[..., object], *arguments: object
) -> dict[str, object]:
    """What a function answers on each worker at once; nothing where they do not all answer in time."""
    return _within(patience, lambda: client.run(function, *arguments, on_error="return")) or {}


def _check_versions(client: Any) -> None:
    """Each worker must have this very program: it gets values of its types, and fills the same templates."""
    found = _ask_workers(client, ANSWER_SECONDS, worker.fingerprint)
    if not found:
        raise UsageError("no-worker", "the workers do not answer", hint="look at their logs")
    others = sorted(name for name, version in found.items() if version != worker.fingerprint())
    if others:
        raise UsageError(
            "worker-version",
            f"the worker {others[0]} does not have this version of sriov-fab "
            f"({len(others)} of {counted(len(found), 'worker')})",
            hint="install the same version, with the extra dask, where the workers run",
        )
