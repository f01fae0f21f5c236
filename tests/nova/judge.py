"""nova's own code as judge: reads cases on standard input, a JSON document a line, and prints a verdict for each.

It runs in the environment that `install.sh` makes, in a mount namespace of its own whose /sys is an empty tmpfs:
nova looks the names of interfaces up in /sys/class/net and asks /sys/bus/pci/devices for SR-IOV capabilities.

    {"devices": [{"address": "0000:01:00.0", "vendor": "8086", "product": "10c9", "kind": "type-PF", "parent": ""}],
     "names": {"eth0": "0000:01:00.0"}, "whitelist": ["{...}"], "allocated": ["0000:01:10.0"],
     "requests": [["physnet1", 2]]}
    {"error": "", "takers": [0], "passes": [false]}
"""

import json
import sys
from types import SimpleNamespace

from nova import objects
from nova.network import model
from nova.objects import fields
from nova.pci import request as pci_request
from nova.pci import stats, whitelist
from nova.scheduler.filters.pci_passthrough_filter import PciPassthroughFilter
from sysfs_tree import lay_sysfs


def pci_devices(case):
    made = {}
    for device in case["devices"]:
        made[device["address"]] = objects.PciDevice.create(
            None,  # no database
            {
                "compute_node_id": 1,
                "address": device["address"],
                "vendor_id": device["vendor"],
                "product_id": device["product"],
                "dev_type": device["kind"],
                "parent_addr": device["parent"] or None,
                "numa_node": 0,
                "label": f"label_{device['vendor']}_{device['product']}",
            },
        )
    for device in made.values():
        parent = made.get(device.parent_addr)
        device.parent_device = parent
        device.child_devices = []
    for device in made.values():
        if device.parent_device:
            device.parent_device.child_devices.append(device)
    return made


def asked(physnet, count):
    """The request of a port of vnic_type direct, as nova/network/neutron.py makes it; `count` of them."""
    vnic_type = model.VNIC_TYPE_DIRECT
    spec = {
        pci_request.PCI_NET_TAG: physnet,
        pci_request.PCI_REMOTE_MANAGED_TAG: str(vnic_type == model.VNIC_TYPE_REMOTE_MANAGED),
    }
    dev_type = pci_request.DEVICE_TYPE_FOR_VNIC_TYPE.get(vnic_type)
    if dev_type:
        spec[pci_request.PCI_DEVICE_TYPE_TAG] = dev_type
    ports = [
        objects.InstancePCIRequest(
            count=1,
            spec=[dict(spec)],
            request_id=f"port-{number}",
            requester_id=f"port-{number}",
            numa_policy=fields.PCINUMAAffinityPolicy.LEGACY,
        )
        for number in range(count)
    ]
    return SimpleNamespace(pci_requests=objects.InstancePCIRequests(requests=ports))


def judge(case):
    lay_sysfs(case)
    try:
        judged = whitelist.Whitelist(case["whitelist"])
    except Exception as error:
        return {"error": type(error).__name__, "takers": [], "passes": []}
    devices = pci_devices(case)
    pools = stats.PciDeviceStats(objects.NUMATopology(cells=[]), dev_filter=judged)
    takers = []
    for device in devices.values():
        taken = judged.get_devspec(device)
        takers.append(None if taken is None else next(n for n, spec in enumerate(judged.specs) if spec is taken))
        if taken is not None:
            pools.add_device(device)
    for address in case["allocated"]:
        if devices[address] in pools.get_free_devs():
            pools.remove_device(devices[address])
            parent = devices[address].parent_device
            if parent in pools.get_free_devs():
                pools.remove_device(parent)
    passes = []
    for physnet, count in case["requests"]:
        host = SimpleNamespace(pci_stats=pools if pools.pools else None, allocation_candidates=[{"mappings": None}])
        passes.append(bool(PciPassthroughFilter().host_passes(host, asked(physnet, count))))
    return {"error": "", "takers": takers, "passes": passes}


objects.register_all()
for line in sys.stdin:
    print(json.dumps(judge(json.loads(line))))
