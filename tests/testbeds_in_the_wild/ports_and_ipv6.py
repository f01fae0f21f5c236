from fabric.api import *

# a lab behind one address: hosts differ by port
env.user = 'ubuntu'
gateway = '203.0.113.5'
ctl = gateway + ':2201'
cmp1 = gateway + ':2202'
cmp2 = 'admin@%s:2203' % gateway
cmp3 = 'root@[2001:db8::17]:2204'
cmp4 = 'fd00::18'

env.roledefs = {
    'all': [ctl, cmp1, cmp2, cmp3, cmp4],
    'openstack': [ctl],
    'compute': [cmp1, cmp2, cmp3, cmp4, cmp1],
    'tsn': (),
}
env.hostnames = {ctl: 'ctl', cmp1: 'cmp-1', cmp2: 'cmp-2'}
env.passwords = {
    'ubuntu@203.0.113.5:2201': 'one',
    '203.0.113.5:2202': 'two',
    cmp2: 'three',
    'root@[2001:db8::17]:2204': 'four',
    'fd00::18': 'five',
}
env.key_filename = ['~/.ssh/lab', '/etc/keys/lab']
env.sriov = {
    cmp1: [{'interface': 'enp4s0f0', 'VF': 60, 'physnets': ['physnet1']}],
    cmp3: [{'interface': 'enp4s0f0', 'VF': 60, 'physnets': ['physnet1']}],
}
