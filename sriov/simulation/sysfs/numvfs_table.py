"""What Linux answers to writes to `sriov_numvfs`, as a table that the simulated hosts and a real kernel both obey.

Source: drivers/pci/pci-sysfs.c and iov.c, `sriov_numvfs_store`: the text is parsed first (kstrtou16 with base 0, any
failure is EINVAL), then the range is checked, then whether anything changes, then whether another count is active.
Observed on Debian's 6.1 with the igb driver.
"""

from __future__ import annotations

from typing import NamedTuple

TOTAL_VFS = 7  # sriov_totalvfs of the port that the table was observed on


class NumvfsWrite(NamedTuple):
    """One write: `active` VFs before it, the bytes written, the errno's name (None: accepted), the count `after` it."""

    active: int
    text: str
    errno: str | None
    after: int


NUMVFS_WRITES = (
    NumvfsWrite(0, "7", None, 7),
    NumvfsWrite(0, "7\n", None, 7),
    NumvfsWrite(0, "4", None, 4),
    NumvfsWrite(0, "0", None, 0),
    NumvfsWrite(0, "0x3", None, 3),
    NumvfsWrite(0, "03", None, 3),
    NumvfsWrite(0, "+3", None, 3),
    NumvfsWrite(0, "8", "ERANGE", 0),
    NumvfsWrite(0, "010", "ERANGE", 0),  # octal: eight
    NumvfsWrite(0, "100", "ERANGE", 0),
    NumvfsWrite(0, "65536", "EINVAL", 0),  # more than sixteen bits
    NumvfsWrite(0, "\n", "EINVAL", 0),
    NumvfsWrite(0, " 7", "EINVAL", 0),
    NumvfsWrite(0, "09", "EINVAL", 0),
    NumvfsWrite(4, "4", None, 4),
    NumvfsWrite(4, "7", "EBUSY", 4),
    NumvfsWrite(4, "0", None, 0),
    NumvfsWrite(7, "7", None, 7),
    NumvfsWrite(7, "007", None, 7),
    NumvfsWrite(7, "7\n", None, 7),
    NumvfsWrite(7, "4", "EBUSY", 7),
    NumvfsWrite(7, "0x3", "EBUSY", 7),
    NumvfsWrite(7, "8", "ERANGE", 7),  # the range comes before busy
    NumvfsWrite(7, "100", "ERANGE", 7),
    NumvfsWrite(7, "abc", "EINVAL", 7),
    NumvfsWrite(7, "-1", "EINVAL", 7),
    NumvfsWrite(7, "7 ", "EINVAL", 7),
    NumvfsWrite(7, "7\n\n", "EINVAL", 7),
    NumvfsWrite(7, "0", None, 0),
)
