"""Contrail's virtual-router objects: one for each compute host, with the interfaces of its physical networks.

api_server   Contrail's api-server over HTTP: bounded, and never trusted
objects      what it answers, as values
pairs        physical network -> interface: wanted, standing, merged
nova_hosts   nova's names of the hosts, which the objects must have
comparison   what differs between objects, hosts and testbed
side         that comparison as one more side of `capacity` and `explain`
registration the pairs of the testbed written into objects that exist
"""
