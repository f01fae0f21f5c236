"""What the distribution has installed: the packages' services, nova's version, and where its Python code stands."""

from __future__ import annotations

from ..spec import HostSpec

UNITS = {
    ("debian", "compute"): ("libvirtd", "nova-compute", "neutron-sriov-agent"),
    ("debian", "openstack"): ("nova-api", "nova-conductor", "nova-scheduler", "neutron-server"),
    ("rhel", "compute"): ("libvirtd", "openstack-nova-compute", "neutron-sriov-nic-agent"),
    ("rhel", "openstack"): (
        "openstack-nova-api",
        "openstack-nova-conductor",
        "openstack-nova-scheduler",
        "neutron-server",
    ),
}


def packaged_services(spec: HostSpec) -> tuple[str, ...]:
    """Names of the packaged units, with `.service`; those of each role once."""
    names = [name for role in spec.roles for name in UNITS.get((spec.family, role), ())]
    return tuple(f"{name}.service" for name in dict.fromkeys(names))


def nova_version(spec: HostSpec) -> str:
    """`26.2.1`."""
    return f"{spec.release}.2.1"


def site_packages(spec: HostSpec) -> str:
    """Where the Python packages of the distribution stand."""
    return "/usr/lib/python3/dist-packages" if spec.family == "debian" else "/usr/lib/python3.9/site-packages"


def egg_info(spec: HostSpec) -> str:
    """The name by which nova's own metadata stands there: `nova-26.2.1.egg-info`."""
    suffix = "" if spec.family == "debian" else "-py3.9"
    return f"nova-{nova_version(spec)}{suffix}.egg-info"
