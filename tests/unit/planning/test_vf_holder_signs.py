"""Signs of a VF's user that simulated hosts do not have, on a tree as sysfs has it."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from sriov.planning.probe import functions

ADDRESS = "0000:01:10.0"


@pytest.fixture
def device(tmp_path: Path) -> Path:
    """A VF with the driver of a Mellanox card, in IOMMU group 12, without a network device."""
    device = tmp_path / ADDRESS
    for name in ("driver", "group/12"):
        (tmp_path / name).mkdir(parents=True)
    device.mkdir()
    (device / "driver").symlink_to(tmp_path / "driver")
    (device / "iommu_group").symlink_to(tmp_path / "group/12")
    return device


def holder(shell: str, device: Path, opened: str) -> str:
    """What the hosts' own function says, with these open files: `/proc/PID/fd/N TARGET`."""
    text = f'{functions()}\nlibvirt= addresses= opened=$3\nvf_holder "$1" "$2"'
    words = [shell, "-c", f"nonce=n\n{text}", "sh", str(device), ADDRESS, opened]
    return subprocess.run(words, capture_output=True, text=True, check=True).stdout


@pytest.mark.parametrize("shell", ["dash", "bash"])
@pytest.mark.parametrize(
    ("node", "is_held"),
    [
        ("/dev/vfio/12", True),
        ("/dev/vfio/noiommu-12", True),
        ("/dev/vfio/devices/vfio3", True),
        ("/dev/vfio/devices/noiommu-vfio3", True),
        ("/dev/infiniband/uverbs5", True),
        ("/dev/vfio/1", False),
        ("/dev/vfio/112", False),
        ("/dev/infiniband/uverbs55", False),
        ("/dev/vfio/vfio", False),
    ],
)
def test_open_device_is_a_user(device: Path, shell: str, node: str, is_held: bool) -> None:
    (device / "vfio-dev/vfio3").mkdir(parents=True)
    (device / "infiniband_verbs/uverbs5").mkdir(parents=True)
    found = holder(shell, device, f"/proc/1/fd/7 /dev/vfio/99\n/proc/999999999/fd/3 {node}")
    assert found.startswith("process 999999999") is is_held


def test_vdpa_device_is_a_user(device: Path) -> None:
    assert holder("dash", device, "") == ""
    (device / "vdpa0").mkdir()
    assert holder("dash", device, "") == "vDPA device vdpa0"
