"""The table of writes to `sriov_numvfs`, put to the simulated hosts and to a real kernel."""

from __future__ import annotations

import ast
import errno
from collections.abc import Callable
from typing import Protocol

import pytest

from sriov.simulation.spec import Nic
from sriov.simulation.sysfs import Sysfs
from sriov.simulation.sysfs.numvfs_table import NUMVFS_WRITES, TOTAL_VFS, NumvfsWrite

from .guest import Guest

NUMVFS = "class/net/enp1s0/device/sriov_numvfs"

# Runs in the guest, whose Python has no json. A count that is there already is not set again: that takes seconds.
WRITER = """
import errno, os, sys

def write(text):
    descriptor = os.open(sys.argv[1], os.O_WRONLY)
    try:
        os.write(descriptor, text.encode())
    except OSError as error:
        return errno.errorcode[error.errno]
    finally:
        os.close(descriptor)
    return None

def count():
    with open(sys.argv[1]) as file:
        return int(file.read())

answers = []
for active, text in {rows}:
    if count() != active:
        write("0")
        write(str(active))
    answers.append((active, text, write(text), count()))
print(answers)
"""


class Answers(Protocol):
    """Puts every row's write to a kernel and gives the rows as that kernel would have them."""

    def __call__(self, rows: tuple[NumvfsWrite, ...]) -> list[NumvfsWrite]: ...


def ask_simulation(rows: tuple[NumvfsWrite, ...]) -> list[NumvfsWrite]:
    answers = []
    for row in rows:
        sysfs = Sysfs((Nic("enp1s0", "0000:01:00.0", total_vfs=TOTAL_VFS),))
        sysfs.plug()
        sysfs.write(NUMVFS, str(row.active).encode())
        refusal = None
        try:
            sysfs.write(NUMVFS, row.text.encode())
        except OSError as error:
            refusal = errno.errorcode[error.errno or 0]
        answers.append(NumvfsWrite(row.active, row.text, refusal, int(sysfs.read(NUMVFS))))
    return answers


def ask_guest(guest: Guest) -> Answers:
    def ask(rows: tuple[NumvfsWrite, ...]) -> list[NumvfsWrite]:
        script = WRITER.replace("{rows}", repr([(row.active, row.text) for row in rows]))
        guest.write("/root/writer.py", script.encode())
        printed = guest.out(f"python3 /root/writer.py /sys/{NUMVFS}")
        return [NumvfsWrite(*answer) for answer in ast.literal_eval(printed)]

    return ask


@pytest.fixture(params=["simulated", pytest.param("guest", marks=pytest.mark.lab)])
def ask(request: pytest.FixtureRequest) -> Answers:
    if request.param == "simulated":
        return ask_simulation
    return ask_guest(request.getfixturevalue("guest"))


def test_numvfs_writes_are_answered_as_the_table_says(ask: Answers, proved: Callable[[str], None]) -> None:
    assert ask(NUMVFS_WRITES) == list(NUMVFS_WRITES)
    proved(f"{len(NUMVFS_WRITES)} writes to sriov_numvfs answered as the table says")
