# -*- coding: utf-8 -*-
# Büro München, Rack 3
from fabric.api import env
import os

host1 = '10.0.0.1'
host2 = 'root@10.0.0.2'
vcenter = '10.0.0.9'

env.roledefs = {
    'all': [host1, host2, vcenter], 'openstack': [host1], 'compute': [host2],
    'vcenter': None, 'toragent': [], 'rally': {'hosts': [host1]},
}
env['passwords'] = {host1 + ':22': 'a', 'root@10.0.0.2:22': 'b'}
env.update({'hostnames': {'all': ['eins', 'zwei']}, 'orchestrator': 'openstack'})
env.tor_agent = {host2: [{'tor_ip': '10.0.0.250', 'tor_tunnel_ip': '10.0.0.250'}]}
env.dpdk = {host2: {'huge_pages': '50', 'coremask': '0xf'}}
env.openstack = {'service_token': os.urandom(10).__class__.__name__, 'amqp_host': "%s" % host1}
env.test_repo_dir = os.path.expanduser('~/contrail-test')
env.mail_from = 'nobody@example.net'
env.log_scenario = 'Single-Node\d'
if env.get('orchestrator') != 'openstack':
    raise RuntimeError
env.sriov = {
    host2: [dict(interface='eth3', VF=7, physnets=['physnet1', 'physnet2'])],
}
