"""neutron's lists edited, and read back by oslo.config with the options as neutron registers them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from neutron_files import AGENT, ML2, NEUTRON_CONF, reads

from sriov.errors import FormatError
from sriov.formats.neutron import DRIVER, AgentWanted, ServerWanted, diff, edit_agent, edit_server
from sriov.formats.oslo.options import ConfigFile

NETWORKS = ServerWanted((("physnet1", ("100:199",)), ("physnet2", ())))
DEVICES = AgentWanted((("physnet1", "eth0"), ("physnet2", "eth1")), (("eth0", ("0000:01:10.0", "0000:01:10.2")),))
NO_NETWORKS, NO_DEVICES = ServerWanted(()), AgentWanted(())


def server(text: bytes, wanted: ServerWanted = NETWORKS) -> bytes:
    return edit_server((ConfigFile(ML2, text, frozenset()),), ML2, wanted)[0].text


def agent(text: bytes, wanted: AgentWanted = DEVICES) -> bytes:
    return edit_agent((ConfigFile(AGENT, text, frozenset()),), AGENT, wanted)[0].text


@pytest.mark.parametrize(
    ("text", "drivers", "ranges"),
    [
        (b"", ["sriovnicswitch"], ["physnet1:100:199", "physnet2"]),
        (b"[ml2]\nmechanism_drivers = openvswitch, l2population\n", ["openvswitch", "l2population", DRIVER], None),
        (b"[ml2]\nmechanism_drivers = sriovnicswitch,openvswitch\n", [DRIVER, "openvswitch"], None),
        (
            b"[ml2]\nmechanism_drivers =\n    openvswitch,\n    linuxbridge\n",
            ["openvswitch", "linuxbridge", DRIVER],
            None,
        ),
        (
            b"[ml2_type_vlan]\nnetwork_vlan_ranges = other:1:9\n",
            [DRIVER],
            ["other:1:9", "physnet1:100:199", "physnet2"],
        ),
        (b"[ml2_type_vlan]\nnetwork_vlan_ranges=physnet1:1:4094,physnet2\n", [DRIVER], ["physnet1:1:4094", "physnet2"]),
        (
            b"[ml2_type_vlan]\nnetwork_vlan_ranges=physnet1:150:300,physnet2:1:2\n",
            [DRIVER],
            ["physnet1:150:300", "physnet2:1:2", "physnet1:100:199"],
        ),
        (b"[ml2_type_vlan]\nnetwork_vlan_ranges = physnet1\n", [DRIVER], ["physnet1", "physnet1:100:199", "physnet2"]),
    ],
)
def test_server_lists_get_what_they_lack(text: bytes, drivers: list[str], ranges: list[str] | None) -> None:
    read = reads(server(text))
    assert read["drivers"] == drivers
    assert read["ranges"] == (ranges or ["physnet1:100:199", "physnet2"])


@pytest.mark.parametrize(
    ("text", "mappings", "excluded"),
    [
        (b"", ["physnet1:eth0", "physnet2:eth1"], ["eth0:0000:01:10.0;0000:01:10.2"]),
        (
            b"[sriov_nic]\nphysical_device_mappings = physnet9:eth9,physnet2:eth0\nexclude_devices=eth9:0000:09:10.0\n",
            ["physnet9:eth9", "physnet1:eth0", "physnet2:eth1"],
            ["eth9:0000:09:10.0", "eth0:0000:01:10.0;0000:01:10.2"],
        ),
        (
            b"[sriov_nic]\nexclude_devices = eth1:0000:01:10.1, eth0:0000:01:10.4\n",
            ["physnet1:eth0", "physnet2:eth1"],
            ["eth1:0000:01:10.1", "eth0:0000:01:10.0;0000:01:10.2"],
        ),
    ],
)
def test_agent_lists_keep_other_devices(text: bytes, mappings: list[str], excluded: list[str]) -> None:
    read = reads(agent(text))
    assert read["mappings"] == mappings
    assert read["excluded"] == excluded


def test_two_networks_may_share_one_device() -> None:
    wanted = AgentWanted((("physnet1", "eth0"), ("physnet2", "eth0")))
    assert reads(agent(b"", wanted))["mappings"] == ["physnet1:eth0", "physnet2:eth0"]


def test_list_in_an_earlier_file_is_extended_where_it_stands() -> None:
    """The last file wins whole: a new line there would drop what the first one says."""
    files = (
        ConfigFile(NEUTRON_CONF, b"[ml2]\nmechanism_drivers = openvswitch\n", frozenset()),
        ConfigFile(ML2, b"[ml2]\n", frozenset()),
    )
    edited = edit_server(files, ML2, NETWORKS)
    assert reads(*(file.text for file in edited))["drivers"] == ["openvswitch", DRIVER]
    assert b"mechanism_drivers" not in edited[1].text


def test_last_assignment_is_the_one_extended() -> None:
    text = b"[ml2]\nmechanism_drivers = linuxbridge\n[agent]\n[ml2]\nmechanism_drivers = openvswitch\n"
    assert reads(server(text))["drivers"] == ["openvswitch", DRIVER]


def test_list_that_has_all_is_not_touched() -> None:
    drivers = b"[ml2]\nmechanism_drivers = openvswitch,sriovnicswitch\n"
    text = drivers + b"[ml2_type_vlan]\nnetwork_vlan_ranges = physnet1:1:200,physnet2\n"
    assert server(text) == text


def test_driver_added_by_hand_into_our_block_stays_when_the_block_goes() -> None:
    ours = server(b"[ml2]\nmechanism_drivers = openvswitch\n")
    by_hand = ours.replace(b"= openvswitch,sriovnicswitch", b"= openvswitch,sriovnicswitch,ovn")
    assert reads(server(by_hand, NO_NETWORKS))["drivers"] == ["openvswitch", "ovn"]


def test_broken_file_is_refused_with_its_line() -> None:
    with pytest.raises(FormatError, match=r"ml2_conf.ini:1: an option before any section"):
        server(b"mechanism_drivers = openvswitch\n")


def test_diff_shows_no_line_of_others() -> None:
    before = ConfigFile(ML2, b"[ml2]\nconnection = secret\nmechanism_drivers = openvswitch\n", frozenset())
    after = edit_server((before,), ML2, NETWORKS)[0]
    shown = "\n".join(diff(before, after))
    assert "+mechanism_drivers = openvswitch,sriovnicswitch" in shown
    assert "secret" not in shown


LINES = st.sampled_from(
    [
        b"[ml2]",
        b"[ml2_type_vlan]",
        b"[sriov_nic]",
        b"[DEFAULT]",
        b"# comment",
        b"",
        b"mechanism_drivers = openvswitch",
        b"mechanism_drivers : a,sriovnicswitch",
        b"network_vlan_ranges = physnet1:1:10,x",
        b"physical_device_mappings = physnet3:eth0",
        b"exclude_devices=eth0:0000:01:10.6",
        b"  more",
    ]
)


@given(lines=st.lists(LINES, max_size=12), end=st.sampled_from([b"\n", b"\r\n"]), ended=st.booleans())
def test_any_file_is_edited_once_and_restored_byte_for_byte(lines: list[bytes], end: bytes, ended: bool) -> None:
    text = end.join((b"[DEFAULT]", *lines)) + (end if ended else b"")
    try:
        once = agent(server(text))
    except FormatError:
        return
    read = reads(once)
    assert DRIVER in read["drivers"]
    assert {"physnet1:eth0", "physnet2:eth1"} <= set(read["mappings"])
    assert "eth0:0000:01:10.0;0000:01:10.2" in read["excluded"]
    assert agent(server(once)) == once
    assert server(agent(once, NO_DEVICES), NO_NETWORKS) == text


OURS = server(b"[ml2]\nmechanism_drivers = openvswitch\n[ml2_type_vlan]\n")
SECRET = b"connection = secret\n"


@pytest.mark.parametrize(
    "changed",
    [
        OURS.replace(b"# END sriov-fab mech", SECRET + b"# END sriov-fab mech"),
        OURS.replace(b"network_vlan", SECRET + b"network_vlan"),
        OURS.replace(b"\n", b"\r\n"),
        b"".join(line for line in OURS.splitlines(keepends=True) if not line.startswith(b"#")),
        b"".join(line[:-9] + b"\n" if line.startswith(b"# END") else line for line in OURS.splitlines(keepends=True)),
        OURS.replace(b"[ml2_type_vlan]\n", b"[ml2_type_vlan]\nx = 1\n"),
    ],
    ids=("behind", "before", "crlf", "no comments", "no checksum", "moved"),
)
def test_file_that_another_program_has_written_stays_while_all_is_as_wanted(changed: bytes) -> None:
    assert changed != OURS
    assert server(changed) == changed


def test_lines_of_others_move_behind_a_block_that_changes_and_are_not_shown() -> None:
    before = ConfigFile(ML2, OURS.replace(b"# END sriov-fab vlan", SECRET + b"# END sriov-fab vlan"), frozenset())
    edited = edit_server((before,), ML2, ServerWanted((("physnet3", ("1:9",)),)))[0]
    assert b"\n# END sriov-fab vlan-ranges" in edited.text.split(SECRET)[0]
    assert "secret" not in "\n".join(diff(before, edited))
    assert server(edited.text, NO_NETWORKS) == (b"[ml2]\nmechanism_drivers = openvswitch\n[ml2_type_vlan]\n" + SECRET)
