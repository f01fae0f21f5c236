"""Where the folders beside the library stand: in a checkout next to `sriov/`, in an installed wheel inside it.

checkout/sriov/layout.py       site-packages/sriov/layout.py
checkout/fabfile/              site-packages/sriov/fabfile/
checkout/templates/            site-packages/sriov/templates/
checkout/testbeds/             site-packages/sriov/testbeds/
"""

from __future__ import annotations

from pathlib import Path


def root() -> Path:
    """The folder that holds `fabfile`, `templates` and `testbeds`; `fab -r` wants this one."""
    package = Path(__file__).resolve().parent
    return package if (package / "fabfile").is_dir() else package.parent


def templates() -> Path:
    return root() / "templates"


def testbeds() -> Path:
    """The examples."""
    return root() / "testbeds"


def default_testbed() -> Path:
    """`testbeds/testbed.py` in the current folder, else in a checkout that `fab` was called from below."""
    here = Path("testbeds/testbed.py")
    beside = testbeds() / "testbed.py"
    return beside if not here.exists() and beside.exists() else here
