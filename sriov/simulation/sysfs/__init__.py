"""The /sys of one host, as a tree that answers as the kernel does. Pure: no FUSE, no clock of its own."""

from ..tree.nodes import BlockedError
from .port import Port, vf_address
from .sysfs import Sysfs

__all__ = ["BlockedError", "Port", "Sysfs", "vf_address"]
