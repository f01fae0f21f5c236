"""Runs the hosts of one fleet: `python -m sriov.simulation.server DIRECTORY`, as `Fleet` starts it.

It is the first process of its own pid and mount namespace, so when it ends, in whatever way, the kernel ends
every process of every host and undoes every mount. It ends when its stdin does: then its owner is gone.
Protocol: one JSON document a line, `{"host", "verb", "arguments"}` in, `{"result"}` or `{"error"}` out.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import shutil
import signal
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ...errors import SriovError
from ..spec import HostSpec
from ..tree.fuse import unmount
from . import verbs
from .hosts import Hosts


async def serve(folder: Path) -> None:
    """Until stdin ends or SIGTERM comes."""
    config = json.loads((folder / "fleet.json").read_text())
    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader(1 << 24)
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin.buffer)
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        loop.add_signal_handler(number, reader.feed_eof)
    hosts = Hosts(folder, [HostSpec.from_json(spec) for spec in config["hosts"]], is_root=config["is_root"])
    await hosts.start()
    say({"result": {"port": hosts.port, "addresses": hosts.addresses}})
    while line := await reader.readline():
        request = json.loads(line)
        host, daemon = hosts.hosts[request["host"]], hosts.daemons[request["host"]]
        try:
            result = await verbs.call(host, daemon, request["verb"], request["arguments"])
        except (SriovError, OSError) as error:
            say({"error": str(error)})
        else:
            say({"result": result})


def say(document: Mapping[str, Any]) -> None:
    """To the owner, on stdout."""
    sys.stdout.write(json.dumps(document) + "\n")
    sys.stdout.flush()


def main() -> None:
    """Serve, then leave nothing behind."""
    folder = Path(sys.argv[1])
    signal.pthread_sigmask(signal.SIG_SETMASK, ())  # what an owner has blocked would be blocked in every host
    temporary = json.loads((folder / "fleet.json").read_text())["temporary"]
    if sys.version_info < (3, 12):  # later versions wait for children through pidfds by themselves
        asyncio.set_child_watcher(asyncio.PidfdChildWatcher())
    try:
        asyncio.run(serve(folder))
    except SriovError as error:
        say({"error": str(error)})
    finally:
        unmount(str(folder / "sys"))
        for leftover in (folder / "hosts", folder / "sys", *([folder] if temporary else [])):
            shutil.rmtree(leftover, ignore_errors=True)  # the owner does it too; it may have been killed
        with contextlib.suppress(OSError):
            sys.stdout.flush()
        os._exit(0)  # what still hangs in a host ends with this process


if __name__ == "__main__":
    main()
