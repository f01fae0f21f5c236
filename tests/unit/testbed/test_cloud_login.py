"""What the testbed says of the cloud's administrator."""

from __future__ import annotations

from pathlib import Path

import pytest

from sriov.model import CloudLogin
from sriov.testbed import load

HEAD = "from fabric.api import env\nhost = 'root@10.0.0.1'\nenv.roledefs = {'openstack': [host]}\n"


def login(folder: Path, line: str) -> CloudLogin | None:
    path = folder / "testbed.py"
    path.write_text(HEAD + line + "\n")
    return load(path).cloud_login


def test_login_has_the_first_controller_and_defaults(tmp_path: Path) -> None:
    found = login(tmp_path, "env.keystone = {'admin_password': 'secret'}")
    assert found is not None
    assert (found.auth_url, found.username, found.project_name) == ("http://10.0.0.1:5000/v3", "admin", "admin")
    assert found.password.reveal() == "secret"


@pytest.mark.parametrize(
    "line", ["", "env.keystone = {}", "import os\nenv.keystone = {'admin_password': os.getenv('SRIOV_NOT_SET')}"]
)
def test_without_a_password_there_is_no_login(tmp_path: Path, line: str) -> None:
    assert login(tmp_path, line) is None


def test_key_without_a_value_has_its_default(tmp_path: Path) -> None:
    found = login(tmp_path, "env.keystone = {'admin_password': 'secret', 'admin_user': None, 'keystone_ip': None}")
    assert found is not None
    assert (found.auth_url, found.username) == ("http://10.0.0.1:5000/v3", "admin")
