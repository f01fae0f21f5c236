"""Unit files and boot order, without a fleet."""

from __future__ import annotations

import pytest

from sriov.simulation.sysfs.iommu import is_passthrough
from sriov.simulation.systemd import boot_order, command_line, unit_file


def commands_of(line: str) -> tuple[str, ...]:
    return command_line.commands(unit_file.parse("x.service", f"[Service]\nExecStart={line}\n"))[0].words


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("/bin/sh -c 'echo $$HOME %%n'", ("/bin/sh", "-c", "echo $HOME %n")),
        ('/bin/sh -c "a \\"b\\" c"', ("/bin/sh", "-c", 'a "b" c')),
        ("/bin/echo %n %N", ("/bin/echo", "x.service", "x")),
        ("/bin/echo $NOTHING a${NOTHING}b", ("/bin/echo", "ab")),
        ("-/bin/false", ("/bin/false",)),
        ("/bin/sh -c 'a \\\n   b'", ("/bin/sh", "-c", "a  b")),
        ("/bin/echo \\x41", ("/bin/echo", "A")),
    ],
)
def test_units_command_line_is_split_as_systemd_does(line: str, words: tuple[str, ...]) -> None:
    assert commands_of(line) == words


def test_units_empty_assignment_clears_the_list() -> None:
    unit = unit_file.parse("x.service", "[Service]\nExecStart=/bin/a\nExecStart=\nExecStart=/bin/b\n")
    assert unit.values("Service", "ExecStart") == ("/bin/b",)


def test_units_device_names_are_unescaped() -> None:
    assert unit_file.device_interface("sys-subsystem-net-devices-a\\x2db.device") == "a-b"


def test_units_before_and_after_are_both_order() -> None:
    first = unit_file.parse("a.service", "[Unit]\nBefore=b.service\n[Install]\nWantedBy=multi-user.target\n")
    second = unit_file.parse("b.service", "[Unit]\nAfter=network-online.target\n")
    order = boot_order.predecessors({"a.service": first, "b.service": second})
    assert "a.service" in order["b.service"]
    assert "a.service" in order["multi-user.target"]
    assert "network-online.target" in order["b.service"]


def test_units_cycle_is_broken() -> None:
    order = boot_order.acyclic({"a": frozenset("b"), "b": frozenset("a")})
    assert sorted(len(earlier) for earlier in order.values()) == [0, 1]


@pytest.mark.parametrize(
    ("line", "cpu", "expected"),
    [
        ("ro quiet", "intel", False),
        ("intel_iommu=on iommu=pt", "intel", True),
        ("intel_iommu=on,sm_on iommu=pt", "intel", True),
        ("iommu=pt", "intel", False),
        ("iommu=pt", "amd", True),
        ("intel_iommu=on iommu=pt intel_iommu=off", "intel", False),
        ("intel_iommu=on intel_iommu=igfx_off iommu=pt iommu=1", "intel", True),
        ("iommu=pt iommu=nopt", "amd", False),
        ("iommu.passthrough=1", "amd", True),
        ("iommu=off iommu=pt", "amd", False),
    ],
)
def test_boot_passthrough_follows_the_arguments(line: str, cpu: str, expected: bool) -> None:
    assert is_passthrough(line, cpu) is expected
