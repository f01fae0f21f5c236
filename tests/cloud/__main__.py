"""`python -m tests.cloud`: the whole story, its transcript on standard output; `python -m tests.cloud COMMAND...`: one.

Needs root, and what tests/cloud/install.sh installs.
"""

from __future__ import annotations

import ctypes
import fcntl
import os
import shutil
import subprocess
import sys
from pathlib import Path

from . import hosts, services, story
from .layout import HOME, LOG, VENV
from .processes import CloudError, Processes

MARK = "SRIOV_CLOUD_INSIDE"
MS_BIND, MS_REC = 4096, 16384


def main() -> int:
    if os.geteuid() != 0 or not (HOME / "installed").exists():
        print("the test cloud needs root, and first: sh tests/cloud/install.sh", file=sys.stderr)
        return 1
    if MARK not in os.environ:
        return _inside_namespaces()
    _mount(HOME / "venv", VENV)
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    driver = VENV / "lib" / f"python3.{sys.version_info.minor}" / "site-packages/nova/virt"
    shutil.copy(Path(__file__).with_name("sysfs_driver.py"), driver)
    services.prepare()
    running = Processes(LOG)
    try:
        services.start_base(running)
        with hosts.fleet() as fleet:
            services.start_apis(running)
            return story.tell(hosts.Hosts(fleet, running), sys.argv[1:])
    except CloudError as error:
        print(f"the test cloud: {error}", file=sys.stderr)
        return 1
    finally:
        running.stop_all()


def _inside_namespaces() -> int:
    """The same program where nothing that starts can outlive us, and no address is known but loopback's.

    unshare itself heeds no SIGTERM; so it is to be killed when we end, however we end.
    """
    with open(HOME / "lock", "w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            print(f"another test cloud runs in {HOME}", file=sys.stderr)
            return 1
        words = ["setpriv", "--pdeathsig", "KILL", "--", "unshare", "--mount", "--net", "--pid", "--fork"]
        words += ["--kill-child", "--mount-proc", "--propagation=private", "--"]
        again = [*words, sys.executable, "-m", "tests.cloud", *sys.argv[1:]]
        return subprocess.run(again, env={**os.environ, MARK: "1"}, pass_fds=[lock.fileno()], check=False).returncode


def _mount(source: Path, target: Path) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.mount(bytes(source), bytes(target), b"", ctypes.c_ulong(MS_BIND | MS_REC), None):
        raise OSError(ctypes.get_errno(), f"mounting {source} on {target}")


sys.exit(main())
