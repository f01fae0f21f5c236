"""What host and guest say of a VM's VF, judged. Pure: texts in, checks out.

The host's text comes from `templates/smoke.sh.j2`, the guest's from GUEST_SCRIPT by way of its console.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from sriov.cloud.checks import Check, check, not_made
from sriov.errors import printable
from sriov.rendering.templates import render

IN_DOMAIN = "libvirt's domain holds the VF with its VLAN"
ON_LINK = "the port of the card shows the VF's MAC address and VLAN"
IN_GUEST = "the guest sees the virtual function"
END_MARK = "sriov-smoke end"
# like lspci -n, which not every image has; user data that begins like this is run by cloud-init, late in the boot
GUEST_SCRIPT = f"""#!/bin/sh
exec >/dev/console
for d in /sys/bus/pci/devices/*; do
    echo "sriov-smoke pci $(cat "$d/vendor") $(cat "$d/device")"
done
for d in /sys/class/net/*; do
    echo "sriov-smoke net $(cat "$d/address")"
done
echo {END_MARK}
"""


@dataclass(frozen=True, slots=True)
class Expected:
    """The VF that nova says it gave to the VM: `0000:81:10.0`, `8086:10ca`.

    `instance` is nova's name in libvirt; `vlan` 0 is untagged.
    """

    server_id: str
    instance: str
    pci_slot: str
    pci_ids: str
    mac: str
    vlan: int


def question(expected: Expected) -> str:
    """The script to run on the host."""
    return render("smoke.sh", pci_slot=expected.pci_slot, server_id=expected.server_id, instance=expected.instance)


def of_host(output: str, expected: Expected) -> tuple[Check, ...]:
    """Judge the answer of a host to `question`: the domain and the link."""
    head, _, domain = printable(output).partition("\n@domain\n")
    if "\n@end" not in domain:
        why = "the host's answer broke off"
        return not_made(IN_DOMAIN, why), not_made(ON_LINK, why)
    return _domain(domain.partition("\n@end")[0], expected), _link(head, expected)


def _domain(xml: str, expected: Expected) -> Check:
    if "<domain" not in xml:
        return not_made(IN_DOMAIN, f"libvirt does not show the domain: {' '.join(xml.split())[:200] or 'no answer'}")
    for device in re.findall(r"<(?:interface|hostdev)\b.*?</(?:interface|hostdev)>", xml, re.DOTALL):
        source = re.search(r"<source>.*?<address\b([^>]*)/>", device, re.DOTALL)
        if source is None or _address(source[1]) != expected.pci_slot:
            continue
        tags = re.findall(r"<tag id=['\"]([0-9]+)['\"]", device)
        words = f"{expected.pci_slot}, VLAN {' '.join(tags) or 'none'}"
        is_right = (tags or ["0"]) == [str(expected.vlan)]
        return check("vf-vlan-differs", IN_DOMAIN, is_right, f"{words}, wanted VLAN {expected.vlan}")
    return check("guest-without-vf", IN_DOMAIN, False, f"no device of the domain is {expected.pci_slot}")


def _address(attributes: str) -> str:
    """`domain='0x0000' bus='0x81' slot='0x10' function='0x0'` -> `0000:81:10.0`."""
    found = dict(re.findall(r"(\w+)=['\"]0x([0-9a-f]+)['\"]", attributes))
    if not {"domain", "bus", "slot", "function"} <= found.keys():
        return ""
    return "{domain}:{bus}:{slot}.{function}".format(**found)


def _link(head: str, expected: Expected) -> Check:
    r"""Samples of iproute2 5.x and 4.x:

    `    vf 3     link/ether fa:16:3e:01:02:03 brd ff:ff:ff:ff:ff:ff, vlan 100, spoof checking on, trust off`
    `    vf 3 MAC fa:16:3e:01:02:03, vlan 100, spoof checking on, link-state auto`
    """
    found = re.search(r"^@vf (\S+) ([0-9]+)$", head, re.MULTILINE)
    if found is None:
        return check("port-without-vf", ON_LINK, False, f"the host has no virtual function {expected.pci_slot}")
    line = re.search(rf"^\s*vf {found[2]}\s+(.*)$", head, re.MULTILINE)
    if line is None:
        return not_made(ON_LINK, f"`ip link show {found[1]}` names no VFs")
    mac = re.search(r"(?:link/ether|MAC) ([0-9a-f:]{17})", line[1])
    vlan = re.search(r"\bvlan ([0-9]+)", line[1])
    words = f"{found[1]} vf {found[2]}: {mac[1] if mac else 'no MAC address'}, VLAN {vlan[1] if vlan else 'none'}"
    is_right = mac is not None and mac[1] == expected.mac and int(vlan[1] if vlan else 0) == expected.vlan
    words = f"{words}; wanted {expected.mac}, VLAN {expected.vlan}"
    return check("vf-vlan-differs", ON_LINK, is_right, words)


def of_guest(console: str, expected: Expected) -> Check:
    """Judge the console of the guest; without the script's last line there is nothing to judge."""
    if END_MARK not in console:
        return not_made(IN_GUEST, "its console shows nothing of the script that cloud-init would run")
    wanted = "0x{} 0x{}".format(*expected.pci_ids.split(":", 1)) if ":" in expected.pci_ids else "?"
    devices, macs = (re.findall(rf"sriov-smoke {kind} (.*?)\s*$", console, re.MULTILINE) for kind in ("pci", "net"))
    has_device, has_mac = wanted in devices, expected.mac in macs
    words = f"a PCI device {expected.pci_ids}: {'yes' if has_device else 'no'}; an interface {expected.mac}: "
    words += "yes" if has_mac else "no"
    return check("guest-without-vf", IN_GUEST, has_device and has_mac, words)
