"""`env.scheduler_filters`: names of filters, paths of the site's own classes, and what is neither."""

from __future__ import annotations

from pathlib import Path

import pytest

from sriov.errors import TestbedError
from sriov.testbed import load

HEAD = "from fabric.api import env\nenv.roledefs = {'openstack': ['root@a']}\n"
OWN = "nova.scheduler.filters.pci_passthrough_filter.PciPassthroughFilter"


def read(folder: Path, filters: object) -> tuple[str, ...] | None:
    path = folder / "testbed.py"
    path.write_text(f"{HEAD}env.scheduler_filters = {filters!r}\n")
    return load(path).scheduler_filters


def test_names_and_paths_are_read_as_they_are_written(tmp_path: Path) -> None:
    listed = [
        "ComputeFilter",
        "PciPassthroughFilter",
        "site_filters.HalfFull",
        "a.b.c_d.AggregateMultiTenancyIsolation",
    ]
    assert read(tmp_path, listed) == tuple(listed)
    assert read(tmp_path, [OWN]) == (OWN,)


@pytest.mark.parametrize(
    ("item", "id", "hint"),
    [
        ("site_filters:HalfFull", "invalid-filter", "did you mean 'site_filters.HalfFull'?"),
        ("site-filters.HalfFull", "invalid-filter", "did you mean 'site_filters.HalfFull'?"),
        ("site/filters.py:HalfFull", "invalid-filter", "did you mean 'site.filters.HalfFull'?"),
        ("site_filters..HalfFull", "invalid-filter", "did you mean 'site_filters.HalfFull'?"),
        (".HalfFull", "invalid-filter", "did you mean 'HalfFull'?"),
        ("site_filters.HalfFull()", "invalid-filter", "did you mean 'site_filters.HalfFull'?"),
        (" HalfFull", "invalid-filter", "did you mean 'HalfFull'?"),
        ("A,B", "invalid-filter", "write it such as"),
        ("", "invalid-filter", "write it such as"),
        ("site_filters.3", "invalid-filter", "write it such as"),
        ("H\u00e4lfte", "invalid-filter", "write it such as"),
        ("A" * 400, "invalid-filter", "write it such as"),
        (7, "invalid-filter", "write it such as"),
        (["A"], "invalid-filter", "write it such as"),
        ("site_filters.all_of_ours", "invalid-filter", "name each class"),
        ("site_filters._Half", "invalid-filter", "name each class"),
        ("nova.scheduler.filters.all_filters", "invalid-filter", "name each class"),
        ("computefilter", "invalid-filter", "did you mean 'ComputeFilter'?"),
        ("nova.scheduler.filters.ComputeFilter", "invalid-filter", "filters.compute_filter.ComputeFilter'?"),
        ("PciPassthroughFilter", "duplicate-name", "once"),
        (OWN, "duplicate-name", "names of their classes"),
        ("site.PciPassthroughFilter", "duplicate-name", "names of their classes"),
    ],
)
def test_item_that_names_no_filter_is_refused_with_its_place(tmp_path: Path, item: object, id: str, hint: str) -> None:
    with pytest.raises(TestbedError) as caught:
        read(tmp_path, ["PciPassthroughFilter", item])
    [fault] = caught.value.faults
    assert fault.id == id
    assert hint in fault.hint
    assert ":3: env.scheduler_filters" in str(fault)


def test_two_paths_with_one_class_name_are_refused(tmp_path: Path) -> None:
    with pytest.raises(TestbedError, match=r"b\.HalfFull and a\.HalfFull have one name"):
        read(tmp_path, ["PciPassthroughFilter", "a.HalfFull", "b.HalfFull"])
