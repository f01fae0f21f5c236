"""The part of sysfs that nova reads of devices, laid into an empty /sys of the judges' own."""

import os
import shutil

NET, PCI = "/sys/class/net", "/sys/bus/pci/devices"


def lay_sysfs(case):
    """What nova reads of sysfs: a folder for each device, a link for each interface."""
    shutil.rmtree("/sys/class", ignore_errors=True)
    shutil.rmtree("/sys/bus", ignore_errors=True)
    for device in case["devices"]:
        folder = f"{PCI}/{device['address']}"
        os.makedirs(folder)
        if device["kind"] == "type-PF":
            with open(f"{folder}/sriov_totalvfs", "w", encoding="ascii") as file:
                file.write("7\n")
    for name, address in case["names"].items():
        os.makedirs(f"{NET}/{name}")
        # the kernel's link ends in the address; nova strips dots and slashes from its start
        os.symlink(f"../../../{address}", f"{NET}/{name}/device")
        if not os.path.lexists(f"/sys/{address}"):
            os.symlink(f"{PCI}/{address}", f"/sys/{address}")
