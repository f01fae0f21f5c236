"""neutron's files as its packages write them."""

from __future__ import annotations

from collections.abc import Iterator

from ..spec import HostSpec
from .entry import NOVA_GID, Entry

NEUTRON_CONF = b"""[DEFAULT]
#core_plugin = <None>
core_plugin = ml2
transport_url = rabbit://openstack:s3cr3t-rabbit-passw0rd@controller:5672/

[database]
connection = mysql+pymysql://neutron:s3cr3t-neutron-passw0rd@controller/neutron
"""
ML2_CONF_INI = b"""[DEFAULT]

[ml2]
# List of network type driver entrypoints. (list value)
#type_drivers = local,flat,vlan,gre,vxlan,geneve
type_drivers = flat,vlan
# An ordered list of networking mechanism driver entrypoints. (list value)
#mechanism_drivers =
mechanism_drivers = openvswitch

[ml2_type_vlan]
# List of <physical_network>:<vlan_min>:<vlan_max> or <physical_network>. (list value)
#network_vlan_ranges =
"""
SRIOV_AGENT_INI = b"""[DEFAULT]

[agent]

[sriov_nic]
# Comma-separated list of <physical_network>:<network_device> tuples. (list value)
#physical_device_mappings =
# Comma-separated list of <network_device>:<vfs_to_exclude> tuples. (list value)
#exclude_devices =
"""


def neutron_files(spec: HostSpec) -> Iterator[Entry]:
    """Parents before children; those of the services that the roles of the host need."""
    if spec.roles:
        for folder in ("/etc/neutron", "/etc/neutron/plugins", "/etc/neutron/plugins/ml2"):
            yield Entry(folder, mode=0o755, folder=True)
        yield Entry("/etc/neutron/neutron.conf", NEUTRON_CONF, 0o640, NOVA_GID)
    if "compute" in spec.roles:
        yield Entry("/etc/neutron/plugins/ml2/sriov_agent.ini", SRIOV_AGENT_INI, 0o640, NOVA_GID)
    if "openstack" in spec.roles:
        yield Entry("/etc/neutron/plugins/ml2/ml2_conf.ini", ML2_CONF_INI, 0o640, NOVA_GID)
