"""A small OpenStack of real services on loopback, whose hosts our own tool sets up; `make cloud` runs it.

Everything lives in network, mount and process namespaces of its own: nothing listens on the machine, nothing
survives the command.
"""
