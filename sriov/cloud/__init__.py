"""From ready hosts to a VM with a VF: networks, ports and servers, and the proof that they hold together.

wanted       what a call asks for, checked before anything is asked of the cloud
session      the one user of openstacksdk: login, and its errors in our words
networks, ports, servers   found by name or made; of that name but different is an error
binding      a port's binding, each part judged
claims       which VFs the cloud has given away; drift holds that against the hosts
virtual_routers   Contrail's objects of the compute hosts: compared, and their pairs registered
smoke        all of it once, checked, taken down again; host_checks and junit serve it
drain        nova-compute off and on again around a host's reboot
"""
