"""The example testbeds, with the addresses of a fleet in the places of theirs: they load, and a plan comes of them."""

from __future__ import annotations

import pytest
from conftest import Operator

from sriov import layout
from sriov.simulation import Fleet, HostSpec, Nic, User

UBUNTU = (User("ubuntu"),)


@pytest.fixture(scope="module")
def hosts() -> tuple[HostSpec, ...]:
    return (
        HostSpec("controller", roles=("openstack",), users=UBUNTU),
        HostSpec(
            "compute1",
            users=UBUNTU,
            nics=(
                Nic("ens1f0", "0000:5e:00.0", total_vfs=63, mac="52:54:00:12:34:56"),
                Nic("ens1f1", "0000:5e:00.1", total_vfs=63, mac="52:54:00:12:34:57"),
            ),
        ),
        HostSpec(
            "compute2",
            users=UBUNTU,
            nics=(
                Nic("ens2f0", "0000:3b:00.0", total_vfs=16, mac="52:54:00:ab:cd:ee"),
                Nic("ens2f1", "0000:3b:00.1", total_vfs=16, mac="52:54:00:ab:cd:ef"),
            ),
        ),
        HostSpec(
            "compute3",
            release=23,
            nics=(
                Nic("enp94s0f0np0", "0000:5e:00.0", total_vfs=8, mac="52:54:00:12:34:58"),
                Nic("enp94s0f1np1", "0000:5e:00.1", total_vfs=8, mac="52:54:00:12:34:59"),
            ),
        ),
    )


PYTHON = {
    "ubuntu@192.0.2.10": ("ubuntu", "controller"),
    "ubuntu@192.0.2.21": ("ubuntu", "compute1"),
    "ubuntu@192.0.2.22:2222": ("ubuntu", "compute2"),
    "root@[2001:db8::23]": ("root", "compute3"),
}
YAML = {
    "root@192.0.2.10": ("root", "controller"),
    "root@192.0.2.21": ("root", "compute1"),
    "root@[2001:db8::22]:2222": ("root", "compute2"),
}


def here(text: str, places: dict[str, tuple[str, str]], fleet: Fleet) -> str:
    """The example with this fleet's logins and key, and nothing else changed."""
    for written, (user, name) in places.items():
        assert written in text
        text = text.replace(written, f"{user}@{fleet[name].login.rpartition('@')[2]}")
    return text.replace("~/.ssh/id_ed25519", str(fleet.key_path))


@pytest.mark.parametrize(("name", "places"), [("multi_host.py", PYTHON), ("example.yaml", YAML)])
def test_example_plans_on_hosts_like_those_that_it_describes(
    operator: Operator, name: str, places: dict[str, tuple[str, str]]
) -> None:
    path = operator.home / name
    path.write_text(here((layout.testbeds() / name).read_text(), places, operator.fleet))
    planned = operator.fab("plan", "--json", "--testbed", str(path), testbed=False)
    assert planned.code == 3, planned.said
    hosts = planned.document["hosts"]
    assert len(hosts) == len(places)
    for host in hosts:
        assert (host["status"], host["error"]) == ("differs", None)
        assert [problem for problem in host["problems"] if problem["severity"] != "warning"] == []
    assert planned.touched == frozenset()
