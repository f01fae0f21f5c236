"""A file that is to be laid on a host's disk, and the ids that several of them name."""

from __future__ import annotations

from typing import NamedTuple

NOVA_GID = 64060
ROOT_UUID = "3f4d0d4e-9c25-4b55-9d3a-0f8d5e8c7a11"
MACHINE_ID = "c2b1a7d09f0e4f0b8a4f5f6f3a0d7e21"


class Entry(NamedTuple):
    """`path` is absolute; `link` makes it a symbolic link to that place, `folder` a directory."""

    path: str
    content: bytes = b""
    mode: int = 0o644
    gid: int = 0
    uid: int = 0
    link: str = ""
    folder: bool = False
