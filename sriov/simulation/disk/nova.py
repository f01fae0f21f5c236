"""A packaged nova.conf: comments above all, and the options that every installation sets."""

from __future__ import annotations

from ..spec import HostSpec
from .packages import nova_version

FIRST_RELEASE = 14
RELEASE_NAMES = (
    *("newton", "ocata", "pike", "queens", "rocky", "stein", "train", "ussuri", "victoria", "wallaby", "xena", "yoga"),
    *("zed", "2023.1", "2023.2", "2024.1", "2024.2", "2025.1", "2025.2", "2026.1", "2026.2"),
)
NOVA_CONF = """[DEFAULT]

#
# From nova.conf
#
# nova @version@ (@name@)

# The IP address which is used to connect to the management network. (string value)
#my_ip = <host_ipv4>
my_ip = 10.0.0.11

# The network address and optional user credentials for connecting to the messaging backend. (string value)
#transport_url = rabbit://
transport_url = rabbit://openstack:s3cr3t-rabbit-passw0rd@controller:5672/

# The directory in which nova's state is kept. (string value)
#state_path = $pybasedir
state_path = /var/lib/nova

#debug = false

[api]
#auth_strategy = keystone
auth_strategy = keystone

[filter_scheduler]
#
# Filters that the scheduler will use. (list value)
#

[keystone_authtoken]
auth_url = http://controller:5000/
username = nova
password = s3cr3t-keystone-passw0rd

[libvirt]
#virt_type = kvm
virt_type = kvm

[pci]
#
# Configuration options for PCI passthrough
#

[placement]
region_name = RegionOne
auth_type = password
password = s3cr3t-placement-passw0rd

[vnc]
enabled = true
server_listen = 0.0.0.0
"""


def nova_conf(spec: HostSpec) -> bytes:
    """Its text for the release of the host, without any option of PCI passthrough."""
    names = dict(enumerate(RELEASE_NAMES, FIRST_RELEASE))
    name = names.get(spec.release, str(spec.release))
    return NOVA_CONF.replace("@version@", nova_version(spec)).replace("@name@", name).encode()
