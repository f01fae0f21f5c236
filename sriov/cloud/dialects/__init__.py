"""What neutron says, backend by backend.

dialect         what differs between network backends, and which one a testbed has
contrail, ml2   the two of them: networks, ports, and each part of a port's binding judged
binding         the values and the parts that both have in common
extensions      those of neutron's API without which no port gets a VF
"""
