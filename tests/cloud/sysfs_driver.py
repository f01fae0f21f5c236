"""nova-compute's virt driver of the test cloud: nova's own fake one, whose PCI devices are those of /sys.

Copied into nova/virt/, for nova searches no other package. What libvirt would report of each device
(nova.virt.libvirt.host, _get_pcidev_info) is read from the host's sysfs instead.
"""

import json
import os

from nova.virt import fake

SYS = "/sys/bus/pci/devices"


def _text(address, name):
    try:
        with open(f"{SYS}/{address}/{name}") as file:
            return file.read().strip()
    except OSError:
        return ""


def _device(address):
    device = {
        "address": address,
        "vendor_id": _text(address, "vendor").removeprefix("0x"),
        "product_id": _text(address, "device").removeprefix("0x"),
        "status": "available",
        "numa_node": None,
        "parent_addr": None,
        "dev_type": "type-PCI",
    }
    device["label"] = "label_{vendor_id}_{product_id}".format(**device)
    if os.path.islink(f"{SYS}/{address}/physfn"):
        parent = os.path.basename(os.readlink(f"{SYS}/{address}/physfn"))
        device.update(dev_type="type-VF", parent_addr=parent)
        names = os.listdir(f"{SYS}/{parent}/net")
        device["parent_ifname"] = names[0] if names else None
    elif _text(address, "sriov_totalvfs"):
        device["dev_type"] = "type-PF"
    return device


class Driver(fake.FakeDriverWithoutFakeNodes):
    """FakeDriver itself refuses a second start on the same database; this one keeps its node's id in state_path."""

    vcpus = 64
    memory_mb = 262144
    local_gb = 4096

    def get_available_resource(self, nodename):
        status = super().get_available_resource(nodename)
        status["pci_passthrough_devices"] = json.dumps([_device(a) for a in sorted(os.listdir(SYS))])
        return status
