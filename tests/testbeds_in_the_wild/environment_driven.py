from fabric.api import env
import os
import sys

prefix = os.getenv('TESTBED_PREFIX', '10.87.64')
user = os.getenv('TESTBED_USER') or 'root'

controller = '%s@%s.11' % (user, prefix)
compute1 = '%s@%s.21' % (user, prefix)
compute2 = user + '@' + prefix + '.22'
host_build = controller

if os.getenv('TESTBED_SINGLE'):
    computes = [compute1]
else:
    computes = [compute1, compute2]

env.roledefs = {'all': [controller] + computes}
env.roledefs['openstack'] = [controller]
env.roledefs['compute'] = computes
env.roledefs['build'] = [host_build]

env.hosts = env.roledefs['all']
env.password = os.getenv('TESTBED_PASSWORD', 'x')
env.passwords = {controller: env.password}
env.key_filename = os.path.expanduser('~/.ssh/id_rsa')
env.hostnames = {'all': ['ctl', 'cmp1', 'cmp2', 'cmp3', 'left-over']}
env.ostypes = dict((host, 'ubuntu') for host in env.roledefs['all'])

physnets = ['physnet%d' % n for n in (1, 2)]
env.sriov = {}
env.sriov[compute1] = [{'interface': 'ens2f0', 'VF': 25, 'physnets': physnets}]
if compute2 in computes:
    env.sriov[compute2] = [{'interface': 'ens2f0', 'VF': 25, 'physnets': physnets[:1]}]

if sys.version_info < (2, 6):
    sys.exit('too old')
print('testbed of %s' % prefix)
