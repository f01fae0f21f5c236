"""nova-compute's virt driver in a container: the test cloud's, also for releases that keep no identity of a node.

Copied into nova/virt/ beside it, for nova searches no other package.
"""

from nova.virt import fake

if not hasattr(fake, "FakeDriverWithoutFakeNodes"):  # before 30
    fake.FakeDriverWithoutFakeNodes = fake.SmallFakeDriver

from nova.virt.sysfs_driver import Driver  # noqa: F401 - what the configuration names
