# A testbed with every key that is read. Only env.roledefs is needed; take what you want from the rest.
import os

from fabric.api import env

controller = 'ubuntu@192.0.2.10'
compute1 = 'ubuntu@192.0.2.21'
compute2 = 'ubuntu@192.0.2.22:2222'
compute3 = 'root@[2001:db8::23]'

# The hosts by role: 'openstack' runs nova-scheduler, 'compute' runs nova-compute; other roles are not read.
env.roledefs = {
    'all': [controller, compute1, compute2, compute3],
    'openstack': [controller],
    'compute': [compute1, compute2, compute3],
}

# Display names, in the order of roledefs['all']; also the names that nova and neutron have for the hosts.
env.hostnames = {'all': ['controller', 'compute1', 'compute2', 'compute3']}

# Logins. Leave out the next five keys to use the SSH agent and ~/.ssh/config. Keep passwords out of the file.

# User for host strings without one.
env.user = 'ubuntu'
# Port for host strings without one.
env.port = 22
# Private key, or a list of keys.
env.key_filename = '~/.ssh/id_ed25519'
# Password for SSH and sudo, for all hosts.
env.password = os.getenv('SRIOV_PASSWORD')
# Password of single hosts.
env.passwords = {compute3: os.getenv('SRIOV_PASSWORD_COMPUTE3')}

# True records the key of a host that ~/.ssh/known_hosts lacks; a changed key is refused in any case.
env.accept_new_host_keys = False

# A release name, '2024.1' or nova's major number, if the packages do not show it; for all hosts or by host.
env.openstack_release = {compute3: 'wallaby'}

# The exact list for nova-scheduler; without this key PciPassthroughFilter is added to what each host has.
# A filter of your own by the path of its class: 'site_filters.HalfFull'.
env.scheduler_filters = [
    'ComputeFilter', 'ComputeCapabilitiesFilter', 'ImagePropertiesFilter',
    'ServerGroupAntiAffinityFilter', 'ServerGroupAffinityFilter', 'PciPassthroughFilter',
]

# 'ml2' sets up the files of neutron-server and of the SR-IOV agent too; the default is 'contrail'.
env.network_backend = 'ml2'
# VLANs of the physical networks under 'ml2'.
env.vlan_ranges = {'physnet1': '100:199', 'physnet3': ['10:19', '30:39']}

# Under 'contrail': the URL of its api-server, such as 'http://192.0.2.10:8082'; `fab capacity` then compares it too.
env.contrail_api = None
# True lets setup_all write the interface of each physical network into Contrail's virtual-router objects.
env.contrail_register = False

# Further kernel arguments, by the role compute or by host; a host's own replace the role's of the same name.
env.kernel_arguments = {'compute': ['hugepagesz=1G', 'hugepages=64'], compute1: ['isolcpus=2-15']}

# With --engine: the resource that a Dask worker must offer to get the host.
env.worker_resources = {compute3: 'rack2'}

# The cloud's administrator, for tasks that call its API; OS_CLOUD and OS_AUTH_URL win over both keys.
env.keystone = {
    'keystone_ip': '192.0.2.10',  # default: the first openstack host
    'auth_protocol': 'http',  # this is the default
    'auth_port': '5000',  # this is the default
    'admin_user': 'admin',  # this is the default
    'admin_password': os.getenv('SRIOV_ADMIN_PASSWORD', ''),  # default: env.openstack_admin_password
    'admin_tenant': 'admin',  # project; this is the default
    'region_name': 'RegionOne',  # default: the cloud's only region
    'insecure': 'False',  # 'True' accepts any TLS certificate
}
# The administrator's password, if env.keystone has none.
env.openstack_admin_password = os.getenv('SRIOV_ADMIN_PASSWORD')

env.sriov = {
    # 'interface' names the port, 'VF' its number of VFs, 'physnets' the physical networks: here 30 VFs each.
    compute1: [{'interface': 'ens1f0', 'VF': 60, 'physnets': ['physnet1', 'physnet2']},
               {'interface': 'ens1f1', 'VF': 31, 'physnets': ['physnet3']}],
    compute2: [
        # 'pci' names the port by PCI address; 'exclude_vfs' keeps VF 0 for the host itself, such as for a vRouter.
        {'pci': '0000:3b:00.0', 'VF': 16, 'physnets': ['physnet1'], 'exclude_vfs': [0]},
        # 'mac' names the port by MAC address; 'trusted' is nova's tag of that name.
        {'mac': '52:54:00:ab:cd:ef', 'VF': 16, 'physnets': ['physnet3'], 'trusted': True},
    ],
    compute3: [{'interface': 'enp94s0f0np0', 'VF': 8, 'physnets': ['physnet1']},
               # 'VF': 0 means that this port has no virtual functions.
               {'interface': 'enp94s0f1np1', 'VF': 0, 'physnets': []}],
}
