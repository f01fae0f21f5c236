"""`env.worker_resources`: which workers a host is for."""

from __future__ import annotations

from pathlib import Path

import pytest

from sriov.errors import TestbedError
from sriov.testbed import load

BED = "from fabric.api import env\nenv.roledefs = {'compute': ['root@a', 'root@b']}\n"


def test_worker_resource_is_its_host_s_and_empty_where_none_is_named(tmp_path: Path) -> None:
    path = tmp_path / "testbed.py"
    path.write_text(BED + "env.worker_resources = {'root@b': 'rack1'}\n")
    testbed = load(path)
    assert [host.worker_resource for host in testbed.hosts] == ["", "rack1"]
    assert testbed.unknown_keys == ()


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ("{'root@c': 'rack1'}", ("env.worker_resources['root@c']", "not a compute or openstack host", "did you mean")),
        ("{'root@a': 'rack 1'}", ("env.worker_resources['root@a']", "'rack 1' is not the name of a worker's resource")),
        ("{'root@a': 1}", ("a whole number is not the name of a worker's resource", "such as 'rack1'")),
        ("['rack1']", ("env.worker_resources: is a list, not a dictionary",)),
    ],
)
def test_wrong_worker_resources_are_told_with_their_line(tmp_path: Path, value: str, words: tuple[str, ...]) -> None:
    path = tmp_path / "testbed.py"
    path.write_text(BED + f"env.worker_resources = {value}\n")
    with pytest.raises(TestbedError) as error:
        load(path)
    for word in (f"{path}:3", *words):
        assert word in str(error.value)
