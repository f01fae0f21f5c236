"""Scripts as they arrive at a host: the command line of each execution, and the bytes on its standard input.

A script is read by `head -c SIZE` in the host, and what it is to read further as well. So a `head` of ours that stands
first on the host's PATH keeps what passes. It is gone with a reboot: what comes after one must be as long as before.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

from sriov.simulation import Fleet, HostSpec, Nic, SimulatedHost, User

from .book import Book
from .desk import ARGUMENTS, BY_ADDRESS, ETH0, ETH1, ML2, Desk

_KEPT = "opt/channel"  # a reboot empties /tmp
_HEAD = f"""mkdir -p /{_KEPT}; rm -f /{_KEPT}/*; cat >/usr/local/bin/head <<'END'
#!/bin/sh
[ "$#:${{1-}}" = 2:-c ] || exec /usr/bin/head "$@"
umask 077
/usr/bin/head "$@" | tee "/{_KEPT}/$(ls /{_KEPT} | wc -l)"
END
chmod 755 /usr/local/bin/head"""
_SIZE = re.compile(r"(?<=head -c )\d+")
HOSTS = (
    HostSpec("bare"),
    HostSpec("red", family="rhel", release=18),
    HostSpec("both", roles=("compute", "openstack"), release=34, cmdline=ARGUMENTS),
    HostSpec("named", cmdline=ARGUMENTS, users=(User("ops", 1002),)),
    HostSpec("held", cmdline=ARGUMENTS, nics=(Nic(numvfs=4, up=True, hot_unplugs=True),)),
    HostSpec("openstack1", roles=("openstack",)),
)


class Execution(NamedTuple):
    """`text` None: it ran after a reboot, and only its length is known."""

    command: str
    size: int
    text: bytes | None
    further: tuple[bytes, ...]


def _executions(host: SimulatedHost) -> list[Execution]:
    """Those since the counts were reset."""
    names = sorted(host.path(_KEPT).iterdir(), key=lambda path: int(path.name))
    pieces = [path.read_bytes() for path in names]
    commands = host.executions
    sizes = [int(_SIZE.findall(command)[0]) for command in commands]
    found: list[Execution] = []
    for number, (command, size) in enumerate(zip(commands, sizes, strict=True)):
        text = pieces.pop(0) if pieces else None
        assert text is None or len(text) == size, f"{command}: {len(text or b'')} bytes came"
        further = []
        while pieces and len(pieces[0]) not in sizes[number + 1 : number + 2]:
            further.append(pieces.pop(0))
        found.append(Execution(command, size, text, tuple(further)))
    return found


def _unkept(host: SimulatedHost, executions: list[Execution]) -> int:
    """Bytes of input that came beside: the word to reboot, which the script reads as a line."""
    kept = sum(execution.size + sum(map(len, execution.further)) for execution in executions)
    return host.bytes_received - kept


class Tap:
    """Keeps each text once, under the name of the visit that brought it first; `visits.txt` says who got which."""

    def __init__(self, desk: Desk, book: Book) -> None:
        self._desk = desk
        self._book = book
        self._names: dict[str, str] = {}
        self._visits: list[str] = []
        self._sizes: dict[int, str] = {}

    def visit(self, title: str, name: str, *words: str) -> None:
        """One call of `fab` that is about the host `name`."""
        host = self._desk.fleet[name]
        laid = host.run(_HEAD)
        assert laid.returncode == 0, laid.stderr
        visit = self._desk.fab(*words)
        self._visits.append(f"{title}: fab {' '.join(words)}  # exit code {visit.returncode}\n")
        executions = _executions(host)
        for number, execution in enumerate(executions, 1):
            self._visits.append(f"  {self._desk.normal(_without_secrets(execution.command))}\n")
            if execution.text is None:
                self._visits.append(f"    as long as {self._sizes.get(execution.size, 'nothing else')}\n")
                continue
            # the first looks at the host, the second changes it, kernel arguments as well
            name = title.rpartition("/")[2] if number == 1 else title
            kept = self._keep(f"{name}-{number}.sh", execution.text)
            self._sizes[execution.size] = kept
            for further in execution.further:
                kept += f", then {self._keep(f'{title}-{number}.input', further)}"
            self._visits.append(f"    {kept}\n")
        if unkept := _unkept(host, executions):
            self._visits.append(f"  and {unkept} bytes of answers\n")

    def end(self) -> None:
        self._book.put("visits.txt", "".join(self._visits))

    def _keep(self, name: str, data: bytes) -> str:
        text = self._desk.normal(data.decode("utf-8", "surrogateescape"))
        if text not in self._names:
            self._names[text] = name
            self._book.put(name, text)
        return self._names[text]


def _without_secrets(command: str) -> str:
    """Size (that was compared) and the marks with which sudo is watched."""
    command = _SIZE.sub("SIZE", command)
    return re.sub(r"\b(password|root)-[0-9a-f]{16}\b", r"\1-MARK", command)


def tell(fleet: Fleet, home: Path, book: Book) -> None:
    desk = Desk(fleet, home)
    tap = Tap(desk, book)
    desk.write({"bare": [ETH0, ETH1]})
    tap.visit("kernel/bare", "bare", "setup_all")
    for task in ("setup_all", "capacity", "explain:physnet1", "status", "discover:{bare}"):
        tap.visit(f"converged-{task.partition(':')[0]}", "bare", task)
    desk.write({"red": [ETH0]})
    tap.visit("kernel/red", "red", "setup_all", "--reboot-with-instances")
    desk.write({"both": [ETH0, ETH1]}, ML2)
    tap.visit("both-ml2", "both", "setup_all")
    desk.write({"openstack1": [], "held": [ETH0]})
    tap.visit("openstack", "openstack1", "setup_openstack_node:{openstack1}")
    desk.write({"held": [{**ETH0, "VF": 2}]})
    fleet["held"].hold_vf("eth0", 1)
    tap.visit("held", "held", "setup_all")
    tap.visit("forced", "held", "setup_all", "--force-vf-reset")
    desk.write({"named": BY_ADDRESS})
    tap.visit("named", "named", "setup_all", "--reboot", "never")
    tap.visit("rollback", "named", "rollback:{named}")
    desk.write({"named": BY_ADDRESS}, named="ops")
    tap.visit("sudo", "named", "plan")
    tap.end()
