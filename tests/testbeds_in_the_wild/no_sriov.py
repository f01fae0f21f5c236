from fabric.api import env
import os

host1 = 'root@172.16.0.1'
host2 = 'root@172.16.0.2'
host3 = 'root@172.16.0.3'

env.roledefs = {
    'all': [host1, host2, host3],
    'openstack': [host1],
    'compute': [host2, host3],
    'build': [host1],
}
env.hostnames = {'all': ['h1', 'h2', 'h3']}
env.ostypes = {host1: 'centos', host2: 'centos', host3: 'centos'}
env.passwords = {host1: 'p1', host2: 'p2', host3: 'p3'}
env.password = None
env.key_filename = None
#env.sriov = {
#     host2 :[ {'interface' : 'eth0', 'VF' : 7, 'physnets' : ['physnet1', 'physnet2']}]
#}
backup_node = host1
storage_node_config = {host2: {'disks': ['/dev/sdc', '/dev/sdd']}}
