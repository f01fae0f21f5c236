"""The one list of capabilities. Its order is that in which a host is changed."""

from __future__ import annotations

from sriov.resources import (
    iommu,
    kernel_arguments,
    ml2_options,
    nova_options,
    nova_services,
    services,
    stated_arguments,
    virtual_functions,
)
from sriov.resources.contract import Capability, Reads, Request
from sriov.resources.notices import file_owners, service_environment

CAPABILITIES: tuple[Capability, ...] = (
    iommu.CAPABILITY,
    stated_arguments.CAPABILITY,
    kernel_arguments.CAPABILITY,
    virtual_functions.CAPABILITY,
    nova_options.CAPABILITY,
    ml2_options.CAPABILITY,
    nova_services.CAPABILITY,
    service_environment.CAPABILITY,
    services.CAPABILITY,
    file_owners.CAPABILITY,
)


def reads(request: Request) -> Reads:
    """What all of them have to see of this host, each thing once."""
    asked = tuple(capability.reads(request) for capability in CAPABILITIES)
    return Reads(*(tuple(dict.fromkeys(word for one in asked for word in one[place])) for place in range(len(Reads()))))
