"""Keys of env that are a known one, mistyped, are faults; keys of others never are."""

from __future__ import annotations

from pathlib import Path

import pytest

from sriov.errors import TestbedError
from sriov.testbed import READ_KEYS, load, spelling
from sriov.testbed.spelling import edits

BED = "from fabric.api import env\nenv.roledefs = {{'compute': ['root@b']}}\nenv.{} = {{}}\n"
MISTYPED = {
    "sirov": "sriov",
    "srov": "sriov",
    "sriovs": "sriov",
    "Sriov": "sriov",
    "hostname": "hostnames",
    "keyfilename": "key_filename",
    "key_filenmae": "key_filename",
    "kernel_argument": "kernel_arguments",
    "kernal_argumnets": "kernel_arguments",
    "shceduler_filter": "scheduler_filters",
    "network_backed": "network_backend",
    "openstak_relese": "openstack_release",
    "vlan_range": "vlan_ranges",
    "ostype": "ostypes",
    "paswords": "passwords",
}


@pytest.mark.parametrize(("key", "known"), MISTYPED.items())
def test_mistyped_key_is_a_fault_that_names_the_right_one(tmp_path: Path, key: str, known: str) -> None:
    files = {"testbed.py": BED.format(key), "testbed.yaml": f"roledefs:\n  compute: [root@b]\n{key}: {{}}\n"}
    for name, text in files.items():
        path = tmp_path / name
        path.write_text(text)
        with pytest.raises(TestbedError, match="has 1 fault") as caught:
            load(path)
        (fault,) = caught.value.faults
        assert (fault.id, fault.where) == ("unknown-key", f"{path}:3")
        assert f"did you mean {known!r}?" in fault.hint


@pytest.mark.parametrize(
    "key", ["sriof_networks", "srv", "storage", "hosting", "ha", "qos", "dpdk", "tor_agent", "physnets", "x"]
)
def test_key_of_its_own_loads(tmp_path: Path, key: str) -> None:
    path = tmp_path / "testbed.py"
    path.write_text(BED.format(key))
    assert load(path).unknown_keys == (key,)


@pytest.mark.parametrize("key", sorted(spelling.OF_OTHERS - {"passwords", "password", "key_filename", "user", "port"}))
def test_key_of_fabric_1_or_of_the_original_tool_is_no_fault(tmp_path: Path, key: str) -> None:
    path = tmp_path / "testbed.yaml"
    path.write_text(f"roledefs:\n  compute: [root@b]\n{key}:\n" if key != "roledefs" else "roledefs: {compute: [a@b]}")
    load(path)


@pytest.mark.parametrize(
    ("one", "other", "count"),
    [("sriov", "sriov", 0), ("srio", "sriov", 1), ("srivo", "sriov", 1), ("hosst", "hosts", 1)],
)
def test_edits_are_letters_and_swaps(one: str, other: str, count: int) -> None:
    assert edits(one, other) == edits(other, one) == count


def test_no_two_known_keys_are_taken_for_one_another(tmp_path: Path) -> None:
    class Silent:
        def note(self, *fault: object) -> None:
            raise AssertionError(fault)

    spelling.refuse_mistyped_keys(READ_KEYS, READ_KEYS, Silent())  # type: ignore[arg-type]
