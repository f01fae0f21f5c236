# The smallest testbed that shows everything: one host that is controller and compute, and one compute host.
# Copy it to testbeds/testbed.py, put your hosts and interfaces in, and see what would happen with:
#
#     fab plan
from fabric.api import env

# How SSH reaches the hosts: user@address, user@address:port or user@[IPv6 address]:port.
# Any user other than root needs sudo.
host1 = 'root@10.0.0.1'
host2 = 'root@10.0.0.2'

# 'openstack' hosts run nova-scheduler, 'compute' hosts run nova-compute; other roles are not read.
env.roledefs = {
    'all': [host1, host2],
    'openstack': [host1],
    'compute': [host1, host2],
}

# interface   the port of the network card (its physical function)
# VF          how many virtual functions it gets; at most what sriov_totalvfs on the host says
# physnets    neutron's names of the physical networks behind that port
# `fab discover:root@10.0.0.1` prints such a stanza from the hardware.
env.sriov = {
    host1: [{'interface': 'eth0', 'VF': 7, 'physnets': ['physnet1']},
            {'interface': 'eth1', 'VF': 7, 'physnets': ['physnet2']}],
    host2: [{'interface': 'eth0', 'VF': 7, 'physnets': ['physnet3']}],
}
