"""Whitelist entries of others: what says what is wanted stays, byte for byte; the rest is replaced with its tags."""

from __future__ import annotations

import json

import pytest
from nova_files import COMPUTE, whitelist

from sriov.formats.nova.edit import NovaWanted, diff, edit
from sriov.formats.nova.whitelist import DeviceSpec
from sriov.formats.oslo.options import ConfigFile

PATH = "/etc/nova/nova.conf"
VFS = tuple(f"0000:01:10.{function}" for function in (0, 2, 4, 6))
ETH0 = DeviceSpec(
    "physnet1",
    "eth0",
    covers=("0000:01:00.0", *VFS),
    interface="eth0",
    ids=("8086:10c9", "8086:10ca"),
    netdevs=(("eth0", "0000:01:00.0"), *((f"eth0v{index}", address) for index, address in enumerate(VFS))),
)
KEPT = tuple(ETH0._replace(devname="", address=address) for address in VFS[1:])  # the host keeps the first VF
NAMES = (
    ("DEFAULT", "pci_passthrough_whitelist"),
    ("pci", "passthrough_whitelist"),
    ("pci", "device_spec"),
)


def conf(text: str) -> ConfigFile:
    return ConfigFile(PATH, text.encode(), frozenset({COMPUTE}))


def option(entry: object, section: str = "pci", key: str = "device_spec") -> str:
    return f"[{section}]\n{key} = {entry if isinstance(entry, str) else json.dumps(entry)}\n"


def after(text: str, specs: tuple[DeviceSpec, ...] = (ETH0,), release: int = 34) -> str:
    edited = edit((conf(text),), release, NovaWanted(specs))
    assert edited.problems == ()
    assert edit(edited.files, release, NovaWanted(specs)) == edited
    return edited.files[0].text.decode()


def entries(text: str, release: int = 34) -> list[object]:
    return whitelist((conf(text),), release)


RIGHT: tuple[object, ...] = (
    {"physical_network": "physnet1", "devname": "eth0"},
    {"devname": "eth0", "physical_network": "PhysNet1", "trusted": "true", "managed": "no"},
    '{"devname":"eth0","physical_network":"physnet1"}',
    {"address": "0000:01:00.0", "physical_network": "physnet1"},
    {"address": "01:10.*", "physical_network": "physnet1", "resource_class": "CUSTOM_NET"},
    {"address": {"bus": "01", "slot": "10", "function": "[0246]"}, "physical_network": "physnet1"},
    {"vendor_id": "8086", "product_id": "10ca", "physical_network": "physnet1"},
    [{"devname": f"eth0v{index}", "physical_network": "physnet1"} for index in range(4)],
    [{"devname": "ens9"}, {"devname": "eth0", "physical_network": "physnet1", "live_migratable": "yes"}],
    {"parent_ifname": "eth0", "vendor_id": "8086", "physical_network": "physnet1"},
)


@pytest.mark.parametrize("entry", RIGHT, ids=str)
@pytest.mark.parametrize(("section", "key"), NAMES)
def test_entry_that_gives_what_is_wanted_stays(entry: object, section: str, key: str) -> None:
    text = option(entry, section, key)
    assert after(text) == text


@pytest.mark.parametrize(
    ("entry", "left"),
    [
        ({"devname": "eth0v1", "physical_network": "other"}, []),
        ({"address": VFS[1], "physical_network": "other"}, []),
        ({"address": "*:01:10.2"}, []),
        ({"address": {"domain": "0000", "bus": "01", "slot": "10", "function": "2"}}, []),
        ([{"devname": "ens9"}, {"devname": "eth0v1"}], [{"devname": "ens9"}]),
        ({"address": "0000:01:10.3"}, [{"address": "0000:01:10.3"}]),  # a VF of another port: nothing of ours
    ],
    ids=str,
)
@pytest.mark.parametrize(("section", "key"), NAMES[:2])
def test_entry_that_gives_a_vf_something_else_is_replaced(
    entry: object, left: list[object], section: str, key: str
) -> None:
    text = after(option(entry, section, key))
    found = entries(text)
    ours = [one for one in found if isinstance(one, dict) and one.get("physical_network") == "physnet1"]
    assert [one for one in found if one not in ours] == left
    assert ours == [{"devname": "eth0", "physical_network": "physnet1"}] or [one["address"] for one in ours] == [*VFS]
    assert edit((conf(text),), 34, NovaWanted(())).files[0].text.decode() == option(entry, section, key)


def test_other_tags_go_over_to_what_replaces_an_entry() -> None:
    tags = {"trusted": "true", "resource_class": "CUSTOM_NET", "managed": "no", "site": "a$$b"}
    text = after(option({"devname": "eth0", "physical_network": "old", **tags}))
    assert entries(text) == [{"devname": "eth0", "physical_network": "physnet1", **tags, "site": "a$b"}]


def test_what_the_testbed_says_of_trust_wins() -> None:
    text = after(option({"devname": "eth0", "physical_network": "physnet1"}), (ETH0._replace(trusted=True),))
    assert entries(text) == [{"devname": "eth0", "physical_network": "physnet1", "trusted": "true"}]


def test_port_that_was_not_offered_is_not_offered() -> None:
    """By its name an entry would offer the port itself, as nova does for vnic_type direct-physical."""
    text = after(option({"vendor_id": "8086", "product_id": "10ca", "physical_network": "old", "managed": "no"}))
    ours = [{"address": address, "physical_network": "physnet1", "managed": "no"} for address in VFS]
    assert entries(text)[:4] == ours


def test_entry_for_the_port_alone_stays_the_one_for_it() -> None:
    text = after(option({"devname": "eth0", "vendor_id": "8086", "product_id": "10c9"}))
    assert [one.get("devname") for one in entries(text) if isinstance(one, dict)] == [None] * 4 + ["eth0"]


def test_only_vfs_that_lack_an_entry_get_one() -> None:
    text = after(option({"address": "0000:01:10.0", "physical_network": "physnet1", "trusted": "true"}))
    assert [one["address"] for one in entries(text) if isinstance(one, dict)] == [*VFS[1:], VFS[0]]


def test_vf_that_the_host_keeps_is_taken_out_of_an_entry() -> None:
    text = after(option({"address": "0000:01:10.*", "physical_network": "physnet1", "managed": "no"}), KEPT)
    (left,) = entries(text)
    assert isinstance(left, list)
    assert [one["address"] for one in left] == [f"*:01:10.{function}" for function in (1, 3, 5, 7, 2, 4, 6)]
    assert {one["managed"] for one in left} == {"no"}


def test_wildcard_that_offers_a_vf_of_the_host_is_refused() -> None:
    (problem,) = edit((conf(option({"vendor_id": "8086"})),), 34, NovaWanted(KEPT)).problems
    assert problem.startswith(f"{PATH}:2: [pci] device_spec: an entry that also offers {VFS[0]}")


def test_port_beside_its_vfs_is_refused_where_nova_reports_in_placement() -> None:
    text = option({"address": "*:01:00.0"}) + "report_in_placement = true\n"
    specs = tuple(ETH0._replace(devname="", address=address) for address in VFS)
    (problem,) = edit((conf(text),), 34, NovaWanted(specs)).problems
    assert problem.startswith(f"{PATH}:")
    assert "offers the port 0000:01:00.0 beside its virtual functions" in problem


def test_tag_remote_managed_counts_from_the_release_that_has_it() -> None:
    text = option(
        {"devname": "eth0", "physical_network": "physnet1", "remote_managed": "no"}, key="passthrough_whitelist"
    )
    assert after(text, release=23) == text
    assert entries(after(text, release=26), 26) == [{"devname": "eth0", "physical_network": "physnet1"}]


OURS = after("[DEFAULT]\ntransport_url = rabbit://hunter2\n[pci]\nalias = {}\n")
END = "# END sriov-fab whitelist"
SECRET = "password = hunter2\n"


@pytest.mark.parametrize(
    "changed",
    [
        OURS.replace(END, f"{SECRET}{END}"),
        OURS.replace(END, f"# a remark\n\n{SECRET}{END}"),
        OURS.replace("device_spec", f"{SECRET}device_spec"),
        OURS.replace(END, f'device_spec = {{"devname": "ens9"}}\n{END}'),
        OURS.replace("\n", "\r\n"),
        "".join(line for line in OURS.splitlines(keepends=True) if not line.startswith("#")),
        OURS.replace(OURS[OURS.index(END) :].split("\n")[0], END),
        OURS.replace('"}\n#', '", "trusted": "true"}\n#'),
        "[pci]\nx = 1\n" + OURS,
    ],
    ids=("option", "comment", "before", "entry", "crlf", "no comments", "no checksum", "tag by hand", "moved"),
)
def test_file_that_another_program_has_written_stays_while_all_is_as_wanted(changed: str) -> None:
    assert changed != OURS
    assert after(changed) == changed


def test_lines_of_others_move_behind_a_block_that_changes() -> None:
    entry = 'device_spec = {"devname": "ens9", "trusted": "true"}\n'
    before = conf(OURS.replace(END, f"{SECRET}{entry}{END}"))
    edited = edit((before,), 34, NovaWanted((ETH0._replace(physical_network="physnet2"),))).files[0]
    lines = edited.text.decode().splitlines(keepends=True)
    end = next(number for number, line in enumerate(lines) if line.startswith(END))
    assert lines[end + 1 : end + 4] == [SECRET, entry, "alias = {}\n"]
    assert SECRET.strip() not in "\n".join(diff(before, edited))
    removed = edit((edited,), 34, NovaWanted(())).files[0].text.decode()
    assert removed == f"[DEFAULT]\ntransport_url = rabbit://hunter2\n[pci]\n{SECRET}{entry}alias = {{}}\n"


def test_section_of_ours_stays_for_lines_of_others_in_it() -> None:
    block = after("[DEFAULT]\na = 1\n")
    before = conf(block.replace(END, f"{SECRET}{END}"))
    assert edit((before,), 34, NovaWanted(())).files[0].text.decode() == f"[DEFAULT]\na = 1\n[pci]\n{SECRET}"


def test_entry_that_took_the_place_of_ours_counts_as_the_operators() -> None:
    """crudini sets the value of an option that is there, also in our block."""
    ours = next(line for line in OURS.splitlines() if line.startswith("device_spec"))
    entry = 'device_spec = {"devname": "ens9", "physical_network": "physnet9"}'
    assert entries(after(OURS.replace(ours, entry))) == [
        {"devname": "eth0", "physical_network": "physnet1"},
        {"devname": "ens9", "physical_network": "physnet9"},
    ]


def test_line_of_ours_that_was_made_wrong_by_hand_is_written_again() -> None:
    assert after(OURS.replace('"physnet1"', '"typo"')) == OURS
    assert after(OURS.replace('"physnet1"}', '"physnet1"')) == OURS


def test_lines_that_an_older_release_wrote_in_place_of_the_operators_stay() -> None:
    """It replaced what was right, and more than that; to put it back would restart nova for nothing."""
    was = '#sriov-fab-was: device_spec = {"devname": "eth0", "physical_network": "physnet1", "trusted": "true"}\n'
    block = OURS[OURS.index("# BEGIN") : OURS.index("alias")]
    replaced = block.split("\n")[0] + "\n" + was + END + " 00000000\n"
    text = f"[pci]\n{block}{replaced}"
    assert after(text) == text
