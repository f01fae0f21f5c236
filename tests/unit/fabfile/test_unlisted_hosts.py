"""Hosts that a call names itself, with or without a testbed: Fabric's own options say how to log in to them."""

from __future__ import annotations

from pathlib import Path

import pytest

from fabfile import commands
from fabfile.options import Options
from sriov.api import Request
from sriov.model import Secret

LISTED, UNLISTED = "root@10.0.0.1", "root@10.0.0.9"
TESTBED = f"""env.roledefs = {{'compute': ['{LISTED}']}}
env.password = 'of the testbed'
env.key_filename = '/of/the/testbed'
"""


def asked(task: str, options: Options) -> tuple[Request, ...]:
    if task == "discover":
        return commands.asked_to_discover(options)
    return commands.asked_to_remove(options, commands.load_any(options))


@pytest.fixture
def testbed(tmp_path: Path) -> str:
    path = tmp_path / "testbed.py"
    path.write_text(f"from fabric.api import env\n{TESTBED}")
    return str(path)


@pytest.mark.parametrize("task", ["remove", "discover"])
@pytest.mark.parametrize("prompted", ["login", "sudo"])
@pytest.mark.parametrize("has_testbed", [True, False])
def test_key_and_password_of_the_call_reach_every_host(
    testbed: str, task: str, prompted: str, has_testbed: bool
) -> None:
    path = testbed if has_testbed else f"{testbed}.not-there.py"
    typed = Secret("typed")
    options = Options((LISTED, UNLISTED), path, identities=("/of/the/call",))
    options = options._replace(login_password=typed) if prompted == "login" else options._replace(sudo_password=typed)
    found = asked(task, options)
    assert [request.host.name for request in found] == [LISTED, UNLISTED]
    assert {request.host.password for request in found} == {Secret("typed")}
    assert {request.testbed.key_filename for request in found} == {("/of/the/call",)}


@pytest.mark.parametrize("task", ["remove", "discover"])
def test_call_that_says_nothing_leaves_what_the_testbed_says(testbed: str, task: str) -> None:
    listed, unlisted = asked(task, Options((LISTED, UNLISTED), testbed))
    assert (listed.host.password, unlisted.host.password) == (Secret("of the testbed"), None)
    assert listed.testbed.key_filename == ("/of/the/testbed",)
