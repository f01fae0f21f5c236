"""References (`$name`) in whitelist entries, followed as oslo.config follows them."""

from __future__ import annotations

import json

import pytest
from nova_files import COMPUTE, RELEASES, nova_reads

from sriov.formats.nova import releases as nova
from sriov.formats.nova.edit import NovaWanted, edit, effective
from sriov.formats.nova.whitelist import DeviceSpec
from sriov.formats.oslo.options import ConfigFile

ETH0 = DeviceSpec("physnet1", "eth0", covers=("0000:01:00.0", "0000:01:10.0"), ids=("8086:10c9", "8086:10ca"))
WANTED = NovaWanted((ETH0,))
OURS = {"devname": "eth0", "physical_network": "physnet1"}


def conf(release: int, value: str, host: str = "") -> tuple[ConfigFile]:
    name = nova.whitelist_names(release)[-1]
    text = f"[DEFAULT]\n{f'host = {host}' if host else 'x = 1'}\n[{name.section}]\n{name.key} = {value}\n"
    return (ConfigFile("/etc/nova/nova.conf", text.encode(), frozenset((COMPUTE,))),)


def read(files: tuple[ConfigFile, ...], release: int) -> list[object]:
    return [json.loads(value) for value in nova_reads(files, release, COMPUTE)[0]]


@pytest.mark.parametrize("release", RELEASES)
@pytest.mark.parametrize(
    "value",
    ['{"devname": "$host"}', '{"devname": "${host}", "physical_network": "x"}', '{"address": "$host"}', "$host"],
)
def test_entry_that_means_our_device_by_a_reference_is_replaced(value: str, release: int) -> None:
    host = {'{"address": "$host"}': "0000:01:00.0", "$host": '{"devname": "eth0"}'}.get(value, "eth0")
    before = conf(release, value, host)
    after = edit(before, release, WANTED)
    assert after.problems == ()
    assert read(after.files, release) == [OURS]
    assert edit(after.files, release, WANTED) == after
    assert edit(after.files, release, NovaWanted(())).files == before


@pytest.mark.parametrize("release", RELEASES)
def test_elements_of_others_keep_their_references(release: int) -> None:
    before = conf(release, '[{"devname": "$host"}, {"devname": "ens9", "x": "${host}$$1"}]', "eth0")
    after = edit(before, release, WANTED)
    assert after.problems == ()
    assert OURS in read(after.files, release)
    assert {"devname": "ens9", "x": "eth0$1"} in read(after.files, release)
    assert b'_whitelist = {"devname": "ens9", "x": "${host}$$1"}\n' in after.files[0].text


def test_entry_of_another_device_stays_byte_for_byte() -> None:
    before = conf(31, '{"devname": "$host", "physical_network": "$$x"}', "ens9")
    after = edit(before, 31, WANTED)
    assert after.problems == ()
    assert b'{"devname": "$host", "physical_network": "$$x"}\n' in after.files[0].text
    assert effective(after.files, 31, COMPUTE).whitelist == tuple(nova_reads(after.files, 31, COMPUTE)[0])


def test_default_that_differs_by_host_is_no_obstacle() -> None:
    """nova knows its host name without a file's help."""
    after = edit(conf(31, '{"devname": "ens9", "physical_network": "$host"}'), 31, WANTED)
    assert after.problems == ()


@pytest.mark.parametrize(
    "value", ['{"devname": "ens9", "physical_network": "phys$net"}', '{"devname": "${pci.x}"}', '{"devname": "$host."}']
)
def test_reference_that_ends_nova_compute_is_named(value: str) -> None:
    files = conf(31, value, "eth0")
    after = edit(files, 31, WANTED)
    assert after.files == files
    [problem] = after.problems
    assert problem.startswith("/etc/nova/nova.conf:4: [DEFAULT] pci_passthrough_whitelist: a reference $")
    assert "nova-compute does not start with it" in problem
