"""A machine of the fleet, on or off: its disk, its /sys, its processes in namespaces of their own, and its faults."""
