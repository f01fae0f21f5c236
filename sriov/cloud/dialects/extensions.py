"""Which extensions of its API neutron has loaded."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sriov.cloud.dialects.dialect import Dialect
from sriov.cloud.session import cloud_errors
from sriov.errors import CloudError

if TYPE_CHECKING:
    from openstack.connection import Connection

NETWORK = "provider"  # provider:physical_network, provider:segmentation_id
PORT = "binding"  # binding:vnic_type, binding:vif_type, binding:profile, ...


def require(cloud: Connection, dialect: Dialect, *aliases: str) -> None:
    """Raises CloudError that explains the first missing one. A list that cannot be had refuses nothing."""
    try:
        with cloud_errors("listing the extensions of neutron"):
            loaded = {str(extension.alias) for extension in cloud.network.extensions()}
    except CloudError:
        return  # the next call says what is wrong
    missing = [alias for alias in aliases if alias not in loaded]
    if loaded and missing:
        message = f"neutron lacks the extension {' and '.join(missing)}, without which no port gets a VF"
        raise CloudError("extension-missing", message, hint=dialect.extension_hint)
