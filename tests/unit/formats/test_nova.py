"""Release names and numbers, and the tables behind them."""

from __future__ import annotations

import pytest

from sriov.errors import UsageError
from sriov.formats.nova import releases as nova


@pytest.mark.parametrize(
    ("release", "number"),
    [
        ("wallaby", 23), ("Wallaby", 23), ("2024.1", 29), ("2023.2", 28), ("2026.1", 33), (23, 23), ("23", 23),
        ("23.2.2", 23), ("2:23.2.2-0ubuntu1", 23), ("34.0.0.0rc1", 34), ("icehouse", 9), ("2014.1.3", 9),
        ("2015.1", 11), ("liberty", 12), ("zed", 26), ("gazpacho", 33), (" yoga ", 25), ("29.0.1~b1", 29),
    ],
)  # fmt: skip
def test_release_number_knows_names_dates_and_numbers(release: str | int, number: int) -> None:
    assert nova.release_number(release) == number


@pytest.mark.parametrize(
    ("release", "hint"),
    [
        ("walaby", "wallaby"), ("2024.3", "2024"), (35, "34"), ("11", "12"), ("", "name"), ("2099.1", "20"),
        (True, "name"), ("-1", "say"), ("2024", "2024"),
    ],
)  # fmt: skip
def test_release_number_names_the_nearest_of_what_it_does_not_know(release: str | int, hint: str) -> None:
    with pytest.raises(UsageError) as caught:
        nova.release_number(release)
    assert repr(release) in caught.value.message
    assert hint in caught.value.hint


def test_default_filters_of_no_release_hold_one_that_it_removed() -> None:
    for release in range(nova.OLDEST, nova.NEWEST + 1):
        assert not nova.removed_filters(release).intersection(nova.default_filters(release))
        assert nova.PCI_FILTER not in nova.default_filters(release)


@pytest.mark.parametrize(
    ("release", "count", "first"),
    [(9, 8, "Retry"), (12, 9, "Retry"), (16, 7, "Retry"), (20, 6, "AvailabilityZone"), (24, 5, "Compute")],
)
def test_default_filters_change_with_the_release(release: int, count: int, first: str) -> None:
    assert (len(nova.default_filters(release)), nova.default_filters(release)[0]) == (count, f"{first}Filter")


@pytest.mark.parametrize(
    ("release", "whitelist", "filters"),
    [
        (14, ["[DEFAULT] pci_passthrough_whitelist"], ["[DEFAULT] scheduler_default_filters"]),
        (
            15,
            ["[pci] passthrough_whitelist", "[DEFAULT] pci_passthrough_whitelist"],
            ["[filter_scheduler] enabled_filters", "[DEFAULT] scheduler_default_filters"],
        ),
        (
            24,
            ["[pci] passthrough_whitelist", "[DEFAULT] pci_passthrough_whitelist"],
            ["[filter_scheduler] enabled_filters"],
        ),
        (
            26,
            ["[pci] device_spec", "[pci] passthrough_whitelist", "[DEFAULT] pci_passthrough_whitelist"],
            ["[filter_scheduler] enabled_filters"],
        ),
    ],
)
def test_names_are_those_that_the_release_reads(release: int, whitelist: list[str], filters: list[str]) -> None:
    assert [str(name) for name in nova.whitelist_names(release)] == whitelist
    assert [str(name) for name in nova.filter_names(release)] == filters
    assert len(nova.available_names(release)) == len(filters)
