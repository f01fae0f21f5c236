"""A fleet of simulated hosts: real SSH on loopback, real commands in a file tree of their own, kernel-true sysfs.

    with Fleet([HostSpec("compute1")]) as fleet:
        host = fleet["compute1"]
        host.run("echo 7 >/sys/class/net/eth0/device/sriov_numvfs")
        assert host.numvfs("eth0") == 7

`python -m sriov.simulation up --hosts openstack1,compute1 --directory DIR` runs one to rehearse on.
It needs Linux, root or user namespaces, /dev/fuse and asyncssh (`pip install '.[simulation]'` in a checkout).

Where a simulated host is less than a real one: `uname` and the network namespace are the machine's, packaged
services have no process, and without root every user of a host is user 0 under another name, so that sudo is
asked for but file permissions stop no one.

From the bottom up: `spec` and `tree`; `disk` and `sysfs`; `machine`; `systemd`; `host`; `server`, the process that
runs the hosts. `fleet` is the owner's side: of what runs it knows only how to ask. Imports go downward.
"""

from .fleet.fleet import Fleet
from .fleet.simulated_host import SimulatedHost
from .spec import Faults, HostSpec, Nic, User

__all__ = ["Faults", "Fleet", "HostSpec", "Nic", "SimulatedHost", "User"]
