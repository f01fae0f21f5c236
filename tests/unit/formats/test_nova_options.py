"""nova.conf edited, and read back by oslo.config with the options registered as each nova release does."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st
from nova_files import (
    CASES,
    COMPUTE,
    ENTRIES,
    RELEASES,
    SCHEDULER,
    filters,
    holds_as_original_but_ours,
    nova_reads,
    whitelist,
)
from oslo_config import cfg

from sriov.errors import FormatError
from sriov.formats.nova import releases as nova
from sriov.formats.nova.edit import Edited, NovaWanted, diff, edit, effective, reports_in_placement
from sriov.formats.nova.whitelist import DeviceSpec, entries_of
from sriov.formats.oslo.options import ConfigFile

GOLDEN = Path(__file__).parents[2] / "golden/nova"
BOTH = frozenset((COMPUTE, SCHEDULER))
ETH0 = DeviceSpec("physnet1", "eth0", covers=("0000:01:00.0", "0000:01:10.0"), ids=("8086:10c9", "8086:10ca"))
ETH1 = DeviceSpec("physnet2", "eth1", covers=("0000:01:00.1", "0000:01:10.1"), ids=("8086:10c9", "8086:10ca"))
Specs = tuple[DeviceSpec, ...] | None
Names = tuple[str, ...] | None
FULL = NovaWanted((ETH0, ETH1), (nova.PCI_FILTER,))
NOTHING = NovaWanted((), ())


def conf(text: bytes, path: str = "/etc/nova/nova.conf", readers: frozenset[str] = BOTH) -> ConfigFile:
    return ConfigFile(path, text, readers)


@pytest.mark.parametrize("release", RELEASES)
@pytest.mark.parametrize("case", CASES)
def test_edit_makes_oslo_config_read_what_was_wanted(case: str, release: int) -> None:
    before = (conf(CASES[case]),)
    after = edit(before, release, FULL)
    assert after.problems == ()
    entries = [entry for entry in whitelist(after.files, release) if entry != {"devname": "ens9"}]
    assert entries == ENTRIES
    assert filters(after.files, release)[-1] == nova.PCI_FILTER
    assert len(filters(after.files, release)) > 1


@pytest.mark.parametrize("release", RELEASES)
@pytest.mark.parametrize("case", CASES)
def test_edit_keeps_every_other_byte_and_undoes_itself(case: str, release: int) -> None:
    before = (conf(CASES[case]),)
    after = edit(before, release, FULL).files
    assert holds_as_original_but_ours(before[0], after[0])
    assert edit(after, release, FULL).files == after
    assert edit(after, release, NOTHING).files == before


@pytest.mark.parametrize("release", RELEASES)
def test_edit_writes_the_name_that_the_release_reads(release: int) -> None:
    text = edit((conf(b"[DEFAULT]\n"),), release, NovaWanted((ETH0,), None)).files[0].text.decode()
    section, key = {14: ("[DEFAULT]", "pci_passthrough_whitelist"), 18: ("[pci]", "passthrough_whitelist")}.get(
        18 if 15 <= release <= 25 else release, ("[pci]", "device_spec")
    )
    assert section in text.splitlines()
    assert f'{key} = {{"devname": "eth0", "physical_network": "physnet1"}}' in text.splitlines()


def test_edit_doubles_dollars_that_oslo_config_would_substitute() -> None:
    for name in ("phys$net", "a\\$b", "$$", "$"):
        after = edit((conf(b""),), 31, NovaWanted((DeviceSpec(name, "eth0"),)))
        assert whitelist(after.files, 31) == [{"devname": "eth0", "physical_network": name}]


def test_edit_keeps_crlf_in_what_it_adds() -> None:
    after = edit((conf(CASES["crlf"]),), 26, FULL).files[0].text
    assert after.count(b"\n") == after.count(b"\r\n")


def test_edit_writes_trusted_as_nova_wants_it() -> None:
    after = edit((conf(b""),), 31, NovaWanted((DeviceSpec("p", "eth0", trusted=True),)))
    assert whitelist(after.files, 31) == [{"devname": "eth0", "physical_network": "p", "trusted": "true"}]


def test_edit_replaces_entries_of_our_devices_in_every_file_and_name() -> None:
    files = (
        conf(b'[DEFAULT]\npci_passthrough_whitelist = {"devname": "eth0"}\n'),
        conf(
            b'[pci]\ndevice_spec = {"address": "0000:01:10.1"}\n', "/etc/nova/nova-compute.conf", frozenset((COMPUTE,))
        ),
    )
    after = edit(files, 31, FULL)
    assert after.problems == ()
    # the port eth1 itself was not offered, so it is not offered by its name either
    assert whitelist(after.files, 31) == [ENTRIES[0], {"address": "0000:01:10.1", "physical_network": "physnet2"}]
    assert edit(after.files, 31, NOTHING).files == files


@pytest.mark.parametrize("address", ["0000:01:00.0", "0000:01:00.0 "])
def test_edit_takes_a_literal_address_of_our_port_for_ours(address: str) -> None:
    line = json.dumps({"address": address})
    after = edit((conf(f"[pci]\ndevice_spec = {line}\n".encode()),), 31, NovaWanted((ETH0,)))
    assert whitelist(after.files, 31) == ENTRIES[:1]


def test_edit_replaces_entries_by_name_where_ours_go_by_address() -> None:
    spec = DeviceSpec("physnet1", address="0000:01:10.0", interface="eth0")
    after = edit((conf(b'[pci]\ndevice_spec = {"devname": "eth0"}\n'),), 31, NovaWanted((spec,)))
    assert whitelist(after.files, 31) == [{"address": "0000:01:10.0", "physical_network": "physnet1"}]


def test_edit_takes_only_our_elements_out_of_a_list() -> None:
    text = b'[pci]\ndevice_spec = [{"devname": "ens9", "x": "a$$b"},\n  {"devname": "eth0"}, {"devname": "ens8"}]\n'
    after = edit((conf(text),), 31, NovaWanted((ETH0,)))
    assert whitelist(after.files, 31) == [ENTRIES[0], [{"devname": "ens9", "x": "a$b"}, {"devname": "ens8"}]]
    assert edit(after.files, 31, NOTHING).files == (conf(text),)


@pytest.mark.parametrize(
    "entry",
    ['{"vendor_id": "8086"}', '{"address": "*:01:*.*"}', '{"address": {"bus": "01"}}', "{}", '{"product_id": "10CA"}'],
)
def test_edit_refuses_a_wildcard_of_an_older_name_that_would_win(entry: str) -> None:
    before = (conf(f"[DEFAULT]\nx = 1\npci_passthrough_whitelist = {entry}\n".encode()),)
    after = edit(before, 26, NovaWanted((ETH0,)))
    assert after.files == before
    assert len(after.problems) == 1
    assert after.problems[0].startswith("/etc/nova/nova.conf:3: [DEFAULT] pci_passthrough_whitelist: ")
    assert "eth0" in after.problems[0]


@pytest.mark.parametrize(
    "entry",
    ['{"vendor_id": "15b3"}', '{"address": "*:02:*.*"}', '{"devname": "ens9"}', '{"product_id": "1018"}'],
)
def test_edit_leaves_older_entries_that_match_other_devices(entry: str) -> None:
    before = (conf(f"[DEFAULT]\npci_passthrough_whitelist = {entry}\n".encode()),)
    after = edit(before, 26, NovaWanted((ETH0,)))
    assert after.problems == ()
    assert whitelist(after.files, 26) == [json.loads(entry), ENTRIES[0]]


def test_edit_takes_what_a_kernel_does_not_tell_of_its_vfs_for_a_match() -> None:
    """Older ones have no sriov_vf_device."""
    before = (conf(b'[DEFAULT]\npci_passthrough_whitelist = {"vendor_id": "8086", "product_id": "154c"}\n'),)
    assert edit(before, 26, NovaWanted((ETH0,))).problems == ()
    assert edit(before, 26, NovaWanted((ETH0._replace(ids=("8086:10fb", "8086:")),))).problems != ()
    assert edit(before, 26, NovaWanted((ETH0._replace(ids=("8086:10fb", "15b3:")),))).problems == ()


def test_edit_goes_before_a_wildcard_under_the_same_name() -> None:
    after = edit((conf(b'[pci]\ndevice_spec = {"vendor_id": "8086"}\n'),), 26, NovaWanted((ETH0,)))
    assert whitelist(after.files, 26) == [ENTRIES[0], {"vendor_id": "8086"}]


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ("{'devname': 'ens9'}", "not JSON"),
        ('{"devname": "ens9",}', "not JSON"),
        ("", "empty"),
        ('"x"', "not JSON"),
        ("7", "neither"),
        ("[1]", "neither"),
        ('{"devname": "ens9", "address": "*:01:00.0"}', "both address and devname"),
        ('{"vendor_id": 8086}', "not a string"),
        ('{"address": "0000:zz:00.0"}', "not a hex number"),
        ('{"address": "0:0:0:0.0"}', "more than"),
        ('{"address": {"bus": "["}}', "regular expression"),
        ('{"devname": "ens9"} # x', "not JSON"),
    ],
)
def test_edit_names_the_line_of_an_entry_that_stops_nova(value: str, reason: str) -> None:
    before = (conf(f"[pci]\na = 1\npassthrough_whitelist = {value}\n".encode()),)
    after = edit(before, 26, FULL)
    assert after.files == before
    assert len(after.problems) == 1
    assert after.problems[0].startswith("/etc/nova/nova.conf:3: [pci] passthrough_whitelist: ")
    assert reason in after.problems[0]


def test_edit_moves_our_block_when_nova_is_upgraded() -> None:
    before = (conf(b"[DEFAULT]\na = 1\n"),)
    files: tuple[ConfigFile, ...] = before
    for release in RELEASES:
        files = edit(files, release, FULL).files
        assert files == edit(before, release, FULL).files
        assert whitelist(files, release) == ENTRIES
    assert edit(files, 34, NOTHING).files == before


def test_edit_leaves_names_that_the_release_does_not_read() -> None:
    before = (conf(b"[DEFAULT]\nscheduler_default_filters = RamFilter\n[pci]\ndevice_spec = nonsense\n"),)
    after = edit(before, 24, FULL)
    assert after.problems == ()
    assert holds_as_original_but_ours(before[0], after.files[0])
    assert filters(after.files, 24) == [*nova.default_filters(24), nova.PCI_FILTER]


@pytest.mark.parametrize("release", RELEASES)
def test_edit_extends_the_defaults_of_the_release(release: int) -> None:
    after = edit((conf(b""),), release, NovaWanted(None, (nova.PCI_FILTER,)))
    assert filters(after.files, release) == [*nova.default_filters(release), nova.PCI_FILTER]


def test_edit_extends_the_list_in_force_over_files_and_names() -> None:
    files = (
        conf(b"[filter_scheduler]\nenabled_filters = ComputeFilter\nenabled_filters = JsonFilter ,MetricsFilter,\n"),
        conf(b"[DEFAULT]\nscheduler_default_filters = IoOpsFilter,\n  ComputeFilter\n", "/etc/nova/nova.conf.d/x.conf"),
    )
    after = edit(files, 23, NovaWanted(None, (nova.PCI_FILTER,))).files
    assert filters(after, 23) == ["IoOpsFilter", "ComputeFilter", nova.PCI_FILTER]
    # a service that is started with --config-file reads the folders first
    assert filters(after[::-1], 23) == ["JsonFilter", "MetricsFilter", nova.PCI_FILTER]
    assert edit(after, 23, NovaWanted(None, (nova.PCI_FILTER,))).files == after
    assert edit(after, 23, NOTHING).files == files
    later = edit(files, 24, NovaWanted(None, (nova.PCI_FILTER,))).files
    assert later[1] == files[1]
    assert filters(later, 24) == ["JsonFilter", "MetricsFilter", nova.PCI_FILTER]


def test_edit_leaves_a_list_that_holds_the_filter() -> None:
    before = (conf(b"[filter_scheduler]\nenabled_filters = PciPassthroughFilter,ComputeFilter\n"),)
    assert edit(before, 31, NovaWanted(None, (nova.PCI_FILTER,))) == Edited(before)


def test_edit_sets_exactly_the_filters_of_the_testbed() -> None:
    before = (conf(b"[filter_scheduler]\nenabled_filters = RetryFilter,ComputeFilter\n"),)
    wanted = NovaWanted(None, (nova.PCI_FILTER,), ("ComputeFilter", nova.PCI_FILTER))
    after = edit(before, 31, wanted)
    assert after.problems == ()
    assert filters(after.files, 31) == ["ComputeFilter", nova.PCI_FILTER]
    assert edit(after.files, 31, NOTHING).files == before


@pytest.mark.parametrize(
    ("line", "part"),
    [
        ("enabled_filters = RetryFilter,ComputeFilter", "no longer has RetryFilter"),
        ("enabled_filters = ComputeFilter,,FooFilter", "not the name of a filter"),
        ("enabled_filters = ComputeFilter\n  FooFilter", "not the name of a filter"),
        ("available_filters =\n  nova.scheduler.filters.all_filters", "begun on the next line"),
        ("available_filters = a.B, c.D", "not the name of a class"),
        ("available_filters =", "empty"),
    ],
)
def test_edit_names_the_line_that_stops_the_scheduler(line: str, part: str) -> None:
    before = (conf(f"[filter_scheduler]\n{line}\n".encode()),)
    after = edit(before, 31, NovaWanted(None, (nova.PCI_FILTER,)))
    assert after.files == before
    assert len(after.problems) == 1
    assert after.problems[0].startswith("/etc/nova/nova.conf:2: [filter_scheduler] ")
    assert part in after.problems[0]


@pytest.mark.parametrize("release", RELEASES)
def test_edit_makes_the_filter_available_only_where_it_is_not(release: int) -> None:
    name, listed = nova.available_names(release)[0], nova.filter_names(release)[0]
    compute = nova.own_filters(release)["ComputeFilter"]
    for value, added in ((nova.ALL_FILTERS, []), (compute, [nova.PCI_FILTER_CLASS])):
        text = f"[{name.section}]\n{name.key} = {value}\n{listed.key} = ComputeFilter\n"
        before = (conf(text.encode()),)
        after = edit(before, release, FULL).files
        assert sorted(nova_reads(after, release, SCHEDULER)[2]) == sorted([value, *added])
        assert edit(after, release, NOTHING).files == before


def test_edit_takes_only_our_filter_out_of_a_list_that_was_edited_since() -> None:
    before = (conf(b"[filter_scheduler]\nenabled_filters = ComputeFilter\n[x]\ny = 1"),)
    ours = edit(before, 31, NovaWanted(None, (nova.PCI_FILTER,))).files[0]
    changed = (conf(ours.text.replace(b"Filter\n# END", b"Filter,JsonFilter\n# END")),)
    kept = edit(changed, 31, NovaWanted(None, (nova.PCI_FILTER,))).files
    assert filters(kept, 31) == ["ComputeFilter", "JsonFilter", nova.PCI_FILTER]
    removed = edit(changed, 31, NOTHING).files
    assert removed[0].text == b"[filter_scheduler]\nenabled_filters = ComputeFilter,JsonFilter\n[x]\ny = 1"
    assert edit(kept, 31, NOTHING).files == removed


def test_edit_keeps_the_section_of_options_that_came_behind_our_block() -> None:
    first = edit((conf(b"[DEFAULT]\na = 1\n"),), 31, NovaWanted((ETH0,))).files[0]
    grown = (conf(first.text + b"alias = {}\n"),)
    assert whitelist(edit(grown, 31, NovaWanted((ETH0,))).files, 31) == ENTRIES[:1]
    assert edit(grown, 31, NovaWanted(())).files[0].text == b"[DEFAULT]\na = 1\n[pci]\nalias = {}\n"


def test_edit_neither_changes_nor_judges_the_side_that_is_no_concern() -> None:
    before = (conf(b"[pci]\ndevice_spec = nonsense\n[filter_scheduler]\nenabled_filters = RetryFilter\n"),)
    broken = conf(b"nonsense", "/etc/nova/nova-compute.conf", frozenset((COMPUTE,)))
    assert edit((*before, broken), 31, NovaWanted(None, None)).files == (*before, broken)
    scheduler_only = (conf(b"[pci]\ndevice_spec = nonsense\n"), broken)
    after = edit(scheduler_only, 31, NovaWanted(None, (nova.PCI_FILTER,)))
    assert after.problems == ()
    assert after.files[1] == broken


def test_edit_of_one_side_leaves_the_other_side_in_its_place() -> None:
    for text in CASES.values():
        whole = edit((conf(text),), 31, FULL).files
        assert edit(whole, 31, NovaWanted(FULL.device_specs, None)).files == whole
        assert edit(whole, 31, NovaWanted(None, FULL.filters)).files == whole


def test_edit_refuses_a_block_without_its_end() -> None:
    text = edit((conf(b""),), 31, FULL).files[0].text
    with pytest.raises(FormatError, match="without its END"):
        edit((conf(b"\n".join(line for line in text.split(b"\n") if not line.startswith(b"# END"))),), 31, FULL)


def test_edit_says_that_no_file_is_there_to_edit() -> None:
    assert [problem.split()[-1] for problem in edit((), 31, FULL).problems] == ["reads", "reads"]


def test_edit_refuses_bytes_that_only_python_2_reads_where_nova_runs_on_python_3() -> None:
    files = (conf(b"[DEFAULT]\n# caf\xe9\n"),)
    with pytest.raises(FormatError, match=r"nova\.conf:2: bytes that are not UTF-8"):
        edit(files, 23, FULL)
    assert edit(edit(files, 18, FULL).files, 18, NOTHING).files == files


def test_diff_shows_only_lines_of_ours() -> None:
    text = b'[DEFAULT]\npassword = secret\n[pci]\npassword = secret\ndevice_spec = {"devname": "eth0"}\nx = secret\n'
    before = conf(text)
    shown = diff(before, edit((before,), 31, FULL).files[0])
    assert shown[:2] == ("--- /etc/nova/nova.conf", "+++ /etc/nova/nova.conf")
    assert '-device_spec = {"devname": "eth0"}' in shown
    assert '+device_spec = {"devname": "eth0", "physical_network": "physnet1"}' in shown
    assert "secret" not in "\n".join(shown)
    assert diff(before, before) == ()


@pytest.mark.parametrize(
    ("text", "release", "expected"),
    [
        (b"[pci]\nreport_in_placement = True\n", 26, True),
        (b"[pci]\nreport_in_placement = on\nreport_in_placement = 0\n", 26, False),
        (b"[pci]\nreport_in_placement = True\n", 25, False),
        (b"", 34, False),
    ],
)
def test_reports_in_placement_as_nova_reads_it(text: bytes, release: int, expected: bool) -> None:
    assert reports_in_placement((conf(text),), release) is expected


def test_edit_counts_the_lines_of_the_file_as_it_stands() -> None:
    """Also those of blocks that are ours: an operator looks the line up in an editor."""
    first = edit((conf(b'[pci]\ndevice_spec = {"devname": "eth0"}\n[DEFAULT]\n'),), 31, NovaWanted((ETH0,))).files[0]
    grown = first.text + b"pci_passthrough_whitelist = {}\n"
    (problem,) = edit((conf(grown),), 31, NovaWanted((ETH0,))).problems
    assert problem.startswith(f"/etc/nova/nova.conf:{len(grown.splitlines())}: ")


def test_edit_refuses_entries_by_name_where_nova_reports_in_placement() -> None:
    before = (conf(b'[pci]\nreport_in_placement = true\ndevice_spec = {"devname": "ens9"}\n'),)
    by_name = edit(before, 26, NovaWanted((ETH0,)))
    assert [problem.split(": ")[0] for problem in by_name.problems] == [
        "/etc/nova/nova.conf:1",
        "/etc/nova/nova.conf:3",
    ]
    assert edit(before, 25, NovaWanted((ETH0,))).problems == ()
    alone = (conf(b"[pci]\nreport_in_placement = true\n"),)
    assert edit(alone, 26, NovaWanted((DeviceSpec("p", address="0000:01:10.0"),))).problems == ()


VERDICTS = json.loads((GOLDEN / "whitelist_values.json").read_text())


@pytest.mark.parametrize(("value", "is_accepted"), VERDICTS["values"])
def test_entries_are_judged_as_nova_itself_judges_them(value: str, is_accepted: bool) -> None:
    try:
        entries_of(value, VERDICTS["release"])
    except ValueError:
        assert not is_accepted
    else:
        assert is_accepted


@pytest.mark.parametrize("release", [14, 23, 31])
def test_edit_gives_the_file_that_a_reader_approved(release: int) -> None:
    folder = GOLDEN / "edit"
    after = edit((conf((folder / "before.conf").read_bytes()),), release, FULL)
    assert after.problems == ()
    assert after.files[0].text.decode() == (folder / f"after-{release}.conf").read_text()


NAMES = ("pci_passthrough_whitelist", "passthrough_whitelist", "device_spec")
FILTER_NAMES = ("scheduler_default_filters", "enabled_filters", "scheduler_available_filters", "available_filters")
VALUES = (
    '{"devname": "eth0"}',
    '{"devname": "$host", "x": "$$$host"}',
    '[{"devname": "ens9"},',
    '{"devname": "eth1"}]',
    '{"address": "0000:01:00.0"}',
    "{}",
)
PLAIN = (
    "[DEFAULT]",
    "[pci]",
    "[PCI]",
    "[filter_scheduler]",
    "[default]",
    "[x]",
    "# c",
    "",
    " ",
    "a = 1",
    "host = JsonFilter,",
    "  more",
    "b:2",
)
LISTS = (
    "ComputeFilter",
    "ComputeFilter, JsonFilter",
    "PciPassthroughFilter",
    "nova.scheduler.filters.all_filters",
    "$host",
    "A",
    "a.B",
)
LINE = st.one_of(
    st.sampled_from(PLAIN),
    st.tuples(st.sampled_from(NAMES), st.sampled_from((" = ", "=", ":")), st.sampled_from(VALUES)).map("".join),
    st.sampled_from(VALUES).map("  {}".format),
    st.builds("{} = {}".format, st.sampled_from(FILTER_NAMES), st.sampled_from(LISTS)),
    st.text(max_size=6),
)
TEXT = st.one_of(
    st.lists(st.tuples(LINE, st.sampled_from(("\n", "\n", "\r\n", "\r"))), max_size=16).flatmap(
        lambda pairs: st.booleans().map(
            lambda ended: ("[DEFAULT]\n" + "".join(line + end for line, end in pairs))[: None if ended else -1].encode()
        )
    ),
    st.binary(max_size=30),
)


@pytest.mark.slow
@settings(max_examples=400, deadline=None)
@given(st.tuples(TEXT, TEXT), st.sampled_from(RELEASES), st.sampled_from((FULL, NovaWanted((ETH1,)))))
@example((b"", b""), 14, FULL)
@example((b"\n", b"[pci]"), 34, FULL)
def test_edit_holds_its_promises_on_any_files(texts: tuple[bytes, bytes], release: int, wanted: NovaWanted) -> None:
    files = (conf(texts[0]), conf(texts[1], "/etc/nova/nova-compute.conf", frozenset((COMPUTE,))))
    assume(release > 20 or all(_is_utf8(text) for text in texts))
    try:
        original = nova_reads(files, release, COMPUTE)[0]
        original_filters = filters(files, release)
    except (cfg.Error, UnicodeDecodeError):
        with pytest.raises(FormatError):
            edit(files, release, wanted)
        return
    after = edit(files, release, wanted)
    if after.problems:
        assert after.files == files
        return
    specs = wanted.device_specs or ()
    ours = [{"devname": spec.devname, "physical_network": spec.physical_network} for spec in specs]
    read = [
        entry for value in whitelist(after.files, release) for entry in (value if isinstance(value, list) else [value])
    ]
    others = [entry for value in original for entry in _entries(value)]
    names = {spec.devname for spec in specs}
    covers = {cover for spec in specs for cover in spec.covers}
    kept = [entry for entry in others if entry.get("devname") not in names and entry.get("address") not in covers]
    assert [entry for entry in read if entry in ours] == ours
    assert [entry for entry in read if entry not in ours] == kept
    if wanted.filters:
        added = [name for name in wanted.filters if name not in original_filters]
        assert filters(after.files, release) == [*original_filters, *added]
    assert effective(after.files, release, COMPUTE).whitelist == tuple(nova_reads(after.files, release, COMPUTE)[0])
    assert edit(after.files, release, wanted).files == after.files
    removal = NovaWanted((), None if wanted.filters is None else ())
    assert edit(after.files, release, removal).files == files


STEP = st.tuples(
    st.sampled_from(RELEASES),
    st.sampled_from((None, (), (ETH0,), (ETH1, ETH0))),
    st.sampled_from((None, (), (nova.PCI_FILTER,))),
    st.sampled_from((None, ("ComputeFilter", nova.PCI_FILTER))),
)


@settings(max_examples=200, deadline=None)
@given(TEXT, st.lists(STEP, max_size=5))
def test_any_way_of_changes_leads_back_to_the_file(text: bytes, steps: list[tuple[int, Specs, Names, Names]]) -> None:
    before = (conf(text),)
    try:
        edit(before, 34, NOTHING)
    except FormatError:
        assume(False)
    assume(not edit(before, 34, NOTHING).problems)
    files: tuple[ConfigFile, ...] = before
    for release, specs, names, exact in steps:
        files = edit(files, release, NovaWanted(specs, names, exact)).files
    assert edit(files, 34, NOTHING).files == before


def _is_utf8(text: bytes) -> bool:
    try:
        text.decode()
    except UnicodeDecodeError:
        return False
    return True


def _entries(value: str) -> list[dict[str, str]]:
    parsed = json.loads(value)
    return parsed if isinstance(parsed, list) else [parsed]
