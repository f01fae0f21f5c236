"""What the tasks of the cloud can be told beside FLAGS. Their values are judged in sriov.cloud.wanted."""

from __future__ import annotations

from .fab1 import Parameter, truth


def _text(text: str) -> str:
    if not text.strip():
        raise ValueError("it is empty")
    return text


NAME = Parameter("name", _text, "its name: what has it is found, not made again")
NETWORK = Parameter("network", _text, "the network's name")
PORT = Parameter("port", _text, "a port's name, or a network's: then a port is made in it")
IMAGE = Parameter("image", _text, "the image's name")
FLAVOR = Parameter("flavor", _text, "the flavor's name")
VLAN = Parameter("vlan", _text, "VLAN of the network, 1 to 4094")
CIDR = Parameter("cidr", _text, "its subnet, such as 10.1.0.0/24")
IP = Parameter("ip", _text, "fixed IP address; else neutron chooses")
MAC = Parameter("mac", _text, "MAC address; else neutron chooses")
TRUSTED = Parameter("trusted", truth, "the guest may change the VF's MAC address and see all multicast", is_switch=True)
JUNIT = Parameter("junit", _text, "also write the checks to this file, as JUnit XML")
