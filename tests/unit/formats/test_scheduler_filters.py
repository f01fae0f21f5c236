"""Filters of the site's own, and names that nothing provides: files edited, judged, and put back."""

from __future__ import annotations

import pytest
from nova_files import RELEASES, SCHEDULER, filters, nova_reads

from sriov.formats.nova import filter_classes
from sriov.formats.nova import releases as nova
from sriov.formats.nova.edit import COMPUTE, Edited, NovaWanted, edit, effective
from sriov.formats.oslo.options import ConfigFile

NOVA_CONF = "/etc/nova/nova.conf"
NOTHING = NovaWanted(None, ())
EXTEND = NovaWanted(None, (nova.PCI_FILTER,))
HALF_FULL = "site_filters.HalfFull"
SITE = EXTEND._replace(exact_filters=("ComputeFilter", nova.PCI_FILTER, HALF_FULL))
ALL = nova.ALL_FILTERS


def conf(text: str, path: str = NOVA_CONF) -> tuple[ConfigFile]:
    return (ConfigFile(path, text.encode(), frozenset((SCHEDULER,))),)


def section(*lines: str, release: int = 31) -> tuple[ConfigFile]:
    """A file with these lines in the section of the filters; `enabled` and `available` stand for the names."""
    enabled, available = nova.filter_names(release)[0], nova.available_names(release)[0]
    keys = [line.replace("enabled", enabled.key, 1).replace("available", available.key, 1) for line in lines]
    return conf("\n".join((f"[{enabled.section}]", *keys, "")))


def available(files: tuple[ConfigFile, ...], release: int) -> list[str]:
    return nova_reads(files, release, SCHEDULER)[2]


def problem(files: tuple[ConfigFile, ...], wanted: NovaWanted = EXTEND, release: int = 31) -> str:
    edited = edit(files, release, wanted)
    assert edited.files == files
    [found] = edited.problems
    return found


@pytest.mark.parametrize("release", RELEASES)
@pytest.mark.parametrize(
    ("line", "classes"),
    [
        ("x = 1", [ALL, HALF_FULL]),
        (f"available = {ALL}", [HALF_FULL, ALL]),
        (f"available = {ALL}\navailable = {HALF_FULL}", [ALL, HALF_FULL]),
        (f"available = {ALL}\navailable = other_filters.Full", [HALF_FULL, ALL, "other_filters.Full"]),
        ("available = a.ComputeFilter", [HALF_FULL, nova.PCI_FILTER_CLASS, "a.ComputeFilter"]),
    ],
    ids=["unset", "all", "there", "others", "without all"],
)
def test_path_of_a_class_is_enabled_by_name_and_made_available(line: str, classes: list[str], release: int) -> None:
    before = section(*line.split("\n"), release=release)
    after = edit(before, release, SITE)
    assert after.problems == ()
    assert filters(after.files, release) == ["ComputeFilter", nova.PCI_FILTER, "HalfFull"]
    assert available(after.files, release) == classes
    assert edit(after.files, release, SITE).files == after.files


@pytest.mark.parametrize("release", RELEASES)
@pytest.mark.parametrize("lines", [(), ("enabled = ComputeFilter",), (f"available = {ALL}", "enabled = JsonFilter")])
def test_filter_of_the_site_goes_with_both_lines(lines: tuple[str, ...], release: int) -> None:
    before = section(*lines, release=release)
    with_site = edit(before, release, SITE).files
    assert edit(with_site, release, NOTHING).files == before
    assert edit(with_site, release, EXTEND).files == edit(before, release, EXTEND).files
    assert "HalfFull" not in str(edit(with_site, release, EXTEND).files)


@pytest.mark.parametrize("release", [18, 23])
def test_old_names_of_the_options_are_extended_where_the_release_reads_them(release: int) -> None:
    text = f"[DEFAULT]\nscheduler_default_filters = JsonFilter\nscheduler_available_filters = {ALL}\n"
    after = edit(conf(text), release, SITE)
    assert after.problems == ()
    assert available(after.files, release) == [ALL, HALF_FULL]
    assert edit(after.files, release, NOTHING).files == conf(text)


def test_old_names_do_not_count_where_the_release_does_not_read_them() -> None:
    text = "[DEFAULT]\nscheduler_default_filters = NoSuchFilter\nscheduler_available_filters = nonsense\n"
    after = edit(conf(text), 24, SITE)
    assert after.problems == ()
    assert available(after.files, 24) == [ALL, HALF_FULL]
    assert edit(conf(text), 24, EXTEND).problems == ()
    assert "nonsense has no module" in problem(conf(text), release=23)


@pytest.mark.parametrize(
    ("lines", "place", "parts"),
    [
        (("enabled = ComputeFilter,HalfFull",), 2, ("provides HalfFull", "nova 31 has none", "site_filters.HalfFull")),
        (("x = 1", "enabled = ComputFilter"), 3, ("provides ComputFilter", "did you mean 'ComputeFilter'?")),
        (("enabled = computefilter",), 2, ("did you mean 'ComputeFilter'?",)),
        (
            (f"available = {HALF_FULL}", "enabled = ComputeFilter,HalfFull"),
            3,
            ("provides ComputeFilter", f"{NOVA_CONF}:2"),
        ),
        ((f"available = {HALF_FULL}",), 2, ("provides ComputeFilter, ComputeCapabilitiesFilter, Image", f"= {ALL}")),
        (("enabled = ComputeFilter,site_filters.HalfFull",), 2, ("is a path", "write HalfFull here")),
        (("enabled = AvailabilityZoneFilter",), 2, ("nova 31 no longer has AvailabilityZoneFilter",)),
        (("available = site_filters",), 2, ("site_filters has no module",)),
        (("available = site_filters._Half",), 2, ("begins with _",)),
        (("available = site_filters.A,site_filters.B",), 2, ("several in one",)),
        (("available = nova.scheduler.filters.ram_filter.RamFilter",), 2, ("nova 31 has no nova.scheduler.",)),
        (("available = nova.scheduler.filters.standard_filters",), 2, ("did you mean 'nova.scheduler.filters.all_",)),
        (("available = nova.scheduler.filters.PciPassthroughFilter",), 2, (nova.PCI_FILTER_CLASS,)),
        (("available = $site_filter",), 2, ("a reference $site_filter", "no file sets")),
        (("enabled = $scheduler_default_filters",), 2, ("a reference $scheduler_default_filters",)),
    ],
)  # fmt: skip
def test_line_that_ends_the_scheduler_is_named(lines: tuple[str, ...], place: int, parts: tuple[str, ...]) -> None:
    found = problem(section(*lines))
    assert found.startswith(f"{NOVA_CONF}:{place}: [filter_scheduler] ")
    assert "nova-scheduler does not start with it" in found
    assert [part for part in parts if part not in found] == []


def test_name_of_the_testbed_that_nothing_provides_is_refused() -> None:
    for name, part in (("HalfFull", "site_filters.HalfFull"), ("ImagePropertiesFiler", "'ImagePropertiesFilter'?")):
        found = problem(section(), EXTEND._replace(exact_filters=(nova.PCI_FILTER, "ComputeFilter", name)))
        assert found.startswith(f"env.scheduler_filters: no available filter provides {name}")
        assert part in found


def test_name_of_the_testbed_that_the_host_provides_is_enabled() -> None:
    before = section(f"available = {ALL}", f"available = {HALF_FULL}")
    after = edit(before, 31, EXTEND._replace(exact_filters=("ComputeFilter", nova.PCI_FILTER, "HalfFull")))
    assert after.problems == ()
    assert available(after.files, 31) == [ALL, HALF_FULL]


def test_path_of_nova_s_own_that_the_release_lacks_is_refused() -> None:
    wanted = EXTEND._replace(exact_filters=(nova.PCI_FILTER, "nova.scheduler.filters.ram_filter.RamFilter"))
    assert "nova 31 has no nova.scheduler.filters.ram_filter.RamFilter" in problem(section(), wanted)
    assert edit(section(release=18), 18, wanted).problems == ()
    assert available(edit(section(release=18), 18, wanted).files, 18) == []


@pytest.mark.parametrize("other", ["other.HalfFull", "site_filters.old.HalfFull"])
def test_two_classes_of_one_name_are_refused(other: str) -> None:
    """nova would take the later one, without a word."""
    found = problem(section(f"available = {ALL}", f"available = {other}"), SITE)
    assert found.startswith(f"{NOVA_CONF}:3: [filter_scheduler] available_filters: {other} ")
    assert HALF_FULL in found


def test_class_of_the_site_may_hide_nova_s_own_only_where_it_comes_later() -> None:
    wanted = EXTEND._replace(exact_filters=("site_filters.ComputeFilter", nova.PCI_FILTER))
    assert available(edit(section(), 31, wanted).files, 31) == [ALL, "site_filters.ComputeFilter"]
    found = problem(section(f"available = {ALL}"), wanted)
    assert found.startswith(f"{NOVA_CONF}:2: [filter_scheduler] available_filters: {ALL} ")


def test_names_that_a_function_may_return_pass_with_a_note() -> None:
    before = section(f"available = {ALL}", "available = site_filters.all_of_ours", "enabled = ComputeFilter,HalfFull")
    after = edit(before, 31, EXTEND)
    assert after.problems == ()
    assert filters(after.files, 31) == ["ComputeFilter", "HalfFull", nova.PCI_FILTER]
    [note] = after.notes
    assert note.id == "filter-not-judged"
    assert f"{NOVA_CONF}:4" in note.text
    assert "site_filters.all_of_ours provides HalfFull" in note.text
    malformed = section("available = site_filters.all_of_ours", "enabled = ComputeFilter,,HalfFull")
    assert "not the name of a filter" in problem(malformed)


@pytest.mark.parametrize("line", ["enabled = PciPassthroughFilter", "enabled =", "enabled = JsonFilter"])
def test_list_without_any_default_filter_is_told(line: str) -> None:
    after = edit(section(line), 31, EXTEND)
    [note] = after.notes
    assert note.id == "default-filters-gone"
    assert note.text.startswith(f"{NOVA_CONF}:2: [filter_scheduler] enabled_filters: none of the filters")
    alone = edit(section(), 31, EXTEND._replace(exact_filters=(nova.PCI_FILTER,)))
    assert [note.text.split(":")[0] for note in alone.notes] == ["env.scheduler_filters"]
    assert edit(section("enabled = ComputeFilter"), 31, EXTEND).notes == ()


def test_references_in_lists_are_followed_and_stay() -> None:
    before = conf("[DEFAULT]\nhost = JsonFilter\n[filter_scheduler]\nenabled_filters = ComputeFilter,${host}\n")
    after = edit(before, 31, EXTEND)
    assert after.problems == ()
    assert b"enabled_filters = ComputeFilter,${host},PciPassthroughFilter\n" in after.files[0].text
    assert filters(after.files, 31) == ["ComputeFilter", "JsonFilter", nova.PCI_FILTER]
    empty_last = conf("[DEFAULT]\nhost =\n[filter_scheduler]\nenabled_filters = ComputeFilter,$host\n")
    assert filters(edit(empty_last, 31, EXTEND).files, 31) == ["ComputeFilter", nova.PCI_FILTER]
    there = conf("[DEFAULT]\nhost = PciPassthroughFilter\n[filter_scheduler]\nenabled_filters = ComputeFilter,$host\n")
    assert edit(there, 31, EXTEND) == Edited(there)
    classes = conf(f"[DEFAULT]\nhost = {ALL}\n[filter_scheduler]\navailable_filters = $host\n")
    assert available(edit(classes, 31, SITE).files, 31) == [HALF_FULL, ALL]
    assert "provides ${host}" not in problem(conf("[filter_scheduler]\nenabled_filters = ${host}\n"))


def test_edited_blocks_leave_what_others_wrote_and_start_the_scheduler() -> None:
    before = section("x = 1", "enabled = ComputeFilter")
    ours = edit(before, 31, SITE).files[0].text.decode()
    edited = ours.replace("PciPassthroughFilter,HalfFull\n", "PciPassthroughFilter,HalfFull,Other\n")
    edited = edited.replace(f"= {HALF_FULL}\n", f"= {HALF_FULL}\navailable_filters = other.Full\n")
    for wanted in (NOTHING, EXTEND):
        left = edit(conf(edited.replace(",Other", ",JsonFilter")), 31, wanted)
        assert left.problems == ()
        assert available(left.files, 31) == [ALL, "other.Full"]
        assert filters(left.files, 31)[:2] == ["ComputeFilter", "JsonFilter"]
        assert filter_classes.lacking(tuple(filters(left.files, 31)), tuple(available(left.files, 31)), 31) == ()


def test_block_is_kept_while_a_list_of_others_needs_its_class() -> None:
    drop_in = ConfigFile(
        "/etc/nova/nova.conf.d/x.conf",
        b"[filter_scheduler]\nenabled_filters = HalfFull,ComputeFilter,PciPassthroughFilter\n",
        frozenset((SCHEDULER,)),
    )
    exact = SITE._replace(exact_filters=(HALF_FULL, "ComputeFilter", nova.PCI_FILTER))
    files = edit((*section("enabled = ComputeFilter"), drop_in), 31, exact).files
    assert files[1] == drop_in
    for wanted in (NOTHING, EXTEND):
        [found] = edit(files, 31, wanted).problems
        assert found.startswith("/etc/nova/nova.conf.d/x.conf:2: [filter_scheduler] enabled_filters: ")
        assert "HalfFull" in found


def test_all_of_nova_s_own_stay_available_while_a_line_of_others_hides_them() -> None:
    """Unset, nova looks in all of its own; a line that came after ours alone would end that."""
    ours = edit(section("x = 1"), 31, SITE).files[0].text.decode()
    grown = conf(ours + "available_filters = other.Full\n")
    for wanted in (NOTHING, EXTEND):
        [*_, found] = edit(grown, 31, wanted).problems
        assert "ServerGroupAffinityFilter" in found
        assert "available_filters" in found


@pytest.mark.parametrize("release", RELEASES)
def test_effective_follows_references(release: int) -> None:
    name, spec = nova.filter_names(release)[0], nova.whitelist_names(release)[0]
    text = (
        f"[DEFAULT]\nhost = eth0\n[{name.section}]\n{name.key} = A,$host\n"
        f'[{spec.section}]\n{spec.key} = {{"devname": "$host", "x": "$$1"}}\n'
    )
    [file] = conf(text)
    assert effective((file,), release, SCHEDULER).filters == ("A", "eth0")
    both = file._replace(readers=frozenset((SCHEDULER, COMPUTE)))
    assert effective((both,), release, COMPUTE).whitelist == ('{"devname": "eth0", "x": "$1"}',)
