# A testbed with every key that is read. Only env.roledefs is needed; take what you want from the rest.
import os

from fabric.api import env

controller = 'ubuntu@192.0.2.10'
compute1 = 'ubuntu@192.0.2.21'
compute2 = 'ubuntu@192.0.2.22:2222'
compute3 = 'root@[2001:db8::23]'

env.roledefs = {
    'all': [controller, compute1, compute2, compute3],
    'openstack': [controller],
    'compute': [compute1, compute2, compute3],
}

# Names for reports, in the order of roledefs['all'].
env.hostnames = {'all': ['controller', 'compute1', 'compute2', 'compute3']}

# Logins. Leave all of it out to use the SSH agent and ~/.ssh/config. Passwords (for SSH and for sudo) are better
# kept out of the file:
env.password = os.getenv('SRIOV_PASSWORD')
env.passwords = {compute3: os.getenv('SRIOV_PASSWORD_COMPUTE3')}
env.key_filename = '~/.ssh/id_ed25519'

# True records the key of a host that ~/.ssh/known_hosts does not hold yet; a changed key is refused all the same.
env.accept_new_host_keys = False

# The OpenStack release, for hosts where it cannot be told from what is installed: a name, '2024.1' and the like,
# or nova's major number; for all hosts or by host.
env.openstack_release = {compute3: 'wallaby'}

# The exact list for nova-scheduler. Without this key PciPassthroughFilter is added to what each host has.
env.scheduler_filters = [
    'ComputeFilter', 'ComputeCapabilitiesFilter', 'ImagePropertiesFilter',
    'ServerGroupAntiAffinityFilter', 'ServerGroupAffinityFilter', 'PciPassthroughFilter',
]

env.sriov = {
    # Two physical networks behind one port share its VFs: 30 each.
    compute1: [{'interface': 'ens1f0', 'VF': 60, 'physnets': ['physnet1', 'physnet2']},
               {'interface': 'ens1f1', 'VF': 31, 'physnets': ['physnet3']}],
    # A port can be named by its PCI address or its MAC address where interface names are not stable.
    # VF 0 belongs to the host itself (for a vRouter, say): no guest gets it.
    compute2: [{'pci': '0000:3b:00.0', 'VF': 16, 'physnets': ['physnet1'], 'exclude_vfs': [0]},
               {'mac': '52:54:00:ab:cd:ef', 'VF': 16, 'physnets': ['physnet3'], 'trusted': True}],
    # VF 0: this port is to have no virtual functions.
    compute3: [{'interface': 'enp94s0f0np0', 'VF': 8, 'physnets': ['physnet1']},
               {'interface': 'enp94s0f1np1', 'VF': 0, 'physnets': []}],
}
