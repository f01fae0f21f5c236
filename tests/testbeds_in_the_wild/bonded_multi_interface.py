from fabric.api import env

host1 = 'root@10.204.217.7'
host2 = 'root@10.204.217.8'
host3 = 'root@10.204.217.9'
host4 = 'root@10.204.217.10'

ext_routers = [('mx1', '10.204.216.253')]
router_asn = 64510
public_vn_rtgt = 10000
host_build = 'stack@10.204.216.49'

env.roledefs = {
    'all': [host1, host2, host3, host4],
    'cfgm': [host1, host2],
    'webui': [host1],
    'openstack': [host1],
    'control': [host1, host2],
    'collector': [host1],
    'database': [host1],
    'compute': [host3, host4],
    'build': [host_build]
}

# one name is missing; nobody ever noticed
env.hostnames = {
    'all': ['nodea11', 'nodea12', 'nodea13']
}
env.passwords = {
    host1: 'c0ntrail123', host2: 'c0ntrail123',
    host3: 'c0ntrail123', host4: 'c0ntrail456',
    host_build: 'stack@123'
}
env.ostypes = {
    host1: 'ubuntu', host2: 'ubuntu', host3: 'ubuntu', host4: 'redhat',
}

bond = {
    host3: {'name': 'bond0', 'member': ['p2p0p0', 'p2p0p1', 'p2p0p2'], 'mode': 'balance-xor'},
    host4: {'name': 'bond0', 'member': ['p2p0p0', 'p2p0p1'], 'mode': '802.3ad'},
}

control_data = {
    host1: {'ip': '192.168.10.1/24', 'gw': '192.168.10.254', 'device': 'eth0', 'vlan': '224'},
    host2: {'ip': '192.168.10.2/24', 'gw': '192.168.10.254', 'device': 'em1', 'vlan': '224'},
    host3: {'ip': '192.168.10.3/24', 'gw': '192.168.10.254', 'device': 'bond0'},
    host4: {'ip': '192.168.10.4/24', 'gw': '192.168.10.254', 'device': 'bond0'},
}

env.sriov = {
    host3: [{'interface': 'p6p1', 'VF': 7, 'physnets': ['physnet1']},
            {'interface': 'p6p2', 'VF': 7, 'physnets': ['physnet2']}],
    host4: [{'interface' : 'p6p1', 'VF' : 31, 'physnets' : ['physnet1', 'physnet2']}],
}

env.ha = {
    'internal_vip': '192.168.10.200',
    'external_vip': '10.204.217.200',
}
env.interface_rename = False
env.ntp_server = 'ntp.example.net'
env.keystone = {'admin_password': 'c0ntrail123', 'service_tenant': 'service'}
minimum_diskGB = 32
