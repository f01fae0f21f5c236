"""From ready hosts to a VM with a VF: networks, ports and servers, and the proof that they hold together.

wanted       what a call asks for, checked before anything is asked of the cloud
session      the one user of openstacksdk: login, and its errors in our words
networks, ports, servers   found by name or made; of that name but different is an error
dialects     what neutron says under Contrail and under ML2: networks, and a port's binding, each part judged
claims       which VFs the cloud has given away; drift holds that against the hosts
virtual_routers   Contrail's objects of the compute hosts: compared, and their pairs registered
smoke        all of it once, checked, taken down again; checks and host_checks serve it
nova_drain   nova-compute off and on again around a host's reboot
"""
