"""Turns OpenStack hosts into SR-IOV hosts. The face for programs is `sriov.api`."""

__version__ = "1.1.0.dev0"
"""The one place of it; PEP 440. The distribution, documents, logs and hosts take it from here."""
