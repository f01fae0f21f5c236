"""A host's disk: the files of a host as it stands before the first visit, and which kernel command line they boot."""

from .entry import ROOT_UUID
from .files import files
from .nova import nova_conf
from .packages import nova_version

__all__ = ["ROOT_UUID", "files", "nova_conf", "nova_version"]
