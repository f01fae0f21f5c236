"""A controller in a process of its own, for one that is killed or stopped at some moment.

Its process is made by a server that has no threads: a fork of the tests themselves would take with it whatever lock
one of their threads holds in that moment, and wait for it without end.
"""

from __future__ import annotations

import contextlib
import functools
import multiprocessing
import os
import time
from collections.abc import Callable, Iterator
from multiprocessing.connection import Connection

from sriov.run import lock_owner

from .bench import Bench

PATIENCE = 60.0  # seconds
_processes = multiprocessing.get_context("forkserver")
_processes.set_forkserver_preload(["pytest", "sriov.run.converge", "sriov.ssh.login", "sriov.simulation"])


@contextlib.contextmanager
def begun(bench: Bench, *names: str, at: Callable[[str, str], None] | None = None, **options: object) -> Iterator[int]:
    """`bench.converge` over these hosts there; the number of its process, which is killed in the end."""
    process = _processes.Process(target=_converge, args=(bench, names, at, options), daemon=True)
    process.start()
    assert process.pid is not None
    try:
        yield process.pid
    finally:
        process.kill()
        process.join()


@contextlib.contextmanager
def begun_until(bench: Bench, name: str, words: str) -> Iterator[int]:
    """The same, over one host, at the moment that it is told that the host begins this; it then sleeps."""
    reading, writing = _processes.Pipe(duplex=False)
    with reading, begun(bench, name, at=functools.partial(_say_and_sleep, writing, words)) as pid:
        writing.close()
        assert reading.poll(PATIENCE)
        assert reading.recv()  # EOFError if it ended before
        yield pid


def _converge(
    bench: Bench, names: tuple[str, ...], at: Callable[[str, str], None] | None, options: dict[str, object]
) -> None:
    os.environ["SRIOV_KNOWN_HOSTS"] = str(bench.known_hosts)
    bench.converge(*names, who=str(lock_owner.here("r")), **({"at": at} if at else {}), **options)  # type: ignore[arg-type]


def _say_and_sleep(saying: Connection, words: str, name: str, told: str) -> None:
    if told.startswith(words):
        saying.send(True)
        time.sleep(PATIENCE)
