from fabric.api import env

#Management ip addresses of hosts in the cluster
host1 = 'root@1.1.1.1'

#External routers if any
#for eg.
#ext_routers = [('mx1', '10.204.216.253')]
ext_routers = []

#Autonomous system number
router_asn = 64512

#Host from which the fab commands are triggered to install and provision
host_build = 'root@1.1.1.1'

#Role definition of the hosts.
env.roledefs = {
    'all': [host1],
    'cfgm': [host1],
    'openstack': [host1],
    'control': [host1],
    'compute': [host1],
    'collector': [host1],
    'webui': [host1],
    'database': [host1],
    'build': [host_build],
    'storage-master': [host1],
    'storage-compute': [],
}

#Openstack admin password
env.openstack_admin_password = 'chei9APh'

env.hostnames = {
    'all': ['a0s1']
}

env.password = 'c0ntrail123'
#Passwords of each host
env.passwords = {
    host1: 'c0ntrail123',

    host_build: 'c0ntrail123',
}

#For reimage purpose
env.ostypes = {
    host1:'ubuntu',
}

#To enable multi-tenancy feature
#multi_tenancy = True
env.sriov = {}
do_parallel = True
